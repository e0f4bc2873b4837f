//! Addresses that are not asked, whatever they are written as.

use std::sync::Arc;
use std::time::Duration;

use callgate::call::ask::{Answer, AskId, Purpose, WebhookQuestion};
use callgate::call::outcome::CallStatus;
use callgate::outbound::{AllowPrivate, Client, Config, Urls};
use callgate::reason::Reason;
use callgate::routing::model::{Prefix, VoiceProfile};
use callgate::webhook::Webhook;

use crate::facts::{client_with, facts, hook, webhook_with};
use crate::server::{Act, Server, say};

async fn ask(webhook: &Webhook, url: &str) -> Result<(), Reason> {
    let profile = VoiceProfile { voice: Some(hook(url)), ..VoiceProfile::default() };
    let question = WebhookQuestion {
        facts: facts(1, profile),
        purpose: Purpose::Voice,
        status: CallStatus::Ringing,
        outbound: None,
    };
    match webhook.ask(AskId(1), &question, Duration::from_secs(5)).await.answer {
        Answer::Document(_) => Ok(()),
        Answer::NoDocument { reason, .. } => Err(reason),
        other => panic!("{other:?}"),
    }
}

fn webhook(client: Client) -> Webhook {
    webhook_with(client, Duration::from_secs(2))
}

#[tokio::test]
async fn no_notation_of_a_private_address_gets_through() {
    let server = Server::saying("<Response/>");
    let port = server.address.port();
    let webhook = webhook(client_with(Config::default()));
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.0.254",
        "0.0.0.0",
        "0",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "100.100.100.200",
        "user:pw@127.0.0.1",
        "good.example@127.0.0.1",
        "①②⑦.⓪.⓪.①",
        "127。0。0。1",
        "10.254.0.0",
        "192.168.10.65",
        "[fe80::1]",
    ] {
        let refused = ask(&webhook, &format!("http://{host}:{port}/")).await;
        assert_eq!(refused, Err(Reason::WebhookAddressRefused), "{host}");
    }
    for url in [
        format!("http://%31%32%37.0.0.1:{port}/"),
        format!("http://[::1%25lo]:{port}/"),
        "file:///etc/passwd".into(),
        "gopher://127.0.0.1/".into(),
        "http://127.0.0.1:22/".into(),
        "http:///x".into(),
    ] {
        assert_eq!(ask(&webhook, &url).await, Err(Reason::WebhookUrlInvalid), "{url}");
    }
    assert_eq!(server.connections(), 0, "not one packet");
}

#[tokio::test]
async fn a_redirect_is_guarded_like_any_request() {
    let inside = Server::saying("<Response/>");
    let location = format!("http://127.0.0.2:{}/", inside.address.port());
    let outside = Server::start(move |_| Act::Say(302, vec![("Location", location.clone())], String::new()));
    let prefix = Prefix { address: "127.0.0.1".parse().unwrap(), length: 32 };
    let allow_private = AllowPrivate::Within(vec![prefix]);
    let webhook = webhook(client_with(Config { allow_private, ..Config::default() }));
    assert_eq!(ask(&webhook, &outside.url("/")).await, Err(Reason::WebhookAddressRefused));
    assert_eq!((outside.seen().len(), inside.connections()), (1, 0));
    assert_eq!(ask(&webhook, &inside.url("/")).await, Ok(()), "the listed prefix itself is open");
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_dialled() {
    // A name that is public when asked first and private from then on.
    let server = Server::start(|_| say("<Response/>"));
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let lookup: callgate::outbound::Lookup = Arc::new(move |_: &str| {
        let first = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0;
        let address: std::net::IpAddr =
            if first { "192.0.2.1".parse().unwrap() } else { "127.0.0.1".parse().unwrap() };
        Box::pin(async move { Ok(Arc::from([address])) })
    });
    let config = Config {
        allow_private: AllowPrivate::Within(vec![Prefix {
            address: "192.0.2.0".parse().unwrap(),
            length: 24,
        }]),
        connect_timeout: Duration::from_millis(200),
        ..Config::default()
    };
    let client = Client::new(config, lookup, Arc::new(Urls::default())).unwrap();
    let url = format!("http://rebind.example:{}/", server.address.port());
    let first = ask(&webhook(client), &url).await;
    // The second look-up, for the repetition, gives the private address and is refused.
    assert!(matches!(first, Err(Reason::WebhookUnreachable | Reason::WebhookAddressRefused)), "{first:?}");
    assert_eq!(server.connections(), 0);
}
