//! Messages written into a reused buffer, piece by piece, without formatting machinery.

use std::io::Write as _;
use std::net::IpAddr;

use super::address::NameAddr;
use super::list::Elements;
use super::message::Message;
use super::method::Method;
use super::name::Name;
use super::via::Via;

/// What a server notes in the top Via of a request: where it really came from (RFC 3261 18.2.1,
/// RFC 3581 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The source address.
    pub address: IpAddr,
    /// The source port, written where the client asked for it with `rport`.
    pub port: u16,
}

/// Writes one message. Values are bytes and are written as they are: what comes from outside SIP
/// goes through [`Writer::text`].
pub struct Writer<'b> {
    out: &'b mut Vec<u8>,
}

impl<'b> Writer<'b> {
    /// Begins a request; `out` is cleared.
    #[must_use]
    pub fn request(out: &'b mut Vec<u8>, method: Method<'_>, uri: &[u8]) -> Self {
        out.clear();
        let mut writer = Self { out };
        writer.bytes(method.as_bytes()).bytes(b" ").bytes(uri).bytes(b" SIP/2.0\r\n");
        writer
    }

    /// Begins a response; `out` is cleared.
    #[must_use]
    pub fn status(out: &'b mut Vec<u8>, code: u16, reason: &[u8]) -> Self {
        out.clear();
        let mut writer = Self { out };
        writer.bytes(b"SIP/2.0 ").number(u64::from(code)).bytes(b" ").bytes(reason).end();
        writer
    }

    /// Begins the response to `request`: its Vias (the top one stamped), From, To (with `to_tag`
    /// unless it has a tag), Call-ID and CSeq (RFC 3261 8.2.6.2).
    #[must_use]
    pub fn response(
        out: &'b mut Vec<u8>,
        request: &Message<'_>,
        code: u16,
        reason: &[u8],
        to_tag: Option<&[u8]>,
        stamp: Option<Stamp>,
    ) -> Self {
        Self::reply(out, request, code, reason, to_tag, stamp)
    }

    /// [`Writer::response`] for a request that may lack headers.
    pub(super) fn reply(
        out: &'b mut Vec<u8>,
        request: &Message<'_>,
        code: u16,
        reason: &[u8],
        to_tag: Option<&[u8]>,
        stamp: Option<Stamp>,
    ) -> Self {
        let mut writer = Self::status(out, code, reason);
        writer.vias(request, stamp);
        writer.first_line(request, Name::From);
        writer.to(request, to_tag);
        writer.first_line(request, Name::CallId);
        writer.first_line(request, Name::CSeq);
        writer
    }

    /// Continues in a buffer that already holds the start of a message, or collects header lines.
    #[must_use]
    pub fn append(out: &'b mut Vec<u8>) -> Self {
        Self { out }
    }

    /// The Via lines of a request, the top one stamped.
    pub fn vias(&mut self, request: &Message<'_>, stamp: Option<Stamp>) -> &mut Self {
        let mut lines = request.all(Name::Via);
        if let Some(stamp) = stamp
            && let Some(top) = lines.next()
        {
            let mut elements = Elements::new(top.value);
            match elements.next().and_then(Via::parse) {
                Some(via) => {
                    self.begin(Name::Via).via(&via, stamp);
                    let others = elements.rest();
                    if !others.is_empty() {
                        self.bytes(b",").bytes(others);
                    }
                    self.end();
                }
                None => {
                    self.bytes(top.line);
                }
            }
        }
        for line in lines {
            self.bytes(line.line);
        }
        self
    }

    /// A Via as it came, stamped: `received` where the client asked for `rport` or its sent-by is
    /// not the source, `rport` with the source port where it asked for it.
    fn via(&mut self, via: &Via<'_>, stamp: Stamp) -> &mut Self {
        let asked = via.rport().is_some();
        let head = via.raw.len() - via.params.as_bytes().len();
        self.bytes(super::bytes::trim(&via.raw[..head]));
        for param in via.params {
            let ours =
                param.name.eq_ignore_ascii_case(b"received") || param.name.eq_ignore_ascii_case(b"rport");
            if !ours {
                self.bytes(b";").bytes(param.name);
                if let Some(value) = param.value {
                    self.bytes(b"=").bytes(value);
                }
            }
        }
        if asked || via.ip() != Some(stamp.address) {
            self.bytes(b";received=").ip(stamp.address);
        }
        if asked {
            self.bytes(b";rport=").number(u64::from(stamp.port));
        }
        self
    }

    /// The To of a request, with `tag` unless it has one.
    fn to(&mut self, request: &Message<'_>, tag: Option<&[u8]>) -> &mut Self {
        let Some(to) = request.header(Name::To) else {
            return self;
        };
        let tagged = NameAddr::parse(to.value).is_some_and(|to| to.tag().is_some());
        match tag {
            Some(tag) if !tagged => self.header(Name::To, &[to.value, b";tag=", tag]),
            _ => self.bytes(to.line),
        }
    }

    /// The Record-Route lines of a request, for a response that opens a dialog (12.1.1).
    pub fn record_routes(&mut self, request: &Message<'_>) -> &mut Self {
        for line in request.all(Name::RecordRoute) {
            self.bytes(line.line);
        }
        self
    }

    fn first_line(&mut self, request: &Message<'_>, name: Name) {
        if let Some(header) = request.header(name) {
            self.bytes(header.line);
        }
    }

    /// A header whose value is the pieces, one behind the other.
    pub fn header(&mut self, name: Name, pieces: &[&[u8]]) -> &mut Self {
        self.named(name.as_str().as_bytes(), pieces)
    }

