//! The question: what applications are asked, and what happens when they do not answer well.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callgate::call::ask::{Answer, AskId, Purpose, WebhookQuestion};
use callgate::call::instructions::{Document, Verb};
use callgate::call::outcome::{CallStatus, DialOutcome};
use callgate::ids::CallSid;
use callgate::reason::Reason;
use callgate::routing::model::{Hook, VoiceProfile};
use callgate::webhook::{Asked, Webhook};

use crate::facts::{client, facts, get, hook, webhook, webhook_with};
use crate::server::{Act, Server, say, status};

const BUSY: &str = "<Response><Reject reason='busy'/></Response>";
const LIMIT: Duration = Duration::from_secs(16);

fn voice(primary: Hook, fallback: Option<Hook>) -> WebhookQuestion {
    let profile = VoiceProfile { voice: Some(primary), voice_fallback: fallback, ..VoiceProfile::default() };
    question(facts(1, profile), Purpose::Voice)
}

fn question(facts: Arc<callgate::call::facts::CallFacts>, purpose: Purpose) -> WebhookQuestion {
    WebhookQuestion { facts, purpose, status: CallStatus::Ringing, outbound: None }
}

async fn ask(webhook: &Webhook, question: &WebhookQuestion) -> Asked {
    webhook.ask(AskId(5), question, LIMIT).await
}

fn document(asked: &Asked) -> &Document {
    match &asked.answer {
        Answer::Document(document) => document,
        other => panic!("no document but {other:?}, after {:?}", asked.tries),
    }
}

fn refusal(asked: &Asked) -> (Reason, Option<u16>) {
    match &asked.answer {
        Answer::NoDocument { reason, http_status } => (*reason, *http_status),
        other => panic!("{other:?} instead of a refusal"),
    }
}

async fn refused(act: impl Fn() -> Act + Send + Sync + 'static, budget: u64) -> (Reason, Duration) {
    let server = Server::start(move |_| act());
    let webhook = webhook_with(client(), Duration::from_millis(budget));
    let start = Instant::now();
    let asked = ask(&webhook, &voice(hook(server.url("/")), None)).await;
    (refusal(&asked).0, start.elapsed())
}

#[tokio::test]
async fn a_post_carries_every_parameter_in_order_and_leaves_the_query_in_the_url() {
    let server = Server::saying(BUSY);
    let asked = ask(&webhook(), &voice(hook(server.url("/voice?tenant=a%20b&x=1#tt=900")), None)).await;
    assert_eq!(document(&asked).verbs, [Verb::Reject { status: 486 }]);
    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/voice?tenant=a%20b&x=1"));
    let names: Vec<_> = seen.params().into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "CallSid",
            "InstanceId",
            "AccountSid",
            "From",
            "To",
            "CallStatus",
            "ApiVersion",
            "Direction",
            "CallerName",
            "ForwardedFrom",
            "CallTimestamp",
            "PhoneNumberSid",
            "PhoneNumber",
            "OrganizationSid",
            "TrunkSid",
            "SipCallId",
            "SipSourceIp",
            "StirVerstat",
            "SipHeader_X-Queue",
            "SipHeader_Diversion",
        ]
    );
    for (name, value) in [
        ("CallSid", "CA00000000000000000000000000000001"),
        ("From", "+14158675309"),
        ("CallerName", "Zoë & Søn"),
        ("CallStatus", "ringing"),
        ("ForwardedFrom", ""),
        ("CallTimestamp", "2018-07-05T10:15:31.500Z"),
        ("SipSourceIp", "192.0.2.1"),
        ("SipHeader_X-Queue", "blue=1;2"),
    ] {
        assert_eq!(seen.param(name).as_deref(), Some(value), "{name}");
    }
    let wait: u64 = seen.header("x-callgate-deadline-ms").unwrap().parse().unwrap();
    assert!((1..=900).contains(&wait), "{wait}");
    assert_eq!(seen.header("host"), Some(server.address.to_string().as_str()));
    assert_eq!(seen.header("accept-encoding"), None);
    assert_eq!(seen.header("webhook-id"), seen.header("i-twilio-idempotency-token"));
}

#[tokio::test]
async fn a_get_appends_to_the_stored_query() {
    let server = Server::saying(BUSY);
    document(&ask(&webhook(), &voice(get(server.url("/v?a=1")), None)).await);
    let seen = &server.seen()[0];
    assert!(seen.target.starts_with("/v?a=1&CallSid=CA0"), "{}", seen.target);
    assert_eq!((seen.method.as_str(), seen.body.as_str()), ("GET", ""));
    assert_eq!(seen.param("To").as_deref(), Some("+16508251255"));
}

