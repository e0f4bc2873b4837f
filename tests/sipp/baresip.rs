//! baresip as a telephone: it answers by itself, or does what it is told through its control port.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::peers::Peer;
use crate::sipp::free_port;

/// How long anything may take.
const LONGEST: Duration = Duration::from_secs(10);

/// One baresip, its account, and its control connection.
pub struct Baresip {
    peer: Peer,
    control: TcpStream,
    console: Option<TcpStream>,
    events: VecDeque<Value>,
}

/// How it is set up.
#[derive(Default)]
pub struct Setup {
    /// It picks up at once.
    pub answers: bool,
    /// The certificate and key of its TLS port, the one above its first.
    pub pair: Option<String>,
    /// Whom its messages go to; it has a console then, which shows those that come.
    pub friend: Option<String>,
}

impl Baresip {
    /// Answers every call at once, and sends back what it hears.
    pub fn answering() -> Self {
        Self::start(Setup { answers: true, ..Setup::default() })
    }

    /// Rings until it is told what to do.
    pub fn by_hand() -> Self {
        Self::start(Setup::default())
    }

    /// Starts one.
    pub fn start(setup: Setup) -> Self {
        let (peer, control, console) = loop {
            let (port, [control, console]) = ports();
            let mut files = files(port, control, console, &setup);
            files.extend(setup.pair.clone().map(|pair| ("pair.pem", pair)));
            let words = ["-f", "."];
            if let Some(peer) =
                Peer::start("baresip", "/usr/bin/baresip", "baresip-core", port, &files, &words)
            {
                break (peer, control, console);
            }
        };
        let connect = |port| TcpStream::connect(("127.0.0.1", port)).expect("its port");
        let console = setup.friend.is_some().then(|| connect(console));
        Self { peer, control: connect(control), console, events: VecDeque::new() }
    }

    /// Where it listens over UDP and TCP; over TLS one above.
    pub fn port(&self) -> u16 {
        self.peer.port()
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.peer.log()
    }

    /// Waits until it has logged `text` so many times.
    pub fn logs(&self, text: &str, times: usize) {
        let until = Instant::now() + LONGEST;
        while self.log().matches(text).count() < times {
            assert!(Instant::now() < until, "`{text}` is not {times} times in its log");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Does `command` of its menu, and tells what it said.
    pub fn does(&mut self, command: &str, words: &str) -> String {
        self.tells(command, words);
        loop {
            let said = self.next().unwrap_or_else(|| panic!("no answer to `{command}`"));
            if said["response"] == true && said["token"] == command {
                assert_eq!(said["ok"], true, "{command}: {said}");
                return said["data"].as_str().unwrap_or_default().to_owned();
            }
            self.events.push_back(said);
        }
    }

    /// The same without waiting for its answer.
    pub fn tells(&mut self, command: &str, words: &str) {
        let text = serde_json::json!({ "command": command, "params": words, "token": command }).to_string();
        self.control.write_all(format!("{}:{text},", text.len()).as_bytes()).expect("its control port");
    }

    /// Waits for its next event of this type; those before it are forgotten.
    pub fn event(&mut self, kind: &str) -> Value {
        self.heard(kind, |event| event["type"] == kind)
    }

    /// Waits until the other side's session description came, an `offer` or an `answer`.
    pub fn session(&mut self, part: &str) {
        self.heard(part, |event| event["type"] == "CALL_REMOTE_SDP" && event["param"] == part);
    }

    /// Waits until its console shows `text`, as a MESSAGE that came.
    pub fn shows(&mut self, text: &str) {
        let console = self.console.as_mut().expect("who has a friend has a console");
        console.set_read_timeout(Some(LONGEST)).expect("a timeout");
        let mut shown = Vec::new();
        while !String::from_utf8_lossy(&shown).contains(text) {
            let mut some = [0; 512];
            let length = console.read(&mut some).unwrap_or(0);
            assert!(length > 0, "it shows `{}`", String::from_utf8_lossy(&shown));
            shown.extend(&some[..length]);
        }
    }

    /// Waits until it has no call.
    pub fn idle(&mut self) {
        let until = Instant::now() + LONGEST;
        while self.does("listcalls", "").contains("sip:") {
            assert!(Instant::now() < until, "a call stays");
            std::thread::sleep(Duration::from_millis(20));
        }
        self.events.clear();
    }

    fn heard(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.events.pop_front().or_else(|| self.next());
            let event = event.unwrap_or_else(|| panic!("no {name} came"));
            if wanted(&event) {
                return event;
            }
        }
    }

    /// One netstring of JSON, within ten seconds.
    fn next(&mut self) -> Option<Value> {
        let until = Instant::now() + LONGEST;
        let mut length = String::new();
        loop {
            let byte = self.bytes(1, until)?[0];
            if byte == b':' {
                break;
            }
            length.push(char::from(byte));
        }
        let text = self.bytes(length.parse().expect("a length"), until)?;
        self.bytes(1, until)?;
        Some(serde_json::from_slice(&text).expect("JSON"))
    }

    fn bytes(&mut self, count: usize, until: Instant) -> Option<Vec<u8>> {
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        self.control.set_read_timeout(Some(left)).expect("a timeout");
        let mut bytes = vec![0; count];
        self.control.read_exact(&mut bytes).ok().map(|()| bytes)
    }
}

/// A port for SIP, the one above it free too, and two others.
fn ports() -> (u16, [u16; 2]) {
    let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let port = std::iter::repeat_with(free_port).find(|port| free(port + 1)).expect("two free ports");
    let mut others = std::iter::repeat_with(free_port).filter(|other| ![port, port + 1].contains(other));
    let control = others.next().expect("a third");
    (port, [control, others.find(|other| *other != control).expect("a fourth")])
}

fn files(port: u16, control: u16, console: u16, setup: &Setup) -> Vec<(&'static str, String)> {
    let mut modules =
        "module g711.so\nmodule aubridge.so\nmodule_tmp account.so\nmodule_app contact.so\n".to_owned();
    if setup.friend.is_some() {
        modules += "module cons.so\n";
    }
    let audio = ["player", "source", "alert"].map(|what| format!("audio_{what} aubridge,loop\n")).concat();
    let pair = if setup.pair.is_some() { "sip_certificate pair.pem\n" } else { "" };
    let config = format!(
        "sip_listen 127.0.0.1:{port}\n{pair}ctrl_tcp_listen 127.0.0.1:{control}\ncons_listen 127.0.0.1:{console}\n\
         module_path /usr/lib/baresip/modules\n{audio}{modules}module_app menu.so\nmodule_app ctrl_tcp.so\n"
    );
    let mode = if setup.answers { "auto" } else { "manual" };
    let account = format!("<sip:bob@127.0.0.1:{port}>;regint=0;answermode={mode}\n");
    let friend = setup.friend.as_ref().map(|uri| format!("\"Friend\" <{uri}>\n")).unwrap_or_default();
    vec![("config", config), ("accounts", account), ("contacts", friend)]
}
