//! What sipp cannot say, by hand: merged copies, lost ACKs, second answers, odd sources.

use std::time::Duration;

use crate::app::App;
use crate::phone::{Message, Phone};
use crate::router::Router;

struct World {
    router: Router,
    app: App,
    alice: Phone,
    bob: Phone,
}

impl World {
    fn new() -> Self {
        Self::with("")
    }

    fn with(sip: &str) -> Self {
        let (router, app) = (Router::start_with(sip), App::start());
        let (alice, bob) = (Phone::new(router.udp), Phone::new(router.udp));
        router.number("1", &app.url(&format!("/dial/{}", bob.port())), &app.url("/status"));
        Self { router, app, alice, bob }
    }

    /// A call up to both 200s; Alice's ACK is left to the test.
    fn answered(&self, call_id: &str, extra: &str) -> (Message, Message) {
        self.alice.send(&self.alice.invite("1", call_id, call_id, extra));
        let invite = self.bob.request("INVITE");
        self.bob.respond(&invite, "200 OK", "bob", "");
        (self.alice.status(200), invite)
    }
}

#[test]
fn an_answer_that_loses_the_race_is_acknowledged_and_ended() {
    let world = World::new();
    let carol = Phone::new(world.router.udp);
    let path = format!("/together/{}/{}", world.bob.port(), carol.port());
    world.router.number("2", &world.app.url(&path), &world.app.url("/status"));
    world.alice.send(&world.alice.invite("2", "race", "race", ""));
    let (to_bob, to_carol) = (world.bob.request("INVITE"), carol.request("INVITE"));
    assert_ne!(to_bob.header("Call-ID"), to_carol.header("Call-ID"));
    assert_eq!(to_bob.header("Max-Breadth"), "30");
    world.bob.respond(&to_bob, "200 OK", "bob", "");
    let answer = world.alice.status(200);
    // Carol, silent so far, picks up too late: no CANCEL could leave before her first word.
    carol.respond(&to_carol, "200 OK", "carol", "");
    assert_eq!(carol.request("ACK").header("CSeq"), "1 ACK");
    let bye = carol.request("BYE");
    assert!(bye.header("Reason").contains("Call completed elsewhere"), "{}", bye.0);
    carol.respond(&bye, "200 OK", "carol", "");
    world.alice.send(&world.alice.inside("ACK", 1, &answer));
    world.bob.request("ACK");
    world.alice.send(&world.alice.inside("BYE", 2, &answer));
    world.alice.status(200);
    let bye = world.bob.request("BYE");
    world.bob.respond(&bye, "200 OK", "bob", "");
}

#[test]
fn a_merged_copy_is_482() {
    let world = World::new();
    world.alice.send(&world.alice.invite("1", "merged", "one", ""));
    world.bob.request("INVITE");
    world.alice.send(&world.alice.invite("1", "merged", "two", ""));
    let refused = world.alice.status(482);
    assert!(refused.header("Via").contains("z9hG4bKtwo"), "{}", refused.0);
}

#[test]
fn a_retransmission_asks_once() {
    let world = World::new();
    let invite = world.alice.invite("1", "again", "again", "");
    for _ in 0..4 {
        world.alice.send(&invite);
    }
    world.bob.request("INVITE");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(world.app.asked().len(), 1);
}

#[test]
fn without_rport_the_answer_goes_to_the_via_port() {
    let world = World::new();
    let other = Phone::new(world.router.udp);
    let invite = world.alice.invite("404", "no-rport", "no-rport", "");
    let via = format!("127.0.0.1:{};", world.alice.port());
    let invite = invite.replacen(&via, &format!("127.0.0.1:{};", other.port()), 1).replace(";rport", "");
    world.alice.send(&invite);
    assert_eq!(other.status(404).header("Call-ID"), "no-rport");
}

#[test]
fn max_forwards_of_zero_is_483() {
    let world = World::new();
    let invite = world.alice.invite("1", "hops", "hops", "").replace("Max-Forwards: 70", "Max-Forwards: 0");
    world.alice.send(&invite);
    world.alice.status(483);
}

