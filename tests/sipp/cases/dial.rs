//! A Dial of one target.

use super::{Stage, answers, hangs_up, refuses, rings};
use crate::phone::Phone;

/// Bob and the other talk; then the other hangs up.
fn talk_until_the_other_hangs_up(stage: &Stage, other: &Phone, id: &str) {
    let invite = rings(other);
    stage.bob.status(180);
    answers(other, &invite);
    stage.bob_is_answered();
    let ack = other.request("ACK");
    hangs_up(other, &invite, &ack);
    let bye = stage.bob.request("BYE");
    assert_eq!(bye.header("Call-ID"), id);
    stage.bob.respond(&bye, "200 OK", "", "");
}

#[test]
fn a_client_rings_answers_and_hangs_up() {
    let stage = Stage::new();
    stage.number("1111", "<Dial><Client>alice</Client></Dial>");
    stage.invites("1111", "client");
    talk_until_the_other_hangs_up(&stage, &stage.alice, "client");
    stage.told(&["ringing", "in-progress", "completed"]);
    let asked = stage.once("/voice/1111");
    assert_eq!((asked.get("To"), asked.get("CallStatus")), ("1111", "ringing"));
}

#[test]
fn a_clients_own_headers_go_with_it() {
    let stage = Stage::new();
    // The ampersand stands bare in the XML, as applications write it.
    stage.number("1", "<Dial><Client>alice?X-Custom-Header1=1234&X-Custom-Header2=4321</Client></Dial>");
    stage.invites("1", "headers");
    let invite = stage.alice.request("INVITE");
    assert!(invite.0.starts_with("INVITE sip:alice@127.0.0.1"), "{}", invite.0);
    let custom = ["X-Custom-Header1", "X-Custom-Header2"].map(|name| invite.header(name));
    assert_eq!(custom, ["1234", "4321"]);
    refuses(&stage.alice, &invite, "486 Busy Here");
}

#[test]
fn a_number_leaves_through_the_gateway() {
    let stage = Stage::new();
    stage.number("1", "<Dial callerId=\"+14155550100\"><Number>+131313</Number></Dial>");
    stage.invites("1", "number");
    let invite = stage.george.request("INVITE");
    assert!(invite.0.starts_with("INVITE sip:+131313@127.0.0.1"), "{}", invite.0);
    assert!(invite.header("From").contains("sip:+14155550100@"), "{}", invite.0);
    stage.george.respond(&invite, "180 Ringing", "t", "");
    answers(&stage.george, &invite);
    stage.bob_is_answered();
    let ack = stage.george.request("ACK");
    hangs_up(&stage.george, &invite, &ack);
    stage.bob.request("BYE");
    stage.told(&["ringing", "in-progress", "completed"]);
}

