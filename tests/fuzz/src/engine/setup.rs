//! The directory of the engine's world, and what its application answers.

use std::sync::Arc;
use std::time::Duration;

use callgate::call::config::{EngineConfig, Listener};
use callgate::call::instructions::Document;
use callgate::flow::{Destination, ListenerId, Transport};
use callgate::ids::{AccountSid, GatewaySid, NumberSid, OrganizationSid, TrunkSid};
use callgate::outbound::Target;
use callgate::routing::model::*;
use callgate::routing::{Builder, Directory};
use callgate::webhook;

use super::Choices;
use super::world::PEERS;

/// Two listeners, and timers short enough that a day is not needed for a call to be given up.
pub(super) fn config() -> EngineConfig {
    let listener = |id, transport| Listener {
        id: ListenerId(id),
        name: format!("{transport:?}").to_lowercase().into(),
        transport,
        bind: "203.0.113.1:5060".parse().expect("an address"),
        advertise: None,
        local_nets: Vec::new(),
    };
    EngineConfig {
        listeners: vec![listener(0, Transport::Udp), listener(1, Transport::Tcp)],
        check_interval: Duration::ZERO,
        ..EngineConfig::default()
    }
}

/// One trunk, one account, a few numbers; `kind` chooses how the trunk is treated.
pub(super) fn directory(kind: u8) -> Directory {
    let bit = |at: u8| kind & (1 << at) != 0;
    let organization = Organization {
        is_default: true,
        registrar: Some("198.51.100.30".into()),
        skip_media_verbs: bit(1),
        ..Organization::at(OrganizationSid(1), "gate.example")
    };
    let trunk = Trunk {
        organization: Some(OrganizationSid(1)),
        sources: vec![Prefix { address: "192.0.2.10".parse().expect("an address"), length: 32 }],
        ring_at_once: bit(2),
        single_early_dialog: bit(3),
        trusted: bit(4),
        mode: if bit(5) && bit(6) { TrunkMode::Redirect } else { TrunkMode::Call },
        emergency_numbers: vec!["112".into()],
        nat: if bit(7) { Nat::On } else { Nat::Auto },
        ..Trunk::named(TrunkSid(1), "carrier")
    };
    let gateway = |sid, host| {
        let gateway = Gateway::at(GatewaySid(sid), "out", host);
        Arc::new(Gateway { emergency: true, trusted: sid == 1, follow_redirects: Follow::Any, ..gateway })
    };
    let frame = Frame {
        organizations: vec![Arc::new(organization)],
        accounts: vec![Arc::new(Account::of(OrganizationSid(1), AccountSid(1)))],
        applications: Vec::new(),
        trunks: vec![Arc::new(trunk)],
        gateways: vec![gateway(1, "198.51.100.20"), gateway(2, "198.51.100.30")],
    };
    let hook = |url: &str| Some(Hook { url: url.into(), method: Method::Post });
    let profile = Arc::new(VoiceProfile {
        voice: hook("https://app.example/voice"),
        sms: hook("https://app.example/sms"),
        refer: hook("https://app.example/refer"),
        status_callback: hook("https://app.example/status"),
        ..VoiceProfile::default()
    });
    let number =
        |sid: u128, text: &str| Number::of(OrganizationSid(1), AccountSid(1), NumberSid(sid), text, &profile);
    ["100", "200", "+15550001111", "mms:+12345678", "55*"]
        .into_iter()
        .zip(1..)
        .fold(Builder::new(frame), |builder, (text, sid)| builder.number(number(sid, text)))
        .build(1)
}

/// Where a name leads.
pub(super) fn addresses(choices: &mut Choices<'_>) -> Vec<Destination> {
    (0..choices.below(4))
        .map(|_| Destination {
            transport: [Transport::Udp, Transport::Udp, Transport::Tcp][choices.below(3)],
            address: PEERS[choices.below(PEERS.len())].parse().expect("an address"),
        })
        .collect()
}

const DOCUMENTS: &[&str] = &[
    "<Dial><Sip>sip:b@198.51.100.20</Sip></Dial>",
    "<Dial timeout='5'><Sip>sip:b@198.51.100.20</Sip><Sip>sip:c@198.51.100.30</Sip></Dial>",
    "<Dial action='/next'><Sip>sip:b@198.51.100.20</Sip></Dial>",
    "<Dial timeLimit='5'><Number>+15557770000</Number></Dial>",
    "<Dial><Client>carol</Client></Dial>",
    "<Dial><Sip>sip:b@name.example</Sip></Dial>",
    "<Dial><Sip>sip:b@198.51.100.20;transport=tcp?X-A=1</Sip></Dial>",
    "<Dial><Sip username='u' password='p' statusCallback='/leg' statusCallbackEvent='initiated ringing answered completed'>\
     sip:b@198.51.100.20</Sip></Dial>",
    "<Dial><Sip>sip:100@203.0.113.1</Sip></Dial>",
    "<Dial timeout='1'><Sip>sip:b@198.51.100.20</Sip></Dial><Dial><Sip>sip:c@198.51.100.30</Sip></Dial>",
    "<Reject/>",
    "<Reject reason='busy'/>",
    "<Redirect>/again</Redirect>",
    "<Pause length='2'/><Dial><Sip>sip:b@198.51.100.20</Sip></Dial>",
    "<Hangup/>",
    "<Refer><Sip>sip:d@198.51.100.30</Sip></Refer>",
    "<Say>hello</Say><Dial><Sip>sip:b@198.51.100.20</Sip></Dial>",
    "<Sms>text</Sms>",
    "",
];

/// One that an application would answer.
pub(super) fn document(choices: &mut Choices<'_>) -> Document {
    let body = format!("<Response>{}</Response>", choices.of(DOCUMENTS));
    let target = Target::parse("https://app.example/voice", None).expect("a URL");
    webhook::document(body.as_bytes(), &target).unwrap_or_default()
}