#[test]
fn an_unknown_dialog_is_481_and_its_ack_nothing() {
    let world = World::new();
    let (answer, _) = world.answered("stray", "");
    world.alice.send(&world.alice.inside("ACK", 1, &answer));
    let stray = Message(answer.0.replace("stray", "nobody"));
    world.alice.send(&world.alice.inside("BYE", 2, &stray));
    world.alice.status(481);
    world.alice.send(&world.alice.inside("ACK", 3, &stray));
    assert!(world.alice.next(Duration::from_millis(300), |message| message.method() == "ACK").is_none());
}

#[test]
fn an_unknown_extension_is_420_and_an_unknown_method_405() {
    let world = World::new();
    world.alice.send(&world.alice.invite("1", "ext", "ext", "Require: x-unheard-of\n"));
    assert_eq!(world.alice.status(420).header("Unsupported"), "x-unheard-of");
    let unheard = world.alice.invite("1", "method", "method", "").replace("INVITE", "UNHEARD");
    world.alice.send(&unheard);
    assert!(world.alice.status(405).header("Allow").contains("INVITE"));
}

#[test]
fn a_lost_ack_is_asked_for_again() {
    let world = World::new();
    let (answer, invite) = world.answered("lost-ack", "");
    let again = world.alice.status(200);
    assert_eq!(again.header("CSeq"), answer.header("CSeq"), "the 2xx is repeated until its ACK");
    world.bob.respond(&invite, "200 OK", "bob", "");
    world.alice.send(&world.alice.inside("ACK", 1, &answer));
    world.bob.request("ACK");
    world.bob.respond(&invite, "200 OK", "bob", "");
    world.bob.request("ACK");
    let quiet = world.alice.next(Duration::from_millis(1500), |message| message.status() == 200);
    assert!(quiet.is_none(), "after the ACK nothing is repeated");
    world.alice.send(&world.alice.inside("BYE", 2, &answer));
    let bye = world.bob.request("BYE");
    world.bob.respond(&bye, "200 OK", "bob", "");
    assert_eq!(world.alice.status(200).method(), "BYE");
}

#[test]
fn an_ack_that_never_comes_ends_both_sides() {
    let world = World::with("t1-ms = 20\n");
    let (_answer, _invite) = world.answered("no-ack", "");
    world.bob.request("ACK");
    let bye = world.bob.request("BYE");
    world.bob.respond(&bye, "200 OK", "bob", "");
    world.alice.request("BYE");
}

#[test]
fn the_second_of_two_answers_to_one_invite_is_hung_up() {
    let world = World::new();
    let (answer, invite) = world.answered("two", "");
    world.alice.send(&world.alice.inside("ACK", 1, &answer));
    world.bob.request("ACK");
    world.bob.respond(&invite, "200 OK", "second", "");
    let ack =
        world.bob.next(Duration::from_secs(5), |m| m.method() == "ACK" && m.header("To").contains("second"));
    assert!(ack.is_some(), "the second 2xx is acknowledged");
    let bye = world.bob.request("BYE");
    assert!(bye.header("To").contains("second"), "and hung up: {}", bye.0);
}

#[test]
fn cancel_before_a_provisional_waits_for_it() {
    let world = World::new();
    world.alice.send(&world.alice.invite("1", "early", "early", ""));
    let invite = world.bob.request("INVITE");
    let cancel = world.alice.invite("1", "early", "early", "").replace("INVITE", "CANCEL");
    world.alice.send(&cancel);
    world.alice.status(487);
    let too_soon = world.bob.next(Duration::from_millis(400), |message| message.method() == "CANCEL");
    assert!(too_soon.is_none(), "no CANCEL before a provisional");
    world.bob.respond(&invite, "180 Ringing", "bob", "");
    let cancel = world.bob.request("CANCEL");
    let branch = |message: &Message| message.header("Via").split("branch=").nth(1).map(str::to_owned);
    assert_eq!(branch(&cancel), branch(&invite));
    world.bob.respond(&cancel, "200 OK", "bob", "");
    world.bob.respond(&invite, "487 Request Terminated", "bob", "");
    world.bob.request("ACK");
}