/// Set by the command line, without SQL: the account's calls leave by the group it names, and by none of
/// it while that drains.
#[test]
fn a_number_leaves_through_the_group_of_its_account() {
    let stage = Stage::new();
    stage.number("1", "<Dial><Number>+131313</Number></Dial>");
    let set = |words: &[&str]| {
        let said = stage.router.callgate(words);
        // Waits until what was written is live.
        stage.router.sql("DELETE FROM gateways WHERE FALSE");
        said
    };
    let port = format!("port={}", stage.henry.port());
    set(&["gateways", "add", "premium", "host=127.0.0.1", &port, "group_name=premium"]);
    let listed = stage.router.callgate(&["accounts", "list", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    let account =
        listed["accounts"].as_array().expect("accounts").iter().find(|one| one["is_default"] == true);
    let account = account.expect("a default account")["sid"].as_str().expect("a sid").to_owned();
    set(&["accounts", "set", &account, "gateway_group=premium"]);
    let leaves = |id: &str| {
        stage.invites("1", id);
        let invite = stage.henry.request("INVITE");
        assert!(invite.0.starts_with("INVITE sip:+131313@127.0.0.1"), "{}", invite.0);
        refuses(&stage.henry, &invite, "486 Busy Here");
        assert_eq!(stage.bob_is_refused(id).status(), 486);
    };
    leaves("group");
    assert!(set(&["gateways", "drain", "premium"]).contains("draining"));
    let refused = stage.refused("1", "drained");
    assert_eq!((refused.status(), refused.header("X-Callgate-Reason")), (500, "no_gateway"));
    set(&["gateways", "resume", "premium"]);
    leaves("resumed");
    set(&["accounts", "set", &account, "gateway_group="]);
    stage.invites("1", "default");
    let invite = stage.george.request("INVITE");
    refuses(&stage.george, &invite, "486 Busy Here");
    assert_eq!(stage.bob_is_refused("default").status(), 486);
}

/// The caller is never answered for a target that is not: it hears the target's code.
#[test]
fn what_a_gateway_says_the_caller_hears() {
    let stage = Stage::new();
    stage.number("1", "<Dial timeout=\"1\"><Number>+131313</Number></Dial>");
    for (status, code) in [("403 Forbidden", 403), ("500 Server Internal Error", 500), ("486 Busy Here", 486)]
    {
        stage.invites("1", &code.to_string());
        let invite = rings(&stage.george);
        refuses(&stage.george, &invite, status);
        assert_eq!(stage.bob_is_refused(&code.to_string()).status(), code);
    }
    stage.invites("1", "silent");
    let invite = rings(&stage.george);
    super::is_cancelled(&stage.george, &invite);
    assert_eq!(stage.bob_is_refused("silent").status(), 408);
    stage.told_of_all(&["busy", "failed", "failed", "no-answer", "ringing", "ringing", "ringing", "ringing"]);
}

#[test]
fn a_bye_that_is_answered_404_ends_the_call_all_the_same() {
    let stage = Stage::new();
    stage.number("1", "<Dial><Number>+131313</Number></Dial>");
    stage.invites("1", "gone");
    let invite = rings(&stage.george);
    answers(&stage.george, &invite);
    let answer = stage.bob_is_answered();
    stage.george.request("ACK");
    stage.bob.send(&stage.bob.inside("BYE", 2, &answer));
    let bye = stage.george.request("BYE");
    stage.george.respond(&bye, "404 Not Here", "", "");
    stage.told(&["ringing", "in-progress", "completed"]);
}

#[test]
fn a_client_nobody_can_reach_fails_and_its_action_has_no_leg() {
    let stage = Stage::without_registrar();
    let action = stage.says("/action", "");
    stage.number("1", &format!("<Dial action=\"{action}\"><Client>nobody</Client></Dial>"));
    assert_eq!(stage.refused("1", "nobody").status(), 500);
    let told = stage.once("/action");
    let dial = ["DialCallStatus", "DialCallSid", "DialCallDuration"].map(|name| told.get(name));
    assert_eq!(dial, ["failed", "", "0"]);
    stage.told(&["ringing", "failed"]);
}

#[test]
fn a_client_the_registrar_does_not_know_is_followed_by_the_next_dial() {
    let stage = Stage::new();
    stage.number(
        "1",
        &format!("<Dial><Client>nobody</Client></Dial><Dial><Uri>{}</Uri></Dial>", stage.henry()),
    );
    stage.invites("1", "next");
    let unknown = stage.alice.request("INVITE");
    refuses(&stage.alice, &unknown, "404 Not Found");
    talk_until_the_other_hangs_up(&stage, &stage.henry, "next");
    stage.told(&["ringing", "in-progress", "completed"]);
}

#[test]
fn two_that_cannot_be_reached_are_followed_by_one_that_can() {
    let stage = Stage::new();
    let dead = ["a", "b"].map(|who| format!("<Dial timeout=\"1\"><Sip>sip:{who}@127.0.0.2:9</Sip></Dial>"));
    stage.number("1", &format!("{}<Dial><Sip>{}</Sip></Dial>", dead.concat(), stage.henry()));
    stage.invites("1", "sequence");
    talk_until_the_other_hangs_up(&stage, &stage.henry, "sequence");
}

#[test]
fn an_action_hears_who_called_whom_and_the_callers_own_headers() {
    let stage = Stage::new();
    let action = stage.says("/action", "");
    stage.number("+12223334455", &format!("<Dial action=\"{action}\"><Client>alice</Client></Dial>"));
    let invite = stage.bob.invite("+12223334455", "own", "own", "X-My-Custom-Header: My Custom Value\n");
    stage.bob.send(&invite);
    let invite = rings(&stage.alice);
    refuses(&stage.alice, &invite, "486 Busy Here");
    assert_eq!(stage.bob_is_refused("own").status(), 486);
    let said = |told: &crate::app::Request, names: [&str; 4]| names.map(|name| told.get(name).to_owned());
    let names = ["From", "To", "SipHeader_X-My-Custom-Header", "DialCallStatus"];
    let voice = stage.once("/voice/+12223334455");
    assert_eq!(said(&voice, names), ["+14155550100", "+12223334455", "My Custom Value", ""]);
    let told = stage.once("/action");
    assert_eq!(said(&told, names), ["+14155550100", "+12223334455", "My Custom Value", "busy"]);
    assert_eq!((told.get("DialCallDuration"), told.get("DialSipResponseCode")), ("0", "486"));
    assert!(told.get("DialCallSid").starts_with("CA"));
}
