//! callgate as it is measured: everything on, one trunk for 127.0.0.0/8, SQLite unless told otherwise.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::subject::{Subject, folder};

/// How it is set up.
#[derive(Default)]
pub struct Setup {
    /// More lines of `[sip]`.
    pub sip: String,
    /// A database that is there already, copied nowhere: a URL.
    pub store: Option<String>,
    /// The folder that holds it and the last good directory; else a fresh one.
    pub folder: Option<PathBuf>,
    /// Another build of it.
    pub binary: Option<PathBuf>,
}

/// The binary: the one built with this bench, or `CALLGATE_BENCH_BINARY`.
pub fn binary() -> PathBuf {
    std::env::var_os("CALLGATE_BENCH_BINARY")
        .map_or_else(|| env!("CARGO_BIN_EXE_callgate").into(), PathBuf::from)
}

impl Setup {
    /// Starts it and waits until it takes calls, `seconds` at most.
    pub fn start(self, seconds: u64) -> Subject {
        let own = folder();
        let data = self.folder.unwrap_or_else(|| own.clone());
        let store = self.store.unwrap_or_else(|| format!("sqlite://{}/callgate.db", own.display()));
        fs::write(own.join("callgate.toml"), configuration(&own, &data, &store, &self.sip)).expect("written");
        let config = own.join("callgate.toml");
        let mut command = Command::new(self.binary.unwrap_or_else(binary));
        command.args(["serve", "--config"]).arg(config);
        command.env("CALLGATE_ADMIN_SID", SID).env("CALLGATE_ADMIN_TOKEN", TOKEN);
        let mut subject = Subject::spawn(own, &mut command);
        subject.wait(seconds, |subject| subject.folder.join("ready.json").exists());
        let text = fs::read_to_string(subject.folder.join("ready.json")).expect("the ready file");
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let listeners = json["listeners"].as_array().cloned().unwrap_or_default();
        for listener in listeners {
            let address: SocketAddr =
                listener["address"].as_str().and_then(|at| at.parse().ok()).expect("an address");
            match listener["name"].as_str() {
                Some("udp-1") => subject.udp = address,
                Some("tcp-2") => subject.tcp = address,
                _ => subject.tls = address,
            }
        }
        subject.http = json["http"].as_str().and_then(|at| at.parse().ok()).expect("an address");
        subject
    }
}

/// The first account of a fresh store.
pub const SID: &str = "AC00000000000000000000000000000001";
/// Its token.
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Runs statements by hand and waits until calls see them; how long that took.
pub fn sql(subject: &Subject, statements: &str) -> Duration {
    let generation = sqlite(&subject.folder.join("callgate.db"), statements);
    live(subject, generation)
}

/// Runs statements in a file; the generation after them.
pub fn sqlite(file: &Path, statements: &str) -> u64 {
    let output = Command::new("sqlite3")
        .args(["-cmd", ".timeout 60000"])
        .arg(file)
        .arg(format!("{statements}; SELECT number FROM generation"))
        .output()
        .expect("sqlite3 is installed");
    assert!(output.status.success(), "{statements}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().last().and_then(|line| line.trim().parse().ok()).expect("a generation")
}

/// Waits until a generation is live; how long.
pub fn live(subject: &Subject, generation: u64) -> Duration {
    let (began, until) = (Instant::now(), Instant::now() + Duration::from_secs(60));
    while ready(subject)["generation"].as_u64().unwrap_or(0) < generation {
        assert!(Instant::now() < until, "generation {generation} is not live:\n{}", subject.log());
        thread::sleep(Duration::from_millis(1));
    }
    began.elapsed()
}

/// What `/ready` says.
pub fn ready(subject: &Subject) -> serde_json::Value {
    serde_json::from_str(&request(subject, "GET", "/ready", "")).unwrap_or_default()
}

/// One request as the super-admin; the body of the answer.
pub fn request(subject: &Subject, method: &str, path: &str, form: &str) -> String {
    let mut stream = TcpStream::connect(subject.http).expect("the HTTP port");
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: callgate\r\nConnection: close\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(head.as_bytes()).expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

/// Trunk and number `1`, which asks `voice` and reports to `status` (empty: to nobody).
pub fn provision(subject: &Subject, mode: &str, voice: &str, status: &str) {
    let status = if status.is_empty() { "NULL".to_owned() } else { format!("'{status}'") };
    sql(
        subject,
        &format!(
            "INSERT INTO trunks (name, sources, mode) VALUES ('bench', '127.0.0.0/8', '{mode}'); \
             INSERT INTO numbers (number, is_sip, voice_url, status_callback) VALUES ('1', TRUE, '{voice}', {status})"
        ),
    );
}

fn configuration(own: &Path, data: &Path, store: &str, sip: &str) -> String {
    let (own, data) = (own.display(), data.display());
    format!(
        r#"
[sip]
listen = ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"]
{sip}
[store]
url = "{store}"
[secrets]
key-file = "{data}/callgate.key"
[http]
listen = "127.0.0.1:0"
socket = "{own}/callgate.sock"
[webhook]
allow-private-addresses = true
[node]
data-dir = "{data}"
ready-file = "{own}/ready.json"
drain-seconds = 1
"#
    )
}
