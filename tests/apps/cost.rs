//! What a webhook request costs this process, as a figure in the test's output.

use std::time::Duration;

use callgate::call::ask::{Answer, AskId, Purpose, WebhookQuestion};
use callgate::call::outcome::CallStatus;
use callgate::routing::model::VoiceProfile;

use crate::facts::{facts, hook, webhook};
use crate::server::Server;

/// CPU time of this thread so far, in nanoseconds.
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    text.split(' ').next().and_then(|field| field.parse().ok()).expect("a number")
}

#[tokio::test]
async fn a_request_costs_little() {
    const TIMES: u32 = 500;
    let server = Server::saying("<Response><Dial><Sip>sip:alice@10.0.0.1</Sip></Dial></Response>");
    let profile = VoiceProfile { voice: Some(hook(server.url("/"))), ..VoiceProfile::default() };
    let (facts, purpose) = (facts(1, profile), Purpose::Voice);
    let question = WebhookQuestion { facts, purpose, status: CallStatus::Ringing, outbound: None };
    let webhook = webhook();
    let mut start = 0;
    for id in 0..=TIMES {
        let asked = webhook.ask(AskId(id.into()), &question, Duration::from_secs(5)).await;
        assert!(matches!(asked.answer, Answer::Document(_)));
        if id == 0 {
            start = cpu();
        }
    }
    let each = (cpu() - start) / u64::from(TIMES) / 1_000;
    let build = if cfg!(debug_assertions) { "unoptimised" } else { "optimised" };
    println!("CPU per webhook request, one at a time, kept connection, {build}: {each} us");
    assert_eq!(server.connections(), 1);
    assert!(each < 5_000, "{each} us");
}
