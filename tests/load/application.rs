//! The application: one document per number, and whoever was asked about hears one end.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What it knows of a call: whether it was asked, and how many ends it was told.
type Calls = Arc<Mutex<HashMap<String, (bool, u32)>>>;

/// The application; its threads end with the process.
pub struct Application {
    pub at: SocketAddr,
    calls: Calls,
}

impl Application {
    /// Calls to `/ring` ring for ever, all others are answered, both at `callee`.
    pub fn start(callee: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (at, calls) = (listener.local_addr().unwrap(), Calls::default());
        let known = calls.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let calls = known.clone();
                // A router that has ended leaves its connections half-way.
                std::thread::spawn(move || serve(&stream, callee, &calls).is_none());
            }
        });
        Self { at, calls }
    }

    /// Calls that were asked about, those of them without an end, and those with more than one.
    pub fn ends(&self) -> (usize, usize, usize) {
        let calls = self.calls.lock().unwrap();
        let asked = calls.values().filter(|(asked, _)| *asked);
        let with = |ends: fn(u32) -> bool| asked.clone().filter(|(_, told)| ends(*told)).count();
        (asked.clone().count(), with(|told| told == 0), with(|told| told > 1))
    }
}

fn serve(stream: &TcpStream, callee: SocketAddr, calls: &Calls) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let path = line.split(' ').nth(1)?.to_owned();
        let mut length = 0;
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line).ok()?;
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let body = String::from_utf8(body).ok()?;
        let field = |name: &str| body.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap_or_default();
        let document = {
            let mut calls = calls.lock().unwrap();
            let call = calls.entry(field("CallSid=").to_owned()).or_default();
            if path.starts_with("/status") {
                call.1 += u32::from(field("CallbackEvent=") == "COMPLETED");
                String::new()
            } else {
                call.0 = true;
                let user = if path.starts_with("/ring") { "ring" } else { "t" };
                format!("<Response><Dial timeout=\"60\"><Sip>sip:{user}@{callee}</Sip></Dial></Response>")
            }
        };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{document}",
            document.len()
        );
        (&*stream).write_all(answer.as_bytes()).ok()?;
    }
}
