//! A Dial of several targets, and what comes after it.

use std::time::Instant;

use super::{Stage, answers, is_cancelled, refuses, rings, wait};
use crate::phone::{Message, Phone};

/// All three ring.
fn all_ring(stage: &Stage) -> [Message; 3] {
    [&stage.alice, &stage.henry, &stage.george].map(rings)
}

#[test]
fn of_a_client_a_uri_and_a_number_the_first_to_answer_is_connected() {
    let stage = Stage::new();
    let heard = stage.app.url("/status/leg");
    let noun = format!("statusCallback=\"{heard}\" statusCallbackMethod=\"GET\"");
    stage.number("1", &stage.all_three("", &noun));
    stage.invites("1", "all");
    let [to_alice, to_henry, to_george] = all_ring(&stage);
    answers(&stage.henry, &to_henry);
    let answer = stage.bob_is_answered();
    is_cancelled(&stage.alice, &to_alice);
    is_cancelled(&stage.george, &to_george);
    stage.henry.request("ACK");
    stage.bob_hangs_up(&answer, &stage.henry);
    stage.told(&["ringing", "in-progress", "completed"]);
    stage.once("/voice/1");
    let legs = || stage.heard("/status/leg");
    wait(|| legs().len() >= 10);
    let count = |status: &str| legs().iter().filter(|one| one.get("CallStatus") == status).count();
    assert_eq!(legs().len(), 10);
    assert_eq!(["initiated", "ringing", "answered", "completed"].map(count), [3, 3, 1, 3]);
    assert!(legs().iter().all(|one| one.path.starts_with("GET ")));
}

#[test]
fn who_is_busy_or_fails_leaves_the_others_ringing() {
    let stage = Stage::new();
    stage.number("1", &stage.all_three("", ""));
    for status in ["486 Busy Here", "500 Server Internal Error"] {
        stage.invites("1", &status[..3]);
        let [to_alice, to_henry, to_george] = all_ring(&stage);
        refuses(&stage.alice, &to_alice, status);
        refuses(&stage.george, &to_george, status);
        answers(&stage.henry, &to_henry);
        let answer = stage.bob_is_answered();
        stage.henry.request("ACK");
        stage.bob_hangs_up(&answer, &stage.henry);
    }
}

#[test]
fn the_callers_cancel_reaches_every_one() {
    let stage = Stage::new();
    stage.number("1", &stage.all_three("", ""));
    stage.invites("1", "gone");
    let [to_alice, to_henry, to_george] = all_ring(&stage);
    stage.bob.send(&stage.bob.invite("1", "gone", "gone", "").replace("INVITE", "CANCEL"));
    for (phone, invite) in [(&stage.alice, &to_alice), (&stage.henry, &to_henry), (&stage.george, &to_george)]
    {
        is_cancelled(phone, invite);
    }
    stage.bob.status(487);
    stage.told(&["ringing", "canceled"]);
}

/// Nobody answers within the Dial's second, one of them only with a 183, one not at all.
#[test]
fn when_nobody_answers_all_are_cancelled_and_the_caller_hears_408() {
    let stage = Stage::new();
    stage.number("1", &stage.all_three("timeout=\"1\"", ""));
    stage.invites("1", "nobody");
    let to_alice = stage.alice.request("INVITE");
    stage.alice.respond(&to_alice, "183 Session Progress", "t", "");
    let to_henry = rings(&stage.henry);
    stage.george.request("INVITE");
    is_cancelled(&stage.alice, &to_alice);
    is_cancelled(&stage.henry, &to_henry);
    assert_eq!(stage.bob_is_refused("nobody").status(), 408);
    stage.told(&["ringing", "no-answer"]);
}

/// The action's document rings one more, who answers; then `hangs` of the two hangs up.
fn the_action_dials_on(bob_hangs_up: bool) {
    let stage = Stage::new();
    let fotini = Phone::new(stage.router.udp);
    let leg = format!("statusCallback=\"{}\"", stage.app.url("/status/leg"));
    let then = format!("<Dial timeout=\"50\"><Uri {leg}>sip:fotini@127.0.0.1:{}</Uri></Dial>", fotini.port());
    let action = stage.says("/action", &then);
    stage.number("1", &stage.all_three(&format!("timeout=\"1\" action=\"{action}\""), &leg));
    stage.invites("1", "on");
    let invites = all_ring(&stage);
    for (phone, invite) in [&stage.alice, &stage.henry, &stage.george].into_iter().zip(&invites) {
        is_cancelled(phone, invite);
    }
    let invite = rings(&fotini);
    answers(&fotini, &invite);
    let answer = stage.bob_is_answered();
    let ack = fotini.request("ACK");
    if bob_hangs_up {
        stage.bob_hangs_up(&answer, &fotini);
    } else {
        super::hangs_up(&fotini, &invite, &ack);
        stage.bob.request("BYE");
    }
    assert_eq!(stage.once("/action").get("DialCallStatus"), "no-answer");
    stage.told(&["ringing", "in-progress", "completed"]);
    let legs = || stage.heard("/status/leg");
    wait(|| legs().len() >= 13);
    let count = |status: &str| legs().iter().filter(|one| one.get("CallStatus") == status).count();
    assert_eq!(["initiated", "ringing", "answered", "completed"].map(count), [4, 4, 1, 4]);
}

#[test]
fn nobody_answers_and_the_action_dials_one_who_does_until_the_caller_hangs_up() {
    the_action_dials_on(true);
}

#[test]
fn nobody_answers_and_the_action_dials_one_who_does_and_hangs_up() {
    the_action_dials_on(false);
}

#[test]
fn when_all_are_busy_the_action_is_asked_at_once() {
    let stage = Stage::new();
    let fotini = Phone::new(stage.router.udp);
    let then = format!("<Dial><Uri>sip:fotini@127.0.0.1:{}</Uri></Dial>", fotini.port());
    let action = stage.says("/action", &then);
    stage.number("1", &stage.all_three(&format!("timeout=\"30\" action=\"{action}\""), ""));
    stage.invites("1", "busy");
    let began = Instant::now();
    let invites = all_ring(&stage);
    for (phone, invite) in [&stage.alice, &stage.henry, &stage.george].into_iter().zip(&invites) {
        refuses(phone, invite, "486 Busy Here");
    }
    let invite = rings(&fotini);
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    answers(&fotini, &invite);
    stage.bob_is_answered();
    assert_eq!(stage.once("/action").get("DialCallStatus"), "busy");
}
