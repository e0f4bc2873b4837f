//! Accounts hear what is wrong with their documents, by the real binary.

use callgate::cli::demo::phone::PhoneError;
use callgate::cli::demo::wire::Wire;
use serde_json::Value;

use crate::node::{Node, PATIENCE, SID};
use crate::receiver::Receiver;
use crate::{NUMBER, caller, loopback, target};

/// The notifications of the account, or of one call.
fn notified(node: &Node, below: &str) -> Vec<Value> {
    let line = format!("GET /restcomm/2012-04-24/Accounts/{SID}{below}/Notifications.json?PageSize=100");
    let listed: Value = serde_json::from_str(&node.ask(&line, "text/plain", "").body).unwrap();
    listed["notifications"].as_array().unwrap().clone()
}

#[test]
fn what_is_wrong_with_a_document_reaches_the_fallback_the_trace_and_the_account() {
    let inside = |text: &str| format!("<Response>{text}</Response>");
    let bad = [
        ("7001", inside("<Shout/>"), "webhook_not_rcml", 11_001),
        ("7002", inside("<Dial timeout=\"soon\"/>"), "webhook_not_rcml", 11_001),
        ("7003", inside("<Dial><Sip>tel:+1</Sip></Dial>"), "webhook_not_rcml", 11_001),
        ("7004", inside("<Dial><Sip>sip:a@h?Route=x</Sip></Dial>"), "webhook_not_rcml", 11_001),
        ("7005", " ".repeat(70_000), "webhook_too_large", 12_100),
        ("7006", ["<a>".repeat(40), "</a>".repeat(40)].concat(), "webhook_too_large", 12_100),
        ("7007", "<Response><Dial>".to_owned(), "webhook_not_xml", 12_100),
        ("7008", String::new(), "webhook_empty", 12_100),
    ];
    let mut documents: Vec<(&str, String)> =
        bad.iter().map(|(number, text, ..)| (*number, text.clone())).collect();
    documents.push(("7009", inside("<Redirect>/voice</Redirect>")));
    documents.push(("7010", inside("<Dial><Number>+4420</Number></Dial>")));
    let receiver = Receiver::answering(&documents);
    // Its answers for unknown numbers are a Reject: that is what a fallback hears, too.
    let fallback = Receiver::start(&[(NUMBER, target())]);
    let node = Node::start(&["udp://127.0.0.1:0"], &[]);
    node.provision(NUMBER, receiver.at);
    let url = |at: std::net::SocketAddr| format!("http://{at}/voice");
    for (number, _) in &documents {
        let (first, second) = (url(receiver.at), url(fallback.at));
        let fields = [("VoiceUrl", &*first), ("VoiceFallbackUrl", &*second), ("isSIP", "true")];
        node.number(number, &fields);
        let refused = caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], number, PATIENCE);
        // Where the first document is no document the fallback rejects; else the document itself ends it.
        let expected = if matches!(*number, "7009" | "7010") { 500 } else { 603 };
        assert!(
            matches!(&refused, Err(PhoneError::Refused(code, _)) if *code == expected),
            "{number}: {refused:?}"
        );
    }
    node.until("every reason is listed", |node| {
        let all = notified(node, "");
        let lists = |reason: &str, code: u64| {
            all.iter().any(|one| one["reason_code"] == reason && one["error_code"] == code)
        };
        bad.iter().all(|(.., reason, code)| lists(reason, *code))
            && lists("webhook_redirects", 11_206)
            && lists("no_gateway", 11_001)
    });
    // What came more than once within the minute stands there once.
    let all = notified(&node, "");
    assert_eq!(all.iter().filter(|one| one["reason_code"] == "webhook_not_rcml").count(), 1, "{all:#?}");
    let one = all.iter().find(|one| one["reason_code"] == "webhook_not_rcml").unwrap();
    assert_eq!(one["request_url"], url(receiver.at));
    assert!(one["message_text"].as_str().unwrap().contains("Shout"), "{one}");
    let call = one["call_sid"].as_str().unwrap();
    assert_eq!(notified(&node, &format!("/Calls/{call}")).len(), 1);
    let trace = node.ask(&format!("GET /admin/v1/calls/{call}/trace"), "text/plain", "").body;
    assert!(trace.contains("webhook_not_rcml") && trace.contains("Shout"), "{trace}");
}

#[test]
fn an_account_hears_of_calls_to_a_number_that_asks_nobody() {
    let node = Node::start(&["udp://127.0.0.1:0"], &[]);
    let receiver = Receiver::start(&[(NUMBER, target())]);
    node.provision(NUMBER, receiver.at);
    node.number("7001", &[("isSIP", "true")]);
    node.number("7002", &[("isSIP", "true")]);
    for number in ["7001", "7001", "7002"] {
        let refused = caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], number, PATIENCE);
        assert!(matches!(&refused, Err(PhoneError::Refused(404, _))), "{number}: {refused:?}");
    }
    node.until("both numbers are listed, once each", |node| {
        let all = notified(node, "");
        let of = |number: &str| {
            let told = all.iter().filter(|one| one["reason_code"] == "number_without_application");
            told.filter(|one| one["message_text"].as_str().unwrap().starts_with(number)).count()
        };
        of("7001: ") == 1 && of("7002: ") == 1
    });
}
