//! A caller and a callee of our own, which know to the microsecond when what came: the added delay of set-up.
//!
//! The callee answers 180 and 200 at once; the caller acknowledges and hangs up at once.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What became of the calls that were placed.
#[derive(Default)]
pub struct Told {
    /// From INVITE to 200 by Call-ID.
    pub delays: HashMap<String, Duration>,
    /// Placed and never answered 200.
    pub lost: usize,
}

/// Answers on a port until it is dropped.
pub struct Callee {
    /// Where.
    pub port: u16,
    stop: Arc<AtomicBool>,
}

impl Callee {
    /// Begins.
    pub fn start() -> Self {
        let socket = socket();
        let callee = Self { port: socket.local_addr().expect("bound").port(), stop: Arc::default() };
        let (port, stop) = (callee.port, Arc::clone(&callee.stop));
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            while !stop.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
                let text = String::from_utf8_lossy(&buffer[..length]);
                if text.starts_with("INVITE ") {
                    send(&socket, from, &response(&text, "180 Ringing", port, ""));
                    send(&socket, from, &response(&text, "200 OK", port, SDP));
                } else if text.starts_with("BYE ") {
                    send(&socket, from, &response(&text, "200 OK", port, ""));
                }
            }
        });
        callee
    }
}

impl Drop for Callee {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Places `calls` calls to `remote`, `rate` each second.
pub fn call(remote: SocketAddr, calls: u32, rate: u32) -> Told {
    let socket = socket();
    let own = socket.local_addr().expect("bound");
    let sent: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let told: Arc<Mutex<HashMap<String, Duration>>> = Arc::default();
    let stop = Arc::new(AtomicBool::new(false));
    let hearing = {
        let (socket, sent, told, stop) =
            (socket.try_clone().expect("a handle"), Arc::clone(&sent), Arc::clone(&told), Arc::clone(&stop));
        thread::spawn(move || hear(&socket, remote, &sent, &told, &stop))
    };
    let (began, step) = (Instant::now(), Duration::from_secs(1) / rate);
    for nth in 0..calls {
        let due = began + step * nth;
        if let Some(wait) = due.checked_duration_since(Instant::now()) {
            thread::sleep(wait);
        }
        let id = format!("p{nth}-{}@127.0.0.1", own.port());
        let invite = request("INVITE", "sip:1@127.0.0.1", own, &id, "<sip:1@127.0.0.1>", 1, "", SDP);
        sent.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Instant::now());
        send(&socket, remote, &invite);
    }
    let until = Instant::now() + Duration::from_secs(3);
    let heard = || told.lock().unwrap_or_else(PoisonError::into_inner).len();
    while heard() < calls as usize && Instant::now() < until {
        thread::sleep(Duration::from_millis(20));
    }
    stop.store(true, Ordering::Relaxed);
    hearing.join().expect("the hearing thread");
    let delays = std::mem::take(&mut *told.lock().unwrap_or_else(PoisonError::into_inner));
    Told { lost: calls as usize - delays.len(), delays }
}

fn hear(
    socket: &UdpSocket,
    remote: SocketAddr,
    sent: &Mutex<HashMap<String, Instant>>,
    told: &Mutex<HashMap<String, Duration>>,
    stop: &AtomicBool,
) {
    let own = socket.local_addr().expect("bound");
    let mut buffer = vec![0; 65_536];
    while !stop.load(Ordering::Relaxed) {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let now = Instant::now();
        let text = String::from_utf8_lossy(&buffer[..length]);
        if !text.starts_with("SIP/2.0 200") || !line(&text, "CSeq").contains("INVITE") {
            continue;
        }
        let id = line(&text, "Call-ID").to_owned();
        let begun = sent.lock().unwrap_or_else(PoisonError::into_inner).get(&id).copied();
        let first = begun.is_some_and(|begun| {
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.insert(id.clone(), now - begun).is_none()
        });
        let (to, contact) = (line(&text, "To"), line(&text, "Contact"));
        let uri = contact.split(['<', '>']).nth(1).unwrap_or("sip:1@127.0.0.1");
        let routes = lines(&text, "Record-Route").replace("Record-Route:", "Route:");
        send(socket, remote, &request("ACK", uri, own, &id, to, 1, &routes, ""));
        if first {
            send(socket, remote, &request("BYE", uri, own, &id, to, 2, &routes, ""));
        }
    }
}

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";

#[expect(clippy::too_many_arguments, reason = "a request has as many parts")]
fn request(
    method: &str,
    uri: &str,
    own: SocketAddr,
    id: &str,
    to: &str,
    cseq: u32,
    routes: &str,
    body: &str,
) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{method}{id};rport\r\n{routes}Max-Forwards: 70\r\n\
         From: \"Alice\" <sip:+14155550100@{own}>;tag=t{id}\r\nTo: {to}\r\nCall-ID: {id}\r\nCSeq: {cseq} {method}\r\n\
         Contact: <sip:alice@{own}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn response(request: &str, status: &str, port: u16, body: &str) -> String {
    let to = line(request, "To");
    let tag = if to.contains("tag=") { "" } else { ";tag=callee" };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "SIP/2.0 {status}\r\n{}{}From: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: <sip:bob@127.0.0.1:{port}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        lines(request, "Via"),
        lines(request, "Record-Route"),
        line(request, "From"),
        line(request, "Call-ID"),
        line(request, "CSeq"),
        body.len()
    )
}

/// The first header of a name, without it.
fn line<'t>(text: &'t str, name: &str) -> &'t str {
    let of = |line: &'t str| line.split_once(':').filter(|(known, _)| known.eq_ignore_ascii_case(name));
    text.split("\r\n").find_map(of).map_or("", |(_, value)| value.trim())
}

/// All headers of a name, whole.
fn lines(text: &str, name: &str) -> String {
    let is_it = |line: &&str| line.split_once(':').is_some_and(|(known, _)| known.eq_ignore_ascii_case(name));
    text.split("\r\n")
        .take_while(|line| !line.is_empty())
        .filter(is_it)
        .map(|line| format!("{line}\r\n"))
        .collect()
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    let room = socket2::SockRef::from(&socket).set_recv_buffer_size(8 << 20);
    room.expect("an option");
    socket
}

fn send(socket: &UdpSocket, to: SocketAddr, text: &str) {
    // Whoever is gone is counted as a call without an answer.
    if let Err(error) = socket.send_to(text.as_bytes(), to) {
        eprintln!("{to}: {error}");
    }
}
