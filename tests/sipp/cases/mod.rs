//! What documents do, from the XML that an application says to what each telephone and the
//! application hear, one case a time. tests/cases.md lists them.
//!
//! `dial`: one target. `fork`: several, and what comes after them. `told`: the callbacks of nouns.
//! `refused`: documents and numbers that lead nowhere, and messages.

mod dial;
mod fork;
mod refused;
mod told;

use std::time::{Duration, Instant};

use crate::app::{App, Request};
use crate::phone::{Message, Phone};
use crate::router::Router;

/// A router whose organization has a registrar, Alice's telephone, and a gateway, George's; and an
/// application. Bob calls, Henry has a URI.
struct Stage {
    router: Router,
    app: App,
    bob: Phone,
    alice: Phone,
    henry: Phone,
    george: Phone,
}

impl Stage {
    fn new() -> Self {
        let (router, app) = (Router::launch("", 1), App::start());
        let phone = || Phone::new(router.udp);
        let (bob, alice, henry, george) = (phone(), phone(), phone(), phone());
        router.sql(&format!(
            "UPDATE organizations SET registrar = 'sip:127.0.0.1:{}' WHERE is_default; \
             INSERT INTO gateways (name, host, port) VALUES ('out', '127.0.0.1', {})",
            alice.port(),
            george.port()
        ));
        Self { router, app, bob, alice, henry, george }
    }

    /// Without a registrar.
    fn without_registrar() -> Self {
        let stage = Self::new();
        stage.router.sql("UPDATE organizations SET registrar = NULL");
        stage
    }

    /// The number `text`, whose application says these verbs.
    fn number(&self, text: &str, verbs: &str) {
        let url = self.says(&format!("/voice/{text}"), verbs);
        self.router.number(text, &url, &self.app.url("/status"));
    }

    fn says(&self, path: &str, verbs: &str) -> String {
        self.app.says(path, "200 OK", &format!("<?xml version=\"1.0\"?><Response>{verbs}</Response>"))
    }

    /// Henry's URI.
    fn henry(&self) -> String {
        format!("sip:henry@127.0.0.1:{}", self.henry.port())
    }

    /// Client, Sip and Number at once; `attributes` of the Dial, and of each noun.
    fn all_three(&self, attributes: &str, noun: &str) -> String {
        format!(
            "<Dial {attributes}><Client {noun}>alice</Client><Sip {noun}>{}</Sip><Number {noun}>+131313</Number></Dial>",
            self.henry()
        )
    }

    /// Bob's INVITE, whose Call-ID is `id`.
    fn invites(&self, number: &str, id: &str) {
        self.bob.send(&self.bob.invite(number, id, id, ""));
    }

    /// Bob's INVITE, and what he hears in the end without an answer; he acknowledges it.
    fn refused(&self, number: &str, id: &str) -> Message {
        self.invites(number, id);
        self.bob_is_refused(id)
    }

    fn bob_is_refused(&self, id: &str) -> Message {
        let last = |message: &Message| message.status() >= 200 && message.header("Call-ID") == id;
        let refused = self.bob.next(Duration::from_secs(6), last).expect("a final response");
        // Its ACK belongs to the transaction: the INVITE's branch, the response's To (17.1.1.3).
        let (first, to) = (self.bob.invite("x", id, id, ""), refused.lines("To"));
        let own = first.lines().find(|line| line.starts_with("To:")).expect("a To");
        self.bob.send(&first.replace(own, to.trim()).replace("INVITE", "ACK"));
        refused
    }

    /// Bob hears the 200 and acknowledges it.
    fn bob_is_answered(&self) -> Message {
        let answer = self.bob.status(200);
        self.bob.send(&self.bob.inside("ACK", 1, &answer));
        answer
    }

    /// Bob hangs up, and `other` hears it.
    fn bob_hangs_up(&self, answer: &Message, other: &Phone) {
        self.bob.send(&self.bob.inside("BYE", 2, answer));
        let bye = other.request("BYE");
        other.respond(&bye, "200 OK", "", "");
        assert_eq!(self.bob.status(200).method(), "BYE");
    }

    /// The statuses of the number's callbacks, once there are as many as expected: of one call.
    fn told(&self, expected: &[&str]) {
        assert_eq!(self.statuses(expected.len()), expected);
    }

    /// The same of several calls, sorted: they are told side by side.
    fn told_of_all(&self, expected: &[&str]) {
        let mut statuses = self.statuses(expected.len());
        statuses.sort_unstable();
        assert_eq!(statuses, expected);
    }

    fn statuses(&self, count: usize) -> Vec<String> {
        wait(|| self.heard("/status").len() >= count);
        self.heard("/status").iter().map(|one| one.get("CallStatus").to_owned()).collect()
    }

    /// What was sent to `path` so far.
    fn heard(&self, path: &str) -> Vec<Request> {
        let at = |request: &Request| request.path.split([' ', '?']).nth(1) == Some(path);
        self.app.requests().into_iter().filter(at).collect()
    }

    /// The only request to `path`, once it came.
    fn once(&self, path: &str) -> Request {
        wait(|| !self.heard(path).is_empty());
        let mut heard = self.heard(path);
        assert_eq!(heard.len(), 1, "requests to {path}");
        heard.remove(0)
    }
}

/// Waits up to ten seconds.
fn wait(until: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !until() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Hears the INVITE and rings.
fn rings(phone: &Phone) -> Message {
    let invite = phone.request("INVITE");
    phone.respond(&invite, "180 Ringing", "t", "");
    invite
}

/// Picks up, and hears the ACK.
fn answers(phone: &Phone, invite: &Message) {
    phone.respond(invite, "200 OK", "t", "");
}

/// Refuses, and hears the ACK.
fn refuses(phone: &Phone, invite: &Message, status: &str) {
    phone.respond(invite, status, "t", "");
    phone.request("ACK");
}

/// Is cancelled.
fn is_cancelled(phone: &Phone, invite: &Message) {
    let cancel = phone.request("CANCEL");
    phone.respond(&cancel, "200 OK", "t", "");
    refuses(phone, invite, "487 Request Terminated");
}

/// Hangs up the call that `ack` confirmed.
fn hangs_up(phone: &Phone, invite: &Message, ack: &Message) {
    phone.send(&format!(
        "BYE {} SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bKbye{}\nFrom: {}\nTo: {}\nCall-ID: {}\nCSeq: 9 BYE\n\
         Max-Forwards: 70\nContent-Length: 0\n\n",
        invite.contact(),
        phone.port(),
        phone.port(),
        ack.header("To"),
        ack.header("From"),
        ack.header("Call-ID"),
    ));
}
