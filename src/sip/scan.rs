//! The scan: one pass over the bytes, then the checks that make it a message (RFC 3261 7, 8.2, 16.3).

use super::address::NameAddr;
use super::bytes::{is_lws, is_token, number, trim};
use super::list::{Elements, is_one};
use super::malformed::{Fault, Malformed};
use super::message::{INLINE, Message, Meta, Span, Spans, Start, StartSpan};
use super::method::Method;
use super::name::Name;
use super::uri::Uri;
use super::values::CSeq;
use super::via::Via;

/// The greatest message in octets.
pub const MAX_MESSAGE: usize = 65_535;

/// The most header lines a message may have.
pub const MAX_HEADERS: usize = 512;

pub(super) fn scan(bytes: &[u8]) -> Result<Message<'_>, Malformed<'_>> {
    let bytes = skip_crlf(bytes);
    if bytes.len() > MAX_MESSAGE {
        let fault = Fault { status: 513, place: "message", what: "larger than 65535 octets" };
        return Err(Malformed::unreadable(fault));
    }
    let Some(line_end) = line_end(bytes, 0) else {
        return Err(Malformed::unreadable(Fault::bad("start line", "does not end with CRLF")));
    };
    let (start, start_fault) = start_line(&bytes[..line_end]);
    let mut lines = Lines::new(bytes, line_end + 2);
    let head_fault = lines.read();
    let mut message = lines.into_message(start);
    let fault =
        start_fault.or(head_fault).or_else(|| check(&message).err()).or_else(|| cut_body(&mut message).err());
    match fault {
        None => Ok(message),
        Some(fault) => Err(Malformed::with(fault, message)),
    }
}

fn skip_crlf(mut bytes: &[u8]) -> &[u8] {
    while let [b'\r', b'\n', rest @ ..] = bytes {
        bytes = rest;
    }
    bytes
}

/// Where the line's CRLF is; `None` where a bare CR or LF, or the end, comes before it.
fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let at = from + memchr::memchr2(b'\r', b'\n', &bytes[from..])?;
    (bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n')).then_some(at)
}

#[expect(clippy::cast_possible_truncation, reason = "a message is at most 65535 octets")]
const fn offset(at: usize) -> u16 {
    at as u16
}

/// The start line; where it is faulty, as much of it as can be read, and the fault.
fn start_line(line: &[u8]) -> (StartSpan, Option<Fault>) {
    let is_status = line.len() > 4 && line[..4].eq_ignore_ascii_case(b"SIP/");
    if is_status { status_line(line) } else { request_line(line) }
}

fn status_line(line: &[u8]) -> (StartSpan, Option<Fault>) {
    let status =
        |code, reason| StartSpan::Status { code, reason: offset(reason), reason_end: offset(line.len()) };
    let sound = line.len() >= 11
        && line[..8].eq_ignore_ascii_case(b"SIP/2.0 ")
        && matches!(line.get(11), None | Some(b' '))
        && matches!(line[8], b'1'..=b'6');
    let code = number(line.get(8..11).unwrap_or_default(), 699).and_then(|code| u16::try_from(code).ok());
    match code {
        Some(code) if sound => (status(code, line.len().min(12)), None),
        _ => (
            status(0, line.len()),
            Some(Fault::bad("status line", "is not `SIP/2.0`, a code of 100 to 699, a reason")),
        ),
    }
}

fn request_line(line: &[u8]) -> (StartSpan, Option<Fault>) {
    let method_end = line.iter().position(|byte| !is_token(*byte)).unwrap_or(line.len());
    let known = Method::new(&line[..method_end]).known();
    let request = |uri: usize, uri_end: usize| StartSpan::Request {
        known,
        method_end: offset(method_end),
        uri: offset(uri),
        uri_end: offset(uri_end),
    };
    let uri = (method_end + 1).min(line.len());
    if method_end == 0 || line.get(method_end) != Some(&b' ') {
        return (
            request(uri, uri),
            Some(Fault::bad("request line", "does not begin with a method and one space")),
        );
    }
    let Some(uri_len) = memchr::memchr(b' ', &line[uri..]) else {
        return (request(uri, line.len()), Some(Fault::bad("request line", "has no version")));
    };
    let fault = version_fault(&line[uri + uri_len + 1..]).or_else(|| {
        let is_uri = Uri::parse(&line[uri..uri + uri_len]).is_some();
        (!is_uri).then(|| Fault::bad("Request-URI", "is no URI"))
    });
    (request(uri, uri + uri_len), fault)
}

