//! The floor itself: datagrams in one socket and out of the other, and for each that begins with `I`
//! (an INVITE) one datagram more, where callgate sends its 100, and four HTTP requests. Or, for redirect
//! mode, one request for each INVITE and two datagrams back.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

/// The requests of a call: its question and three callbacks, with bodies as long as callgate's.
const REQUESTS: usize = 4;

/// Runs until it is killed; `words`: the near port, the callee's, the application's; or `redirect`, the near port, the
/// application's.
pub fn run(words: &str) {
    if let Some(words) = words.strip_prefix("redirect ") {
        return redirect(words);
    }
    let ports: Vec<u16> = words.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [near, callee, app] = ports[..] else { panic!("NEAR CALLEE APP") };
    let near = UdpSocket::bind(("127.0.0.1", near)).expect("the near port");
    let far = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    far.connect(("127.0.0.1", callee)).expect("an address");
    let sink = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let (asks, asked) = mpsc::sync_channel::<()>(100_000);
    thread::spawn(move || requests(app, &asked));
    let (back_near, back_far) = (near.try_clone().expect("a handle"), far.try_clone().expect("a handle"));
    let (mut buffer, target) = ([0; 65_536], sink.local_addr().expect("bound"));
    let caller = Arc::new(AtomicU16::new(0));
    let back_caller = Arc::clone(&caller);
    thread::spawn(move || backward(&back_far, &back_near, &back_caller));
    loop {
        let (length, from) = near.recv_from(&mut buffer).expect("a datagram");
        // Whoever spoke last is who hears: callers come one after the other.
        caller.store(from.port(), Ordering::Relaxed);
        pass(&far, &near, &buffer[..length], target, &asks);
    }
}

/// For each INVITE one request, then back what stands for 100 and 302, under the INVITE's own headers.
fn redirect(words: &str) {
    let ports: Vec<u16> = words.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [near, app] = ports[..] else { panic!("NEAR APP") };
    let near = UdpSocket::bind(("127.0.0.1", near)).expect("the near port");
    let mut asking = Asking::new(app);
    let (mut buffer, mut out) = ([0; 65_536], Vec::new());
    loop {
        let (length, caller) = near.recv_from(&mut buffer).expect("a datagram");
        let bytes = &buffer[..length];
        if bytes.first() != Some(&b'I') {
            continue;
        }
        let begin = memchr::memchr(b'\n', bytes).expect("a line") + 1;
        let end = memchr::memmem::find(bytes, b"Contact:").expect("sipp has one");
        for status in ["SIP/2.0 100 Trying\r\n", "SIP/2.0 302 Moved\r\n"] {
            if status.contains("302") {
                asking.once();
            }
            out.clear();
            out.extend_from_slice(status.as_bytes());
            out.extend_from_slice(&bytes[begin..end]);
            out.extend_from_slice(b"Contact: <sip:bob@127.0.0.1:5999>;q=1.0\r\nContent-Length: 0\r\n\r\n");
            forward(near.send_to(&out, caller).map(|_| 0));
        }
    }
}

fn pass(far: &UdpSocket, near: &UdpSocket, bytes: &[u8], sink: SocketAddr, asks: &mpsc::SyncSender<()>) {
    forward(far.send(bytes));
    if bytes.first() == Some(&b'I') {
        near.send_to(&bytes[..bytes.len().min(300)], sink).expect("sent");
        asks.send(()).expect("the asking thread lives");
    }
}

fn backward(far: &UdpSocket, near: &UdpSocket, caller: &AtomicU16) {
    let mut buffer = [0; 65_536];
    loop {
        // The callee that ended before the last copy of a message is no fault of the floor's.
        let Ok(length) = far.recv(&mut buffer) else { continue };
        forward(near.send_to(&buffer[..length], ("127.0.0.1", caller.load(Ordering::Relaxed))));
    }
}

/// A callee that is gone answers a connected socket with an error on whatever is sent next.
fn forward(sent: std::io::Result<usize>) {
    if let Err(error) = sent {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{error}");
    }
}

/// Blocking requests over one kept connection: what HTTP costs at least.
fn requests(app: u16, asked: &mpsc::Receiver<()>) {
    let mut asking = Asking::new(app);
    while asked.recv().is_ok() {
        for _ in 0..REQUESTS {
            asking.once();
        }
    }
}

struct Asking {
    stream: TcpStream,
    request: String,
}

impl Asking {
    fn new(app: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", app)).expect("the application");
        stream.set_nodelay(true).expect("an option");
        let body = "Parameter=value&".repeat(40);
        let request = format!(
            "POST /status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self { stream, request }
    }

    fn once(&mut self) {
        let mut buffer = [0; 4096];
        self.stream.write_all(self.request.as_bytes()).expect("written");
        let length = self.stream.read(&mut buffer).expect("answered");
        assert!(length > 0, "the application closed");
    }
}
