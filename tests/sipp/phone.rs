//! A telephone by hand, for what sipp cannot say: one UDP socket and the text of each message.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// One telephone.
pub struct Phone {
    socket: UdpSocket,
    router: SocketAddr,
    shown: Option<u16>,
}

/// A received message.
#[derive(Clone, Debug)]
pub struct Message(pub String);

impl Message {
    /// The value of its first header with this name.
    pub fn header(&self, name: &str) -> &str {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(known, _)| known.trim().eq_ignore_ascii_case(name))
            .map_or("", |(_, value)| value.trim())
    }

    /// All lines of a header, to be repeated in a response.
    pub fn lines(&self, name: &str) -> String {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        let named = |line: &&str| {
            line.split_once(':').is_some_and(|(known, _)| known.trim().eq_ignore_ascii_case(name))
        };
        head.lines().filter(named).map(|line| format!("{line}\r\n")).collect()
    }

    /// Its status; 0 for a request.
    pub fn status(&self) -> u16 {
        self.0.strip_prefix("SIP/2.0 ").and_then(|rest| rest[..3].parse().ok()).unwrap_or(0)
    }

    /// Its method, or that of its CSeq.
    pub fn method(&self) -> &str {
        self.header("CSeq").split(' ').nth(1).unwrap_or_default()
    }

    /// The URI of its Contact.
    pub fn contact(&self) -> &str {
        self.header("Contact").split(['<', '>']).nth(1).unwrap_or_default()
    }
}

impl Phone {
    /// On a free port, toward `router`.
    pub fn new(router: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        Self { socket, router, shown: None }
    }

    /// With another port in its Contact: a relay's.
    pub fn shown(self, port: u16) -> Self {
        Self { shown: Some(port), ..self }
    }

    fn contact_port(&self) -> u16 {
        self.shown.unwrap_or_else(|| self.port())
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.socket.local_addr().expect("bound").port()
    }

    /// Sends lines, ended as SIP ends them, with an empty body when none is in them.
    pub fn send(&self, text: &str) {
        self.send_to(text, self.router);
    }

    /// As [`Self::send`], elsewhere.
    pub fn send_to(&self, text: &str, to: SocketAddr) {
        let bytes = text.replace("\r\n", "\n").replace('\n', "\r\n");
        self.socket.send_to(bytes.as_bytes(), to).expect("sent");
    }

    /// An INVITE of this telephone: `via` and `extra` are whole lines.
    pub fn invite(&self, user: &str, call_id: &str, branch: &str, extra: &str) -> String {
        let (port, router, shown) = (self.port(), self.router, self.contact_port());
        format!(
            "INVITE sip:{user}@{router} SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{branch};rport\n\
             From: <sip:+14155550100@127.0.0.1:{port}>;tag=a{call_id}\nTo: <sip:{user}@{router}>\nCall-ID: {call_id}\n\
             CSeq: 1 INVITE\nContact: <sip:alice@127.0.0.1:{shown}>\nMax-Forwards: 70\n{extra}Content-Length: 0\n\n"
        )
    }

    /// A request inside the dialog that `answer` made.
    pub fn inside(&self, method: &str, cseq: u32, answer: &Message) -> String {
        let routes: String =
            record_routes(answer).iter().rev().map(|route| format!("Route: {route}\n")).collect();
        format!(
            "{method} {} SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bK{method}{cseq}{};rport\n{routes}From: {}\nTo: {}\n\
             Call-ID: {}\nCSeq: {cseq} {method}\nMax-Forwards: 70\nContent-Length: 0\n\n",
            answer.contact(),
            self.port(),
            answer.header("Call-ID"),
            answer.header("From"),
            answer.header("To"),
            answer.header("Call-ID"),
        )
    }

    /// Sends a response to `request`, its To given `tag`.
    pub fn respond(&self, request: &Message, status: &str, tag: &str, extra: &str) {
        self.send(&self.response(request, status, tag, extra));
    }

    /// A response to `request`, its To given `tag`.
    pub fn response(&self, request: &Message, status: &str, tag: &str, extra: &str) -> String {
        let to = request.header("To");
        let to = if to.contains("tag=") { to.to_owned() } else { format!("{to};tag={tag}") };
        format!(
            "SIP/2.0 {status}\n{}{}From: {}\nTo: {to}\nCall-ID: {}\nCSeq: {}\nContact: <sip:bob@127.0.0.1:{}>\n{extra}Content-Length: 0\n\n",
            request.lines("Via"),
            request.lines("Record-Route"),
            request.header("From"),
            request.header("Call-ID"),
            request.header("CSeq"),
            self.contact_port(),
        )
    }

    /// The next message within `wait` that `wanted` wants; others are passed over.
    pub fn next(&self, wait: Duration, wanted: impl Fn(&Message) -> bool) -> Option<Message> {
        let until = Instant::now() + wait;
        loop {
            let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
            let (message, _) = self.hear(left)?;
            if wanted(&message) {
                return Some(message);
            }
        }
    }

    /// Whatever comes within `wait`, and from where.
    pub fn hear(&self, wait: Duration) -> Option<(Message, SocketAddr)> {
        let mut buffer = [0; 65_536];
        self.socket.set_read_timeout(Some(wait)).expect("a timeout");
        let (length, from) = self.socket.recv_from(&mut buffer).ok()?;
        Some((Message(String::from_utf8_lossy(&buffer[..length]).into_owned()), from))
    }

    /// The next response with this status, within five seconds.
    pub fn status(&self, status: u16) -> Message {
        let found = self.next(Duration::from_secs(5), |message| message.status() == status);
        found.unwrap_or_else(|| panic!("no {status} came"))
    }

    /// The next request with this method, within five seconds.
    pub fn request(&self, method: &str) -> Message {
        let found =
            self.next(Duration::from_secs(5), |message| message.status() == 0 && message.method() == method);
        found.unwrap_or_else(|| panic!("no {method} came"))
    }
}

fn record_routes(answer: &Message) -> Vec<String> {
    let all = answer.lines("Record-Route");
    let values = all.lines().filter_map(|line| line.split_once(':'));
    values.flat_map(|(_, value)| value.split(',')).map(|route| route.trim().to_owned()).collect()
}
