//! What a noun's own callback hears.

use super::{Stage, answers, refuses, rings, wait};
use crate::app::Request;
use crate::phone::Phone;

/// One call to a noun whose callback has these attributes: what it heard, event and number.
fn heard(
    stage: &Stage,
    id: &str,
    noun: &str,
    attributes: &str,
    answered: bool,
    count: usize,
) -> Vec<Request> {
    let path = format!("/status/{id}");
    let attributes = format!("statusCallback=\"{}\" {attributes}", stage.app.url(&path));
    let (text, phone): (String, &Phone) = match noun {
        "Client" => ("alice".into(), &stage.alice),
        _ => (stage.henry(), &stage.henry),
    };
    stage.number(id, &format!("<Dial><{noun} {attributes}>{text}</{noun}></Dial>"));
    stage.invites(id, id);
    let invite = rings(phone);
    if answered {
        answers(phone, &invite);
        let answer = stage.bob_is_answered();
        phone.request("ACK");
        stage.bob_hangs_up(&answer, phone);
    } else {
        refuses(phone, &invite, "480 Temporarily Unavailable");
        assert_eq!(stage.bob_is_refused(id).status(), 480);
    }
    wait(|| stage.heard(&path).len() >= count);
    stage.heard(&path)
}

fn steps(heard: &[Request]) -> Vec<String> {
    heard.iter().map(|one| format!("{} {}", one.get("SequenceNumber"), one.get("CallStatus"))).collect()
}

const ALL: [&str; 4] = ["0 initiated", "1 ringing", "2 answered", "3 completed"];

#[test]
fn a_noun_hears_of_its_leg_from_its_begin_to_its_end() {
    let stage = Stage::new();
    let legs = heard(&stage, "1", "Client", "", true, 4);
    assert_eq!(steps(&legs), ALL);
    for one in &legs {
        assert!(one.path.starts_with("POST "), "{}", one.path);
        assert_eq!(one.get("CallbackSource"), "call-progress-events");
        assert_eq!(one.get("Direction"), "outbound-dial");
        assert_eq!(one.get("CallSid"), legs[0].get("CallSid"));
        assert_eq!(one.get("ParentCallSid"), stage.heard("/status")[0].get("CallSid"));
    }
    assert_eq!(legs[3].get("SipResponseCode"), "200");
}

#[test]
fn a_uri_and_a_get_hear_the_same() {
    let stage = Stage::new();
    assert_eq!(steps(&heard(&stage, "1", "Sip", "", true, 4)), ALL);
    let legs = heard(&stage, "2", "Client", "statusCallbackMethod=\"GET\"", true, 4);
    assert_eq!(steps(&legs), ALL);
    assert!(legs.iter().all(|one| one.path.starts_with("GET ")));
}

#[test]
fn a_leg_that_is_not_answered_skips_its_number() {
    let stage = Stage::new();
    let legs = heard(&stage, "1", "Client", "", false, 3);
    assert_eq!(steps(&legs), ["0 initiated", "1 ringing", "3 completed"]);
    assert_eq!((legs[2].get("SipResponseCode"), legs[2].get("CallDuration")), ("480", "0"));
}

#[test]
fn only_the_events_that_were_asked_for_come() {
    let stage = Stage::new();
    for (id, events, expected) in [
        ("1", "initiated,  answered", ["0 initiated", "2 answered"]),
        ("2", "ringing,completed", ["1 ringing", "3 completed"]),
    ] {
        let attributes = format!("statusCallbackEvent=\"{events}\"");
        assert_eq!(steps(&heard(&stage, id, "Client", &attributes, true, 2)), expected);
    }
    // The number's own came meanwhile: nothing else will.
    stage.told_of_all(&["completed", "completed", "in-progress", "in-progress", "ringing", "ringing"]);
    assert_eq!(["/status/1", "/status/2"].map(|path| stage.heard(path).len()), [2, 2]);
}

#[test]
fn only_the_number_that_wants_callbacks_has_them() {
    let stage = Stage::new();
    stage.number("7777", &format!("<Dial><Sip>{}</Sip></Dial>", stage.henry()));
    stage.number("1111", &format!("<Dial><Sip>{}</Sip></Dial>", stage.henry()));
    stage.router.sql("UPDATE numbers SET status_callback = NULL WHERE number = '1111'");
    for (number, id) in [("1111", "one"), ("7777", "two"), ("1111", "three")] {
        stage.invites(number, id);
        let invite = rings(&stage.henry);
        answers(&stage.henry, &invite);
        let answer = stage.bob_is_answered();
        stage.henry.request("ACK");
        stage.bob_hangs_up(&answer, &stage.henry);
    }
    stage.told(&["ringing", "in-progress", "completed"]);
    assert!(stage.heard("/status").iter().all(|one| one.get("To") == "7777"));
}
