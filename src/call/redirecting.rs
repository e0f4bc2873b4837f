//! The decision as 302 (a trunk's redirect mode, and `<Refer>` before an answer).

use std::fmt::Write as _;
use std::sync::Arc;

use crate::call::compose;
use crate::call::desk::Desk;
use crate::call::instructions::Dial;
use crate::call::outcome::HangupSource;
use crate::call::program::Failure;
use crate::call::state::Call;
use crate::call::trace::TraceItem;
use crate::reason::Reason;
use crate::routing::model::TrunkMode;
use crate::sip::Name;

/// Dials that differ in preference: q has one digit.
const MOST: usize = 10;

impl Call {
    /// Whether its targets are told to the caller instead of being invited. An emergency call is
    /// carried out all the same: whoever answers it must be reached, and through us the caller's
    /// identity and place reach it whatever the trunk can do with a 302.
    pub(super) fn redirects(&self) -> bool {
        self.trunk.mode == TrunkMode::Redirect && self.emergency.is_none()
    }

    /// All targets of this Dial and of those that follow it: what rings together is equal in
    /// preference, what comes later is less (RFC 3261 20.10).
    pub(super) fn redirect_to(&mut self, desk: &mut Desk, dial: Dial) {
        let mut failure = Failure { status: 500, reason: Reason::TargetInvalid };
        let mut contacts = Vec::new();
        let more = self.program.more_dials(dial.action.is_some());
        let more_dials = more.len();
        let dials = std::iter::once(dial).chain(more);
        if let Some(beyond) = (1 + more_dials).checked_sub(MOST).filter(|beyond| *beyond > 0) {
            let note =
                format!("{beyond} Dials are not told to the caller: there are ten steps of preference");
            desk.trace(self.facts.call, TraceItem::Note(note.into()));
        }
        for (dial, preference) in dials.zip((1..=10_u16).rev()) {
            for noun in &dial.nouns {
                let planned = self
                    .may_dial(desk, &noun.target)
                    .and_then(|()| self.gateways_of(desk, noun))
                    .and_then(|gateways| self.plan(desk, noun, &dial, gateways.first().map(AsRef::as_ref)));
                match planned {
                    Ok((plan, _)) => {
                        let uri = String::from_utf8_lossy(&plan.request_uri);
                        contacts.push((contact(&uri, &plan.headers), preference * 100));
                    }
                    Err(reason) => {
                        self.tell_refused_dial(desk, reason);
                        failure = Failure { status: reason.status().max(400), reason };
                    }
                }
            }
        }
        match contacts.is_empty() {
            true => self.refuse(desk, failure, HangupSource::Router),
            false => self.redirect(desk, &contacts, Reason::Redirected),
        }
    }

    /// 302 with Contacts, each with its q in thousandths.
    pub(super) fn redirect(&mut self, desk: &mut Desk, contacts: &[(Arc<str>, u16)], reason: Reason) {
        let Some(server) = self.server.take() else { return };
        let mut paper = std::mem::take(&mut desk.paper);
        if let Some(kept) = &self.invite {
            let request = kept.message();
            let tag = Some(self.own_tag.as_bytes());
            let mut writer = compose::response(&mut paper, &request, &self.flow, 302, tag);
            for (contact, q) in contacts {
                writer.begin(Name::Contact).bytes(b"<").text(contact.as_bytes()).bytes(b">;q=");
                let q = if *q == 1_000 { "1.0".to_owned() } else { format!("0.{}", q / 100) };
                writer.bytes(q.as_bytes()).end();
            }
            compose::own_reason(&mut writer, self.told_reason(Some(reason)));
            writer.finish();
        }
        desk.paper = paper;
        desk.respond(server, 302);
        desk.trace_sent(self.facts.call, None);
        desk.trace(self.facts.call, TraceItem::Refused(reason, 302));
        self.finish_unanswered(desk, Failure { status: 302, reason }, HangupSource::Application);
    }
}

/// A target's URI with the noun's headers behind it (19.1.1), which whoever follows it may write
/// into its INVITE.
fn contact(uri: &str, headers: &[(Arc<str>, Arc<str>)]) -> Arc<str> {
    let mut contact = uri.to_owned();
    for (at, (name, value)) in headers.iter().enumerate() {
        contact.push(if at == 0 { '?' } else { '&' });
        contact.push_str(&escaped(name));
        contact.push('=');
        contact.push_str(&escaped(value));
    }
    contact.into()
}

/// A header's name or value inside a URI: everything but the unreserved octets escaped.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes every write");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nouns_headers_cannot_leave_the_uri() {
        let headers = [("X-A".into(), "1&b=2>;q=0".into()), ("X-B".into(), "ä c".into())];
        let all = contact("sip:bob@a.example", &headers);
        assert_eq!(&*all, "sip:bob@a.example?X-A=1%26b%3D2%3E%3Bq%3D0&X-B=%C3%A4%20c");
    }
}