#[tokio::test]
async fn post_query_in_body_moves_the_query_behind_the_parameters() {
    let server = Server::saying(BUSY);
    let mut question = voice(hook(server.url("/v?a=1&b=x+y")), None);
    Arc::make_mut(&mut question.facts).post_query_in_body = true;
    document(&ask(&webhook(), &question).await);
    let seen = &server.seen()[0];
    assert_eq!(seen.target, "/v");
    let params = seen.params();
    assert_eq!(params[params.len() - 2..], [("a".into(), "1".into()), ("b".into(), "x y".into())]);
}

#[tokio::test]
async fn relative_urls_and_userinfo() {
    let server = Server::saying(BUSY);
    let mut question = voice(hook("/apps/in"), None);
    Arc::make_mut(&mut question.facts).base_url = format!("http://me:pw@{}", server.address).into();
    document(&ask(&webhook(), &question).await);
    let seen = &server.seen()[0];
    assert_eq!((seen.target.as_str(), seen.header("authorization")), ("/apps/in", Some("Basic bWU6cHc=")));
}

#[tokio::test]
async fn the_action_hears_how_the_dial_ended() {
    let server = Server::saying("<Response><Hangup/></Response>");
    let outcome = DialOutcome {
        status: CallStatus::Busy,
        leg: Some(CallSid(0xb)),
        duration: Duration::ZERO,
        ring_duration: Duration::from_millis(2_100),
        sip_code: Some(486),
        sip_call_id: Some("b@h".into()),
        sip_headers: vec![("X-Why".into(), "all lines busy".into())],
    };
    let purpose = Purpose::Action(hook(server.url("/done")), Box::new(outcome));
    document(&ask(&webhook(), &question(facts(1, VoiceProfile::default()), purpose)).await);
    let seen = &server.seen()[0];
    for (name, value) in [
        ("DialCallSid", "CA0000000000000000000000000000000b"),
        ("DialCallStatus", "busy"),
        ("DialCallDuration", "0"),
        ("DialRingDuration", "3"),
        ("DialSipResponseCode", "486"),
        ("DialSipCallId", "b@h"),
        ("DialSipHeader_X-Why", "all lines busy"),
    ] {
        assert_eq!(seen.param(name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn the_fallback_hears_what_was_wrong() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/bad" => status(500),
        _ => say(BUSY),
    });
    let primary = hook(format!("http://me:pw@{}/bad#tt=800", server.address));
    let asked = ask(&webhook(), &voice(primary, Some(get(server.url("/fallback"))))).await;
    document(&asked);
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[1].param("ErrorCode").as_deref(), Some("webhook_status"));
    assert_eq!(seen[1].param("ErrorUrl"), Some(server.url("/bad")));
    assert_eq!(seen[1].method, "GET");
    let tries: Vec<_> = asked.tries.iter().map(|t| (t.status, t.failed)).collect();
    assert_eq!(tries, [(Some(500), Some(Reason::WebhookStatus)), (Some(200), None)]);
    assert!(!format!("{:?}", asked.tries).contains("pw"), "no credentials in a trace");
}

