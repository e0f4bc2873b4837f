//! Requests inside a dialog (RFC 3261, 12.2).

use super::state::Dialog;
use crate::sip::{Message, Method, Name, NameAddr, Uri, Writer};

/// A request of the peer with a CSeq number below one it used already: 500 (12.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the CSeq number is lower than one already seen in this dialog")]
pub struct OutOfOrder;

impl Dialog {
    /// The number of our next request (12.2.1.1). ACK and CANCEL use their INVITE's instead.
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq += 1;
        self.local_cseq
    }

    /// Checks and notes the CSeq number of a request of the peer (12.2.2). ACK and CANCEL carry
    /// their INVITE's and are never out of order.
    ///
    /// # Errors
    /// [`OutOfOrder`]: answer 500.
    pub fn receive(&mut self, request: &Message<'_>) -> Result<(), OutOfOrder> {
        let cseq = request.cseq();
        if matches!(cseq.method, Method::Ack | Method::Cancel) {
            return Ok(());
        }
        if self.remote_cseq.is_some_and(|last| cseq.number < last) {
            return Err(OutOfOrder);
        }
        self.remote_cseq = Some(cseq.number);
        Ok(())
    }

    /// The URI whose host the next request goes to: the first route, else the remote target.
    #[must_use]
    pub fn next_hop(&self) -> &[u8] {
        self.first_route().map_or(&*self.target, |uri| uri.raw)
    }

    /// Begins a request inside the dialog: start line, Route, From, To, Call-ID and CSeq; Via,
    /// Max-Forwards, Contact and the rest are the caller's. A first route without `lr` is a strict
    /// router: it becomes the Request-URI and the target goes behind the others (12.2.1.1).
    pub fn begin<'b>(&self, out: &'b mut Vec<u8>, method: Method<'_>, cseq: u32) -> Writer<'b> {
        let strict = self.first_route().filter(|uri| !uri.is_loose());
        let mut writer = match strict {
            Some(uri) => {
                let mut clean = Vec::new();
                request_uri(&uri, &mut clean);
                Writer::request(out, method, &clean)
            }
            None => Writer::request(out, method, &self.target),
        };
        for route in self.routes.iter().skip(usize::from(strict.is_some())) {
            writer.header(Name::Route, &[route]);
        }
        if strict.is_some() {
            writer.header(Name::Route, &[b"<", &self.target, b">"]);
        }
        writer.header(Name::From, &[&self.local]).header(Name::To, &[&self.remote]);
        writer.header(Name::CallId, &[&self.call_id]).cseq(cseq, method);
        writer
    }

    fn first_route(&self) -> Option<Uri<'_>> {
        self.routes.first().and_then(|route| NameAddr::parse(route)).and_then(|route| route.parsed_uri())
    }
}

