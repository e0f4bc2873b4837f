//! Who is measured: callgate, the floor, Kamailio; each on free ports, in a folder of its own, stopped when dropped.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::free_port::free_port;

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A running program that carries calls to one callee.
pub struct Subject {
    child: Child,
    /// Its own folder.
    pub folder: PathBuf,
    /// Where it hears UDP.
    pub udp: SocketAddr,
    /// Where it hears TCP.
    pub tcp: SocketAddr,
    /// Where it hears TLS.
    pub tls: SocketAddr,
    /// Where its HTTP is, callgate's only.
    pub http: SocketAddr,
}

impl Subject {
    /// `program` in a folder of its own that holds `files`.
    pub fn spawn(folder: PathBuf, command: &mut Command) -> Self {
        let log = fs::File::create(folder.join("log")).expect("a log");
        let child = command
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let none = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { child, folder, udp: none, tcp: none, tls: none, http: none }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Waits until `ready`; panics with its log when it ends before, or after `seconds`.
    pub fn wait(&mut self, seconds: u64, ready: impl Fn(&Self) -> bool) {
        let until = Instant::now() + Duration::from_secs(seconds);
        while !ready(self) {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none() && Instant::now() < until, "it is not ready:\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = self.log();
            eprintln!("--- log ---\n{}", &log[log.len().saturating_sub(3000)..]);
        }
        let group = Pid::from_raw(i32::try_from(self.pid()).expect("a process id"));
        if let Err(error) = killpg(group, Signal::SIGKILL) {
            eprintln!("{}: {error}", self.folder.display());
        }
        if let Err(error) = self.child.wait().and_then(|_| fs::remove_dir_all(&self.folder)) {
            eprintln!("{} stays: {error}", self.folder.display());
        }
    }
}

/// A fresh folder.
pub fn folder() -> PathBuf {
    let name = format!("callgate-bench-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// The floor: this program in another process (see `relay`).
pub fn floor(words: &str, near: u16) -> Subject {
    let program = std::env::current_exe().expect("this program");
    let mut subject = Subject::spawn(folder(), Command::new(program).env("CALLGATE_FLOOR", words));
    subject.udp.set_port(near);
    thread::sleep(Duration::from_millis(200));
    subject
}

/// What Kamailio does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Does {
    /// Relays, with transactions.
    Relay,
    /// Tracks dialogs, too.
    Dialogs,
    /// Asks and reports, too.
    Webhook,
}

/// Kamailio toward `target` (`PORT` or `PORT;transport=tcp`), asking the application at `app`. `tls`: certificate and key.
pub fn kamailio(does: Does, target: &str, app: u16, tls: Option<(&Path, &Path)>) -> Subject {
    let (folder, port, secure) = (folder(), free_port(), free_port());
    let load = tls.map_or_else(String::new, |(certificate, key)| {
        format!(
            "loadmodule \"tls.so\"\nmodparam(\"tls\", \"tls_method\", \"TLSv1.2+\")\nmodparam(\"tls\", \"certificate\", \"{}\")\nmodparam(\"tls\", \"private_key\", \"{}\")\n\
             modparam(\"tls\", \"verify_certificate\", 0)\nmodparam(\"tls\", \"require_certificate\", 0)",
            certificate.display(),
            key.display()
        )
    });
    let listen = tls.map_or_else(String::new, |_| format!("listen=tls:127.0.0.1:{secure}"));
    let mut text = include_str!("kamailio.cfg").to_owned();
    for (name, value) in [
        ("CHILDREN", "2".to_owned()),
        ("UDP", port.to_string()),
        ("TLS", if tls.is_some() { "yes" } else { "no" }.to_owned()),
        ("LISTEN_TLS", listen),
        ("LOAD_TLS", load),
        ("APP", app.to_string()),
        ("TARGET_WORDS", target.replace(";transport=", "/")),
        ("TARGET", target.to_owned()),
    ] {
        text = text.replace(&format!("@{name}@"), &value);
    }
    fs::write(folder.join("kamailio.cfg"), text).expect("written");
    let mut command = Command::new("/usr/sbin/kamailio");
    command.args([
        "-f",
        "kamailio.cfg",
        "-DD",
        "-E",
        "-m",
        "1024",
        "-M",
        "16",
        "-Y",
        ".",
        "-P",
        "pid",
        "-w",
        ".",
    ]);
    for (wanted, word) in [(does != Does::Relay, "DIALOGS"), (does == Does::Webhook, "WEBHOOK")] {
        if wanted {
            command.args(["-A", word]);
        }
    }
    let mut subject = Subject::spawn(folder, &mut command);
    (subject.udp, subject.tcp) = (([127, 0, 0, 1], port).into(), ([127, 0, 0, 1], port).into());
    subject.tls.set_port(secure);
    subject.wait(15, answers);
    subject
}

/// Whether it answers an OPTIONS.
fn answers(subject: &Subject) -> bool {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    let own = socket.local_addr().expect("bound");
    let options = format!(
        "OPTIONS sip:bob@{0} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKready{1}\r\nMax-Forwards: 9\r\n\
         From: <sip:t@{own}>;tag=1\r\nTo: <sip:bob@{0}>\r\nCall-ID: ready{1}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        subject.udp,
        own.port()
    );
    socket.send_to(options.as_bytes(), subject.udp).is_ok() && socket.recv(&mut [0; 4096]).is_ok()
}