#[tokio::test]
async fn a_silent_primary_gets_60_percent_and_the_fallback_the_rest() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/slow" => Act::Silence,
        _ => say(BUSY),
    });
    let webhook = webhook_with(client(), Duration::from_millis(4_000));
    let start = Instant::now();
    let asked = ask(&webhook, &voice(hook(server.url("/slow")), Some(hook(server.url("/fallback"))))).await;
    document(&asked);
    println!("60 % of 4 s for the silent one: {:?}", start.elapsed());
    assert!((2_350..4_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    assert_eq!(asked.tries[0].failed, Some(Reason::WebhookTimeout));
    assert_eq!(server.seen()[1].param("ErrorCode").as_deref(), Some("webhook_timeout"));
}

#[tokio::test]
async fn the_last_status_tells_a_404_from_the_rest() {
    let server = Server::start(|_| status(404));
    let asked = ask(&webhook(), &voice(hook(server.url("/")), None)).await;
    assert_eq!(refusal(&asked), (Reason::WebhookNotFound, Some(404)));
}

#[tokio::test]
async fn a_refused_connection_is_tried_twice_and_fails_at_once() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let start = Instant::now();
    let asked = ask(&webhook(), &voice(hook(format!("http://127.0.0.1:{port}/")), None)).await;
    assert_eq!(refusal(&asked).0, Reason::WebhookUnreachable);
    // At once, however busy the machine: far below the budget of seconds.
    println!("refused twice after {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_millis(1_500), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_kept_connection_that_died_costs_one_repetition_with_the_same_id() {
    let server = Server::start(|_| Act::SayAndClose(BUSY.into()));
    let webhook = webhook();
    for _ in 0..3 {
        document(&ask(&webhook, &voice(hook(server.url("/")), None)).await);
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 3, "a request is answered once");
    assert!(seen.iter().all(|s| s.header("webhook-id") == seen[0].header("webhook-id")));
}

#[tokio::test]
async fn a_connection_that_dies_with_the_request_is_repeated_only_if_it_was_kept() {
    // Answers the first request of a connection and dies on the second, unread answers and all.
    let server = Server::start(move |seen| match seen.target.as_str() {
        "/die" if seen.connection == 0 => Act::Raw(Vec::new()),
        "/always" => Act::Raw(Vec::new()),
        _ => say(BUSY),
    });
    let webhook = webhook();
    document(&ask(&webhook, &voice(hook(server.url("/")), None)).await);
    let asked = ask(&webhook, &voice(hook(server.url("/die")), None)).await;
    document(&asked);
    assert!(asked.tries[0].repeated);
    let asked = ask(&webhook_with(client(), LIMIT), &voice(hook(server.url("/always")), None)).await;
    assert_eq!(refusal(&asked).0, Reason::WebhookUnreachable);
    let always = server.seen().iter().filter(|seen| seen.target == "/always").count();
    assert_eq!(always, 1, "the application may have acted on it");
}

#[tokio::test]
async fn connections_are_kept_and_closed_before_the_server_does() {
    let server = Server::saying(BUSY);
    let webhook = webhook();
    for _ in 0..20 {
        document(&ask(&webhook, &voice(hook(server.url("/")), None)).await);
    }
    assert_eq!(server.connections(), 1);
    tokio::time::sleep(Duration::from_millis(4_600)).await;
    document(&ask(&webhook, &voice(hook(server.url("/")), None)).await);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn dropping_the_question_closes_the_request_and_frees_its_place() {
    let server = Server::start(|_| Act::Silence);
    let (webhook, question) = (webhook(), voice(hook(server.url("/")), None));
    // More than there are places in flight for one URL.
    for _ in 0..300 {
        let asked = tokio::time::timeout(Duration::from_millis(2), ask(&webhook, &question)).await;
        assert!(asked.is_err(), "{:?}", asked.unwrap().tries);
    }
    let asked = tokio::time::timeout(Duration::from_millis(200), ask(&webhook, &question)).await;
    assert!(asked.is_err());
    let end = Instant::now() + Duration::from_secs(5);
    while server.seen().is_empty() || server.hung_up() < server.seen().len() {
        assert!(Instant::now() < end, "{} of {} closed", server.hung_up(), server.seen().len());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn more_than_256_at_once_are_overloaded_and_go_to_the_fallback() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/slow" => Act::Late(Duration::from_millis(2_000), Box::new(say(BUSY))),
        _ => say("<Response><Hangup/></Response>"),
    });
    let webhook = webhook();
    let question = voice(hook(server.url("/slow")), Some(hook(server.url("/fallback"))));
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..260 {
        let (webhook, question) = (webhook.clone(), question.clone());
        asking.spawn(async move { ask(&webhook, &question).await });
    }
    let all = asking.join_all().await;
    let overloaded =
        all.iter().filter(|asked| asked.tries[0].failed == Some(Reason::WebhookOverloaded)).count();
    assert_eq!(overloaded, 4);
    assert!(all.iter().all(|asked| matches!(asked.answer, Answer::Document(_))));
}

#[tokio::test]
async fn redirects_are_followed_three_times_signed_anew_and_never_out_of_tls() {
    let server = Server::start(|seen| match seen.target.as_str() {
        "/1" => redirect("/2?x=1"),
        "/2?x=1" => redirect("3"),
        "/3" => redirect("/4"),
        "/4" => say(BUSY),
        "/loop" => redirect("/loop"),
        "/private" => redirect("ftp://127.0.0.1/"),
        _ => status(500),
    });
    let webhook = webhook();
    let asked = ask(&webhook, &voice(hook(server.url("/1")), None)).await;
    document(&asked);
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|s| s.method == "POST" && s.param("CallSid").is_some()));
    let signatures: std::collections::HashSet<_> =
        seen.iter().filter_map(|s| s.header("x-twilio-signature")).collect();
    assert_eq!(signatures.len(), 4, "each over its own URL");
    let asked = ask(&webhook, &voice(hook(server.url("/loop")), None)).await;
    assert_eq!(refusal(&asked).0, Reason::WebhookRedirects);
    // Four requests, and why there is no fifth.
    assert_eq!(server.seen().len(), 8);
    assert_eq!(asked.tries.len(), 5);
    assert_eq!(asked.tries[4].failed, Some(Reason::WebhookRedirects));
    let asked = ask(&webhook, &voice(hook(server.url("/private")), None)).await;
    assert_eq!(refusal(&asked).0, Reason::WebhookStatus);
}