fn version_fault(version: &[u8]) -> Option<Fault> {
    if version.eq_ignore_ascii_case(b"SIP/2.0") {
        return None;
    }
    let digits = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let other = version.len() > 4
        && version[..4].eq_ignore_ascii_case(b"SIP/")
        && memchr::memchr(b'.', &version[4..])
            .is_some_and(|dot| digits(&version[4..4 + dot]) && digits(&version[5 + dot..]));
    Some(if other {
        Fault { status: 505, place: "request line", what: "only SIP/2.0 is spoken" }
    } else {
        Fault::bad("request line", "does not end with one space and SIP/2.0")
    })
}

/// The header lines as they are indexed.
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    inline: [Span; INLINE],
    len: usize,
    heap: Vec<Span>,
    present: u128,
    repeated: u128,
}

/// Headers that may stand only once, and that something depends on.
const SINGLE: u128 = Name::From.bit()
    | Name::To.bit()
    | Name::CallId.bit()
    | Name::CSeq.bit()
    | Name::MaxForwards.bit()
    | Name::MaxBreadth.bit()
    | Name::ContentLength.bit()
    | Name::ContentType.bit()
    | Name::RAck.bit()
    | Name::RSeq.bit()
    | Name::Event.bit()
    | Name::Expires.bit()
    | Name::ReferTo.bit()
    | Name::Replaces.bit()
    | Name::TargetDialog.bit()
    | Name::SessionExpires.bit()
    | Name::MinSe.bit();

/// Headers in which no control character may hide.
const RELIED_ON: u128 = SINGLE
    | Name::Via.bit()
    | Name::Contact.bit()
    | Name::Route.bit()
    | Name::RecordRoute.bit()
    | Name::Require.bit()
    | Name::ProxyRequire.bit();

impl<'a> Lines<'a> {
    const fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, inline: [Span::EMPTY; INLINE], len: 0, heap: Vec::new(), present: 0, repeated: 0 }
    }

    /// Reads up to and with the empty line. Goes on after a line that is wrong in itself, so that an
    /// answer finds the others.
    fn read(&mut self) -> Option<Fault> {
        let mut first = None;
        loop {
            match self.bytes.get(self.at..self.at + 2) {
                Some(b"\r\n") => break,
                Some(_) if self.len + self.heap.len() < MAX_HEADERS => {}
                Some(_) => return first.or(Some(Fault::bad("headers", "are more than 512"))),
                // A datagram that ends with its last header line is a head without body.
                None if self.at == self.bytes.len() => return self.after_head(first),
                None => return first.or(Some(Fault::bad("headers", "do not end with an empty line"))),
            }
            match self.line() {
                Ok(None) => {}
                Ok(Some(fault)) => first = first.or(Some(fault)),
                Err(fault) => return first.or(Some(fault)),
            }
        }
        self.at += 2;
        self.after_head(first)
    }

    fn after_head(&self, first: Option<Fault>) -> Option<Fault> {
        let twice = self.repeated & SINGLE;
        first.or_else(|| (twice != 0).then(|| Fault::bad(repeated_name(twice), "stands more than once")))
    }

    /// One line with its folds. `Ok(Some)`: it is wrong in itself; `Err`: nothing behind it can be
    /// read.
    fn line(&mut self) -> Result<Option<Fault>, Fault> {
        let (bytes, line) = (self.bytes, self.at);
        let mut name_end = line;
        while name_end < bytes.len() && is_token(bytes[name_end]) {
            name_end += 1;
        }
        let mut colon = name_end;
        while matches!(bytes.get(colon), Some(b' ' | b'\t')) {
            colon += 1;
        }
        let mut end = colon;
        loop {
            end = line_end(bytes, end).ok_or(Fault::bad("headers", "hold a bare CR or LF, or do not end"))?;
            match bytes.get(end + 2) {
                Some(b' ' | b'\t') => end += 2,
                _ => break,
            }
        }
        self.at = end + 2;
        if name_end == line || bytes.get(colon) != Some(&b':') {
            return Ok(Some(Fault::bad("headers", "hold a line that is not a name, a colon and a value")));
        }
        Ok(self.keep(line, name_end, colon + 1, end))
    }

    fn keep(&mut self, line: usize, name_end: usize, from: usize, end: usize) -> Option<Fault> {
        let name = Name::of(&self.bytes[line..name_end]);
        let (mut value, mut value_end) = (from, end);
        while value < value_end && is_lws(self.bytes[value]) {
            value += 1;
        }
        while value < value_end && is_lws(self.bytes[value_end - 1]) {
            value_end -= 1;
        }
        self.push(Span {
            name,
            line: offset(line),
            name_end: offset(name_end),
            value: offset(value),
            value_end: offset(value_end),
            line_end: offset(end + 2),
        });
        self.repeated |= self.present & name.bit();
        self.present |= name.bit();
        let relied_on = RELIED_ON & name.bit() != 0;
        (relied_on && hides_control(&self.bytes[value..value_end]))
            .then(|| Fault::bad(name.as_str(), "holds a control character"))
    }

    fn push(&mut self, span: Span) {
        if self.len < INLINE && self.heap.is_empty() {
            self.inline[self.len] = span;
            self.len += 1;
            return;
        }
        if self.heap.is_empty() {
            self.heap.extend_from_slice(&self.inline[..self.len]);
            self.len = 0;
        }
        self.heap.push(span);
    }

    fn into_message(self, start: StartSpan) -> Message<'a> {
        let spans = if self.heap.is_empty() {
            Spans::Inline { len: u8::try_from(self.len).unwrap_or(u8::MAX), spans: self.inline }
        } else {
            Spans::Heap(self.heap)
        };
        // Beyond the end only where the head was cut short, and then there is no body.
        let body = self.at.min(self.bytes.len());
        Message { bytes: self.bytes, meta: Meta { start, present: self.present, body: offset(body) }, spans }
    }
}

