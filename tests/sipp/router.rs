//! The real binary on free ports, with an empty store that the test fills by SQL.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A running callgate; stopped and its folder removed when dropped.
pub struct Router {
    child: Child,
    folder: PathBuf,
    /// Where it hears UDP.
    pub udp: SocketAddr,
    /// Where it hears TCP.
    pub tcp: SocketAddr,
    /// Where it hears TLS, where a test gave it a listener `secure`.
    pub tls: SocketAddr,
    /// A second UDP listener, `inner`.
    pub inner: SocketAddr,
    http: SocketAddr,
    keep: bool,
}

impl Router {
    /// Starts it with three shards and a trunk for 127.0.0.0/8.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// As [`Self::start`], with more lines at the end of `[sip]`.
    pub fn start_with(sip: &str) -> Self {
        Self::launch(sip, 3)
    }

    /// With `shards` shards (0: as many as the machine has use for) and `sip` at the end of `[sip]`.
    pub fn launch(sip: &str, shards: usize) -> Self {
        let name = format!("callgate-sipp-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        let config = folder.join("callgate.toml");
        fs::write(&config, configuration(&folder, sip, shards)).expect("written");
        let log = fs::File::create(folder.join("log")).expect("a log");
        let child = Command::new(binary())
            .args(["serve", "--config"])
            .arg(&config)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("callgate starts");
        let none = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut router =
            Self { child, folder, udp: none, tcp: none, tls: none, inner: none, http: none, keep: false };
        router.wait_ready();
        router.sql("INSERT INTO trunks (name, sources) VALUES ('sipp', '127.0.0.0/8')");
        router
    }

    fn wait_ready(&mut self) {
        let until = Instant::now() + Duration::from_secs(30);
        let ready = self.folder.join("ready.json");
        while !ready.exists() {
            let ended = self.child.try_wait().expect("a child");
            assert!(
                ended.is_none() && Instant::now() < until,
                "callgate did not become ready:\n{}",
                self.log()
            );
            thread::sleep(Duration::from_millis(20));
        }
        let text = fs::read_to_string(ready).expect("the ready file");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let listeners = json["listeners"].as_array().expect("listeners");
        let address = |name: &str| {
            let listener = listeners.iter().find(|listener| listener["name"] == name)?;
            Some(listener["address"].as_str().expect("an address").parse().expect("one"))
        };
        let there = |name: &str| address(name).expect("a listener");
        (self.udp, self.tcp, self.inner) = (there("udp-1"), there("tcp-2"), there("inner"));
        self.tls = address("secure").unwrap_or(self.tls);
        self.http = json["http"].as_str().expect("an address").parse().expect("one");
    }

    /// Runs statements in the store by hand, waits until calls see them, and tells how long that took.
    pub fn sql(&self, statements: &str) -> Duration {
        let output = Command::new("sqlite3")
            .args(["-cmd", ".timeout 5000"])
            .arg(self.folder.join("callgate.db"))
            .arg(format!("{statements}; SELECT number FROM generation"))
            .output()
            .expect("sqlite3 is installed");
        assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
        let generation: u64 = String::from_utf8_lossy(&output.stdout).trim().parse().expect("a generation");
        let (written, until) = (Instant::now(), Instant::now() + Duration::from_secs(20));
        while self.generation() < generation {
            assert!(Instant::now() < until, "generation {generation} is not live:\n{}", self.log());
            thread::sleep(Duration::from_millis(5));
        }
        written.elapsed()
    }

    /// The live generation, as `/ready` tells it.
    fn generation(&self) -> u64 {
        let mut stream = TcpStream::connect(self.http).expect("the HTTP port");
        stream
            .write_all(b"GET /ready HTTP/1.1\r\nHost: callgate\r\nConnection: close\r\n\r\n")
            .expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
        let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
        json["generation"].as_u64().unwrap_or(0)
    }

    /// A number that asks `url` and reports to `status`.
    pub fn number(&self, text: &str, url: &str, status: &str) {
        self.sql(&format!(
            "INSERT INTO numbers (number, is_sip, voice_url, status_callback) VALUES ('{text}', TRUE, '{url}', '{status}')"
        ));
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The calls that did not complete, each with its ladder, as an operator would ask for them.
    pub fn calls(&self) -> String {
        let list = self.callgate(&["calls", "list", "--limit", "1000"]);
        let failed = list.lines().filter(|line| line.contains("CA") && !line.contains("completed")).take(3);
        let sids = failed.filter_map(|line| line.split_whitespace().find(|word| word.starts_with("CA")));
        sids.map(|sid| self.callgate(&["calls", "show", sid])).collect()
    }

    /// What the command prints that an operator types on this machine.
    pub fn callgate(&self, words: &[&str]) -> String {
        let output = Command::new(binary())
            .args(["--socket", &self.folder.join("callgate.sock").display().to_string()])
            .args(words)
            .output()
            .expect("callgate runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A place for the test's own files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// The binary of this build, or the one that `CALLGATE_TEST_BINARY` names.
fn binary() -> PathBuf {
    std::env::var_os("CALLGATE_TEST_BINARY").map_or_else(|| env!("CARGO_BIN_EXE_callgate").into(), Into::into)
}

impl Drop for Router {
    fn drop(&mut self) {
        self.keep |= thread::panicking();
        if thread::panicking() {
            eprintln!("--- callgate's log ({}) ---\n{}", self.folder.display(), self.log());
        }
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("callgate could not be stopped: {error}");
        }
        if !self.keep
            && let Err(error) = fs::remove_dir_all(&self.folder)
        {
            eprintln!("{} stays: {error}", self.folder.display());
        }
    }
}

fn configuration(folder: &Path, sip: &str, shards: usize) -> String {
    let folder = folder.display();
    format!(
        r#"
[sip]
listen = ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"]
{sip}
[[sip.listener]]
name = "inner"
bind = "udp://127.0.0.1:0"
[store]
url = "sqlite://{folder}/callgate.db"
[secrets]
key-file = "{folder}/callgate.key"
[http]
listen = "127.0.0.1:0"
socket = "{folder}/callgate.sock"
[webhook]
allow-private-addresses = true
[node]
shards = {shards}
data-dir = "{folder}"
ready-file = "{folder}/ready.json"
drain-seconds = 1
[log]
level = "{}"
show-numbers = true
"#,
        std::env::var("CALLGATE_TEST_LOG").unwrap_or_else(|_| "info".into()),
    )
}
