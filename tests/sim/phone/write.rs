//! How a telephone writes its requests, and where they go.

use std::net::SocketAddr;

use crate::text::Text;

/// Where a message goes, or came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hop {
    pub addr: SocketAddr,
    pub tcp: bool,
}

/// One side's view of a dialog.
#[derive(Clone)]
pub struct Dialog {
    pub call_id: String,
    pub local: String,
    pub remote: String,
    pub local_tag: String,
    pub remote_tag: String,
    /// The remote target.
    pub uri: String,
    /// In the order of sending.
    pub routes: Vec<String>,
    /// Where to, whatever target and routes say: a first INVITE through an outbound proxy.
    pub first_hop: Option<Hop>,
    /// How it speaks itself.
    pub tcp: bool,
    pub cseq: u32,
    pub over: bool,
    /// It vanished: nothing is answered any more.
    pub gone: bool,
    /// The CSeq of the 2xx it answered, and the ACK to send again.
    pub ack: Option<(u32, Vec<u8>)>,
}

impl Dialog {
    /// RFC 3261 12.2.1.1: the first route, else the target.
    pub fn hop(&self) -> Hop {
        self.first_hop.unwrap_or_else(|| hop_of(self.routes.first().unwrap_or(&self.uri)))
    }

    /// Request-URI and Route: a first route without `lr` takes the Request-URI's place.
    fn way(&self) -> (String, Vec<String>) {
        match self.routes.first() {
            Some(first) if !first.contains(";lr") => {
                let mut routes = self.routes[1..].to_vec();
                routes.push(format!("<{}>", self.uri));
                (bare(first).to_owned(), routes)
            }
            _ => (self.uri.clone(), self.routes.clone()),
        }
    }
}

/// The URI within `<` and `>`, where there are any.
pub fn bare(value: &str) -> &str {
    value.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(value, |(uri, _)| uri)
}

/// The address a URI names, and its transport.
pub fn hop_of(uri: &str) -> Hop {
    let uri = bare(uri);
    let rest = uri.strip_prefix("sip:").unwrap_or(uri);
    let place = rest.split(';').next().unwrap_or_default();
    let place = place.rsplit('@').next().unwrap_or_default();
    let addr = place
        .parse()
        .or_else(|_| format!("{place}:5060").parse())
        .unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
    Hop { addr, tcp: uri.contains(";transport=tcp") }
}

/// The addresses in all headers of this name.
pub fn list(text: &Text, name: &str) -> Vec<String> {
    text.all(name).flat_map(|line| line.split(',')).map(|piece| piece.trim().to_owned()).collect()
}

pub fn request(
    method: &str,
    sent_by: &str,
    dialog: &Dialog,
    branch: &str,
    more: &str,
    body: &str,
) -> Vec<u8> {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let via = if dialog.tcp { "TCP" } else { "UDP" };
    let (uri, routes) = dialog.way();
    let routes: String = routes.iter().map(|route| format!("Route: {route}\r\n")).collect();
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{via} {sent_by};branch={branch};rport\r\nMax-Forwards: 70\r\n{routes}\
         From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\n{more}{kind}Content-Length: {}\r\n\r\n{body}",
        dialog.local, dialog.remote, dialog.call_id, dialog.cseq, body.len()
    )
    .into_bytes()
}

/// The CANCEL of an INVITE, or the ACK of its refusal: what it was, under another method, with the
/// given To.
pub fn follow_up(method: &str, invite: &[u8], to: Option<&str>) -> Vec<u8> {
    let Ok(invite) = Text::read(invite) else { return Vec::new() };
    let routes: String = invite.all("route").map(|route| format!("Route: {route}\r\n")).collect();
    format!(
        "{method} {} SIP/2.0\r\nVia: {}\r\nMax-Forwards: 70\r\n{routes}From: {}\r\nTo: {}\r\nCall-ID: {}\r\n\
         CSeq: {} {method}\r\nContent-Length: 0\r\n\r\n",
        invite.uri(),
        invite.get("via"),
        invite.get("from"),
        to.unwrap_or(invite.get("to")),
        invite.call_id(),
        invite.cseq().0
    )
    .into_bytes()
}
