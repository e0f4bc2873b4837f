//! What is said inside a call.

use super::plan::{TALK, Todo};
use super::write::request;
use super::{Hands, MS, Phone};

impl Phone {
    /// Chooses what will be said, and when the call ends from here.
    pub(super) fn converse(&mut self, hands: &mut Hands<'_>, tag: &str, hold: Option<u64>) {
        for method in TALK {
            if hands.rng.chance(self.talkative) {
                let at = hands.now + hands.rng.between(100, 3_000) * MS;
                self.later(at, Todo::InDialog { tag: tag.to_owned(), method });
            }
        }
        if hands.rng.chance(self.talkative) {
            // Both sides look at the same clock: a re-INVITE from each at once.
            let at = (hands.now / (2_000 * MS) + 1) * 2_000 * MS;
            let method = if hands.rng.chance(60) { "INVITE" } else { "UPDATE" };
            self.later(at, Todo::InDialog { tag: tag.to_owned(), method });
        }
        if !self.identity.is_empty() && hands.rng.chance(30) {
            // Where identities matter, they do so between whoever a transfer brings together, too.
            let at = hands.now + hands.rng.between(100, 2_000) * MS;
            self.later(at, Todo::InDialog { tag: tag.to_owned(), method: "REFER" });
        }
        if hands.rng.chance(self.vanishes) {
            let at = hands.now + hands.rng.between(200, 3_000) * MS;
            self.later(at, Todo::Vanish { tag: tag.to_owned() });
        }
        if let Some(hold) = hold {
            self.later(hands.now + hold, Todo::InDialog { tag: tag.to_owned(), method: "BYE" });
        }
    }

    pub(super) fn in_dialog(&mut self, hands: &mut Hands<'_>, tag: &str, method: &'static str) {
        let pending =
            self.client.iter().any(|c| !c.done && c.method == "INVITE" && c.dialog.as_deref() == Some(tag));
        let Some(at) = self.dialogs.iter().position(|dialog| dialog.remote_tag == tag && !dialog.over) else {
            return;
        };
        // A callee that has no ACK yet holds its BYE and asks nothing (RFC 3261 15).
        let own_tag = self.dialogs[at].local_tag.clone();
        let held = self.server.iter().any(|s| s.next.is_some() && s.code < 300 && s.tag == own_tag);
        if held || (method == "INVITE" && pending) {
            return self.later(hands.now + 300 * MS, Todo::InDialog { tag: tag.to_owned(), method });
        }
        self.dialogs[at].cseq += 1;
        let branch = self.branch();
        let number = self.fresh();
        let mark = format!("X-Mark: {}-{number}\r\n", self.place.addr);
        let session = format!("Session-Expires: {};refresher=uac\r\nSupported: timer\r\n", self.interval);
        let (method, session) = match method {
            "REFRESH" => ("UPDATE", session.as_str()),
            _ => (method, ""),
        };
        let refreshes = method == "INVITE" || method == "UPDATE";
        let body = if refreshes && session.is_empty() { self.sdp("again") } else { String::new() };
        let contact =
            if refreshes || method == "REFER" { self.contact(self.dialogs[at].tcp) } else { String::new() };
        let silent = method == "REFER" && hands.rng.chance(20);
        let own = match method {
            "REFER" if silent => "Refer-To: <sip:other@203.0.113.50>\r\nRefer-Sub: false\r\n",
            "REFER" => "Refer-To: <sip:other@203.0.113.50>\r\n",
            "PRACK" => "RAck: 1 1 INVITE\r\n",
            "NOTIFY" => "Event: talk\r\nSubscription-State: active\r\n",
            _ => "",
        };
        let more = format!("{mark}{contact}{session}{own}{}", self.identity);
        let dialog = &self.dialogs[at];
        let bytes = request(method, &self.sent_by(), dialog, &branch, &more, &body);
        self.begin(hands, dialog.hop(), bytes, Some(tag.to_owned()));
        if method == "INVITE" && hands.rng.chance(20) {
            self.later(hands.now + hands.rng.between(5, 600) * MS, Todo::Cancel { branch });
        } else if method == "BYE" {
            self.end(tag);
        }
    }
}
