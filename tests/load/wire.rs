//! SIP as text: written from templates, read line by line. Nothing of callgate's own reader is in it.

use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};

/// What these tests read of a message.
pub struct Read<'a> {
    /// The code of a response, 0 of a request.
    pub status: u16,
    /// The method, of a response that of its CSeq.
    pub method: &'a str,
    /// The URI of a request.
    pub uri: &'a str,
    pub call_id: &'a str,
    pub to: &'a str,
    /// The URI of the Contact.
    pub contact: &'a str,
    pub retry_after: bool,
    text: &'a str,
}

/// Reads a message; `None`: it is none.
pub fn read(bytes: &[u8]) -> Option<Read<'_>> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (first, second) = (words.next()?, words.next()?);
    let answer = first == "SIP/2.0";
    let mut read = Read {
        status: if answer { second.parse().ok()? } else { 0 },
        method: first,
        uri: second,
        call_id: "",
        to: "",
        contact: "",
        retry_after: false,
        text,
    };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        match name {
            "Call-ID" => read.call_id = value,
            "To" => read.to = value,
            "CSeq" if answer => read.method = value.split(' ').nth(1)?,
            "Contact" => {
                let (_, after) = value.split_once('<')?;
                read.contact = after.split_once('>')?.0;
            }
            "Retry-After" => read.retry_after = true,
            _ => {}
        }
    }
    Some(read)
}

impl Read<'_> {
    /// An answer to this request, its To with the tag `t`, and a Contact.
    pub fn answer(&self, status: &str, contact: SocketAddr) -> String {
        let mut out = format!("SIP/2.0 {status}\r\n");
        for line in self.text.split("\r\n").skip(1).take_while(|line| !line.is_empty()) {
            let name = line.split(':').next().unwrap_or_default();
            if matches!(name, "Via" | "From" | "To" | "Call-ID" | "CSeq" | "Record-Route") {
                out.push_str(line);
                if name == "To" && !line.contains(";tag=") {
                    out.push_str(";tag=t");
                }
                out.push_str("\r\n");
            }
        }
        // A String takes whatever is written.
        write!(out, "Contact: <sip:t@{contact}>\r\nContent-Length: 0\r\n\r\n").expect("written");
        out
    }
}

/// The parts of a request.
pub struct Request<'a> {
    pub method: &'a str,
    pub uri: &'a str,
    pub local: SocketAddr,
    pub branch: &'a str,
    pub call_id: &'a str,
    /// The whole value of To.
    pub to: &'a str,
    pub cseq: u32,
}

impl Request<'_> {
    /// As it goes out; an INVITE has a description.
    pub fn print(&self) -> String {
        let Self { method, uri, local, branch, call_id, to, cseq } = self;
        let number = cseq;
        let of = if *method == "ACK" || *method == "CANCEL" { "" } else { "Contact" };
        let mut out = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch={branch}\r\nMax-Forwards: 70\r\n\
             From: <sip:+15550001@{local}>;tag=f\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {number} {method}\r\n"
        );
        if !of.is_empty() {
            write!(out, "Contact: <sip:c@{local}>\r\n").expect("written");
        }
        let body = if *method == "INVITE" { description(*local) } else { String::new() };
        if !body.is_empty() {
            out.push_str("Content-Type: application/sdp\r\n");
        }
        write!(out, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("written");
        out
    }
}

fn description(local: SocketAddr) -> String {
    let ip = local.ip();
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n\
         a=rtpmap:0 PCMU/8000\r\n"
    )
}

/// A socket that does not block, with room for what comes while its thread waits for a CPU.
pub fn socket(address: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(address).expect("a free port");
    socket.set_nonblocking(true).expect("a socket");
    if setsockopt(&socket, RcvBufForce, &(8 << 20)).is_err() {
        let raised = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
        assert!(raised.is_ok(), "{raised:?}");
    }
    socket
}