fn redirect(location: &str) -> Act {
    Act::Say(302, vec![("Location", location.to_owned())], String::new())
}

#[tokio::test]
async fn a_server_that_stalls_or_dribbles_is_left_at_the_deadline() {
    let body = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n".to_vec();
    for act in [
        Act::Silence,
        Act::Dribble(b"HTTP/1.1 200 OK\r\nX: ".repeat(9), Duration::from_millis(20)),
        Act::Dribble([body, b"<Response>".repeat(50)].concat(), Duration::from_millis(4)),
    ] {
        let shown = format!("{act:.40?}");
        let (reason, took) = refused(move || act.clone(), 400).await;
        assert_eq!(reason, Reason::WebhookTimeout, "{shown}");
        println!("{shown}: left after {took:?}");
        assert!((380..2_400).contains(&took.as_millis()), "{shown}: {took:?}");
    }
}

#[tokio::test]
async fn answers_that_are_too_much_are_cut_off_at_once() {
    for (name, act, expected) in [
        ("headers", Act::Endless(b"HTTP/1.1 200 OK\r\n", b"X-More: 0123456789\r\n"), Reason::WebhookTooLarge),
        ("one header", Act::Endless(b"HTTP/1.1 200 OK\r\nX: ", b"0123456789"), Reason::WebhookTooLarge),
        ("100 Continue", Act::Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), Reason::WebhookTooLarge),
        ("a body without length", Act::Endless(b"HTTP/1.1 200 OK\r\n\r\n", b" "), Reason::WebhookTooLarge),
        (
            "chunks",
            Act::Endless(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
            Reason::WebhookTooLarge,
        ),
    ] {
        let (reason, took) = refused(move || act.clone(), 10_000).await;
        println!("{name}: cut off after {took:?}");
        assert_eq!(reason, expected, "{name}");
        // Long before the budget's end, however busy the machine.
        assert!(took < Duration::from_secs(7), "{name}: {took:?}");
    }
}

#[tokio::test]
async fn answers_that_lie_are_no_documents() {
    let whole = |head: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}").into_bytes();
    let cases: Vec<(&str, Vec<u8>, Reason)> = vec![
        ("shorter than it says", whole("Content-Length: 999\r\n", BUSY), Reason::WebhookUnreachable),
        (
            "two lengths",
            whole("Content-Length: 2\r\nContent-Length: 3\r\n", "ab"),
            Reason::WebhookUnreachable,
        ),
        ("no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), Reason::WebhookUnreachable),
        ("gzip", whole("Content-Encoding: gzip\r\n", "\u{1f}"), Reason::WebhookNotXml),
        ("empty", whole("Content-Length: 0\r\n", ""), Reason::WebhookEmpty),
        ("no content", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), Reason::WebhookEmpty),
        (
            "a page",
            whole("Content-Type: text/html\r\n", "<html><body>Login</body></html>"),
            Reason::WebhookNotRcml,
        ),
        ("text", whole("Content-Type: text/xml\r\n", "hello"), Reason::WebhookNotXml),
    ];
    for (name, bytes, expected) in cases {
        let (reason, _) = refused(move || Act::Raw(bytes.clone()), 3_000).await;
        assert_eq!(reason, expected, "{name}");
    }
    let plain = whole("Content-Type: application/octet-stream\r\n", BUSY);
    let server = Server::start(move |_| Act::Raw(plain.clone()));
    let asked = ask(&webhook(), &voice(hook(server.url("/")), None)).await;
    document(&asked);
}

#[tokio::test]
async fn a_url_that_always_fails_is_not_asked_for_a_while() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::saying(BUSY);
    let dead = format!("http://127.0.0.1:{port}/");
    let (webhook, question) = (webhook(), voice(hook(dead), Some(hook(server.url("/")))));
    for _ in 0..12 {
        document(&ask(&webhook, &question).await);
    }
    let last = ask(&webhook, &question).await;
    assert_eq!(last.tries[0].failed, Some(Reason::WebhookUnreachable));
    assert!(last.tries[0].detail.as_deref().unwrap().contains("not asked"), "{:?}", last.tries[0]);
}
