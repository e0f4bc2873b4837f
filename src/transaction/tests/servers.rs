//! Requests that came to us: INVITE and the others.

use super::world::{COOKIE, World};
use crate::flow::Transport;
use crate::transaction::step::Refused;

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
    assert_eq!(
        world.log(),
        ["10", "500 sends 200", "32100 over"],
        "J runs out at 32,010, and over is it with others"
    );
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
