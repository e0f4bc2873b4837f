//! The two requests an INVITE implies: the ACK of its refusal (RFC 3261, 17.1.1.3) and its CANCEL
//! (9.1). Both are made from the INVITE as it left, so that they match it octet for octet.

/// A header line that is copied, with its compact name.
struct Copied {
    name: &'static str,
    compact: Option<u8>,
    /// Only the first one: the topmost Via.
    once: bool,
}

const COPIED: [Copied; 5] = [
    Copied { name: "Via", compact: Some(b'v'), once: true },
    Copied { name: "Route", compact: None, once: false },
    Copied { name: "From", compact: Some(b'f'), once: true },
    Copied { name: "To", compact: Some(b't'), once: true },
    Copied { name: "Call-ID", compact: Some(b'i'), once: true },
];

/// The ACK of a 3xx-6xx: the INVITE's Request-URI, top Via, Route, From and Call-ID, its CSeq number,
/// and the To of the response.
pub(super) fn ack(invite: &[u8], to: &[u8]) -> Option<Box<[u8]>> {
    request(invite, b"ACK", Some(to), b"")
}

/// The CANCEL of an INVITE with `extra` header lines, and the branch both share.
pub(super) fn cancel(invite: &[u8], extra: &[u8]) -> Option<(Box<[u8]>, Box<[u8]>)> {
    let via = lines(invite)?.find_map(|line| line.value("Via", Some(b'v')))?;
    let at = via.windows(7).position(|part| part.eq_ignore_ascii_case(b"branch="))?;
    let branch = via[at + 7..].split(|byte| matches!(byte, b';' | b',' | b' ' | b'\t' | b'\r')).next()?;
    Some((request(invite, b"CANCEL", None, extra)?, branch.into()))
}

fn request(invite: &[u8], method: &[u8], to: Option<&[u8]>, extra: &[u8]) -> Option<Box<[u8]>> {
    let mut text = Vec::with_capacity(invite.len().min(1024));
    text.extend_from_slice(method);
    let line_end = memchr::memchr(b'\r', invite)?;
    text.extend_from_slice(&invite[memchr::memchr(b' ', invite)?..line_end]);
    text.extend_from_slice(b"\r\n");
    let mut seen = [false; COPIED.len()];
    for line in lines(invite)? {
        for (copied, seen) in COPIED.iter().zip(&mut seen) {
            let Some(value) = line.value(copied.name, copied.compact) else { continue };
            if !(copied.once && *seen) {
                header(&mut text, copied.name, to.filter(|_| copied.name == "To").unwrap_or(value));
            }
            *seen = true;
        }
        if let Some(cseq) = line.value("CSeq", None) {
            text.extend_from_slice(b"CSeq: ");
            text.extend(cseq.iter().take_while(|byte| byte.is_ascii_digit()));
            text.push(b' ');
            text.extend_from_slice(method);
            text.extend_from_slice(b"\r\n");
        }
    }
    text.extend_from_slice(b"Max-Forwards: 70\r\n");
    text.extend_from_slice(extra);
    text.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    Some(text.into())
}

fn header(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

/// One header line of a message of our own, folds included.
struct Line<'a>(&'a [u8]);

impl<'a> Line<'a> {
    fn value(&self, name: &str, compact: Option<u8>) -> Option<&'a [u8]> {
        let colon = memchr::memchr(b':', self.0)?;
        let written = self.0[..colon].trim_ascii_end();
        let is_compact = matches!((written, compact), ([one], Some(short)) if one.eq_ignore_ascii_case(&short));
        (is_compact || written.eq_ignore_ascii_case(name.as_bytes()))
            .then(|| self.0[colon + 1..].trim_ascii())
    }
}

/// The header lines behind the start line, up to the empty one.
fn lines(message: &[u8]) -> Option<impl Iterator<Item = Line<'_>>> {
    let mut rest = &message[memchr::memmem::find(message, b"\r\n")? + 2..];
    Some(std::iter::from_fn(move || {
        let mut end = 0;
        loop {
            end += memchr::memmem::find(&rest[end..], b"\r\n")?;
            match rest.get(end + 2) {
                Some(b' ' | b'\t') if end > 0 => end += 2,
                _ => break,
            }
        }
        let line = &rest[..end];
        rest = &rest[end + 2..];
        (!line.is_empty()).then_some(Line(line))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &[u8] = b"INVITE sip:bob@192.0.2.9;x=1 SIP/2.0\r\n\
        v: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;rport\r\n\
        Route: <sip:p1.example;lr>\r\n\
        Route: <sip:p2.example;lr>,\r\n <sip:p3.example;lr>\r\n\
        From: \"A\" <sip:a@example>;tag=1\r\n\
        To: <sip:bob@example>\r\n\
        Call-ID: c1@example\r\n\
        CSeq: 17 INVITE\r\n\
        Contact: <sip:a@192.0.2.1>\r\n\
        Content-Length: 5\r\n\r\nTo: x";

    #[test]
    fn the_ack_of_a_refusal_repeats_the_invite_but_for_to_17_1_1_3() {
        let ack = ack(INVITE, b"<sip:bob@example>;tag=9").unwrap();
        let expected = "ACK sip:bob@192.0.2.9;x=1 SIP/2.0\r\n\
            Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc;rport\r\n\
            Route: <sip:p1.example;lr>\r\n\
            Route: <sip:p2.example;lr>,\r\n <sip:p3.example;lr>\r\n\
            From: \"A\" <sip:a@example>;tag=1\r\n\
            To: <sip:bob@example>;tag=9\r\n\
            Call-ID: c1@example\r\n\
            CSeq: 17 ACK\r\n\
            Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&ack), expected);
    }

    #[test]
    fn the_cancel_has_the_invites_branch_cseq_uri_and_route_and_no_tag_9_1() {
        let (cancel, branch) = cancel(INVITE, b"Reason: SIP;cause=200\r\n").unwrap();
        let text = String::from_utf8_lossy(&cancel).into_owned();
        assert_eq!(&*branch, b"z9hG4bKabc");
        assert!(text.starts_with("CANCEL sip:bob@192.0.2.9;x=1 SIP/2.0\r\n"), "{text}");
        assert!(text.contains("\r\nTo: <sip:bob@example>\r\n"), "{text}");
        assert!(text.contains("\r\nCSeq: 17 CANCEL\r\n"), "{text}");
        assert!(text.contains("\r\nRoute: <sip:p1.example;lr>\r\n"), "{text}");
        assert!(text.contains("\r\nReason: SIP;cause=200\r\n"), "{text}");
        assert!(!text.contains("Contact"), "{text}");
    }
}
