//! Which transaction a message belongs to.

use super::world::{COOKIE, World, request_text};
use crate::flow::Transport;
use crate::sip::Message;
use crate::transaction::key::RequestParts;
use crate::transaction::table::Arrival;

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
