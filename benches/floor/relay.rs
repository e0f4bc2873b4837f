//! The floor itself: datagrams in one socket and out of the other, and for each that begins with `I`
//! (an INVITE) one datagram more, where callgate sends its 100, and four HTTP requests.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::mpsc;
use std::thread;

/// The requests of a call: its question and three callbacks, with bodies as long as callgate's.
const REQUESTS: usize = 4;

/// Runs until it is killed; `words`: the near port, the callee's, the application's.
pub fn run(words: &str) {
    let ports: Vec<u16> = words.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [near, callee, app] = ports[..] else { panic!("NEAR CALLEE APP") };
    let near = UdpSocket::bind(("127.0.0.1", near)).expect("the near port");
    let far = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    far.connect(("127.0.0.1", callee)).expect("an address");
    let sink = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let (asks, asked) = mpsc::sync_channel::<()>(100_000);
    thread::spawn(move || requests(app, &asked));
    let (back_near, back_far) = (near.try_clone().expect("a handle"), far.try_clone().expect("a handle"));
    let mut buffer = [0; 65_536];
    let (length, caller) = near.recv_from(&mut buffer).expect("a datagram");
    let target = sink.local_addr().expect("bound");
    pass(&far, &near, &buffer[..length], target, &asks);
    thread::spawn(move || backward(&back_far, &back_near, caller));
    loop {
        let (length, _) = near.recv_from(&mut buffer).expect("a datagram");
        pass(&far, &near, &buffer[..length], target, &asks);
    }
}

fn pass(far: &UdpSocket, near: &UdpSocket, bytes: &[u8], sink: SocketAddr, asks: &mpsc::SyncSender<()>) {
    forward(far.send(bytes));
    if bytes.first() == Some(&b'I') {
        near.send_to(&bytes[..bytes.len().min(300)], sink).expect("sent");
        asks.send(()).expect("the asking thread lives");
    }
}

fn backward(far: &UdpSocket, near: &UdpSocket, caller: SocketAddr) {
    let mut buffer = [0; 65_536];
    loop {
        // The callee that ended before the last copy of a message is no fault of the floor's.
        let Ok(length) = far.recv(&mut buffer) else { continue };
        forward(near.send_to(&buffer[..length], caller));
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
    let mut stream = TcpStream::connect(("127.0.0.1", app)).expect("the application");
    stream.set_nodelay(true).expect("an option");
    let body = "Parameter=value&".repeat(40);
    let request = format!(
        "POST /status HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut buffer = [0; 4096];
    while asked.recv().is_ok() {
        for _ in 0..REQUESTS {
            stream.write_all(request.as_bytes()).expect("written");
            let length = stream.read(&mut buffer).expect("answered");
            assert!(length > 0, "the application closed");
        }
    }
}
