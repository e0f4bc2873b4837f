//! Requests of our own: INVITE, its CANCEL, and the others.

use super::world::World;
use crate::flow::Transport;

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