/// A control character that is not escaped by a backslash, as a quoted string may have it.
fn hides_control(value: &[u8]) -> bool {
    let is_control = |byte: u8| (byte < b' ' && !is_lws(byte)) || byte == 127;
    // Without an early end, so that ordinary values cost a few vector instructions.
    value.iter().fold(false, |found, byte| found | is_control(*byte))
        && value
            .iter()
            .zip([0].iter().chain(value))
            .any(|(byte, before)| is_control(*byte) && *before != b'\\')
}

fn repeated_name(set: u128) -> &'static str {
    let names = [
        Name::From,
        Name::To,
        Name::CallId,
        Name::CSeq,
        Name::MaxForwards,
        Name::ContentLength,
        Name::ContentType,
    ];
    names.into_iter().find(|name| set & name.bit() != 0).map_or("a header that may stand once", Name::as_str)
}

/// What every message must have, and have in a form that can be read.
fn check(message: &Message<'_>) -> Result<(), Fault> {
    for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
        if !message.has(name) {
            return Err(Fault::bad(name.as_str(), "is missing"));
        }
    }
    let value = |name| message.value(name).unwrap_or_default();
    let via = Elements::new(value(Name::Via)).next();
    if via.and_then(Via::parse).is_none() {
        return Err(Fault::bad("Via", "cannot be read"));
    }
    for name in [Name::From, Name::To] {
        let address = NameAddr::parse(value(name));
        if address.is_none_or(|address| !is_one(address.params.as_bytes())) {
            return Err(Fault::bad(name.as_str(), "is not one address"));
        }
    }
    let call_id = value(Name::CallId);
    if call_id.is_empty() || call_id.iter().any(|byte| is_lws(*byte)) {
        return Err(Fault::bad("Call-ID", "is empty or holds white space"));
    }
    let cseq = CSeq::parse(value(Name::CSeq))
        .ok_or(Fault::bad("CSeq", "is not a number below 2^31 and a method"))?;
    if let Start::Request { method, .. } = message.start()
        && method != cseq.method
    {
        return Err(Fault::bad("CSeq", "names another method than the request line"));
    }
    if message.has(Name::MaxForwards) && message.max_forwards().is_none() {
        return Err(Fault::bad("Max-Forwards", "is not a number from 0 to 255"));
    }
    Ok(())
}

/// Cuts the message at its Content-Length; without one the datagram's end is the body's (18.3).
fn cut_body(message: &mut Message<'_>) -> Result<(), Fault> {
    let Some(value) = message.value(Name::ContentLength) else {
        return Ok(());
    };
    let length = content_length(value)?;
    let end = usize::from(message.meta.body) + length;
    message.bytes =
        message.bytes.get(..end).ok_or(Fault::bad("Content-Length", "is greater than the body that came"))?;
    Ok(())
}

