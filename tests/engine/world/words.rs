//! What the words of a dialogue mean: documents, targets, gateways, header rules.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use callgate::call::instructions::{Credentials, Dial, Document, Noun, NounCallback, Target, Verb};
use callgate::flow::{Destination, Transport};
use callgate::ids::{OrganizationSid, TrunkSid};
use callgate::routing::model::*;

use crate::script::{duration, option};

/// `198.51.100.20`, `198.51.100.20:5070`, `tcp/198.51.100.20:5070`.
pub(super) fn destination(word: &str) -> Destination {
    let (transport, address) = match word.split_once('/') {
        Some(("tcp", address)) => (Transport::Tcp, address),
        Some(("tls", address)) => (Transport::Tls, address),
        _ => (Transport::Udp, word),
    };
    let address = match address.parse::<IpAddr>() {
        Ok(ip) => (ip, 5060).into(),
        Err(_) => address.parse().expect("an address"),
    };
    Destination { transport, address }
}

/// `dial sip:… [sip:…] [timeout=30s] [limit=…] [action=URL] [caller-id=…]`, `reject 486`, verbs parted by `then`.
pub(super) fn document(words: &[String]) -> Document {
    let verb = |words: &[String]| match words[0].as_str() {
        "dial" => Verb::Dial(Dial {
            nouns: words[1..].iter().filter_map(|word| noun(word, words)).collect(),
            timeout: option(words, "timeout").map_or(Duration::from_secs(30), duration),
            time_limit: option(words, "limit").map_or(Duration::from_secs(14_400), duration),
            caller_id: option(words, "caller-id").map(Into::into),
            action: option(words, "action").map(hook),
        }),
        "reject" => Verb::Reject { status: words[1].parse().expect("a status") },
        "redirect" => Verb::Redirect(hook(&words[1])),
        "pause" => Verb::Pause(duration(&words[1])),
        "hangup" => Verb::Hangup,
        "refer" => Verb::Refer { target: words[1].as_str().into() },
        "media" => Verb::Media(words[1].as_str().into()),
        "message" => Verb::Message(callgate::call::instructions::Reply {
            to: option(words, "to").map(Into::into),
            from: option(words, "from").map(Into::into),
            text: words[1].as_str().into(),
        }),
        other => panic!("no verb: {other}"),
    };
    if words[0] == "empty" {
        return Document::default();
    }
    let verbs = words.split(|word| word == "then").map(verb).collect();
    Document { verbs, url: "https://app.example/voice".into() }
}

/// `told=initiated,completed`: what the nouns' callback wants.
pub(super) fn told(words: &[String]) -> Option<Arc<NounCallback>> {
    let bit = |word| match word {
        "initiated" => 1,
        "ringing" => 2,
        "answered" => 4,
        "completed" => 8,
        _ => 15,
    };
    let events = option(words, "told")?.split(',').map(bit).fold(0, |all, one| all | one);
    Some(Arc::new(NounCallback { hook: hook("https://app.example/leg"), events }))
}

/// `auth=USER:PASSWORD[:REALM]` of a Dial, for all its nouns.
pub(super) fn credentials(words: &[String]) -> Option<Arc<Credentials>> {
    secrets(option(words, "auth")?)
}

pub(super) fn secrets(parts: &str) -> Option<Arc<Credentials>> {
    let mut parts = parts.split(':').map(ToOwned::to_owned);
    let (username, password) = (parts.next()?, parts.next()?);
    Some(Arc::new(Credentials { username, password, realm: parts.next() }))
}

/// One noun of a Dial; `group=` names the gateways of all its numbers.
pub(super) fn noun(word: &str, words: &[String]) -> Option<Noun> {
    let (target, header) = word.split_once('?').unwrap_or((word, ""));
    let target = match target.split_once(':')? {
        ("number", number) => Target::Number(number.into()),
        ("client", name) => Target::Client(name.into()),
        ("sip" | "sips" | "tel", _) => Target::Sip(target.into()),
        _ => return None,
    };
    let headers = header.split_once('~').map(|(name, value)| (name.into(), value.into()));
    Some(Noun {
        target,
        headers: headers.into_iter().collect(),
        credentials: credentials(words),
        group: option(words, "group").map(Into::into),
        callback: told(words),
    })
}

pub(super) fn follow(word: &str) -> Follow {
    match word {
        "known" => Follow::Known,
        "any" => Follow::Any,
        _ => Follow::No,
    }
}

/// `in:drop:Subject,out:set:X-Site:7`.
pub(super) fn rules(text: &str) -> HeaderRules {
    let rule = |text: &str| {
        let parts: Vec<&str> = text.split(':').collect();
        let way = if parts[0] == "in" { Way::In } else { Way::Out };
        let action = match parts[1] {
            "pass" => HeaderAction::Pass,
            "drop" => HeaderAction::Drop,
            _ => HeaderAction::Set(parts[3].into()),
        };
        HeaderRule::new(parts[2], way, action)
    };
    let rules = HeaderRules::new(text.split(',').map(rule).collect());
    rules.check().expect("rules that may be used");
    rules
}

pub(super) fn hook(url: &str) -> Hook {
    Hook { url: url.into(), method: Method::Post }
}

pub(super) fn organization() -> Organization {
    Organization { is_default: true, ..Organization::at(OrganizationSid(1), "gate.example") }
}

/// `host:port[@priority][;group=NAME][;media][;own][;draining][;format=e164|national][;user=NAME:PASSWORD[:REALM]]`.
pub(super) fn gateway(words: &str, others: usize) -> Gateway {
    let (place, settings) = words.split_once(';').unwrap_or((words, ""));
    let (address, priority) = place.split_once('@').unwrap_or((place, "10"));
    let (host, port) = address.rsplit_once(':').expect("host:port");
    let sid = callgate::ids::GatewaySid(others as u128 + 1);
    let mut gateway = Gateway {
        port: Some(port.parse().expect("a port")),
        emergency: true,
        trusted: true,
        priority: priority.parse().expect("a number"),
        ..Gateway::at(sid, "out", host)
    };
    for setting in settings.split(';').filter(|setting| !setting.is_empty()) {
        match setting.split_once('=').unwrap_or((setting, "")) {
            ("group", name) => gateway.group = name.into(),
            ("media", _) => (gateway.media, gateway.emergency) = (true, false),
            ("tls", _) => gateway.transport = Some(callgate::flow::Transport::Tls),
            ("draining", _) => gateway.draining = true,
            ("own", _) => gateway.own_caller_id = true,
            ("check", seconds) => gateway.options_interval = Some(seconds.parse().expect("seconds")),
            ("format", "e164") => gateway.caller_id_format = CallerIdFormat::E164,
            ("format", "national") => gateway.caller_id_format = CallerIdFormat::National,
            ("user", parts) => gateway.credentials = secrets(parts),
            (other, _) => panic!("no setting of a gateway: {other}"),
        }
    }
    gateway
}

pub(super) fn trunk() -> Trunk {
    Trunk {
        organization: Some(OrganizationSid(1)),
        sources: vec![Prefix { address: "192.0.2.10".parse().expect("an address"), length: 32 }],
        ring_at_once: false,
        ..Trunk::named(TrunkSid(1), "carrier")
    }
}
