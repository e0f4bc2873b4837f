//! The caller's name: as the provider knows it where the number asks for it, within a part of the budget.

use std::time::{Duration, Instant};

use callgate::call::ask::{Answer, AskId, Purpose, WebhookQuestion};
use callgate::call::outcome::CallStatus;
use callgate::outbound::{Providers, ProvidersConfig};
use callgate::routing::model::VoiceProfile;
use callgate::webhook::Webhook;

use crate::facts::{client, facts, hook, webhook_knowing};
use crate::server::{Act, Seen, Server, say, status};

const BUSY: &str = "<Response><Reject reason='busy'/></Response>";

/// A webhook whose names come from `provider`, and how long the provider may take.
fn webhook(provider: &str, timeout_ms: u64) -> Webhook {
    let config = ProvidersConfig { cnam_url: provider.to_owned(), timeout_ms, ..ProvidersConfig::default() };
    let names = Providers::new(&config, &client()).cnam;
    webhook_knowing(client(), Duration::from_secs(2), names)
}

/// The `CallerName` that an application hears.
async fn heard(webhook: &Webhook, lookup: bool, prefix: Option<&str>) -> String {
    let application = Server::saying(BUSY);
    let profile = VoiceProfile {
        voice: Some(hook(application.url("/voice"))),
        name_lookup: lookup,
        name_prefix: prefix.map(Into::into),
        ..VoiceProfile::default()
    };
    let question = WebhookQuestion {
        facts: facts(1, profile),
        purpose: Purpose::Voice,
        status: CallStatus::Ringing,
        outbound: None,
    };
    let asked = webhook.ask(AskId(1), &question, Duration::from_secs(5)).await;
    assert!(matches!(asked.answer, Answer::Document(_)), "{asked:?}");
    let body = application.seen()[0].body.clone();
    let pairs = form_urlencoded::parse(body.as_bytes()).into_owned();
    let names: Vec<String> = pairs.filter(|(name, _)| name == "CallerName").map(|(_, value)| value).collect();
    assert_eq!(names.len(), 1, "{body}");
    names.into_iter().next().unwrap()
}

/// What the caller's own display name is.
async fn own() -> String {
    heard(&webhook("", 1_000), true, None).await
}

#[tokio::test]
async fn a_name_is_looked_up_once_where_the_number_asks_for_it() {
    let provider = Server::start(|_: &Seen| say(r#"{"data":{"name":"JANE DOE"}}"#));
    let webhook = webhook(&provider.url("/cnam"), 1_000);
    assert_eq!(heard(&webhook, false, None).await, own().await);
    assert!(provider.seen().is_empty());
    for _ in 0..3 {
        assert_eq!(heard(&webhook, true, None).await, "JANE DOE");
    }
    let seen = provider.seen();
    assert_eq!(seen.len(), 1, "the answer is kept");
    assert_eq!(
        (seen[0].method.as_str(), seen[0].target.as_str()),
        ("GET", "/cnam/name?number=%2B14158675309")
    );
    assert_eq!(heard(&webhook, true, Some("Sales")).await, "Sales JANE DOE");
}

#[tokio::test]
async fn a_prefix_needs_no_provider() {
    assert_eq!(
        heard(&webhook("", 1_000), false, Some("Sales")).await,
        format!("Sales {}", own().await).trim_end()
    );
}

#[tokio::test]
async fn a_name_that_does_not_come_holds_nobody_up() {
    for act in
        [Act::Silence, status(500), say("no JSON"), say(r#"{"data":{"name":"a\nb"}}"#), say(r#"{"data":{}}"#)]
    {
        let silent = matches!(act, Act::Silence);
        let provider = Server::start(move |_: &Seen| act.clone());
        let webhook = webhook(&provider.url(""), 10_000);
        let began = Instant::now();
        assert_eq!(heard(&webhook, true, None).await, own().await);
        assert_eq!(provider.seen().len(), 1);
        // A quarter of the budget, and what the application takes.
        assert!(!silent || began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    }
}
