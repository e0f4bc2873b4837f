//! One callgate: the real binary on free ports in a folder of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use callgate::cli::demo::http::{self, Message};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub const SID: &str = "AC0000000000000000000000000000da01";
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Node {
    pub child: Child,
    pub folder: PathBuf,
    pub sip: Vec<SocketAddr>,
    pub http: SocketAddr,
    keep: bool,
}

pub fn folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("callgate-daemon-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The binary of this build, or the one that `CALLGATE_TEST_BINARY` names: one that was built elsewhere can
/// be put to the same tests.
pub fn program() -> PathBuf {
    let program = std::env::var_os("CALLGATE_TEST_BINARY").map(PathBuf::from);
    program.unwrap_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_callgate")))
}

/// The binary in `folder` with a wholesome environment and `settings` over it.
pub fn command(folder: &PathBuf, listen: &[&str], settings: &[(&str, &str)]) -> Command {
    command_of(&program(), folder, listen, settings)
}

fn command_of(program: &Path, folder: &PathBuf, listen: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
    command
        .arg("serve")
        .current_dir(folder)
        .env("CALLGATE__SIP__LISTEN", format!("{listen:?}"))
        .env("CALLGATE__HTTP__LISTEN", "127.0.0.1:0")
        .env("CALLGATE__NODE__READY_FILE", "ready.json")
        .env("CALLGATE__WEBHOOK__ALLOW_PRIVATE_ADDRESSES", "true")
        .env("CALLGATE__JOURNAL__RESERVE_BYTES", "4194304")
        .env("CALLGATE__JOURNAL__SEGMENT_BYTES", "1048576")
        .env("CALLGATE_ADMIN_SID", SID)
        .env("CALLGATE_ADMIN_TOKEN", TOKEN)
        .stdout(Stdio::null())
        .stderr(std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap());
    for (key, value) in settings {
        command.env(key, value);
    }
    command
}

impl Node {
    pub fn start(listen: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::start_in(folder(), listen, settings)
    }

    pub fn start_in(folder: PathBuf, listen: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::start_as(folder, listen, settings, |_| {})
    }

    /// With whatever else `configure` does to the command.
    pub fn start_as(
        folder: PathBuf,
        listen: &[&str],
        settings: &[(&str, &str)],
        configure: impl FnOnce(&mut Command),
    ) -> Self {
        let mut command = command(&folder, listen, settings);
        configure(&mut command);
        Self::run(command, folder)
    }

    /// Of another file than the one that was built.
    pub fn start_program(
        program: &Path,
        folder: PathBuf,
        listen: &[&str],
        settings: &[(&str, &str)],
    ) -> Self {
        let command = command_of(program, &folder, listen, settings);
        Self::run(command, folder)
    }

    /// Its folder, which stays.
    pub fn keep(mut self) -> PathBuf {
        self.keep = true;
        self.folder.clone()
    }

    fn run(mut command: Command, folder: PathBuf) -> Self {
        let ready = folder.join("ready.json");
        if ready.exists() {
            std::fs::remove_file(&ready).unwrap();
        }
        let mut child = command.spawn().unwrap();
        let until = Instant::now() + PATIENCE;
        let text = loop {
            if let Ok(text) = std::fs::read_to_string(&ready) {
                break text;
            }
            let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(child.try_wait().unwrap().is_none(), "callgate ended: {}", log());
            assert!(Instant::now() < until, "callgate is not ready: {}", log());
            std::thread::sleep(Duration::from_millis(10));
        };
        let ready: serde_json::Value = serde_json::from_str(&text).unwrap();
        let address = |value: &serde_json::Value| value.as_str().unwrap().parse().unwrap();
        let sip = ready["listeners"].as_array().unwrap().iter().map(|one| address(&one["address"])).collect();
        Self { child, folder, sip, http: address(&ready["http"]), keep: false }
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap()
    }

    pub fn ask(&self, line: &str, kind: &str, body: &str) -> Message {
        http::request(self.http, (SID, TOKEN), line, kind, body).unwrap()
    }

    /// A trunk for loopback and a number of that application; returns when both are live.
    pub fn provision(&self, number: &str, application: SocketAddr) {
        let trunk = r#"{"name":"test","sources":["127.0.0.0/8","::1/128"]}"#;
        assert_eq!(self.ask("POST /admin/v1/trunks", "application/json", trunk).status(), 201);
        self.number_of(number, application);
    }

    /// A number of that application; returns when it is live.
    pub fn number_of(&self, number: &str, application: SocketAddr) {
        let url = |path: &str| format!("http://{application}/{path}");
        self.number(number, &[("VoiceUrl", &url("voice")), ("StatusCallback", &url("status"))]);
    }

    /// Creates the number, or changes it where it is there; returns when that is live.
    pub fn number(&self, number: &str, fields: &[(&str, &str)]) {
        let form = |fields: &[(&str, &str)]| {
            form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
        };
        let base = format!("/restcomm/2012-04-24/Accounts/{SID}/IncomingPhoneNumbers");
        let named = form(&[("PhoneNumber", number)]);
        let there = self.ask(&format!("GET {base}.json?{named}"), "text/plain", "");
        let listed: serde_json::Value = serde_json::from_str(&there.body).unwrap();
        let sid = listed["incomingPhoneNumbers"][0]["sid"].as_str();
        let line = sid.map_or_else(|| format!("POST {base}.json"), |sid| format!("POST {base}/{sid}.json"));
        let body = [form(fields), named].join("&");
        let answer = self.ask(&line, "application/x-www-form-urlencoded", &body);
        assert!(matches!(answer.status(), 200 | 201), "{answer:?}");
        self.live(&answer);
    }

    /// Waits until calls see what this answer wrote.
    pub fn live(&self, answer: &Message) {
        let generation = answer.header("x-callgate-generation").unwrap();
        self.ask(&format!("GET /admin/v1/generation?wait={generation}"), "text/plain", "");
    }

    /// Waits until `holds`, and tells what else it was.
    pub fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < until, "{what} does not come: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The status and body of `/ready`.
    pub fn ready(&self) -> (u16, String) {
        let answer = self.ask("GET /ready", "text/plain", "");
        (answer.status(), answer.body)
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Waits for its end; the exit code, `None` after a signal.
    pub fn ended(&mut self) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(45);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "callgate does not end: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `kill -9`; its folder stays.
    pub fn kill(self) -> PathBuf {
        self.stop(Signal::SIGKILL)
    }

    /// Ended by this signal, where it has not ended before; its folder stays.
    pub fn stop(mut self, signal: Signal) -> PathBuf {
        self.keep = true;
        if self.child.try_wait().unwrap().is_none() {
            self.signal(signal);
        }
        self.ended();
        self.folder.clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
        if !self.keep && !std::thread::panicking() {
            std::fs::remove_dir_all(&self.folder).unwrap();
        }
    }
}
