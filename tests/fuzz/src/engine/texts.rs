//! Messages as peers would write them, and nearly so.

use super::Choices;
use super::world::{PEERS, Sent};

const METHODS: &[&str] = &[
    "INVITE",
    "BYE",
    "ACK",
    "CANCEL",
    "OPTIONS",
    "INFO",
    "UPDATE",
    "PRACK",
    "REFER",
    "NOTIFY",
    "SUBSCRIBE",
    "MESSAGE",
    "REGISTER",
    "WHAT",
];

/// Header lines that change what becomes of a message.
const EXTRAS: &[&str] = &[
    "",
    "Supported: 100rel, timer, replaces\r\n",
    "Require: 100rel\r\n",
    "Require: unheard-of\r\n",
    "Session-Expires: 90;refresher=uas\r\nSupported: timer\r\n",
    "Session-Expires: 1800\r\nMin-SE: 90\r\n",
    "Max-Forwards: 0\r\n",
    "Max-Breadth: 1\r\n",
    "Privacy: id\r\nP-Asserted-Identity: <sip:+15551230000@carrier.example>\r\n",
    "Diversion: <sip:+15559990000@carrier.example>;reason=unconditional\r\n",
    "History-Info: <sip:+1555@carrier.example>;index=1\r\n",
    "Route: <sip:203.0.113.1;lr>\r\n",
    "Record-Route: <sip:198.51.100.40;lr>\r\n",
    "Record-Route: <sip:198.51.100.40>\r\n",
    "Refer-To: <sip:200@gate.example>\r\n",
    "Refer-To: <sip:+15557770000@gate.example>\r\nRefer-Sub: false\r\n",
    "Refer-To: <sip:200@gate.example?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>\r\n",
    "Event: refer\r\nSubscription-State: active;expires=60\r\n",
    "Replaces: call-0;to-tag=x;from-tag=y\r\n",
    "RSeq: 1\r\nRequire: 100rel\r\n",
    "RSeq: 2\r\nRequire: 100rel\r\n",
    "RAck: 1 1 INVITE\r\n",
    "RAck: 2 1 INVITE\r\n",
    "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth\"\r\n",
    "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-256, stale=true\r\n",
    "Authorization: Digest username=\"u\", realm=\"r\", nonce=\"n\", uri=\"sip:a\", response=\"0\"\r\n",
    "Reason: Q.850;cause=16\r\n",
    "Retry-After: 7\r\n",
    "Contact: <sip:x@198.51.100.30:5070;transport=tcp>;q=0.5, <sip:y@198.51.100.50>\r\n",
    "X-Anything: at all\r\n",
];

const BODY: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

/// A request that begins something.
pub(super) fn outside(choices: &mut Choices<'_>) -> String {
    // Most of what comes is an INVITE.
    let method = if choices.byte() < 160 { "INVITE" } else { choices.of(METHODS) };
    let dialled = choices.of(&[
        "sip:100@gate.example",
        "sip:200@gate.example",
        "sip:+15550001111@gate.example",
        "sip:5512@gate.example",
        "sip:112@gate.example",
        "urn:service:sos",
        "tel:+1-555-000-1111",
        "sip:gate.example",
        "sips:100@gate.example",
        "sip:12345678@gate.example",
        "sip:a%0d%0ab@gate.example",
    ]);
    let peer = PEERS[choices.below(2)];
    let number = choices.byte();
    let (call, branch) = (number % 8, number / 8);
    let extra = [choices.of(EXTRAS), choices.of(EXTRAS)].concat();
    let hops = if extra.contains("Max-Forwards") { "" } else { "Max-Forwards: 70\r\n" };
    let text = format!(
        "{method} {dialled} SIP/2.0\r\nVia: SIP/2.0/UDP {peer};branch=z9hG4bK{call}-{branch};rport\r\n{hops}\
         From: <sip:+15550009999@192.0.2.10>;tag=f{call}\r\nTo: <{dialled}>\r\nCall-ID: call-{call}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:a@{peer}>\r\n{extra}"
    );
    with_body(text, choices.byte() & 1 == 0)
}

