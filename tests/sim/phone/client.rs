//! Client transactions, as a list with their next moments.

use super::write::{Hop, follow_up};
use super::{Hands, Phone, T1, T2, TIMEOUT};
use crate::text::Text;

pub struct Client {
    pub branch: String,
    pub method: String,
    pub bytes: Vec<u8>,
    pub to: Hop,
    pub next: Option<u64>,
    interval: u64,
    /// Timer B or F; a ringing INVITE has none.
    pub gives_up: Option<u64>,
    pub provisional: bool,
    pub done: bool,
    /// The dialog it is in, by remote tag.
    pub dialog: Option<String>,
}

impl Phone {
    /// A client transaction begins. Over a stream nothing is repeated.
    pub(super) fn begin(&mut self, hands: &mut Hands<'_>, to: Hop, bytes: Vec<u8>, dialog: Option<String>) {
        let Ok(text) = Text::read(&bytes) else { return };
        hands.send(to, bytes.clone());
        self.client.push(Client {
            branch: text.branch().to_owned(),
            method: text.method().to_owned(),
            bytes,
            to,
            next: (!to.tcp).then_some(hands.now + T1),
            interval: T1,
            gives_up: Some(hands.now + TIMEOUT),
            provisional: false,
            done: false,
            dialog,
        });
    }

    pub(super) fn tick_clients(&mut self, hands: &mut Hands<'_>) {
        let mut lost = Vec::new();
        for client in self.client.iter_mut().filter(|client| !client.done) {
            let invite = client.method == "INVITE";
            if client.gives_up.is_some_and(|at| at <= hands.now) {
                client.done = true;
                lost.extend(client.dialog.clone());
            }
            if !client.done && client.next.is_some_and(|next| next <= hands.now) {
                hands.send(client.to, client.bytes.clone());
                client.interval = if invite { client.interval * 2 } else { (client.interval * 2).min(T2) };
                client.next = Some(hands.now + client.interval);
            }
        }
        for tag in lost {
            self.end(&tag);
        }
    }

    pub(super) fn response(&mut self, hands: &mut Hands<'_>, text: &Text, code: u16) {
        let method = text.cseq().1;
        let Some(at) = self.client.iter().position(|c| c.branch == text.branch() && c.method == method)
        else {
            return;
        };
        let dialog = self.client[at].dialog.clone();
        let initial = dialog.is_none();
        let client = &mut self.client[at];
        if code < 200 {
            client.provisional = true;
            if method == "INVITE" {
                (client.next, client.gives_up) = (None, None);
                if initial && !text.to_tag().is_empty() {
                    self.early = Some((text.get("to").to_owned(), text.contact().to_owned()));
                    self.rang(hands, text);
                    if self.plan.early_cancel {
                        let branch = text.branch().to_owned();
                        self.later(
                            hands.now + hands.rng.between(0, 3_000) * super::MS,
                            super::plan::Todo::Cancel { branch },
                        );
                    }
                }
            } else if client.next.is_some() {
                client.next = Some(hands.now + T2);
            }
            return;
        }
        let first = !client.done;
        client.done = true;
        let lost = code == 481 || code == 408;
        if method != "INVITE" {
            if method == "BYE" || (lost && method != "PRACK") {
                dialog.iter().for_each(|tag| self.end(tag));
            }
        } else if code >= 300 {
            // 17.1.1.3: the INVITE's branch, Request-URI and CSeq number, the response's To.
            let ack = follow_up("ACK", &client.bytes, Some(text.get("to")));
            hands.send(client.to, ack);
            if first && lost {
                dialog.iter().for_each(|tag| self.end(tag));
            } else if first && code == 491 && hands.rng.chance(60) {
                // 14.1: again, a moment later.
                let at = hands.now + hands.rng.between(0, 4_000) * super::MS;
                let again = dialog.map(|tag| super::plan::Todo::InDialog { tag, method: "INVITE" });
                again.into_iter().for_each(|todo| self.later(at, todo));
            }
        } else {
            self.answered(hands, text, initial);
        }
    }
}
