//! One call at a time, by name.

use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::router::Router;
use crate::sipp::{Sipp, free_port};

/// A router, an application, and a port for the callee.
struct World {
    router: Router,
    app: App,
    callee: u16,
}

impl World {
    fn new() -> Self {
        Self { router: Router::start(), app: App::start(), callee: free_port() }
    }

    /// The number `text`, whose application answers as `path` says.
    fn number(&self, text: &str, path: &str) {
        self.router.number(text, &self.app.url(path), &self.app.url("/status"));
    }

    fn caller(&self, scenario: &'static str, user: &str) -> Sipp<'_> {
        Sipp::new(&self.router, scenario).dials(user)
    }

    fn callee(&self, scenario: &'static str) -> Sipp<'_> {
        Sipp::new(&self.router, scenario).port(self.callee)
    }

    /// Waits until the callbacks' statuses are these.
    fn told(&self, expected: &[&str]) {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let told: Vec<String> =
                self.app.told().iter().map(|one| one.get("CallStatus").to_owned()).collect();
            if told == expected {
                return;
            }
            assert!(Instant::now() < until, "told {told:?}, expected {expected:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn an_exact_number_is_answered_and_hung_up_by_the_caller() {
    let world = World::new();
    world.number("+16508251255", &format!("/dial/{}", world.callee));
    let callee = world.callee("callee").start();
    world.caller("caller", "+16508251255").run();
    callee.success();
    world.told(&["ringing", "in-progress", "completed"]);
    let asked = world.app.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!((asked[0].get("From"), asked[0].get("To")), ("+14155550100", "+16508251255"));
    let last = world.app.told().pop().expect("told");
    assert_eq!((last.get("HangupSource"), last.get("SequenceNumber")), ("caller", "2"));
}

#[test]
fn a_pattern_is_reached_through_a_derived_form() {
    let world = World::new();
    world.number(r"^\+1650.*$", &format!("/dial/{}", world.callee));
    let callee = world.callee("callee").start();
    world.caller("caller", "6508251255").run();
    callee.success();
    assert_eq!(world.app.asked()[0].get("PhoneNumber"), r"^\+1650.*$");
}

#[test]
fn an_unknown_number_is_404() {
    let world = World::new();
    world.caller("caller-refused", "+16508251255").with("CODE", 404).run();
    assert!(world.app.requests().is_empty());
}

#[test]
fn the_application_rejects() {
    let world = World::new();
    world.number("1", "/reject");
    world.caller("caller-refused", "1").with("CODE", 486).run();
    world.told(&["ringing", "busy"]);
}

#[test]
fn the_application_hangs_up() {
    let world = World::new();
    world.number("1", "/hangup");
    world.caller("caller-refused", "1").with("CODE", 603).run();
}

#[test]
fn the_application_knows_nothing() {
    let world = World::new();
    world.number("1", "/notfound");
    world.caller("caller-refused", "1").with("CODE", 404).run();
}

#[test]
fn the_document_redirects_to_another() {
    let world = World::new();
    world.number("1", &format!("/goto/{}", world.callee));
    let callee = world.callee("callee").start();
    world.caller("caller", "1").run();
    callee.success();
    assert_eq!(world.app.asked().len(), 2);
}

#[test]
fn a_slow_webhook_is_waited_for() {
    let world = World::new();
    world.number("1", &format!("/slow/1500/{}", world.callee));
    let callee = world.callee("callee").start();
    world.caller("caller", "1").run();
    callee.success();
    assert_eq!(world.app.asked().len(), 1, "retransmissions never ask again");
}

#[test]
fn cancel_while_asking_ends_the_request() {
    let world = World::new();
    world.number("1", "/never");
    world.caller("caller-cancels", "1").run();
    world.told(&["ringing", "canceled"]);
    thread::sleep(Duration::from_millis(200));
    assert!(world.app.asked()[0].aborted, "the HTTP request was ended");
}

#[test]
fn of_two_targets_the_first_to_answer_is_connected() {
    let world = World::new();
    // Both ring at once: the 180s are the callees'.
    world.router.sql("UPDATE trunks SET ring_at_once = FALSE");
    let other = free_port();
    world.number("1", &format!("/together/{}/{other}", world.callee));
    let loser = world.callee("callee-is-cancelled").start();
    let winner = Sipp::new(&world.router, "callee").port(other).with("RING", 500).start();
    world.caller("caller", "1").run();
    winner.success();
    loser.success();
    world.told(&["ringing", "in-progress", "completed"]);
}

#[test]
fn a_loser_whose_answer_crosses_its_cancel_is_let_go() {
    let world = World::new();
    let other = free_port();
    world.number("1", &format!("/together/{}/{other}", world.callee));
    let loser = world.callee("callee-loses").start();
    let winner = Sipp::new(&world.router, "callee").port(other).with("RING", 300).start();
    world.caller("caller", "1").run();
    winner.success();
    loser.success();
    world.told(&["ringing", "in-progress", "completed"]);
}

#[test]
fn a_callee_whose_answer_crosses_the_callers_cancel_is_let_go() {
    let world = World::new();
    world.router.sql("UPDATE trunks SET ring_at_once = FALSE");
    world.number("1", &format!("/dial/{}", world.callee));
    let callee = world.callee("callee-loses").start();
    world.caller("caller-cancels", "1").with("TALK", 300).run();
    callee.success();
    world.told(&["ringing", "canceled"]);
}

#[test]
fn a_redirecting_trunk_gets_the_decision_as_302() {
    let world = World::new();
    world.router.sql("UPDATE trunks SET mode = 'redirect'");
    let other = free_port();
    world.number("1", &format!("/together/{}/{other}", world.callee));
    for tcp in [false, true] {
        let caller = world.caller("caller-redirected", "1").with("FIRST", world.callee).with("SECOND", other);
        if tcp { caller.tcp().run() } else { caller.run() }
    }
    world.told(&["completed", "completed"]);
    let last = world.app.told().pop().expect("told");
    let said = ["SipResponseCode", "ReasonCode", "CallDuration"].map(|name| last.get(name));
    assert_eq!(said, ["302", "redirected", "0"]);
}

#[test]
fn a_message_asks_its_sms_url() {
    let world = World::new();
    let url = world.app.url("/slow/1500/1");
    world
        .router
        .sql(&format!("INSERT INTO numbers (number, is_sip, sms_url) VALUES ('mms:+1234', TRUE, '{url}')"));
    world.caller("message", "mms%3A+1234").with("CODE", 202).run();
    world.caller("message", "mms%3A+1234").with("CODE", 202).tcp().run();
    world.caller("message", "+1234").with("CODE", 404).run();
    let asked = world.app.asked();
    assert_eq!(asked.len(), 2, "repetitions ask nothing");
    let said = ["From", "To", "SipHeader_X-Test", "Body"].map(|name| asked[0].get(name).trim());
    assert_eq!(said, ["+14155550100", "mms:+1234", "unchanged", "Is anybody there?"]);
    assert!(asked[0].get("SmsSid").starts_with("SM") && asked[0].get("SmsSid").len() == 34);
}

#[test]
fn cancel_while_it_rings_reaches_the_callee() {
    let world = World::new();
    // One 180 only: the callee's.
    world.router.sql("UPDATE trunks SET ring_at_once = FALSE");
    world.number("1", &format!("/dial/{}", world.callee));
    let callee = world.callee("callee-is-cancelled").start();
    world.caller("caller-cancels", "1").with("TALK", 500).run();
    callee.success();
    world.told(&["ringing", "canceled"]);
}

#[test]
fn cancel_against_200_lets_the_call_stand() {
    let world = World::new();
    world.number("1", &format!("/dial/{}", world.callee));
    let callee = world.callee("callee").start();
    world.caller("caller-cancels-late", "1").run();
    callee.success();
    world.told(&["ringing", "in-progress", "completed"]);
}

#[test]
fn the_callee_hangs_up() {
    let world = World::new();
    world.number("1", &format!("/dial/{}", world.callee));
    let callee = world.callee("callee-hangs-up").start();
    world.caller("caller-waits", "1").run();
    callee.success();
    world.told(&["ringing", "in-progress", "completed"]);
    assert_eq!(world.app.told()[2].get("HangupSource"), "callee");
}

#[test]
fn the_caller_reinvites() {
    let world = World::new();
    world.number("1", &format!("/dial/{}", world.callee));
    let callee = world.callee("callee-is-reinvited").start();
    world.caller("caller-reinvites", "1").run();
    callee.success();
}

#[test]
fn a_late_offer_passes() {
    let world = World::new();
    world.number("1", &format!("/dial/{}", world.callee));
    let callee = world.callee("callee-offers").start();
    world.caller("caller-without-offer", "1").run();
    callee.success();
}

#[test]
fn over_tcp_on_both_sides() {
    let world = World::new();
    world.number("1", &format!("/dial/{}/tcp", world.callee));
    let callee = world.callee("callee").tcp().start();
    world.caller("caller", "1").tcp().run();
    callee.success();
}

#[test]
fn over_tcp_in_and_udp_out() {
    let world = World::new();
    world.number("1", &format!("/dial/{}", world.callee));
    let callee = world.callee("callee").start();
    world.caller("caller", "1").tcp().run();
    callee.success();
}

#[test]
fn in_through_a_second_listener() {
    let world = World::new();
    world.number("1", &format!("/dial/{}", world.callee));
    let callee = world.callee("callee").start();
    world.caller("caller", "1").toward(world.router.inner).run();
    callee.success();
}

#[test]
fn options_are_answered_whatever_max_forwards_says() {
    let world = World::new();
    Sipp::new(&world.router, "options").run();
    Sipp::new(&world.router, "options").tcp().run();
}

#[test]
fn a_targets_refusal_reaches_the_caller_translated() {
    let world = World::new();
    world.number("1", &format!("/dial/{}", world.callee));
    let contact = "      Contact: <sip:elsewhere@192.0.2.1>\n";
    for (target, caller, extra) in [
        (486, 486, ""),
        (503, 500, "      Retry-After: 10\n"),
        (407, 403, "      Proxy-Authenticate: Digest realm=\"x\", nonce=\"y\"\n"),
        (302, 480, contact),
        (480, 480, ""),
    ] {
        let callee = world.callee("callee-refuses").with("CODE", target).with("EXTRA", extra).start();
        world.caller("caller-refused", "1").with("CODE", caller).run();
        callee.success();
    }
}

#[test]
fn a_dial_that_nobody_answers_is_408() {
    let world = World::new();
    world.number("1", &format!("/quick/{}", world.callee));
    let callee = world.callee("callee-is-cancelled").start();
    world.caller("caller-refused", "1").with("CODE", 408).run();
    callee.success();
    world.told(&["ringing", "no-answer"]);
}

#[test]
fn the_documentations_patterns_mean_what_they_say() {
    let world = World::new();
    let rows: [(&str, &[&str]); 7] = [
        ("7777|8888", &["7777", "8888"]),
        ("^*77...33#$", &["*7711133#", "%2A7722233%23"]),
        ("^[12]2233#$", &["12233#", "22233%23"]),
        ("^7688[456]#$", &["76884#", "76886%23"]),
        ("[45]234[23]", &["42342", "52343"]),
        ("^*222*...*...*500#$", &["*222*888*999*500#", "%2a222%2A444%2a321*500%23"]),
        ("999...", &["999222", "999123"]),
    ];
    let insert = rows.map(|(text, _)| {
        format!(
            "INSERT INTO numbers (number, is_sip, voice_url) VALUES ('{text}', TRUE, '{}');",
            world.app.url("/reject")
        )
    });
    world.router.sql(&insert.concat());
    for (text, dialled) in rows {
        for user in dialled {
            let before = world.app.asked().len();
            world.caller("caller-refused", user).with("CODE", 486).run();
            let asked = world.app.asked();
            assert_eq!(asked.len(), before + 1, "{user}");
            assert_eq!(asked[before].get("PhoneNumber"), text, "{user}");
        }
    }
    world.caller("caller-refused", "*222*500%23").with("CODE", 404).run();
}

#[test]
fn a_change_by_hand_moves_the_next_call() {
    let world = World::new();
    world.number("1", "/reject");
    world.caller("caller-refused", "1").with("CODE", 486).run();
    world
        .router
        .sql(&format!("UPDATE numbers SET voice_url = '{}' WHERE number = '1'", world.app.url("/hangup")));
    world.caller("caller-refused", "1").with("CODE", 603).run();
}
