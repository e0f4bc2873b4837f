//! The application: answers at once, keeps connections, and counts.
//!
//! `/dial/PORT[/TRANSPORT]` answers RCML, `/target/PORT` the bare URI for Kamailio, anything else nothing.
//! With [`App::note`], when each call's question came and was answered.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The server, and what it heard.
#[derive(Clone)]
pub struct App {
    /// Its port on 127.0.0.1.
    pub port: u16,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    asked: AtomicUsize,
    told: AtomicUsize,
    noting: AtomicBool,
    /// By the caller's Call-ID: how long the question was here.
    notes: Mutex<HashMap<String, Duration>>,
}

impl App {
    /// Starts on a free port; its threads end with the process.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let app = Self { port: listener.local_addr().expect("bound").port(), heard: Arc::default() };
        let served = app.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let app = served.clone();
                thread::spawn(move || app.serve(stream));
            }
        });
        app
    }

    /// Its URL for `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Questions and reports so far.
    pub fn counts(&self) -> (usize, usize) {
        (self.heard.asked.load(Ordering::Relaxed), self.heard.told.load(Ordering::Relaxed))
    }

    /// Waits until it was asked and told so often, 30 s at most.
    pub fn settle(&self, asked: usize, told: usize) -> bool {
        self.settle_for(asked, told, Duration::from_secs(30))
    }

    /// The same, as long as said.
    pub fn settle_for(&self, asked: usize, told: usize, longest: Duration) -> bool {
        let until = Instant::now() + longest;
        let all = || {
            let (heard_asked, heard_told) = self.counts();
            heard_asked >= asked && heard_told >= told
        };
        while !all() && Instant::now() < until {
            thread::sleep(Duration::from_millis(50));
        }
        all()
    }

    /// From now on the time each question was here is kept.
    pub fn note(&self) {
        self.heard.noting.store(true, Ordering::Relaxed);
    }

    /// How long the question of the call with this Call-ID was here.
    pub fn noted(&self, call_id: &str) -> Option<Duration> {
        self.heard.notes.lock().unwrap_or_else(PoisonError::into_inner).get(call_id).copied()
    }

    fn serve(&self, mut stream: TcpStream) {
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let (mut buffer, mut filled) = (vec![0; 65_536], 0);
        loop {
            let Ok(read) = stream.read(&mut buffer[filled..]) else { return };
            if read == 0 {
                return;
            }
            filled += read;
            let came = Instant::now();
            let mut at = 0;
            while let Some(length) = whole(&buffer[at..filled]) {
                let answer = self.answer(&buffer[at..at + length], came);
                if stream.write_all(&answer).is_err() {
                    return;
                }
                at += length;
            }
            buffer.copy_within(at..filled, 0);
            filled -= at;
        }
    }

    fn answer(&self, request: &[u8], came: Instant) -> Vec<u8> {
        let text = String::from_utf8_lossy(request);
        let path = text.split(' ').nth(1).unwrap_or_default();
        let words: Vec<&str> = path.split('/').collect();
        let body = match words[..] {
            ["", "dial", port] => document(port, "udp"),
            ["", "dial", port, transport] => document(port, transport),
            ["", "target", port] => format!("sip:127.0.0.1:{port}"),
            ["", "target", port, transport] => format!("sip:127.0.0.1:{port};transport={transport}"),
            _ => String::new(),
        };
        let count = if body.is_empty() { &self.heard.told } else { &self.heard.asked };
        count.fetch_add(1, Ordering::Relaxed);
        if self.heard.noting.load(Ordering::Relaxed)
            && !body.is_empty()
            && let Some(id) = text.split("SipCallId=").nth(1)
        {
            let id = id.split('&').next().unwrap_or(id).replace("%40", "@");
            let mut notes = self.heard.notes.lock().unwrap_or_else(PoisonError::into_inner);
            notes.insert(id, came.elapsed());
        }
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .into_bytes()
    }
}

fn document(port: &str, transport: &str) -> String {
    let more = if transport == "udp" { String::new() } else { format!(";transport={transport}") };
    format!(
        "<?xml version=\"1.0\"?><Response><Dial timeout=\"20\"><Sip>sip:bob@127.0.0.1:{port}{more}</Sip></Dial></Response>"
    )
}

/// The length of the first request, once it is all there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).ok()?;
    let length = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0);
    (bytes.len() >= head + length).then_some(head + length)
}
