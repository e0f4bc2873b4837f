//! What a telephone of others does: baresip calls, answers, gives up, holds, resumes, transfers,
//! follows a redirect, and writes. What it does over TLS stands in `secure`.

use std::time::Duration;

use crate::app::App;
use crate::baresip::{Baresip, Setup};
use crate::dialogs::ended;
use crate::peers::{completed, kamailio, kamailio_that_refuses};
use crate::router::Router;
use crate::sipp::{Sipp, free_port};
use crate::zone::{Data, Zone};

struct World {
    router: Router,
    app: App,
}

impl World {
    fn new() -> Self {
        Self { router: Router::launch("", 1), app: App::start() }
    }

    fn number(&self, text: &str, path: &str) {
        self.router.number(text, &self.app.url(path), &self.app.url("/status"));
    }

    fn uri(&self, user: &str) -> String {
        format!("sip:{user}@{}", self.router.udp)
    }

    /// A call between two baresips, up to its answer.
    fn talking(&self, alice: &mut Baresip, bob: &mut Baresip, user: &str) {
        alice.does("dial", &self.uri(user));
        bob.event("CALL_INCOMING");
        bob.does("accept", "");
        alice.event("CALL_ESTABLISHED");
        bob.event("CALL_ESTABLISHED");
    }
}

#[test]
fn baresip_answers() {
    let world = World::new();
    let telephone = Baresip::answering();
    world.number("1", &format!("/dial/{}", telephone.port()));
    for _ in 0..2 {
        Sipp::new(&world.router, "caller").dials("1").run();
    }
    // An INVITE without SDP: the offer is baresip's.
    Sipp::new(&world.router, "caller-without-offer").dials("1").run();
    completed(&world.app, 3);
    telephone.logs("Call established", 3);
}

#[test]
fn baresip_holds_and_resumes_from_both_sides() {
    let world = World::new();
    let (mut alice, mut bob) = (Baresip::by_hand(), Baresip::by_hand());
    world.number("1", &format!("/dial/{}", bob.port()));
    world.talking(&mut alice, &mut bob, "1");
    for command in ["hold", "resume"] {
        alice.does(command, "");
        bob.session("offer");
        alice.session("answer");
    }
    for command in ["hold", "resume"] {
        bob.does(command, "");
        alice.session("offer");
        bob.session("answer");
    }
    bob.does("hangup", "");
    alice.event("CALL_CLOSED");
    completed(&world.app, 1);
    assert_eq!(world.app.told()[2].get("HangupSource"), "callee");
}

#[test]
fn baresip_gives_up_and_is_given_up_while_it_rings() {
    let world = World::new();
    let (mut alice, mut bob) = (Baresip::by_hand(), Baresip::by_hand());
    let callee = free_port();
    world.number("1", &format!("/dial/{callee}"));
    world.number("2", &format!("/dial/{}", bob.port()));
    // The 180s are the callees'.
    world.router.sql("UPDATE trunks SET ring_at_once = FALSE");
    let rings = Sipp::new(&world.router, "callee-is-cancelled").port(callee).with("SEEN", "INVITE").start();
    alice.does("dial", &world.uri("1"));
    alice.event("CALL_RINGING");
    alice.does("hangup", "");
    rings.success();
    assert_eq!(ended(&world.app), "canceled");
    Sipp::new(&world.router, "caller-cancels").dials("2").with("TALK", 300).run();
    bob.event("CALL_INCOMING");
    bob.event("CALL_CLOSED");
}

/// The caller hangs up as the callee picks up, some milliseconds sooner or later: whoever wins, both
/// telephones are idle in the end and the application hears of one end.
#[test]
fn baresip_gives_up_as_baresip_answers() {
    let world = World::new();
    let (mut alice, mut bob) = (Baresip::by_hand(), Baresip::by_hand());
    world.number("1", &format!("/dial/{}", bob.port()));
    for lead in [-4_i64, -2, -1, 0, 1, 2, 4] {
        alice.does("dial", &world.uri("1"));
        bob.event("CALL_INCOMING");
        let (first, then, command) = match lead < 0 {
            true => (&mut alice, &mut bob, ["hangup", "accept"]),
            false => (&mut bob, &mut alice, ["accept", "hangup"]),
        };
        first.tells(command[0], "");
        std::thread::sleep(Duration::from_millis(lead.unsigned_abs()));
        then.tells(command[1], "");
        alice.idle();
        bob.idle();
    }
    let ends = || {
        let told = world.app.told();
        told.iter().filter(|one| ["canceled", "completed"].contains(&one.get("CallStatus"))).count()
    };
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while ends() < 7 && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(ends(), 7);
}

#[test]
fn baresip_wins_and_the_loser_answers_too_late() {
    let world = World::new();
    let (winner, late) = (Baresip::answering(), free_port());
    let behind = kamailio(late);
    world.number("1", &format!("/together/{}/{}", winner.port(), behind.port()));
    let own = "      Via: [$2]\n      Record-Route: [$3]\n";
    let loser = Sipp::new(&world.router, "callee-loses").port(late).with("OWN", own).start();
    Sipp::new(&world.router, "caller").dials("1").run();
    loser.success();
    completed(&world.app, 1);
}

