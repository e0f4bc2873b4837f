//! Other people's implementations on the line: how one is started, and Kamailio as a record-routing proxy.
//! What baresip does stands in `baresip` and `telephones`.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::app::App;
use crate::legs::local;
use crate::router::Router;
use crate::sipp::{Sipp, free_port};

/// Calls of each kind.
const CALLS: u32 = 10;

/// A peer's process group, and its folder.
pub struct Peer {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Peer {
    /// Starts `program` in a folder of its own that holds `files`, and waits until it answers at `port`; `None` where
    /// somebody took a port meanwhile.
    pub fn start(
        name: &str,
        program: &str,
        package: &str,
        port: u16,
        files: &[(&str, String)],
        words: &[&str],
    ) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("callgate-{name}-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        for (file, text) in files {
            fs::write(folder.join(file), text).expect("written");
        }
        let log = fs::File::create(folder.join("log")).expect("a log");
        let child = Command::new(program)
            .args(words)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{program} cannot be run ({error}): `make test` installs it (apt-get install {package})"
                )
            });
        let mut peer = Self { child, folder, port };
        peer.answers().then_some(peer)
    }

    /// Waits until it answers an OPTIONS, whatever it says; false: a port of its was taken.
    fn answers(&mut self) -> bool {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        let (own, until) = (socket.local_addr().expect("bound"), Instant::now() + Duration::from_secs(15));
        let mut count = 0;
        loop {
            count += 1;
            let options = format!(
                "OPTIONS sip:bob@127.0.0.1:{0} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKready{count}\r\nMax-Forwards: 0\r\n\
                 From: <sip:t@{own}>;tag=1\r\nTo: <sip:bob@127.0.0.1:{0}>\r\nCall-ID: ready{count}\r\nCSeq: 1 OPTIONS\r\n\
                 Content-Length: 0\r\n\r\n",
                self.port
            );
            let answered = socket.send_to(options.as_bytes(), local(self.port)).is_ok()
                && socket.recv(&mut [0; 4096]).is_ok();
            if answered {
                return true;
            }
            let ended = self.child.try_wait().expect("a child");
            if ended.is_some() && self.log().contains("Address already in use") {
                return false;
            }
            assert!(ended.is_none() && Instant::now() < until, "it does not answer:\n{}", self.log());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("--- the peer's log ---\n{}", self.log());
        }
        let group = Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        if let Err(error) = killpg(group, Signal::SIGKILL) {
            eprintln!("a peer could not be stopped: {error}");
        }
        if let Err(error) = self.child.wait().and_then(|_| fs::remove_dir_all(&self.folder)) {
            eprintln!("{} stays: {error}", self.folder.display());
        }
    }
}

/// Kamailio, which sends what begins to `next` and stays in the dialog's path.
pub fn kamailio(next: u16) -> Peer {
    kamailio_with(next, "", "")
}

/// The same, which wants bob's password with every request but ACK and CANCEL.
pub fn kamailio_that_asks(next: u16, algorithm: &str) -> Peer {
    let module = format!("loadmodule \"auth.so\"\nmodparam(\"auth\", \"algorithm\", \"{algorithm}\")\n");
    let asks = r#"if (!is_method("ACK|CANCEL|OPTIONS") && !pv_proxy_authenticate("pbx", "secret", "0")) {
        proxy_challenge("pbx", "1");
        exit;
    }
    consume_credentials();"#;
    kamailio_with(next, &module, asks)
}

/// The same, which rings elsewhere when it is redirected.
pub fn kamailio_that_follows(next: u16) -> Peer {
    let module = r#"loadmodule "acc.so"
loadmodule "uac_redirect.so"
failure_route[redirected] {
    if (t_check_status("302") && get_redirects("*")) { t_relay(); }
}
"#;
    kamailio_with(
        next,
        module,
        "if (is_method(\"INVITE\") && !has_totag()) { t_on_failure(\"redirected\"); }",
    )
}

/// The same, which refuses every INVITE with `code`.
pub fn kamailio_that_refuses(code: &str) -> Peer {
    let asks = format!("if (is_method(\"INVITE\")) {{ sl_send_reply(\"{code}\", \"Not now\"); exit; }}");
    kamailio_with(free_port(), "", &asks)
}

