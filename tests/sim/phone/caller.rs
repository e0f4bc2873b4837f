//! The first INVITE of a caller, and all that may become of it.

use super::plan::Todo;
use super::write::{Dialog, Hop, follow_up, list, request};
use super::{Hands, MS, Phone};
use crate::text::Text;
use crate::world::ROUTER;

impl Phone {
    /// The first INVITE.
    pub fn call(&mut self, hands: &mut Hands<'_>) {
        let (addr, tcp) = (self.place.addr, self.place.tcp);
        let (port, ip) = (addr.port(), addr.ip());
        let tag = format!("c{port}");
        let to = Hop { addr: self.place.outbound.unwrap_or(ROUTER), tcp };
        let dialog = Dialog {
            call_id: format!("call-{port}@{ip}"),
            local: format!("\"Caller, {port}\" <sip:+1201555{port}@{ip}>;tag={tag}"),
            remote: format!("<sip:{}@192.0.2.1>", self.plan.number),
            local_tag: tag,
            remote_tag: String::new(),
            uri: format!("sip:{}@{ROUTER}", self.plan.number),
            routes: Vec::new(),
            first_hop: Some(to),
            tcp,
            cseq: 1,
            over: true,
            gone: false,
            ack: None,
        };
        let branch = self.branch();
        let mut body = if self.plan.late_offer { String::new() } else { self.sdp("offer") };
        if self.plan.large && !body.is_empty() {
            body.extend((0..60).map(|line| format!("a=candidate:{line} 1 UDP 1 {ip} 9 typ host\r\n")));
        }
        let require = if self.plan.reliable { "Require: replaces\r\n" } else { "" };
        let privacy = match self.plan.privacy {
            "" => String::new(),
            privacy => format!("Privacy: {privacy}\r\n"),
        };
        let more = format!(
            "{}{require}{}{privacy}{}X-Thing: kept, as \"it, is\"\r\nDiversion: <sip:+1999@h>;reason=unknown\r\n",
            self.contact(tcp),
            self.abilities(),
            self.identity
        );
        let bytes = request("INVITE", &self.sent_by(), &dialog, &branch, &more, &body);
        self.invite = Some(branch.clone());
        self.dialogs.push(dialog);
        self.begin(hands, to, bytes, None);
        if let Some(after) = self.plan.cancel {
            self.later(hands.now + after, Todo::Cancel { branch });
        }
        if let Some(after) = self.plan.early_bye {
            self.later(hands.now + after, Todo::EarlyBye);
        }
        if let Some(after) = self.plan.text {
            self.later(hands.now + after, Todo::Text);
        }
        if self.plan.merged {
            self.later(hands.now + hands.rng.between(1, 400) * MS, Todo::Merge);
        }
    }

    /// What it knows of 100rel and session timers.
    fn abilities(&self) -> String {
        let mut lines = String::new();
        let known = [(self.plan.knows_100rel, "100rel"), (self.plan.timer, "timer")];
        let known: Vec<&str> = known.iter().filter(|(knows, _)| *knows).map(|(_, tag)| *tag).collect();
        if !known.is_empty() {
            lines += &format!("Supported: {}\r\n", known.join(", "));
        }
        if self.plan.requires_100rel {
            lines += "Require: 100rel\r\n";
        }
        if let Some(interval) = self.plan.session.filter(|_| self.plan.timer) {
            lines += &format!("Session-Expires: {interval}\r\n");
        }
        lines
    }

    /// CANCEL of an INVITE of ours: the first, or one inside a call.
    pub(super) fn cancel(&mut self, hands: &mut Hands<'_>, branch: &str) {
        let first = self.invite.as_deref() == Some(branch);
        let found = self.client.iter().find(|client| client.branch == branch && client.method == "INVITE");
        let Some(client) = found.filter(|client| !(client.done || first && self.canceled)) else { return };
        if !(client.provisional || first && self.plan.eager_cancel) {
            // RFC 3261 9.1: not before a provisional.
            return self.later(hands.now + 100 * MS, Todo::Cancel { branch: branch.to_owned() });
        }
        let (to, bytes) = (client.to, follow_up("CANCEL", &client.bytes, None));
        self.canceled |= first;
        self.begin(hands, to, bytes, None);
    }

