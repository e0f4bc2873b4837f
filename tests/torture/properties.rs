//! What holds for any bytes, and for any message that is printed.

use callgate::sip::{Message, Method, Name, Writer};
use proptest::prelude::*;
use rsip::message::HasHeaders as _;

use crate::doors;

proptest! {
    #[test]
    fn no_bytes_do_harm(data in proptest::collection::vec(any::<u8>(), 0..400)) {
        doors::message(&data);
        doors::value(&data);
    }

    #[test]
    fn nearly_sip_does_no_harm(data in "(INVITE|ACK|SIP/2.0) ?[ -~\r\n]{0,80}\r\n(Via|From|To|l|CSeq|Call-ID)? ?:[ -~\r\n]{0,80}\r\n\r\n[ -~]{0,9}") {
        doors::message(data.as_bytes());
    }

    #[test]
    fn framing_does_not_depend_on_cuts(
        heads in proptest::collection::vec(("[A-Z]{1,9}", 0_usize..40, 0_usize..4), 0..6),
        tail in proptest::collection::vec(any::<u8>(), 0..40),
        cuts in proptest::collection::vec(any::<u8>(), 4),
    ) {
        let mut stream = Vec::new();
        for (method, length, blanks) in heads {
            stream.extend_from_slice(&b"\r\n".repeat(blanks));
            stream.extend_from_slice(format!("{method} sip:h SIP/2.0\r\nContent-Length: {length}\r\n\r\n").as_bytes());
            stream.extend(std::iter::repeat_n(b'\r', length));
        }
        stream.extend_from_slice(&tail);
        doors::frame(&[&cuts[..], &stream[..]].concat());
    }

    #[test]
    fn what_is_printed_is_read_back(print in printed(proptest::collection::vec(any::<u8>(), 0..60))) {
        let (bytes, user, display, tag, cseq, body) = print;
        let message = Message::scan(&bytes).expect("a printed message is sound");
        prop_assert_eq!(message.bytes(), &bytes[..]);
        prop_assert_eq!(message.method(), Some(Method::Message));
        let read = message.uri().unwrap().decoded_user().into_owned();
        prop_assert_eq!(read, user.as_bytes());
        let shown = message.from().display_text().into_owned();
        let tame: Vec<u8> = display.bytes().map(|b| if b < b' ' || b == 127 { b' ' } else { b }).collect();
        prop_assert_eq!(shown, tame);
        prop_assert_eq!(message.from().tag(), Some(tag.as_bytes()));
        prop_assert_eq!(message.cseq().number, cseq);
        prop_assert_eq!(message.max_forwards(), Some(70));
        prop_assert_eq!(message.body(), &body[..]);
    }

    #[test]
    fn an_independent_reader_agrees(print in printed("[ -~\u{e4}\r\n]{0,30}".prop_map(String::into_bytes))) {
        let (bytes, user, .., body) = print;
        // A user part ends at a dot for rsip, and parameters begin at the semicolon after it: `sip:a.;b@h` is no URI to it.
        if user.contains('.') && user.contains(';') {
            return Ok(());
        }
        let body = std::str::from_utf8(&body).unwrap();
        let theirs = rsip::SipMessage::try_from(&bytes[..]).expect("rsip reads what is printed");
        let ours = Message::scan(&bytes).unwrap();
        prop_assert_eq!(theirs.headers().iter().count(), ours.headers().count());
        for (theirs, ours) in theirs.headers().iter().zip(ours.headers()) {
            let line = format!("{}: {}\r\n", ours.name.as_str(), String::from_utf8_lossy(ours.value));
            prop_assert_eq!(format!("{theirs}\r\n").to_lowercase(), line.to_lowercase());
        }
        prop_assert_eq!(std::str::from_utf8(theirs.body()).unwrap(), body);
    }
}

type Printed = (Vec<u8>, String, String, String, u32, Vec<u8>);

/// A request from arbitrary parts.
fn printed(body: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Printed> {
    let parts = ("[ -~\u{e4}]{1,20}", "[ -~\u{e4}\r\n]{0,20}", "[a-zA-Z0-9.]{1,20}", 0_u32..1 << 31, body);
    parts.prop_map(|(user, display, tag, cseq, body)| {
        let mut out = Vec::new();
        let mut uri = Vec::new();
        Writer::append(&mut uri).bytes(b"sip:").user(user.as_bytes()).bytes(b"@example.com");
        let mut writer = Writer::request(&mut out, Method::Message, &uri);
        writer.header(Name::Via, &[b"SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK", tag.as_bytes()]);
        writer.numeric(Name::MaxForwards, 70);
        writer
            .begin(Name::From)
            .quoted(display.as_bytes())
            .bytes(b" <sip:a@192.0.2.1>;tag=")
            .bytes(tag.as_bytes())
            .end();
        writer.header(Name::To, &[b"<", &uri, b">"]);
        writer.header(Name::CallId, &[tag.as_bytes(), b"@192.0.2.1"]);
        writer.cseq(cseq, Method::Message);
        writer.header(Name::ContentType, &[b"application/octet-stream"]);
        writer.body(&body);
        (out, user, display, tag, cseq, body)
    })
}
