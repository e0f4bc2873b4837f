//! Reliable provisional responses (RFC 3262): PRACK by a caller, the wait for it by a target.

use super::plan::Todo;
use super::server::Server;
use super::write::{Dialog, Hop, list, request};
use super::{Hands, MS, Phone, T1, TIMEOUT};
use crate::text::Text;

/// A caller's early dialog.
#[derive(Clone, Default)]
pub struct Early {
    pub cseq: u32,
    rseq: u32,
    /// An offer that came in it is answered.
    pub answered: bool,
}

/// A target's response that waits for its PRACK.
pub struct Unacknowledged {
    branch: String,
    tag: String,
    rack: String,
    to: Hop,
    bytes: Vec<u8>,
    pub next: u64,
    interval: u64,
    gives_up: u64,
}

impl Phone {
    /// A provisional with a To tag: its early dialog, and PRACK where it wants one.
    pub(super) fn rang(&mut self, hands: &mut Hands<'_>, text: &Text) {
        let tag = text.to_tag().to_owned();
        let early = self.early_dialogs.entry(tag.clone()).or_insert(Early { cseq: 1, ..Early::default() });
        if !text.all("require").any(|tags| tags.contains("100rel")) || self.plan.no_prack {
            return;
        }
        let rseq: u32 = text.get("rseq").parse().unwrap_or(0);
        if early.rseq != 0 && rseq != early.rseq + 1 {
            return;
        }
        early.rseq = rseq;
        if hands.rng.chance(8) {
            let wrong = format!("RAck: {} {}\r\n", rseq.wrapping_add(3), text.get("cseq"));
            self.in_early_dialog(hands, text, "PRACK", &wrong, "");
        }
        let Some(early) = self.early_dialogs.get_mut(&tag) else { return };
        let answers = self.plan.late_offer && !text.body.is_empty() && !early.answered;
        early.answered |= answers;
        let body = if answers { self.sdp("answer in PRACK") } else { String::new() };
        let own = format!("RAck: {rseq} {}\r\n", text.get("cseq"));
        self.in_early_dialog(hands, text, "PRACK", &own, &body);
        // What overtakes a PRACK makes it come too late (RFC 3261 12.2.2).
        if hands.rng.chance(self.talkative) && !self.plan.late_offer && !self.plain {
            let at = hands.now + hands.rng.between(50, 900) * MS;
            self.later(at, Todo::EarlyUpdate { text: Box::new(text.clone()) });
        }
    }

    /// UPDATE while it rings (RFC 3311 5.1).
    pub(super) fn early_update(&mut self, hands: &mut Hands<'_>, text: &Text) {
        let ringing = self.client.iter().any(|c| self.invite.as_ref() == Some(&c.branch) && !c.done);
        if ringing && !self.canceled {
            let number = self.fresh();
            let contact = self.contact(self.place.tcp);
            let mark = format!("X-Mark: {}-{number}\r\n{contact}", self.place.addr);
            let body = self.sdp("early update");
            self.in_early_dialog(hands, text, "UPDATE", &mark, &body);
        }
    }

    fn in_early_dialog(&mut self, hands: &mut Hands<'_>, text: &Text, method: &str, own: &str, body: &str) {
        let tag = text.to_tag().to_owned();
        let Some(early) = self.early_dialogs.get_mut(&tag) else { return };
        early.cseq += 1;
        let cseq = early.cseq;
        let mut routes = list(text, "record-route");
        routes.reverse();
        let dialog = Dialog {
            remote: text.get("to").to_owned(),
            uri: text.contact().to_owned(),
            routes,
            first_hop: None,
            cseq,
            ..self.dialogs[0].clone()
        };
        let branch = self.branch();
        let bytes = request(method, &self.sent_by(), &dialog, &branch, own, body);
        self.begin(hands, dialog.hop(), bytes, Some(tag));
    }

