//! A table in virtual time, and the log of what it does.

use std::time::Duration;

use crate::flow::{ConnectionId, Flow, ListenerId, Transport};
use crate::sip::Message;
use crate::time::Instant;
use crate::timers::Timers;
use crate::transaction::client::Request;
use crate::transaction::key::{RequestParts, ResponseParts};
use crate::transaction::step::Refused;
use crate::transaction::table::{Arrival, Cancelling, Due, Kind, Outcome, Table, TransactionId};
use crate::transaction::timer::Base;
use foldhash::fast::FixedState;

/// What happened, at which millisecond: `500 sends INVITE`, `32000 TimedOut(B) over`.
pub type Log = Vec<String>;

pub struct World {
    pub table: Table<char, FixedState>,
    pub timers: Timers<Due>,
    pub now: Instant,
    pub log: Log,
}

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn flow(transport: Transport) -> Flow {
    Flow {
        transport,
        listener: ListenerId(0),
        local: "192.0.2.1".parse().unwrap(),
        peer: "192.0.2.2:5060".parse().unwrap(),
        connection: transport.is_reliable().then_some(ConnectionId(1)),
        domain: None,
    }
}

pub fn request_text(method: &str, branch: &str, to_tag: &str) -> Vec<u8> {
    format!(
        "{method} sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060{branch}\r\nRoute: <sip:p;lr>\r\n\
         From: <sip:a@h>;tag=f\r\nTo: <sip:b@h>{to_tag}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    )
    .into_bytes()
}

pub fn response_text(status: u16, method: &str, branch: &str) -> Vec<u8> {
    format!(
        "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch}\r\nFrom: <sip:a@h>;tag=f\r\n\
         To: <sip:b@h>;tag=t\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    )
    .into_bytes()
}

pub const COOKIE: &str = ";branch=z9hG4bK1";

/// Notes what an outcome says: what leaves by its first word, what is told, the end.
pub fn note(log: &mut Log, now: Instant, outcome: &Outcome<'_, char>) {
    let mut line = format!("{}", now.as_nanos() / 1_000_000);
    if let Some(leaves) = &outcome.send {
        let text = String::from_utf8_lossy(leaves.bytes);
        let first: Vec<_> = text.split(' ').take(2).collect();
        let word = if first[0] == "SIP/2.0" { first[1] } else { first[0] };
        line.push_str(&format!(" sends {word}"));
    }
    if let Some(tell) = outcome.tell {
        line.push_str(&format!(" {tell:?}"));
    }
    if outcome.ended {
        line.push_str(" over");
    }
    log.push(line);
}

impl World {
    pub fn new() -> Self {
        let table = Table::new(Base::default(), FixedState::with_seed(7));
        Self { table, timers: Timers::new(), now: Instant::ZERO, log: Vec::new() }
    }

    /// Lets time pass, with every timer at its very moment.
    pub fn until(&mut self, millis: u64) -> &mut Self {
        let end = Instant::from_millis(millis);
        while let Some(due) = self.timers.next().filter(|due| *due <= end) {
            self.now = due;
            let expired = self.timers.pop(due).expect("one is due");
            if let Some(outcome) = self.table.expired(due, expired.key, &mut self.timers) {
                note(&mut self.log, due, &outcome);
            }
        }
        self.now = end;
        self
    }

    pub fn receive(&mut self, method: &str, branch: &str) -> String {
        self.receive_in(method, branch, "")
    }

    pub fn receive_in(&mut self, method: &str, branch: &str, to_tag: &str) -> String {
        let text = request_text(method, branch, to_tag);
        let message = Message::scan(&text).unwrap();
        let parts = RequestParts::of(&message).unwrap();
        match self.table.receive_request(self.now, &parts, &mut self.timers) {
            Arrival::Matched(outcome) => {
                note(&mut self.log, self.now, &outcome);
                "matched".into()
            }
            Arrival::Cancel(invite) => format!("cancel of {}", if invite.is_some() { "one" } else { "none" }),
            Arrival::Merged => "merged".into(),
            Arrival::Ack => "ack".into(),
            Arrival::New => "new".into(),
        }
    }

    pub fn serve(&mut self, method: &str, branch: &str, transport: Transport) -> TransactionId {
        let text = request_text(method, branch, "");
        let message = Message::scan(&text).unwrap();
        let parts = RequestParts::of(&message).unwrap();
        self.table.serve(self.now, &parts, flow(transport), 's', &mut self.timers)
    }

    pub fn respond(&mut self, id: TransactionId, status: u16) -> Result<bool, Refused> {
        let text = response_text(status, "X", "x");
        let done = self.table.respond(self.now, id, status, &text, &mut self.timers)?;
        Ok(done.ended)
    }

    pub fn request(&mut self, method: &str, transport: Transport) -> TransactionId {
        let text = request_text(method, ";branch=z9hG4bKours", "");
        let request = Request { method: method.as_bytes(), branch: b"z9hG4bKours", bytes: &text };
        self.table.request(self.now, request, flow(transport), 'c', &mut self.timers)
    }

    pub fn answer(&mut self, status: u16, method: &str) -> bool {
        let text = response_text(status, method, "z9hG4bKours");
        let message = Message::scan(&text).unwrap();
        let parts = ResponseParts::of(&message).unwrap();
        match self.table.receive_response(self.now, &parts, &mut self.timers) {
            Some(outcome) => {
                note(&mut self.log, self.now, &outcome);
                true
            }
            None => false,
        }
    }

    pub fn fail(&mut self, id: TransactionId) {
        if let Some(outcome) = self.table.failed(self.now, id, &mut self.timers) {
            note(&mut self.log, self.now, &outcome);
        }
    }

    pub fn cancel(&mut self, invite: TransactionId) -> &'static str {
        match self.table.cancel(self.now, invite, b"Reason: SIP;cause=200\r\n", &mut self.timers) {
            Cancelling::Now(outcome) => {
                assert_eq!(outcome.kind, Kind::ClientCancel);
                note(&mut self.log, self.now, &outcome);
                "now"
            }
            Cancelling::Later => "later",
            Cancelling::TooLate => "too late",
        }
    }

    pub fn log(&self) -> Vec<&str> {
        self.log.iter().map(String::as_str).collect()
    }

    pub fn assert_empty(&self) {
        assert!(self.table.is_empty(), "{} transactions are left", self.table.len());
        assert!(self.timers.is_empty(), "{} timers are left", self.timers.len());
    }
}