/// A response to a request that the engine sent.
pub(super) fn response(sent: &Sent, choices: &mut Choices<'_>) -> Option<(usize, String)> {
    let text = String::from_utf8_lossy(&sent.bytes);
    if text.starts_with("SIP/2.0") {
        return None;
    }
    let code = choices.of(&[
        "100", "180", "183", "199", "200", "200", "200", "202", "300", "302", "401", "404", "407", "408",
        "422", "480", "481", "486", "487", "491", "500", "503", "600", "603", "699",
    ]);
    let mut out = format!("SIP/2.0 {code} Whatever\r\n");
    for name in ["Via", "Record-Route", "From", "To", "Call-ID", "CSeq"] {
        for line in lines(&text, name) {
            out += line;
            if name == "To" && !line.contains(";tag=") && code != "100" {
                out += &format!(";tag=t{}", choices.below(3));
            }
            out += "\r\n";
        }
    }
    if choices.byte() < 200 {
        out += &format!("Contact: <sip:b@{}>\r\n", PEERS[sent.peer]);
    }
    out += choices.of(EXTRAS);
    Some((sent.peer, with_body(out, choices.byte() & 1 == 0)))
}

/// A request inside the dialog of a message that the engine sent.
pub(super) fn inside(sent: &Sent, choices: &mut Choices<'_>) -> Option<(usize, String)> {
    let text = String::from_utf8_lossy(&sent.bytes);
    let contact = lines(&text, "Contact").next()?.split(['<', '>']).nth(1)?.to_owned();
    let value = |name| Some(lines(&text, name).next()?.split_once(": ")?.1.to_owned());
    let (mut from, mut to) = (value("From")?, value("To")?);
    let method = choices.of(METHODS);
    let mut cseq = 1 + choices.below(6);
    if !text.starts_with("SIP/2.0") {
        std::mem::swap(&mut from, &mut to);
        if !from.contains(";tag=") {
            from += &format!(";tag=t{}", choices.below(3));
        }
    } else if method == "ACK" {
        cseq = value("CSeq")?.split(' ').next()?.parse().ok()?;
    }
    let peer = PEERS[sent.peer];
    let extra = choices.of(EXTRAS);
    let extra = extra.strip_prefix("Max-Forwards: 0\r\n").unwrap_or(extra);
    let branch = choices.byte();
    let out = format!(
        "{method} {contact} SIP/2.0\r\nVia: SIP/2.0/UDP {peer};branch=z9hG4bKi{branch};rport\r\nMax-Forwards: 70\r\n\
         From: {from}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\nContact: <sip:c@{peer}>\r\n{extra}",
        value("Call-ID")?
    );
    Some((sent.peer, with_body(out, choices.byte() & 1 == 0)))
}

/// ACK or CANCEL of a request that the engine was sent.
pub(super) fn same((peer, bytes): &(usize, Vec<u8>), method: &str) -> Option<(usize, String)> {
    let text = String::from_utf8_lossy(bytes);
    let (first, _) = text.split_once("\r\n")?;
    let uri = first.split(' ').nth(1)?;
    let mut out = format!("{method} {uri} SIP/2.0\r\n");
    for name in ["Via", "Max-Forwards", "From", "To", "Call-ID"] {
        out += lines(&text, name).next()?;
        out += "\r\n";
    }
    let number = lines(&text, "CSeq").next()?.split(' ').nth(1)?;
    out += &format!("CSeq: {number} {method}\r\n");
    Some((*peer, with_body(out, false)))
}

/// A few octets replaced, cut out or put in.
pub(super) fn damaged(mut text: Vec<u8>, choices: &mut Choices<'_>) -> Vec<u8> {
    for _ in 0..=choices.below(3) {
        let at = (usize::from(choices.byte()) * 256 + usize::from(choices.byte())) % (text.len() + 1);
        let until = (at + choices.below(12)).min(text.len());
        let length = choices.below(12);
        drop(text.splice(at..until, choices.take(length).iter().copied()));
    }
    text
}

fn lines<'t>(text: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let head = text.split_once("\r\n\r\n").map_or(text, |(head, _)| head);
    head.split("\r\n").filter(move |line| line.split_once(": ").is_some_and(|(known, _)| known == name))
}

fn with_body(mut head: String, body: bool) -> String {
    let body = if body { BODY } else { "" };
    if !body.is_empty() {
        head += "Content-Type: application/sdp\r\n";
    }
    head += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    head
}