    /// A header of any name.
    pub fn named(&mut self, name: &[u8], pieces: &[&[u8]]) -> &mut Self {
        self.bytes(name).bytes(b": ");
        for piece in pieces {
            self.bytes(piece);
        }
        self.end()
    }

    /// A header whose value is a number.
    pub fn numeric(&mut self, name: Name, number: u64) -> &mut Self {
        self.begin(name).number(number).end()
    }

    /// CSeq.
    pub fn cseq(&mut self, number: u32, method: Method<'_>) -> &mut Self {
        self.begin(Name::CSeq).number(u64::from(number)).bytes(b" ").bytes(method.as_bytes()).end()
    }

    /// Begins a header; its value follows in pieces, then [`Writer::end`].
    pub fn begin(&mut self, name: Name) -> &mut Self {
        self.bytes(name.as_str().as_bytes()).bytes(b": ")
    }

    /// Whole header lines with their CRLF, or a piece of a value, as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.out.extend_from_slice(bytes);
        self
    }

    /// A piece that comes from outside SIP: control characters become spaces, so that no value can
    /// become a line.
    pub fn text(&mut self, text: &[u8]) -> &mut Self {
        self.out.extend(text.iter().map(|byte| if *byte < b' ' || *byte == 127 { b' ' } else { *byte }));
        self
    }

    /// A quoted string: quotes and backslashes escaped, control characters as in [`Writer::text`].
    pub fn quoted(&mut self, text: &[u8]) -> &mut Self {
        self.out.push(b'"');
        for byte in text {
            match byte {
                b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', *byte]),
                0..=31 | 127 => self.out.push(b' '),
                _ => self.out.push(*byte),
            }
        }
        self.out.push(b'"');
        self
    }

    /// The user part of a SIP URI, percent-escaped where RFC 3261 25.1 demands it (`#` above all).
    pub fn user(&mut self, user: &[u8]) -> &mut Self {
        for byte in user {
            if byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(byte) {
                self.out.push(*byte);
            } else {
                self.out.extend_from_slice(&[b'%', hex(byte >> 4), hex(byte & 15)]);
            }
        }
        self
    }

    /// A decimal number.
    pub fn number(&mut self, number: u64) -> &mut Self {
        let mut digits = [0_u8; 20];
        let mut at = digits.len();
        let mut left = number;
        loop {
            at -= 1;
            digits[at] = b"0123456789"[usize::try_from(left % 10).unwrap_or(0)];
            left /= 10;
            if left == 0 {
                return self.bytes(&digits[at..]);
            }
        }
    }

    /// An address as `received` and SDP write it: without brackets.
    pub fn ip(&mut self, address: IpAddr) -> &mut Self {
        match address {
            IpAddr::V4(four) => {
                let [a, b, c, d] = four.octets().map(u64::from);
                self.number(a).bytes(b".").number(b).bytes(b".").number(c).bytes(b".").number(d)
            }
            IpAddr::V6(six) => {
                write!(self.out, "{six}").expect("a Vec takes all that is written");
                self
            }
        }
    }

    /// An address as a host: IPv6 in brackets.
    pub fn host(&mut self, address: IpAddr) -> &mut Self {
        match address {
            IpAddr::V4(_) => self.ip(address),
            IpAddr::V6(_) => self.bytes(b"[").ip(address).bytes(b"]"),
        }
    }

    /// Ends a header line.
    pub fn end(&mut self) -> &mut Self {
        self.bytes(b"\r\n")
    }

    /// Ends the message without a body: `Content-Length: 0`.
    pub fn finish(self) {
        self.body(&[]);
    }

    /// Ends the message with a body, whose Content-Type line was written before.
    pub fn body(mut self, body: &[u8]) {
        self.numeric(Name::ContentLength, body.len() as u64).end().bytes(body);
    }
}

const fn hex(nibble: u8) -> u8 {
    b"0123456789ABCDEF"[nibble as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &[u8] = b"OPTIONS sip:h SIP/2.0\r\nv: SIP/2.0/UDP [2001:db8::1]:5061;branch=z9hG4bKx;rport , \
        SIP/2.0/TCP b;branch=2\r\nVia: SIP/2.0/UDP c\r\nRecord-Route: <sip:p;lr>\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
        Call-ID: c\r\nCSeq: 2 OPTIONS\r\n\r\n";

    #[test]
    fn a_response_repeats_what_it_must() {
        let request = Message::scan(OPTIONS).unwrap();
        let stamp = Stamp { address: "192.0.2.9".parse().unwrap(), port: 65_000 };
        let mut out = b"old".to_vec();
        let mut writer = Writer::response(&mut out, &request, 200, b"OK", Some(b"t2"), Some(stamp));
        writer.record_routes(&request).numeric(Name::MaxForwards, 0);
        writer.body(b"hi");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP [2001:db8::1]:5061;branch=z9hG4bKx;received=192.0.2.9;rport=65000, \
             SIP/2.0/TCP b;branch=2\r\nVia: SIP/2.0/UDP c\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=t2\r\n\
             Call-ID: c\r\nCSeq: 2 OPTIONS\r\nRecord-Route: <sip:p;lr>\r\nMax-Forwards: 0\r\nContent-Length: 2\r\n\r\nhi"
        );
    }

    #[test]
    fn nothing_from_outside_becomes_a_line() {
        let mut out = Vec::new();
        let mut writer = Writer::append(&mut out);
        writer
            .text(b"a\r\nb")
            .quoted(b"\"x\\\n")
            .user(b"a#1@*")
            .number(u64::MAX)
            .host("::1".parse().unwrap());
        assert_eq!(out, b"a  b\"\\\"x\\\\ \"a%231%40*18446744073709551615[::1]");
    }
}