/// The number in a Content-Length.
pub(super) fn content_length(value: &[u8]) -> Result<usize, Fault> {
    let fault = Fault::bad("Content-Length", "is not a number up to 65535");
    number(trim(value), 65_535).and_then(|length| usize::try_from(length).ok()).ok_or(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:+16508251255@example.com SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bK1;rport\r\n\
        Max-Forwards: 70\r\nf: \"A\" <sip:a@192.0.2.1>;tag=1\r\nTo: <sip:b@example.com>\r\n\
        Call-ID: c1@192.0.2.1\r\nCSeq: 7 INVITE\r\nm: <sip:a@192.0.2.1:5062>\r\nX-Thing:  two\r\n  lines \r\n\
        Content-Length: 4\r\n\r\nbody";

    fn with(from: &str, to: &str) -> String {
        assert!(INVITE.contains(from));
        INVITE.replace(from, to)
    }

    #[test]
    fn an_ordinary_invite() {
        let message = Message::scan(INVITE.as_bytes()).unwrap();
        assert_eq!(message.method(), Some(Method::Invite));
        assert_eq!(message.uri().unwrap().user, Some(&b"+16508251255"[..]));
        assert_eq!(message.top_via().branch(), Some(&b"z9hG4bK1"[..]));
        assert_eq!(message.from().tag(), Some(&b"1"[..]));
        assert_eq!(message.call_id(), b"c1@192.0.2.1");
        assert_eq!(message.cseq().number, 7);
        assert_eq!(message.max_forwards(), Some(70));
        assert_eq!(message.contacts().next().unwrap().uri, b"sip:a@192.0.2.1:5062");
        let thing = message.named(b"x-thing").next().unwrap();
        assert_eq!(thing.unfolded().as_ref(), b"two lines");
        assert_eq!(thing.line, b"X-Thing:  two\r\n  lines \r\n");
        assert_eq!(message.body(), b"body");
    }

    #[test]
    fn crlf_before_and_surplus_behind_are_left_out() {
        let text = format!("\r\n\r\n{INVITE}surplus");
        assert_eq!(Message::scan(text.as_bytes()).unwrap().bytes(), INVITE.as_bytes());
    }

    #[test]
    fn faults_name_their_place_and_can_be_answered() {
        for (text, status, place) in [
            (with("CSeq: 7 INVITE", "CSeq: 7 BYE"), 400, "CSeq"),
            (with("CSeq: 7", "CSeq: 2147483648"), 400, "CSeq"),
            (with("Max-Forwards: 70", "Max-Forwards: 256"), 400, "Max-Forwards"),
            (with("Content-Length: 4", "Content-Length: 5"), 400, "Content-Length"),
            (with("Content-Length: 4", "Content-Length: -4"), 400, "Content-Length"),
            (with("X-Thing", "l: 4\r\nX-Thing"), 400, "Content-Length"),
            (with("SIP/2.0\r\nVia", "SIP/7.0\r\nVia"), 505, "request line"),
            (with("SIP/2.0\r\nVia", "SIP/2.0 \r\nVia"), 400, "request line"),
            (with("INVITE sip:", "INVITE  sip:"), 400, "request line"),
            (with("X-Thing", "X Thing"), 400, "headers"),
            (with("c1@", "c1\u{0}@"), 400, "Call-ID"),
            (with(";rport", ";;rport"), 400, "Via"),
        ] {
            let malformed = Message::scan(text.as_bytes()).unwrap_err();
            assert_eq!((malformed.fault().status, malformed.fault().place), (status, place), "{malformed:?}");
            let mut out = Vec::new();
            malformed.answerable().unwrap().write(&mut out, malformed.fault(), b"t", None);
            let answer = String::from_utf8(out).unwrap();
            assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{answer}");
            assert!(answer.contains("f: \"A\" <sip:a@192.0.2.1>;tag=1\r\n"), "{answer}");
            assert!(answer.contains("To: <sip:b@example.com>;tag=t\r\n"), "{answer}");
        }
    }

    /// With our tag behind it a To that ends in a comma would be two.
    #[test]
    fn who_is_meant_is_one_address() {
        for to in [
            "<sip:b@example.com>,",
            "<sip:b@example.com>;x=1 ,",
            "sip:b@example.com;x=1,",
            "<sip:b@example.com>, ",
        ] {
            let text = with("To: <sip:b@example.com>", &format!("To: {to}"));
            assert_eq!(Message::scan(text.as_bytes()).unwrap_err().fault().place, "To", "{to}");
        }
    }

    #[test]
    fn many_headers_leave_the_stack_and_too_many_are_refused() {
        let text = with("X-Thing", &format!("{}X-Thing", "X-A: 1\r\n".repeat(200)));
        let message = Message::scan(text.as_bytes()).unwrap();
        assert_eq!(message.headers().count(), 209);
        assert_eq!(message.cseq().number, 7);
        let text = with("X-Thing", &format!("{}X-Thing", "X-A: 1\r\n".repeat(600)));
        assert_eq!(Message::scan(text.as_bytes()).unwrap_err().fault().place, "headers");
    }

    #[test]
    fn a_status_line() {
        let answer = INVITE.split_once("\r\n").unwrap().1;
        let scan = |line: &str| {
            Message::scan(format!("{line}\r\n{answer}").as_bytes())
                .map(|message| message.code())
                .ok()
                .flatten()
        };
        assert_eq!(scan("SIP/2.0 200 OK"), Some(200));
        assert_eq!(scan("SIP/2.0 100 "), Some(100));
        assert_eq!(scan("SIP/2.0 100"), Some(100));
        assert_eq!(scan("SIP/2.0 4294967301 Big"), None);
        assert_eq!(scan("SIP/2.0 700 No"), None);
        assert_eq!(scan("SIP/3.0 200 OK"), None);
    }
}
