//! Documents and numbers that lead nowhere, and messages.

use super::Stage;
use crate::sipp::Sipp;

#[test]
fn a_reject_rings_and_declines() {
    let stage = Stage::new();
    stage.number("1", "<Reject reason=\"rejected\"/>");
    stage.invites("1", "rejected");
    stage.bob.status(180);
    assert_eq!(stage.bob_is_refused("rejected").status(), 603);
    stage.told(&["ringing", "busy"]);
}

#[test]
fn an_answer_that_is_no_document_is_500_and_says_why() {
    let stage = Stage::new();
    stage.number("1", "");
    for (status, body, reason) in [
        ("200 OK", "%%<Response><Dial><Client>alice</Client></Dial></Response>", "webhook_not_xml"),
        ("408 Request Timeout", "", "webhook_status"),
    ] {
        stage.app.says("/voice/1", status, body);
        let refused = stage.refused("1", reason);
        assert_eq!(refused.status(), 500);
        assert_eq!(refused.header("X-Callgate-Reason"), reason);
    }
    stage.told_of_all(&["failed", "failed", "ringing", "ringing"]);
}

#[test]
fn the_numbers_of_a_closed_or_suspended_account_are_403_for_calls_and_messages() {
    let stage = Stage::new();
    stage.number("1", "<Reject/>");
    stage.router.sql(&format!("UPDATE numbers SET sms_url = '{}'", stage.app.url("/sms")));
    for status in ["closed", "suspended"] {
        stage.router.sql(&format!("UPDATE accounts SET status = '{status}'"));
        assert_eq!(stage.refused("1", status).status(), 403);
        Sipp::new(&stage.router, "message").dials("1").with("CODE", 403).run();
    }
    assert!(stage.app.requests().is_empty());
}

#[test]
fn a_message_goes_to_the_organization_that_was_addressed() {
    let stage = Stage::new();
    let (one, two) = (stage.app.url("/sms/one"), stage.app.url("/sms/two"));
    stage.router.sql(&format!(
        "INSERT INTO organizations (domain) VALUES ('one.test'), ('two.test'); \
         INSERT INTO accounts (organization_id) SELECT id FROM organizations WHERE domain LIKE '%.test'; \
         INSERT INTO numbers (number, is_sip, account_id, sms_url) \
         SELECT '+12223334445', TRUE, a.id, CASE o.domain WHEN 'one.test' THEN '{one}' ELSE '{two}' END \
         FROM accounts a JOIN organizations o ON o.id = a.organization_id WHERE o.domain LIKE '%.test'"
    ));
    for (domain, path) in [("two.test", "/sms/two"), ("one.test", "/sms/one")] {
        stage.says(path, "<Sms>Thanks</Sms>");
        let uri = format!("sip:+12223334445@{domain}");
        Sipp::new(&stage.router, "message").with("URI", uri).with("CODE", 202).run();
        assert_eq!(stage.once(path).get("Body").trim(), "Is anybody there?");
    }
}
