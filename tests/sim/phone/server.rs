//! Server transactions: what was answered, and until when it is repeated.

use super::write::{Dialog, Hop, list};
use super::{Hands, MS, Phone, T1, T2, TIMEOUT};
use crate::phone::plan::Todo;
use crate::text::Text;

pub struct Server {
    pub branch: String,
    pub request: Text,
    pub from: Hop,
    pub last: Option<Vec<u8>>,
    pub code: u16,
    pub next: Option<u64>,
    interval: u64,
    gives_up: u64,
    pub tag: String,
    /// It rings reliably, and the RSeq it used last.
    pub reliable: bool,
    pub rseq: u32,
    /// What its 2xx says about the session.
    pub session: String,
    /// The header lines of its refusal.
    pub extra: String,
}

impl Server {
    pub fn new(branch: String, request: Text, from: Hop, tag: String) -> Self {
        Self {
            branch,
            request,
            from,
            last: None,
            code: 0,
            next: None,
            interval: T1,
            gives_up: 0,
            tag,
            reliable: false,
            rseq: 0,
            session: String::new(),
            extra: String::new(),
        }
    }

    /// A final response to an INVITE is repeated until its ACK (13.3.1.4, 17.2.1).
    fn finish(&mut self, now: u64, code: u16, bytes: Vec<u8>, tag: &str) {
        self.last = Some(bytes);
        self.code = code;
        self.tag = tag.to_owned();
        self.interval = T1;
        self.next = (code < 300 || !self.from.tcp).then_some(now + T1);
        self.gives_up = now + TIMEOUT;
    }
}

impl Phone {
    pub(super) fn tick_servers(&mut self, hands: &mut Hands<'_>) {
        let mut unacknowledged = Vec::new();
        for server in &mut self.server {
            if server.next.is_none_or(|next| next > hands.now) {
                continue;
            }
            if hands.now >= server.gives_up {
                server.next = None;
                if server.code < 300 {
                    unacknowledged.push(server.request.tag_of_from().to_owned());
                }
                continue;
            }
            if let Some(bytes) = server.last.clone() {
                hands.send(server.from, bytes);
            }
            server.interval = (server.interval * 2).min(T2);
            server.next = Some(hands.now + server.interval);
        }
        for tag in unacknowledged {
            self.in_dialog(hands, &tag, "BYE");
        }
    }

    pub(super) fn acknowledged(&mut self, ack: &Text) {
        for server in self.server.iter_mut().filter(|server| server.request.method() == "INVITE") {
            let same = server.request.cseq().0 == ack.cseq().0 && server.request.call_id() == ack.call_id();
            let refused = server.code >= 300 && server.branch == ack.branch();
            if same && (refused || (server.code < 300 && server.tag == ack.to_tag())) {
                server.next = None;
            }
        }
    }

    pub(super) fn was_canceled(&mut self, hands: &mut Hands<'_>, from: Hop, cancel: &Text) {
        let found =
            self.server.iter().find(|s| s.branch == cancel.branch() && s.request.method() == "INVITE");
        let Some((branch, code)) = found.map(|server| (server.branch.clone(), server.code)) else {
            return hands.send(from, cancel.response("481 No Such Transaction", "x", "", ""));
        };
        hands.send(from, cancel.response("200 OK", "x", "", ""));
        if code < 200 {
            self.respond(hands, &branch, 487, "x");
        }
    }

    pub(super) fn request(&mut self, hands: &mut Hands<'_>, from: Hop, text: Text) {
        let known =
            self.server.iter().find(|s| s.branch == text.branch() && s.request.method() == text.method());
        if let Some(server) = known {
            if let Some(bytes) = server.last.clone() {
                hands.send(server.from, bytes);
            }
            return;
        }
        let (method, branch, tag) =
            (text.method().to_owned(), text.branch().to_owned(), text.tag_of_from().to_owned());
        let (inside, bare) = (!text.to_tag().is_empty(), text.body.is_empty());
        if inside && self.has_vanished(&tag) {
            return;
        }
        let rings = self.server.iter().any(|s| {
            s.request.call_id() == text.call_id()
                && s.request.to_tag().is_empty()
                && (101..200).contains(&s.code)
        });
        let pracked = method == "PRACK" && self.pracked(hands, &text);
        let alive = self.dialogs.iter().any(|dialog| dialog.remote_tag == tag && !dialog.over);
        let glare =
            self.client.iter().any(|c| !c.done && c.method == "INVITE" && c.dialog.as_deref() == Some(&tag));
        if method == "INVITE" && inside && alive && !self.identity.is_empty() && hands.rng.chance(40) {
            // Who hears of another peer has something to say to it.
            let method = hands.rng.pick(&["INFO", "UPDATE", "INVITE", "MESSAGE"]);
            let at = hands.now + hands.rng.between(300, 3_000) * MS;
            self.later(at, Todo::InDialog { tag: tag.clone(), method });
        }
        let own_tag = if inside { text.to_tag().to_owned() } else { String::new() };
        self.server.push(Server::new(branch.clone(), text, from, own_tag));
        match (method.as_str(), inside) {
            // Some make no offer.
            ("INVITE", false) if bare && self.mood.is_none() && hands.rng.chance(20) => {
                self.respond(hands, &branch, 488, "x")
            }
            ("INVITE", false) => self.ring(hands, &branch),
            ("INVITE", true) if alive && glare => self.respond(hands, &branch, 491, ""),
            ("PRACK", true) => self.respond(hands, &branch, if pracked { 200 } else { 481 }, ""),
            ("UPDATE", true) if rings || self.early_dialogs.contains_key(&tag) => {
                self.respond(hands, &branch, 200, "")
            }
            (_, true) if !alive => self.respond(hands, &branch, 481, ""),
            ("INVITE", true) if hands.rng.chance(5) => self.respond(hands, &branch, 488, ""),
            ("INVITE", true) if hands.rng.chance(5) => self.respond(hands, &branch, 491, ""),
            ("INVITE", true) if hands.rng.chance(30) => {
                let at = hands.now + hands.rng.between(20, 2_000) * MS;
                self.later(at, Todo::Respond { branch, code: 200, tag: String::new() });
            }
            ("CHATTER", _) => self.respond(hands, &branch, 501, "x"),
            _ => self.respond(hands, &branch, 200, "x"),
        }
        if method == "BYE" {
            self.end(&tag);
        }
    }