/// A route's URI without what a Request-URI must not have: `method` and headers (19.1.1).
fn request_uri(uri: &Uri<'_>, clean: &mut Vec<u8>) {
    let tail = uri.raw.iter().position(|byte| matches!(byte, b';' | b'?'));
    // A `;` of the user part stands before the `@`.
    let from = uri.raw.iter().position(|byte| *byte == b'@').unwrap_or(0);
    let head = match tail {
        Some(at) if at > from => at,
        Some(_) => {
            let rest = uri.raw[from..].iter().position(|byte| matches!(byte, b';' | b'?'));
            rest.map_or(uri.raw.len(), |at| from + at)
        }
        None => uri.raw.len(),
    };
    clean.extend_from_slice(&uri.raw[..head]);
    for param in uri.params {
        if param.name.eq_ignore_ascii_case(b"method") {
            continue;
        }
        clean.push(b';');
        clean.extend_from_slice(param.name);
        if let Some(value) = param.value {
            clean.push(b'=');
            clean.extend_from_slice(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialog::{Local, NoDialog};
    use crate::flow::{Flow, ListenerId, Transport};

    fn flow() -> Flow {
        Flow {
            transport: Transport::Udp,
            listener: ListenerId(0),
            local: "192.0.2.1".parse().unwrap(),
            peer: "192.0.2.2:5060".parse().unwrap(),
            connection: None,
            domain: None,
        }
    }

    fn invite(headers: &str) -> String {
        format!(
            "INVITE sip:b@us SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n{headers}\
             From: \"A\" <sip:a@them>;tag=ft\r\nTo: <sip:b@us>\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n\r\n"
        )
    }

    fn ok(headers: &str) -> String {
        format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n{headers}\
             From: <sip:a@us>;tag=lt\r\nTo: <sip:b@them>;tag=rt\r\nCall-ID: c2\r\nCSeq: 3 INVITE\r\n\r\n"
        )
    }

    fn uas(headers: &str) -> Result<Dialog, NoDialog> {
        let text = invite(headers);
        Dialog::uas(&Message::scan(text.as_bytes()).unwrap(), b"our", flow())
    }

    fn local() -> Local {
        Local {
            call_id: b"c2".as_slice().into(),
            tag: b"lt".as_slice().into(),
            from: b"<sip:a@us>;tag=lt".as_slice().into(),
            uri: b"sip:b@them".as_slice().into(),
            cseq: 3,
        }
    }

    fn uac(headers: &str) -> Result<Dialog, NoDialog> {
        let text = ok(headers);
        Dialog::uac(&local(), &Message::scan(text.as_bytes()).unwrap(), flow())
    }

    fn bye(dialog: &mut Dialog) -> String {
        let mut out = Vec::new();
        let cseq = dialog.next_cseq();
        dialog.begin(&mut out, Method::Bye, cseq).finish();
        String::from_utf8(out).unwrap()
    }

    const RECORDED: &str = "Record-Route: <sip:p1;lr>, <sip:p2;lr>\r\nRecord-Route: <sip:p3;lr>\r\n\
        Contact: \"A\" <sip:a@10.0.0.1:5070;x=1>;expires=3\r\n";

    #[test]
    fn a_uas_keeps_the_route_set_in_the_order_received_12_1_1() {
        let mut dialog = uas(RECORDED).unwrap();
        assert_eq!(dialog.next_hop(), b"sip:p1;lr");
        assert_eq!(
            bye(&mut dialog),
            "BYE sip:a@10.0.0.1:5070;x=1 SIP/2.0\r\nRoute: <sip:p1;lr>\r\nRoute: <sip:p2;lr>\r\n\
             Route: <sip:p3;lr>\r\nFrom: <sip:b@us>;tag=our\r\nTo: \"A\" <sip:a@them>;tag=ft\r\n\
             Call-ID: c1\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn a_uac_reverses_it_12_1_2() {
        let mut dialog = uac(RECORDED).unwrap();
        assert_eq!(dialog.next_hop(), b"sip:p3;lr");
        let text = bye(&mut dialog);
        assert!(
            text.contains("Route: <sip:p3;lr>\r\nRoute: <sip:p2;lr>\r\nRoute: <sip:p1;lr>\r\n"),
            "{text}"
        );
        assert!(text.contains("To: <sip:b@them>;tag=rt\r\n") && text.contains("CSeq: 4 BYE\r\n"), "{text}");
    }

    #[test]
    fn a_strict_router_becomes_the_request_uri_12_2_1_1() {
        let strict = "Record-Route: <sip:p1;method=INVITE;x=y?Subject=z>, <sip:p2;lr>\r\n\
            Contact: <sip:a@10.0.0.1>\r\n";
        let mut dialog = uas(strict).unwrap();
        let text = bye(&mut dialog);
        assert!(text.starts_with("BYE sip:p1;x=y SIP/2.0\r\nRoute: <sip:p2;lr>\r\n"), "{text}");
        assert!(text.contains("Route: <sip:p2;lr>\r\nRoute: <sip:a@10.0.0.1>\r\n"), "{text}");
    }

    #[test]
    fn without_a_route_set_the_request_goes_to_the_contact_12_2_1_1() {
        let mut dialog = uas("Contact: <sip:a@10.0.0.1>\r\n").unwrap();
        assert_eq!(dialog.next_hop(), b"sip:a@10.0.0.1");
        assert!(!bye(&mut dialog).contains("Route"));
    }

    #[test]
    fn what_opens_no_dialog_12_1() {
        assert_eq!(uas(""), Err(NoDialog::Contact));
        assert_eq!(uas("Contact: <tel:+1>\r\n"), Err(NoDialog::Contact));
        assert_eq!(uas("Record-Route: <sip:p1\r\nContact: <sip:a@h>\r\n"), Err(NoDialog::RecordRoute));
        assert_eq!(uac(""), Err(NoDialog::Contact));
    }

    #[test]
    fn a_provisional_without_contact_leaves_the_request_uri_and_the_2xx_takes_all_anew_13_2_2_4() {
        let ringing = ok("Record-Route: <sip:old;lr>\r\n").replace("200 OK", "180 Ringing");
        let mut dialog = Dialog::uac(&local(), &Message::scan(ringing.as_bytes()).unwrap(), flow()).unwrap();
        assert_eq!(&*dialog.target, b"sip:b@them");
        let text = ok(RECORDED);
        dialog.confirm(&Message::scan(text.as_bytes()).unwrap()).unwrap();
        assert_eq!((&*dialog.target, dialog.routes.len()), (&b"sip:a@10.0.0.1:5070;x=1"[..], 3));
    }

    #[test]
    fn a_refresh_moves_the_target_and_never_the_route_set_12_2_2() {
        let mut dialog = uas(RECORDED).unwrap();
        let text = invite("Record-Route: <sip:other;lr>\r\nContact: <sip:new@h>\r\n");
        let reinvite = Message::scan(text.as_bytes()).unwrap();
        assert!(dialog.refresh(&reinvite));
        assert!(!dialog.refresh(&reinvite));
        assert_eq!((&*dialog.target, dialog.routes.len()), (&b"sip:new@h"[..], 3));
    }

    #[test]
    fn a_lower_cseq_is_out_of_order_and_a_gap_is_not_12_2_2() {
        let mut dialog = uas(RECORDED).unwrap();
        let mut receive = |cseq: &str| {
            let text = invite("").replace("7 INVITE", cseq).replace("INVITE sip", "BYE sip");
            let text = text.replace("INVITE", "BYE");
            dialog.receive(&Message::scan(text.as_bytes()).unwrap())
        };
        assert_eq!(receive("6 INVITE"), Err(OutOfOrder));
        assert_eq!(receive("20 INVITE"), Ok(()));
        assert_eq!(receive("19 INVITE"), Err(OutOfOrder));
        assert_eq!(receive("21 INVITE"), Ok(()));
    }

    #[test]
    fn a_dialog_knows_its_own_by_call_id_and_both_tags_12() {
        let dialog = uas(RECORDED).unwrap();
        let inside = invite("").replace("To: <sip:b@us>", "To: <sip:b@us>;tag=our");
        assert!(dialog.owns_request(&Message::scan(inside.as_bytes()).unwrap()));
        let outside = invite("");
        assert!(!dialog.owns_request(&Message::scan(outside.as_bytes()).unwrap()));
    }
}