fn kamailio_with(next: u16, module: &str, asks: &str) -> Peer {
    let port = free_port();
    let modules = ["tm", "sl", "rr", "pv", "maxfwd", "siputils", "textops"]
        .map(|name| format!("loadmodule \"{name}.so\"\n"));
    let config = format!(
        r#"#!KAMAILIO
debug=1
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:127.0.0.1:{port}
{}{module}
request_route {{
    if (!mf_process_maxfwd_header("20")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    {asks}
    if (is_method("CANCEL")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK")) {{ if (t_check_trans()) {{ t_relay(); }} exit; }}
        sl_send_reply("404", "Not here");
        exit;
    }}
    record_route();
    $du = "sip:127.0.0.1:{next}";
    t_relay();
}}
"#,
        modules.concat()
    );
    let words = ["-f", "kamailio.cfg", "-DD", "-E", "-m", "32", "-M", "4", "-Y", ".", "-P", "pid", "-w", "."];
    Peer::start("kamailio", "/usr/sbin/kamailio", "kamailio", port, &[("kamailio.cfg", config)], &words)
        .unwrap_or_else(|| kamailio_with(next, module, asks))
}

/// Waits until that many calls completed, and no more.
pub fn completed(app: &App, calls: u32) {
    let until = Instant::now() + Duration::from_secs(15);
    let count = || app.told().iter().filter(|one| one.get("CallStatus") == "completed").count();
    while count() < calls as usize {
        assert!(Instant::now() < until, "{} of {calls} completed", count());
        thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(count(), calls as usize);
}

#[test]
fn behind_a_record_routing_proxy() {
    let (router, app, callee) = (Router::start(), App::start(), free_port());
    let proxy = kamailio(router.udp.port());
    router.number("1", &app.url(&format!("/dial/{callee}")), &app.url("/status"));
    let uas = Sipp::new(&router, "callee").port(callee).calls(CALLS, 10).start();
    Sipp::new(&router, "caller").dials("1").calls(CALLS, 10).toward(local(proxy.port)).run();
    uas.success();
    completed(&app, CALLS);
    // The BYE from the other side finds its way back through the proxy as well.
    let uas = Sipp::new(&router, "callee-hangs-up").port(callee).start();
    Sipp::new(&router, "caller-waits").dials("1").toward(local(proxy.port)).run();
    uas.success();
    completed(&app, CALLS + 1);
}

#[test]
fn before_a_record_routing_proxy() {
    let (router, app, callee) = (Router::start(), App::start(), free_port());
    let proxy = kamailio(callee);
    router.number("1", &app.url(&format!("/dial/{}", proxy.port)), &app.url("/status"));
    let uas = Sipp::new(&router, "callee").port(callee).calls(CALLS, 10).start();
    Sipp::new(&router, "caller").dials("1").calls(CALLS, 10).run();
    uas.success();
    completed(&app, CALLS);
    let uas = Sipp::new(&router, "callee-hangs-up").port(callee).start();
    Sipp::new(&router, "caller-waits").dials("1").run();
    uas.success();
    completed(&app, CALLS + 1);
    // A CANCEL goes through it too.
    router.sql("UPDATE trunks SET ring_at_once = FALSE");
    let uas = Sipp::new(&router, "callee-is-cancelled").port(callee).start();
    Sipp::new(&router, "caller-cancels").dials("1").with("TALK", 500).run();
    uas.success();
}

#[test]
fn between_two_record_routing_proxies() {
    let (router, app, callee) = (Router::start(), App::start(), free_port());
    let (before, behind) = (kamailio(router.udp.port()), kamailio(callee));
    router.number("1", &app.url(&format!("/dial/{}", behind.port)), &app.url("/status"));
    let uas = Sipp::new(&router, "callee-is-reinvited").port(callee).start();
    Sipp::new(&router, "caller-reinvites").dials("1").toward(local(before.port)).run();
    uas.success();
    completed(&app, 1);
}

#[test]
fn a_proxy_follows_a_redirect() {
    let (router, app, callee) = (Router::start(), App::start(), free_port());
    router.sql("UPDATE trunks SET mode = 'redirect'");
    let proxy = kamailio_that_follows(router.udp.port());
    router.number("1", &app.url(&format!("/dial/{callee}")), &app.url("/status"));
    let uas = Sipp::new(&router, "callee").port(callee).start();
    Sipp::new(&router, "caller").dials("1").toward(local(proxy.port)).run();
    uas.success();
    completed(&app, 1);
}

#[test]
fn a_message_comes_through_a_proxy() {
    let (router, app) = (Router::start(), App::start());
    let proxy = kamailio(router.udp.port());
    let url = app.url("/text/Thanks");
    router.sql(&format!("INSERT INTO numbers (number, is_sip, sms_url) VALUES ('1', TRUE, '{url}')"));
    Sipp::new(&router, "message").dials("1").with("CODE", 202).toward(local(proxy.port)).run();
    Sipp::new(&router, "message").dials("2").with("CODE", 404).toward(local(proxy.port)).run();
    assert_eq!(app.asked().len(), 1);
}