    /// BYE inside an early dialog (15): ends the call as CANCEL does.
    pub(super) fn early_bye(&mut self, hands: &mut Hands<'_>) {
        let ringing = self.client.iter().any(|c| self.invite.as_ref() == Some(&c.branch) && !c.done);
        let Some((remote, uri)) = self.early.clone().filter(|_| ringing && !self.canceled) else { return };
        self.canceled = true;
        let branch = self.branch();
        let tag = remote.split(";tag=").nth(1).unwrap_or_default();
        let cseq = self.early_dialogs.get(tag).map_or(1, |early| early.cseq) + 1;
        let dialog = Dialog { remote, uri, cseq, ..self.dialogs[0].clone() };
        let bytes = request("BYE", &self.sent_by(), &dialog, &branch, "", "");
        self.begin(hands, dialog.hop(), bytes, None);
    }

    /// A MESSAGE to the number, in no dialog.
    pub(super) fn write_text(&mut self, hands: &mut Hands<'_>) {
        let (branch, first) = (self.branch(), &self.dialogs[0]);
        let dialog = Dialog {
            call_id: format!("text-{}", first.call_id),
            local: first.local.replace(";tag=", ";tag=m"),
            cseq: 1,
            ..first.clone()
        };
        let bytes = request("MESSAGE", &self.sent_by(), &dialog, &branch, "", "some text");
        let bytes = String::from_utf8_lossy(&bytes).replacen("application/sdp", "text/plain", 1).into_bytes();
        self.begin(hands, dialog.hop(), bytes, None);
    }

    /// The same INVITE over another path: all but the branch is equal.
    pub(super) fn merge(&mut self, hands: &mut Hands<'_>) {
        let Some(first) = self.client.iter().find(|client| client.method == "INVITE") else { return };
        let (old, to) = (first.branch.clone(), first.to);
        let bytes = String::from_utf8_lossy(&first.bytes).into_owned();
        let branch = self.branch();
        let bytes = bytes.replacen(&old, &branch, 1).into_bytes();
        self.begin(hands, to, bytes, None);
    }

    /// A 2xx: ACK it, each time; the first opens the dialog, another tag is hung up at once.
    pub(super) fn answered(&mut self, hands: &mut Hands<'_>, text: &Text, initial: bool) {
        let tag = text.to_tag().to_owned();
        let cseq = text.cseq().0;
        let known = self.dialogs.iter().position(|dialog| dialog.remote_tag == tag);
        if let Some(at) = known
            && let Some((acked, ack)) = self.dialogs[at].ack.clone()
            && acked == cseq
        {
            return hands.send(self.dialogs[at].hop(), ack);
        }
        if initial && self.plan.lose_ack {
            return;
        }
        let second = initial
            && self.dialogs.iter().any(|dialog| !dialog.remote_tag.is_empty() && dialog.remote_tag != tag);
        let at = known.unwrap_or_else(|| self.opened(text));
        self.dialogs[at].uri = text.contact().to_owned();
        let branch = self.branch();
        let dialog = Dialog { cseq, ..self.dialogs[at].clone() };
        let settled = self.early_dialogs.get(&tag).is_some_and(|early| early.answered);
        let body =
            if initial && self.plan.late_offer && !settled { self.sdp("answer") } else { String::new() };
        let ack = request("ACK", &self.sent_by(), &dialog, &branch, "", &body);
        hands.send(dialog.hop(), ack.clone());
        self.dialogs[at].ack = Some((cseq, ack));
        if initial && (second || self.canceled) {
            self.in_dialog(hands, &tag, "BYE");
        } else if initial {
            self.refreshes(hands, &tag, text.get("session-expires"), "uac");
            self.converse(hands, &tag, self.plan.hold);
        }
    }

    /// The dialog of a 2xx: its route set reversed (12.1.2).
    fn opened(&mut self, text: &Text) -> usize {
        let mut routes = list(text, "record-route");
        routes.reverse();
        self.dialogs.push(Dialog {
            remote: text.get("to").to_owned(),
            remote_tag: text.to_tag().to_owned(),
            routes,
            first_hop: None,
            // Behind what was said in the early dialog, a BYE included.
            cseq: self.early_dialogs.get(text.to_tag()).map_or(1, |early| early.cseq) + 1,
            over: false,
            ack: None,
            ..self.dialogs[0].clone()
        });
        self.dialogs.len() - 1
    }
}