#[test]
fn baresip_transfers_the_caller_and_the_callee() {
    for by_callee in [true, false] {
        let world = World::new();
        let (mut alice, mut bob, mut carol) = (Baresip::by_hand(), Baresip::by_hand(), Baresip::answering());
        world.number("1", &format!("/dial/{}", bob.port()));
        let refer = world.app.url(&format!("/dial/{}", carol.port()));
        world.router.sql(&format!("UPDATE numbers SET refer_url = '{refer}'"));
        world.talking(&mut alice, &mut bob, "1");
        let (transferor, stays) = if by_callee { (&mut bob, &mut alice) } else { (&mut alice, &mut bob) };
        transferor.does("transfer", "sip:+1555@anywhere.example");
        transferor.event("CALL_CLOSED");
        stays.session("offer");
        carol.event("CALL_ESTABLISHED");
        stays.does("hangup", "");
        carol.event("CALL_CLOSED");
        completed(&world.app, 1);
        let asked = world.app.asked();
        assert_eq!(asked.len(), 2);
        assert_eq!(asked[1].get("ReferTarget"), "+1555");
    }
}

/// It hangs up then, which is its own way: callgate leaves the call as it was.
#[test]
fn baresip_hears_that_its_transfer_failed() {
    let world = World::new();
    let (mut alice, mut bob) = (Baresip::by_hand(), Baresip::by_hand());
    world.number("1", &format!("/dial/{}", bob.port()));
    world.router.sql(&format!("UPDATE numbers SET refer_url = '{}'", world.app.url("/reject")));
    world.talking(&mut alice, &mut bob, "1");
    bob.does("transfer", "sip:+1555@anywhere.example");
    assert_eq!(bob.event("TRANSFER_FAILED")["param"], "486 Busy Here");
    alice.event("CALL_CLOSED");
    completed(&world.app, 1);
}

#[test]
fn baresip_is_the_third_place_of_srv() {
    let (dead, last) = (free_port(), Baresip::answering());
    let sick = kamailio_that_refuses("503");
    let zone = Zone::serve(vec![
        ("_sip._udp.pbx.test", 60, Data::Srv(10, 0, dead, "a.test")),
        ("_sip._udp.pbx.test", 60, Data::Srv(20, 0, sick.port(), "a.test")),
        ("_sip._udp.pbx.test", 60, Data::Srv(30, 0, last.port(), "a.test")),
        ("a.test", 60, Data::A(std::net::Ipv4Addr::LOCALHOST)),
    ]);
    let router = Router::launch(&zone.section("first-response-ms = 500"), 1);
    let world = World { router, app: App::start() };
    world.number("1", "/at/pbx.test");
    let mut alice = Baresip::by_hand();
    alice.does("dial", &world.uri("1"));
    alice.event("CALL_ESTABLISHED");
    last.logs("Call established", 1);
    alice.does("hangup", "");
    completed(&world.app, 1);
}

#[test]
fn baresip_follows_a_redirect() {
    let world = World::new();
    world.router.sql("UPDATE trunks SET mode = 'redirect'");
    let (mut alice, bob) = (Baresip::by_hand(), Baresip::answering());
    world.number("1", &format!("/dial/{}", bob.port()));
    alice.does("dial", &world.uri("1"));
    alice.event("CALL_ESTABLISHED");
    bob.logs("Call established", 1);
    alice.does("hangup", "");
    completed(&world.app, 1);
    assert_eq!(world.app.told()[0].get("ReasonCode"), "redirected");
}

#[test]
fn baresip_writes_and_reads_the_answer() {
    let world = World::new();
    let mut alice = Baresip::start(Setup { friend: Some(world.uri("1313")), ..Setup::default() });
    let url = world.app.url("/text/Thanks");
    world
        .router
        .sql(&format!("INSERT INTO numbers (number, is_sip, sms_url) VALUES ('1313', TRUE, '{url}')"));
    alice.does("contact_next", "");
    alice.does("message", "Hello there");
    alice.shows("\"Thanks\"");
    let asked = world.app.asked().remove(0);
    assert_eq!((asked.get("Body"), asked.get("From")), ("Hello there", "bob"));
    // Operators find it, its answer's end included, and never its words.
    let listed = world.router.callgate(&["messages", "list"]);
    assert!(listed.contains("accepted") && listed.contains(asked.get("SmsSid")), "{listed}");
    let show = || world.router.callgate(&["messages", "show", asked.get("SmsSid"), "--show-numbers"]);
    let until = std::time::Instant::now() + Duration::from_secs(10);
    while !show().contains("200 OK") && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
    let shown = show();
    for line in ["MESSAGE (", "1313 led to 1313", "POST http", "202 Accepted", "replies_delivered", "200 OK"]
    {
        assert!(shown.contains(line), "no `{line}` in\n{shown}");
    }
    assert!(!shown.contains("Hello"), "{shown}");
    let explained = world.router.callgate(&["explain", "1313", "--message", "--trunk", "sipp"]);
    assert!(explained.contains(&url) && explained.contains("exact numbers only"), "{explained}");
    let explained = world.router.callgate(&["explain", "1313", "--trunk", "sipp"]);
    assert!(explained.contains("number_without_application"), "{explained}");
}
