//! The two requests an INVITE implies: the ACK of its refusal (RFC 3261, 17.1.1.3) and its CANCEL
//! (9.1). Both are made from the INVITE as it left, so that they match it octet for octet.

use crate::sip::{Message, Method, Name, Writer};

type Bytes = Box<[u8]>;

/// The ACK of a 3xx-6xx: the INVITE's Request-URI, top Via, Route, From and Call-ID, its CSeq number,
/// and the To of the response.
pub(super) fn ack(invite: &[u8], to: &[u8]) -> Option<Box<[u8]>> {
    let invite = Message::scan(invite).ok()?;
    Some(request(&invite, Method::Ack, to, b""))
}

/// The CANCEL of an INVITE with `extra` header lines, and the branch both share.
pub(super) fn cancel(invite: &[u8], extra: &[u8]) -> Option<(Bytes, Bytes)> {
    let invite = Message::scan(invite).ok()?;
    let branch = invite.top_via().branch()?.into();
    let to = invite.value(Name::To)?;
    Some((request(&invite, Method::Cancel, to, extra), branch))
}

fn request(invite: &Message<'_>, method: Method<'_>, to: &[u8], extra: &[u8]) -> Box<[u8]> {
    let mut text = Vec::with_capacity(invite.bytes().len().min(1024));
    let mut writer = Writer::request(&mut text, method, invite.uri_bytes());
    writer.header(Name::Via, &[invite.top_via().raw]);
    for route in invite.all(Name::Route) {
        writer.bytes(route.line);
    }
    if let Some(from) = invite.header(Name::From) {
        writer.bytes(from.line);
    }
    writer.header(Name::To, &[to]).header(Name::CallId, &[invite.call_id()]);
    writer.cseq(invite.cseq().number, method).numeric(Name::MaxForwards, 70).bytes(extra);
    writer.finish();
    text.into()
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