    /// Whether a target answers this INVITE reliably: it must where that is required, but some do not.
    pub(super) fn answers_reliably(hands: &mut Hands<'_>, invite: &Text) -> bool {
        let required = invite.all("require").any(|tags| tags.contains("100rel"));
        let supported = invite.all("supported").any(|tags| tags.contains("100rel"));
        (required && hands.rng.chance(85)) || (supported && hands.rng.chance(60))
    }

    /// Whether something said to this INVITE still waits for PRACK.
    pub(super) fn awaits_prack(&self, branch: &str) -> bool {
        self.unacknowledged.iter().any(|open| open.branch == branch)
    }

    pub(super) fn await_prack(&mut self, now: u64, server: &Server, tag: &str, bytes: &[u8]) {
        self.unacknowledged.push(Unacknowledged {
            branch: server.branch.clone(),
            tag: tag.to_owned(),
            rack: format!("{} {}", server.rseq, server.request.get("cseq")),
            to: server.from,
            bytes: bytes.to_vec(),
            next: now + T1,
            interval: T1,
            gives_up: now + TIMEOUT,
        });
    }

    /// Whether a PRACK acknowledges something. In a wide world an UPDATE of the target's follows now and
    /// then, before it answers.
    pub(super) fn pracked(&mut self, hands: &mut Hands<'_>, prack: &Text) -> bool {
        let is_it = |open: &Unacknowledged| open.rack == prack.get("rack") && open.tag == prack.to_tag();
        let Some(open) = self.unacknowledged.iter().position(is_it) else { return false };
        let branch = self.unacknowledged.remove(open).branch;
        if !self.identity.is_empty() && hands.rng.chance(40) {
            let tag = prack.to_tag().to_owned();
            self.later(hands.now + hands.rng.between(10, 400) * MS, Todo::UpdateBefore { branch, tag });
        }
        true
    }

    pub(super) fn update_before(&mut self, hands: &mut Hands<'_>, branch: &str, tag: &str) {
        let Some(server) = self.server.iter().find(|server| server.branch == branch && server.code < 200)
        else {
            return;
        };
        let invite = server.request.clone();
        let tcp = server.from.tcp;
        let dialog = Dialog {
            call_id: invite.call_id().to_owned(),
            local: format!("{};tag={tag}", invite.get("to")),
            remote: invite.get("from").to_owned(),
            local_tag: tag.to_owned(),
            remote_tag: invite.tag_of_from().to_owned(),
            uri: invite.contact().to_owned(),
            routes: list(&invite, "record-route"),
            first_hop: None,
            tcp,
            cseq: 50,
            over: false,
            gone: false,
            ack: None,
        };
        let number = self.fresh();
        let (contact, addr, branch) = (self.contact(tcp), self.place.addr, self.branch());
        let more = format!("X-Mark: {addr}-{number}\r\n{contact}{}", self.identity);
        let body = self.sdp("update before the answer");
        let bytes = request("UPDATE", &self.sent_by(), &dialog, &branch, &more, &body);
        self.begin(hands, dialog.hop(), bytes, Some(dialog.remote_tag.clone()));
    }

    pub(super) fn no_prack_any_more(&mut self, branch: &str) {
        self.unacknowledged.retain(|open| open.branch != branch);
    }

    pub(super) fn tick_reliable(&mut self, hands: &mut Hands<'_>) {
        let mut given_up = Vec::new();
        let now = hands.now;
        for open in self.unacknowledged.iter_mut().filter(|open| open.next <= now) {
            if now >= open.gives_up {
                given_up.push((open.branch.clone(), open.tag.clone()));
                continue;
            }
            hands.send(open.to, open.bytes.clone());
            open.interval *= 2;
            open.next = (now + open.interval).min(open.gives_up);
        }
        for (branch, tag) in given_up {
            self.no_prack_any_more(&branch);
            self.respond(hands, &branch, 504, &tag);
        }
    }
}