#[test]
fn the_route_set_of_the_caller_is_kept() {
    let world = World::new();
    let proxy = Phone::new(world.router.udp);
    for (name, parameter) in [("loose", ";lr"), ("strict", "")] {
        let route = format!("<sip:127.0.0.1:{}{parameter}>", proxy.port());
        let (answer, invite) = world.answered(name, &format!("Record-Route: {route}\n"));
        assert_eq!(answer.header("Record-Route"), route);
        world.alice.send(&world.alice.inside("ACK", 1, &answer));
        let ack = world.bob.request("ACK");
        let bye = world.bob_bye(&ack, &invite).replace("z9hG4bKbob", &format!("z9hG4bK{name}"));
        world.bob.send(&bye);
        let bye = proxy.request("BYE");
        let first = bye.0.lines().next().unwrap_or_default().to_owned();
        if parameter.is_empty() {
            assert!(
                first.contains(&format!("sip:127.0.0.1:{}", proxy.port())),
                "a strict router stands in the Request-URI: {first}"
            );
            assert!(bye.header("Route").contains("alice"), "{}", bye.0);
        } else {
            assert!(first.contains("sip:alice@"), "{first}");
            assert_eq!(bye.header("Route"), route);
        }
        proxy.respond(&bye, "200 OK", "", "");
        assert_eq!(world.bob.status(200).method(), "BYE");
    }
}

#[test]
fn a_private_contact_is_reached_through_the_source() {
    let world = World::new();
    let invite = world.alice.invite("1", "nat", "nat", "");
    let private = format!("<sip:alice@127.0.0.1:{}>", world.alice.port());
    world
        .alice
        .send(&invite.replace(&format!("Contact: {private}"), "Contact: <sip:alice@10.255.255.1:5060>"));
    let invite = world.bob.request("INVITE");
    world.bob.respond(&invite, "200 OK", "bob", "");
    let answer = world.alice.status(200);
    world.alice.send(&world.alice.inside("ACK", 1, &answer));
    let ack = world.bob.request("ACK");
    world.bob.send(&world.bob_bye(&ack, &invite));
    let bye = world.alice.request("BYE");
    assert!(
        bye.0.starts_with("BYE sip:alice@10.255.255.1:5060"),
        "the Request-URI stays the Contact: {}",
        bye.0
    );
}

#[test]
fn reinvites_from_both_sides_at_once_are_491() {
    let world = World::new();
    let (answer, invite) = world.answered("glare", "");
    world.alice.send(&world.alice.inside("ACK", 1, &answer));
    let ack = world.bob.request("ACK");
    world.alice.send(&with_contact(&world.alice.inside("INVITE", 2, &answer), &world.alice));
    world.bob.request("INVITE");
    let own = world.bob_bye(&ack, &invite).replace("BYE", "INVITE");
    world.bob.send(&with_contact(&own, &world.bob));
    world.bob.status(491);
}

#[test]
fn unknown_sources_are_refused_without_state() {
    let world = World::new();
    world.router.sql("UPDATE trunks SET sources = '192.0.2.0/24'");
    world.alice.send(&world.alice.invite("1", "unknown", "unknown", ""));
    let refused = world.alice.status(403);
    assert_eq!(refused.header("X-Callgate-Reason"), "", "our reasons are not for strangers");
    assert!(world.alice.next(Duration::from_millis(700), |_| true).is_none(), "nothing is repeated");
}

fn with_contact(text: &str, phone: &Phone) -> String {
    text.replacen(
        "Content-Length",
        &format!("Contact: <sip:x@127.0.0.1:{}>\nContent-Length", phone.port()),
        1,
    )
}

impl World {
    /// Bob's BYE in the dialog that his answer to `invite` made.
    fn bob_bye(&self, ack: &Message, invite: &Message) -> String {
        format!(
            "BYE {} SIP/2.0\nVia: SIP/2.0/UDP 127.0.0.1:{};branch=z9hG4bKbob\nFrom: {}\nTo: {}\nCall-ID: {}\nCSeq: 9 BYE\nMax-Forwards: 70\nContent-Length: 0\n\n",
            invite.contact(),
            self.bob.port(),
            ack.header("To"),
            ack.header("From"),
            ack.header("Call-ID"),
        )
    }
}