    pub(super) fn respond(&mut self, hands: &mut Hands<'_>, branch: &str, code: u16, tag: &str) {
        let Some(at) = self.server.iter().rposition(|server| server.branch == branch) else { return };
        let first =
            self.server[at].request.method() == "INVITE" && self.server[at].request.to_tag().is_empty();
        if first && code > 100 && code < 300 && self.server[at].code < 200 && self.awaits_prack(branch) {
            // RFC 3262 3: one after the other, and no answer before.
            let todo = Todo::Respond { branch: branch.to_owned(), code, tag: tag.to_owned() };
            return self.later(hands.now + 200 * MS, todo);
        }
        if first && code >= 200 {
            self.no_prack_any_more(branch);
        }
        if first && self.server[at].reliable && (101..200).contains(&code) {
            self.server[at].rseq += 1;
        }
        let number = self.fresh();
        let (server, sdp) = (&self.server[at], self.sdp(&format!("from {code} {number}")));
        let contact = self.contact(server.from.tcp);
        let method = server.request.method().to_owned();
        let opens = method == "INVITE" && (200..300).contains(&code);
        if server.code >= 300 || (server.code >= 200 && (!opens || !server.request.to_tag().is_empty())) {
            return;
        }
        let (more, body) = match (method.as_str(), code) {
            ("INVITE", 300..) if first && !server.extra.is_empty() => (server.extra.clone(), String::new()),
            ("INVITE", 302) => {
                let user = server.request.uri().split('@').next().unwrap_or_default();
                (format!("Contact: <{user}@203.0.113.99>\r\n"), String::new())
            }
            ("INVITE", 183 | 200..=299) => (format!("{contact}Content-Type: application/sdp\r\n"), sdp),
            ("INVITE", 180) => (contact, String::new()),
            ("INVITE", 407) => {
                ("Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n".to_owned(), String::new())
            }
            ("INVITE", 503) => ("Retry-After: 9\r\n".to_owned(), String::new()),
            _ => Default::default(),
        };
        let routes: String = match server.request.to_tag() {
            "" => server.request.all("record-route").map(|r| format!("Record-Route: {r}\r\n")).collect(),
            _ => String::new(),
        };
        let reliably = match first && server.reliable && (101..200).contains(&code) {
            true => format!("Require: 100rel\r\nRSeq: {}\r\n", server.rseq),
            false => String::new(),
        };
        let session =
            if first && (200..300).contains(&code) { server.session.clone() } else { String::new() };
        let more = format!("{routes}{more}{reliably}{session}{}", self.identity);
        let bytes = server.request.response(&format!("{code} Said By Target"), tag, &more, &body);
        hands.send(server.from, bytes.clone());
        if !reliably.is_empty() {
            let server = Server {
                rseq: server.rseq,
                ..Server::new(server.branch.clone(), server.request.clone(), server.from, String::new())
            };
            self.await_prack(hands.now, &server, tag, &bytes);
        }
        let server = &self.server[at];
        let inside = !server.request.to_tag().is_empty();
        let tag = if inside { server.request.to_tag().to_owned() } else { tag.to_owned() };
        if opens && server.code >= 200 {
            // A second answer of a forking proxy: a server of its own, so that both are repeated.
            let (request, from) = (server.request.clone(), server.from);
            let mut second = Server::new(format!("{branch}/second"), request, from, String::new());
            second.finish(hands.now, code, bytes, &tag);
            self.server.push(second);
        } else if code >= 200 && method == "INVITE" {
            self.server[at].finish(hands.now, code, bytes, &tag);
        } else {
            let server = &mut self.server[at];
            (server.last, server.code, server.tag) = (Some(bytes), code, tag.clone());
        }
        if opens && !inside {
            self.open(hands, at, &tag);
        }
    }

    fn open(&mut self, hands: &mut Hands<'_>, at: usize, tag: &str) {
        let Server { request, from, .. } = &self.server[at];
        let remote_tag = request.tag_of_from().to_owned();
        self.dialogs.push(Dialog {
            call_id: request.call_id().to_owned(),
            local: format!("{};tag={tag}", request.get("to")),
            remote: request.get("from").to_owned(),
            local_tag: tag.to_owned(),
            remote_tag: remote_tag.clone(),
            uri: request.contact().to_owned(),
            routes: list(request, "record-route"),
            first_hop: None,
            tcp: from.tcp,
            cseq: 100,
            over: false,
            gone: false,
            ack: None,
        });
        let hold = hands.rng.chance(60).then(|| hands.rng.between(500, 9_000) * MS);
        let session = self.server[at].session.lines().last().unwrap_or_default().to_owned();
        self.refreshes(hands, &remote_tag, session.trim_start_matches("Session-Expires: "), "uas");
        let last_resort = Some(hold.unwrap_or(120_000 * MS));
        self.converse(hands, &remote_tag, last_resort);
    }
}
