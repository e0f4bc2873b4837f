//! The machines and their table in virtual time: every instant exactly, by RFC and section.

use std::time::Duration;

use foldhash::fast::FixedState;
use proptest::prelude::*;

use super::client::Request;
use super::key::{RequestParts, ResponseParts};
use super::step::{Refused, Tell};
use super::table::{Arrival, Cancelling, Due, Kind, Outcome, Table, TransactionId};
use super::timer::{Base, Timer};
use crate::flow::{ConnectionId, Flow, ListenerId, Transport};
use crate::sip::Message;
use crate::time::Instant;
use crate::timers::Timers;

/// What happened, at which millisecond: `500 sends INVITE`, `32000 TimedOut(B) over`.
type Log = Vec<String>;

struct World {
    table: Table<char, FixedState>,
    timers: Timers<Due>,
    now: Instant,
    log: Log,
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn flow(transport: Transport) -> Flow {
    Flow {
        transport,
        listener: ListenerId(0),
        local: "192.0.2.1".parse().unwrap(),
        peer: "192.0.2.2:5060".parse().unwrap(),
        connection: transport.is_reliable().then_some(ConnectionId(1)),
    }
}

fn request_text(method: &str, branch: &str, to_tag: &str) -> Vec<u8> {
    format!(
        "{method} sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9:5060{branch}\r\nRoute: <sip:p;lr>\r\n\
         From: <sip:a@h>;tag=f\r\nTo: <sip:b@h>{to_tag}\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    )
    .into_bytes()
}

fn response_text(status: u16, method: &str, branch: &str) -> Vec<u8> {
    format!(
        "SIP/2.0 {status} X\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch={branch}\r\nFrom: <sip:a@h>;tag=f\r\n\
         To: <sip:b@h>;tag=t\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    )
    .into_bytes()
}

const COOKIE: &str = ";branch=z9hG4bK1";

/// Notes what an outcome says: what leaves by its first word, what is told, the end.
fn note(log: &mut Log, now: Instant, outcome: &Outcome<'_, char>) {
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
    fn new() -> Self {
        let table = Table::new(Base::default(), FixedState::with_seed(7));
        Self { table, timers: Timers::new(), now: Instant::ZERO, log: Vec::new() }
    }

    /// Lets time pass, with every timer at its very moment.
    fn until(&mut self, millis: u64) -> &mut Self {
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

    fn receive(&mut self, method: &str, branch: &str) -> String {
        self.receive_in(method, branch, "")
    }

    fn receive_in(&mut self, method: &str, branch: &str, to_tag: &str) -> String {
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

    fn serve(&mut self, method: &str, branch: &str, transport: Transport) -> TransactionId {
        let text = request_text(method, branch, "");
        let message = Message::scan(&text).unwrap();
        let parts = RequestParts::of(&message).unwrap();
        self.table.serve(self.now, &parts, flow(transport), 's', &mut self.timers)
    }

    fn respond(&mut self, id: TransactionId, status: u16) -> Result<bool, Refused> {
        let text = response_text(status, "X", "x");
        let done = self.table.respond(self.now, id, status, &text, &mut self.timers)?;
        Ok(done.ended)
    }

    fn request(&mut self, method: &str, transport: Transport) -> TransactionId {
        let text = request_text(method, ";branch=z9hG4bKours", "");
        let request = Request { method: method.as_bytes(), branch: b"z9hG4bKours", bytes: &text };
        self.table.request(self.now, request, flow(transport), 'c', &mut self.timers)
    }

    fn answer(&mut self, status: u16, method: &str) -> bool {
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

    fn fail(&mut self, id: TransactionId) {
        if let Some(outcome) = self.table.failed(self.now, id, &mut self.timers) {
            note(&mut self.log, self.now, &outcome);
        }
    }

    fn cancel(&mut self, invite: TransactionId) -> &'static str {
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

    fn log(&self) -> Vec<&str> {
        self.log.iter().map(String::as_str).collect()
    }

    fn assert_empty(&self) {
        assert!(self.table.is_empty(), "{} transactions are left", self.table.len());
        assert!(self.timers.is_empty(), "{} timers are left", self.timers.len());
    }
}

// The INVITE client (17.1.1).

#[test]
fn an_invite_nobody_answers_is_repeated_at_t1_doubling_and_given_up_at_64_t1_17_1_1_2() {
    let mut world = World::new();
    world.request("INVITE", Transport::Udp);
    world.until(60_000);
    assert_eq!(
        world.log(),
        [
            "500 sends INVITE",
            "1500 sends INVITE",
            "3500 sends INVITE",
            "7500 sends INVITE",
            "15500 sends INVITE",
            "31500 sends INVITE",
            "32000 TimedOut(B) over"
        ]
    );
    world.assert_empty();
}

#[test]
fn over_a_stream_an_invite_is_never_repeated_and_given_up_at_64_t1_17_1_1_2() {
    let mut world = World::new();
    world.request("INVITE", Transport::Tcp);
    world.until(60_000);
    assert_eq!(world.log(), ["32000 TimedOut(B) over"]);
    world.assert_empty();
}

#[test]
fn a_provisional_ends_repetition_and_timer_b_17_1_1_2() {
    let mut world = World::new();
    let id = world.request("INVITE", Transport::Udp);
    world.until(600).answer(100, "INVITE");
    world.until(100_000).answer(183, "INVITE");
    assert_eq!(world.log(), ["500 sends INVITE", "600 Response", "100000 Response"]);
    assert!(world.timers.is_empty(), "the user bounds the wait, with CANCEL");
    world.table.abandon(id, &mut world.timers);
    world.assert_empty();
}

#[test]
fn a_refusal_is_acknowledged_each_time_and_passed_once_for_32_s_17_1_1_2() {
    let mut world = World::new();
    world.request("INVITE", Transport::Udp);
    world.until(100).answer(486, "INVITE");
    world.until(600).answer(486, "INVITE");
    world.until(700).answer(180, "INVITE");
    world.until(800).answer(200, "INVITE");
    world.until(32_099).answer(486, "INVITE");
    world.until(40_000);
    assert!(!world.answer(486, "INVITE"), "stray from here on (RFC 6026, 8.9)");
    assert_eq!(
        world.log(),
        ["100 sends ACK Response", "600 sends ACK", "700", "800", "32099 sends ACK", "32100 over"]
    );
    world.assert_empty();
}

#[test]
fn over_a_stream_a_refusal_is_acknowledged_and_over_at_once_timer_d_is_0_17_1_1_2() {
    let mut world = World::new();
    world.request("INVITE", Transport::Tcp);
    world.until(100).answer(404, "INVITE");
    assert_eq!(world.log(), ["100 sends ACK Response over"]);
    world.assert_empty();
}

#[test]
fn after_a_2xx_every_further_2xx_passes_for_64_t1_and_nothing_is_acknowledged_rfc6026_7_2() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut world = World::new();
        world.request("INVITE", transport);
        world.until(100).answer(200, "INVITE");
        world.until(600).answer(200, "INVITE");
        world.until(700).answer(486, "INVITE");
        world.until(800).answer(180, "INVITE");
        world.until(60_000);
        assert_eq!(world.log(), ["100 Response", "600 Response", "700", "800", "32100 over"]);
        world.assert_empty();
    }
}

#[test]
fn a_transport_error_ends_a_calling_invite_and_no_accepted_one_17_1_4_rfc6026() {
    let mut world = World::new();
    let id = world.request("INVITE", Transport::Udp);
    world.until(10).fail(id);
    assert_eq!(world.log(), ["10 TransportError over"]);
    world.assert_empty();
    let mut world = World::new();
    let id = world.request("INVITE", Transport::Udp);
    world.until(10).answer(200, "INVITE");
    world.fail(id);
    assert_eq!(world.log(), ["10 Response", "10"]);
}

// CANCEL (9.1).

#[test]
fn a_cancel_never_leaves_before_a_provisional_and_then_at_once_9_1() {
    let mut world = World::new();
    let invite = world.request("INVITE", Transport::Udp);
    assert_eq!(world.until(100).cancel(invite), "later");
    assert_eq!(world.cancel(invite), "later", "twice is once");
    world.until(1600).answer(180, "INVITE");
    assert_eq!(world.cancel(invite), "too late", "it has left");
    assert!(world.table.is_cancelled(invite));
    world.until(1700).answer(200, "CANCEL");
    world.until(1800).answer(487, "INVITE");
    world.until(60_000);
    assert_eq!(
        world.log(),
        [
            "500 sends INVITE",
            "1500 sends INVITE",
            "1600 sends CANCEL Response",
            "1700 Response",
            "1800 sends ACK Response",
            "6700 over",
            "33800 over"
        ]
    );
    world.assert_empty();
}

#[test]
fn a_cancel_is_repeated_like_any_request_and_the_invite_given_up_64_t1_after_it_9_1() {
    let mut world = World::new();
    let invite = world.request("INVITE", Transport::Udp);
    world.until(100).answer(180, "INVITE");
    assert_eq!(world.until(200).cancel(invite), "now");
    world.until(60_000);
    let log = world.log();
    assert_eq!(
        log[..6],
        [
            "100 Response",
            "200 sends CANCEL",
            "700 sends CANCEL",
            "1700 sends CANCEL",
            "3700 sends CANCEL",
            "7700 sends CANCEL"
        ]
    );
    assert_eq!(log[log.len() - 2..], ["32200 TimedOut(Cancelled) over", "32200 TimedOut(F) over"]);
    world.assert_empty();
}

#[test]
fn a_2xx_that_crosses_the_cancel_still_passes_9_1() {
    let mut world = World::new();
    let invite = world.request("INVITE", Transport::Udp);
    assert_eq!(world.cancel(invite), "later");
    world.until(100).answer(200, "INVITE");
    assert_eq!(world.log(), ["100 Response"], "no CANCEL after a final");
    assert!(world.table.is_cancelled(invite));
    assert_eq!(world.cancel(invite), "too late");
    world.until(60_000).assert_empty();
}

// The other client (17.1.2).

#[test]
fn another_request_is_repeated_up_to_t2_and_given_up_at_64_t1_17_1_2_2() {
    let mut world = World::new();
    world.request("BYE", Transport::Udp);
    world.until(60_000);
    let at = [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    let mut expected: Vec<_> = at.iter().map(|at| format!("{at} sends BYE")).collect();
    expected.push("32000 TimedOut(F) over".into());
    assert_eq!(world.log, expected);
    world.assert_empty();
}

#[test]
fn after_a_provisional_it_is_repeated_every_t2_and_still_given_up_17_1_2_2() {
    let mut world = World::new();
    world.request("OPTIONS", Transport::Udp);
    world.until(600).answer(100, "OPTIONS");
    world.until(60_000);
    let at = [1500, 5500, 9500, 13_500, 17_500, 21_500, 25_500, 29_500];
    let mut expected = vec!["500 sends OPTIONS".to_owned(), "600 Response".into()];
    expected.extend(at.iter().map(|at| format!("{at} sends OPTIONS")));
    expected.push("32000 TimedOut(F) over".into());
    assert_eq!(world.log, expected);
    world.assert_empty();
}

#[test]
fn repeated_finals_are_absorbed_for_t4_and_not_at_all_over_a_stream_17_1_2_2() {
    let mut world = World::new();
    world.request("BYE", Transport::Udp);
    world.until(100).answer(200, "BYE");
    world.until(600).answer(200, "BYE");
    world.until(60_000);
    assert_eq!(world.log(), ["100 Response", "600", "5100 over"]);
    world.assert_empty();
    let mut world = World::new();
    world.request("BYE", Transport::Tls);
    world.until(100).answer(200, "BYE");
    assert_eq!(world.log(), ["100 Response over"]);
    world.assert_empty();
}

#[test]
fn a_response_matches_by_branch_and_cseq_method_17_1_3() {
    let mut world = World::new();
    world.request("BYE", Transport::Udp);
    assert!(!world.answer(200, "INVITE"));
    assert!(world.answer(200, "BYE"));
}

// The INVITE server (17.2.1).

#[test]
fn a_refusal_is_repeated_at_t1_up_to_t2_until_64_t1_17_2_1() {
    let mut world = World::new();
    let id = world.serve("INVITE", COOKIE, Transport::Udp);
    world.respond(id, 486).unwrap();
    world.until(60_000);
    let at = [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    let mut expected: Vec<_> = at.iter().map(|at| format!("{at} sends 486")).collect();
    expected.push("32000 TimedOut(H) over".into());
    assert_eq!(world.log, expected);
    world.assert_empty();
}

#[test]
fn over_a_stream_a_refusal_is_not_repeated_but_its_ack_is_waited_for_17_2_1() {
    let mut world = World::new();
    let id = world.serve("INVITE", COOKIE, Transport::Tcp);
    world.respond(id, 486).unwrap();
    world.until(60_000);
    assert_eq!(world.log(), ["32000 TimedOut(H) over"]);
    world.assert_empty();
    let mut world = World::new();
    let id = world.serve("INVITE", COOKIE, Transport::Tcp);
    world.respond(id, 486).unwrap();
    assert_eq!(world.receive_in("ACK", COOKIE, ";tag=t"), "matched");
    assert_eq!(world.log(), ["0 Acknowledged over"], "Timer I is 0");
    world.assert_empty();
}

#[test]
fn an_ack_ends_repetition_and_further_acks_and_invites_are_absorbed_for_t4_17_2_1() {
    let mut world = World::new();
    let id = world.serve("INVITE", COOKIE, Transport::Udp);
    world.respond(id, 603).unwrap();
    world.until(600).receive_in("ACK", COOKIE, ";tag=t");
    world.until(700).receive_in("ACK", COOKIE, ";tag=t");
    world.until(800).receive("INVITE", COOKIE);
    world.until(60_000);
    assert_eq!(world.log(), ["500 sends 603", "600 Acknowledged", "700", "800", "5600 over"]);
    world.assert_empty();
}

#[test]
fn a_repeated_invite_gets_the_last_provisional_or_the_final_again_17_2_1() {
    let mut world = World::new();
    let id = world.serve("INVITE", COOKIE, Transport::Udp);
    world.receive("INVITE", COOKIE);
    world.respond(id, 100).unwrap();
    world.receive("INVITE", COOKIE);
    world.respond(id, 183).unwrap();
    world.receive("INVITE", COOKIE);
    world.respond(id, 404).unwrap();
    world.receive("INVITE", COOKIE);
    assert_eq!(world.log(), ["0", "0 sends 100", "0 sends 183", "0 sends 404"]);
}

#[test]
fn after_our_2xx_repeated_invites_are_absorbed_for_64_t1_on_every_transport_rfc6026_7_1() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut world = World::new();
        let id = world.serve("INVITE", COOKIE, transport);
        world.respond(id, 200).unwrap();
        world.until(500).receive("INVITE", COOKIE);
        world.respond(id, 200).expect("a 2xx is repeated by the call through the transaction");
        assert_eq!(world.respond(id, 180), Err(Refused::Answered));
        assert_eq!(world.respond(id, 486), Err(Refused::Answered));
        world.until(600).receive_in("ACK", COOKIE, ";tag=t");
        world.until(60_000);
        assert_eq!(world.log(), ["500", "600 Ack", "32000 over"]);
        world.assert_empty();
    }
}

#[test]
fn an_ack_to_a_2xx_has_a_branch_of_its_own_and_is_none_of_the_transactions_13_2_2_4() {
    let mut world = World::new();
    let id = world.serve("INVITE", COOKIE, Transport::Udp);
    world.respond(id, 200).unwrap();
    assert_eq!(world.receive_in("ACK", ";branch=z9hG4bKother", ";tag=t"), "ack");
}

#[test]
fn nothing_provisional_leaves_after_a_final_17_2_1() {
    let mut world = World::new();
    let id = world.serve("INVITE", COOKIE, Transport::Udp);
    world.respond(id, 486).unwrap();
    for status in [100, 180, 200, 486] {
        assert_eq!(world.respond(id, status), Err(Refused::Answered));
    }
    world.until(60_000);
    assert_eq!(world.respond(id, 200), Err(Refused::Gone));
}

#[test]
fn a_transport_error_is_told_and_ends_no_invite_server_rfc6026_7_1() {
    let mut world = World::new();
    let id = world.serve("INVITE", COOKIE, Transport::Udp);
    world.respond(id, 180).unwrap();
    world.fail(id);
    world.respond(id, 486).unwrap();
    world.fail(id);
    assert_eq!(world.log(), ["0 TransportError", "0 TransportError"]);
    assert_eq!(world.receive("INVITE", COOKIE), "matched", "and is not taken for a new one");
}

// The other server (17.2.2, RFC 4320).

#[test]
fn a_final_is_repeated_to_repeated_requests_for_64_t1_17_2_2() {
    let mut world = World::new();
    let id = world.serve("BYE", COOKIE, Transport::Udp);
    world.until(10).receive("BYE", COOKIE);
    assert_eq!(world.respond(id, 200), Ok(false));
    world.until(500).receive("BYE", COOKIE);
    world.until(60_000);
    assert_eq!(world.log(), ["10", "500 sends 200", "32010 over"]);
    world.assert_empty();
}

#[test]
fn over_a_stream_a_final_ends_it_at_once_timer_j_is_0_17_2_2() {
    let mut world = World::new();
    let id = world.serve("BYE", COOKIE, Transport::Tcp);
    assert_eq!(world.respond(id, 200), Ok(true));
    world.assert_empty();
}

#[test]
fn a_100_leaves_neither_before_nor_other_than_when_timer_e_reached_t2_rfc4320_4_1() {
    let mut world = World::new();
    let id = world.serve("INFO", COOKIE, Transport::Udp);
    assert_eq!(world.until(3499).respond(id, 100), Err(Refused::Provisional));
    world.until(3500);
    assert_eq!(world.log(), ["3500 TryingDue"]);
    assert_eq!(world.respond(id, 180), Err(Refused::Provisional));
    assert_eq!(world.respond(id, 100), Ok(false));
    world.receive("INFO", COOKIE);
    assert_eq!(world.log()[1..], ["3500 sends 100"]);
    let id = world.serve("INFO", ";branch=z9hG4bKtcp", Transport::Tcp);
    assert_eq!(world.respond(id, 100), Ok(false), "over a stream at any time");
}

#[test]
fn no_408_ever_answers_another_request_and_it_ends_by_itself_rfc4320_4_2() {
    let mut world = World::new();
    let id = world.serve("INFO", COOKIE, Transport::Udp);
    assert_eq!(world.respond(id, 408), Err(Refused::Timeout));
    world.until(60_000);
    assert_eq!(world.log(), ["3500 TryingDue", "32000 TimedOut(Unanswered) over"]);
    world.assert_empty();
}

// Matching (17.2.3, 8.2.2.2, 9.2).

#[test]
fn a_request_matches_by_branch_sent_by_and_method_17_2_3() {
    let mut world = World::new();
    world.serve("OPTIONS", COOKIE, Transport::Udp);
    assert_eq!(world.receive("OPTIONS", COOKIE), "matched");
    assert_eq!(world.receive("INFO", COOKIE), "new", "another method");
    assert_eq!(world.receive_in("OPTIONS", ";branch=z9hG4bK2", ";tag=t"), "new", "another branch");
    let text = request_text("OPTIONS", COOKIE, ";tag=x");
    let elsewhere = String::from_utf8(text).unwrap().replace("192.0.2.9:5060", "192.0.2.9:5061");
    let message = Message::scan(elsewhere.as_bytes()).unwrap();
    let parts = RequestParts::of(&message).unwrap();
    let arrival = world.table.receive_request(world.now, &parts, &mut world.timers);
    assert!(matches!(arrival, Arrival::New), "another sent-by");
}

#[test]
fn a_cancel_finds_its_invite_and_is_a_transaction_of_its_own_9_2() {
    let mut world = World::new();
    assert_eq!(world.receive("CANCEL", COOKIE), "cancel of none");
    world.serve("INVITE", COOKIE, Transport::Udp);
    assert_eq!(world.receive("CANCEL", COOKIE), "cancel of one");
    let cancel = world.serve("CANCEL", COOKIE, Transport::Udp);
    world.respond(cancel, 200).unwrap();
    assert_eq!(world.receive("CANCEL", COOKIE), "matched");
    assert_eq!(world.log(), ["0 sends 200"]);
}

#[test]
fn without_the_cookie_uri_tags_call_id_cseq_and_via_match_17_2_3() {
    for old in ["", ";branch=1"] {
        let mut world = World::new();
        let id = world.serve("INVITE", old, Transport::Udp);
        assert_eq!(world.receive("INVITE", old), "matched");
        assert_eq!(world.receive("CANCEL", old), "cancel of one");
        world.respond(id, 486).unwrap();
        assert_eq!(world.receive_in("ACK", old, ";tag=t"), "matched");
        assert_eq!(world.receive("INVITE", ";branch=2"), "new", "another Via");
    }
}

#[test]
fn a_copy_that_came_another_way_is_merged_while_the_first_is_unanswered_8_2_2_2() {
    let mut world = World::new();
    let id = world.serve("INVITE", COOKIE, Transport::Udp);
    assert_eq!(world.receive("INVITE", ";branch=z9hG4bKcopy"), "merged");
    assert_eq!(world.receive_in("INVITE", ";branch=z9hG4bKcopy", ";tag=t"), "new", "inside a dialog never");
    world.respond(id, 180).unwrap();
    assert_eq!(world.receive("INVITE", ";branch=z9hG4bKcopy"), "merged");
    world.respond(id, 503).unwrap();
    assert_eq!(world.receive("INVITE", ";branch=z9hG4bKcopy"), "new", "a carrier's retry is a new call");
    assert_eq!(world.receive("INVITE", COOKIE), "matched");
}

#[test]
fn a_stray_response_and_a_stray_ack_match_nothing_rfc6026_8_9() {
    let mut world = World::new();
    assert!(!world.answer(200, "INVITE"));
    assert_eq!(world.receive("ACK", COOKIE), "ack");
    world.assert_empty();
}

#[test]
fn an_abandoned_transaction_leaves_nothing() {
    let mut world = World::new();
    let server = world.serve("INVITE", COOKIE, Transport::Udp);
    let client = world.request("INVITE", Transport::Udp);
    world.table.abandon(server, &mut world.timers);
    world.table.abandon(client, &mut world.timers);
    world.assert_empty();
    assert_eq!(world.receive("INVITE", ";branch=z9hG4bKcopy"), "new");
}

/// One arbitrary thing that happens.
#[derive(Clone, Debug)]
enum Event {
    Wait(u64),
    Receive(usize, usize),
    Serve(usize, usize, bool),
    Respond(usize, u16),
    Request(usize, usize, bool),
    Answer(usize, usize, u16),
    Cancel(usize),
    Fail(usize),
}

const METHODS: [&str; 5] = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"];

fn event() -> impl Strategy<Value = Event> {
    let (method, branch, which) = (0..METHODS.len(), 0_usize..4, 0_usize..32);
    let status = prop::sample::select(vec![100_u16, 180, 183, 200, 202, 302, 408, 486, 503, 603]);
    prop_oneof![
        (0_u64..40_000).prop_map(Event::Wait),
        (method.clone(), branch.clone()).prop_map(|(m, b)| Event::Receive(m, b)),
        (method.clone(), branch.clone(), any::<bool>()).prop_map(|(m, b, r)| Event::Serve(m, b, r)),
        (which.clone(), status.clone()).prop_map(|(w, s)| Event::Respond(w, s)),
        (method.clone(), branch.clone(), any::<bool>()).prop_map(|(m, b, r)| Event::Request(m, b, r)),
        (method, branch, status).prop_map(|(m, b, s)| Event::Answer(m, b, s)),
        which.clone().prop_map(Event::Cancel),
        which.prop_map(Event::Fail),
    ]
}

impl World {
    fn happen(&mut self, event: &Event, ids: &mut Vec<TransactionId>) {
        let at_once = |reliable| if reliable { Transport::Tcp } else { Transport::Udp };
        let pick = |ids: &Vec<TransactionId>, which: usize| ids.get(which % ids.len().max(1)).copied();
        match *event {
            Event::Wait(millis) => {
                let end = self.now.as_nanos() / 1_000_000 + millis;
                self.until(end);
            }
            Event::Receive(method, branch) => {
                self.receive(METHODS[method], &format!(";branch=z9hG4bK{branch}"));
            }
            Event::Serve(method, branch, reliable) if METHODS[method] != "ACK" => {
                let branch = format!(";branch=z9hG4bK{branch}");
                let known = self.receive(METHODS[method], &branch);
                if known == "new" || known.starts_with("cancel") {
                    ids.push(self.serve(METHODS[method], &branch, at_once(reliable)));
                }
            }
            Event::Respond(which, status) => {
                if let Some(id) = pick(ids, which) {
                    let before = self.table.is_unanswered(id);
                    let done = self.respond(id, status);
                    assert!(!(done.is_ok() && status < 200 && !before), "a provisional after a final");
                }
            }
            Event::Request(method, branch, reliable) if !matches!(METHODS[method], "ACK" | "CANCEL") => {
                // A branch is used once: the count of transactions so far makes it one.
                let branch = format!("z9hG4bK{branch}-{}", ids.len());
                let text = request_text(METHODS[method], &format!(";branch={branch}"), "");
                let bytes = text.as_slice();
                let request =
                    Request { method: METHODS[method].as_bytes(), branch: branch.as_bytes(), bytes };
                let flow = flow(at_once(reliable));
                ids.push(self.table.request(self.now, request, flow, 'c', &mut self.timers));
            }
            Event::Answer(method, branch, status) => {
                for serial in 0..ids.len() {
                    let text = response_text(status, METHODS[method], &format!("z9hG4bK{branch}-{serial}"));
                    let message = Message::scan(&text).unwrap();
                    let parts = ResponseParts::of(&message).unwrap();
                    if let Some(outcome) = self.table.receive_response(self.now, &parts, &mut self.timers) {
                        let passes = outcome.tell == Some(Tell::Response);
                        let sends_ack = outcome.send.is_some_and(|leaves| leaves.bytes.starts_with(b"ACK"));
                        assert!(!(sends_ack && status < 300), "an ACK of our own is for refusals");
                        assert!(passes || outcome.send.is_some() || outcome.tell.is_none());
                    }
                }
            }
            Event::Cancel(which) => {
                if let Some(id) = pick(ids, which) {
                    self.cancel(id);
                }
            }
            Event::Fail(which) => {
                if let Some(id) = pick(ids, which) {
                    self.fail(id);
                }
            }
            Event::Serve(..) | Event::Request(..) => {}
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_nothing_panics_all_timers_end_and_the_table_ends_empty(
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut world = World::new();
        let mut ids = Vec::new();
        for event in &events {
            world.happen(event, &mut ids);
        }
        // The user's part: an INVITE of ours is cancelled, one that came is refused.
        for id in ids.clone() {
            world.cancel(id);
            if world.table.is_unanswered(id) {
                prop_assert!(world.respond(id, 480).is_ok());
            }
        }
        let end = world.now.as_nanos() / 1_000_000 + 100_000;
        world.until(end);
        world.assert_empty();
        prop_assert_eq!(ids.iter().filter(|id| world.table.owner(**id).is_some()).count(), 0);
    }

    #[test]
    fn a_send_token_names_its_transaction_and_no_later_one(count in 1_usize..40) {
        let mut world = World::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..count {
            let id = world.request("BYE", Transport::Udp);
            prop_assert_eq!(TransactionId::from_u64(id.to_u64()), Some(id));
            prop_assert!(seen.insert(id.to_u64()));
            world.table.abandon(id, &mut world.timers);
            prop_assert_eq!(world.table.owner(id), None);
        }
    }
}

#[test]
fn retransmission_instants_follow_another_t1() {
    let base = Base { t1: ms(100), t2: ms(300), t4: ms(1000) };
    let mut world = World::new();
    world.table = Table::new(base, FixedState::with_seed(1));
    world.request("BYE", Transport::Udp);
    world.until(1000);
    assert_eq!(world.log(), ["100 sends BYE", "300 sends BYE", "600 sends BYE", "900 sends BYE"]);
    assert_eq!(base.give_up(), ms(6400));
    assert_eq!(base.d(), ms(32_000), "never below 32 s");
    assert!(Timer::G.repeats() && !Timer::H.repeats());
}
