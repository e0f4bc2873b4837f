//! The directory of the simulated world, and who owns which message.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use callgate::call::mint::ShardKey;
use callgate::engine::virtual_shard;
use callgate::ids::{AccountSid, NumberSid, OrganizationSid, TrunkSid};
use callgate::routing::model::{
    Account, CallerFrom, DialledFrom, Frame, Hook, MatchMode, Method, Nat, Number, NumberProfile,
    Organization, Prefix, SigningKeys, Status, Trunk, TrunkMode, VoiceProfile,
};
use callgate::routing::{Builder, Directory};

/// One organization, one trunk, and one number, 1000, which operators take away for a while.
pub fn directory(generation: u64, with_number: bool) -> Arc<Directory> {
    let frame = Frame {
        organizations: vec![Arc::new(organization())],
        accounts: vec![Arc::new(account())],
        trunks: vec![Arc::new(trunk())],
        ..Frame::default()
    };
    let hook =
        |path: &str| Some(Hook { url: format!("https://app.example/{path}").into(), method: Method::Post });
    let number = Number {
        sid: NumberSid(4),
        text: "1000".into(),
        account: AccountSid(2),
        organization: OrganizationSid(1),
        is_sip: true,
        in_service: true,
        main: false,
        profile: Arc::new(VoiceProfile {
            voice: hook("voice"),
            status_callback: hook("status"),
            refer: hook("refer"),
            sms: hook("sms"),
            ..VoiceProfile::default()
        }),
    };
    let builder = Builder::new(frame);
    let builder = if with_number { builder.number(number) } else { builder };
    Arc::new(builder.build(generation))
}

/// Which of `shards` engines a datagram belongs to, as the hand-off between shards decides it.
pub fn owner(bytes: &[u8], key: &ShardKey, shards: usize) -> usize {
    virtual_shard(bytes, key).map_or(0, |shard| usize::from(shard.0) % shards)
}

fn organization() -> Organization {
    Organization {
        sid: OrganizationSid(1),
        domain: "example.com".into(),
        status: Status::Active,
        match_mode: MatchMode::Full,
        base_url: None,
        post_query_in_body: false,
        skip_media_verbs: false,
        registrar: None,
        default_application: None,
        is_default: true,
    }
}

fn account() -> Account {
    Account {
        sid: AccountSid(2),
        organization: OrganizationSid(1),
        parent: None,
        status: Status::Active,
        default_application: None,
        keys: Arc::new(SigningKeys::default()),
        max_calls: None,
        max_calls_per_second: None,
        gateway_group: None,
    }
}

fn trunk() -> Trunk {
    let net = |a, b, c, d, length| Prefix { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length };
    Trunk {
        sid: TrunkSid(3),
        name: "carrier".into(),
        status: Status::Active,
        organization: Some(OrganizationSid(1)),
        // The router's own address too, so that spirals come in as calls.
        sources: vec![net(198, 51, 100, 0, 24), net(192, 0, 2, 1, 32)],
        listener: None,
        source_port: None,
        request_host: None,
        tgrp: None,
        trunk_context: None,
        tls_name: None,
        dialled_from: DialledFrom::default(),
        caller_from: CallerFrom::default(),
        numbers: NumberProfile::default(),
        mode: TrunkMode::Call,
        ring_at_once: true,
        single_early_dialog: false,
        force_rport: false,
        nat: Nat::Auto,
        trusted: false,
        emergency_numbers: Vec::new(),
        max_calls: None,
        max_calls_per_second: None,
        limit_code: 486,
        webhook_failure_status: None,
        header_rules: Default::default(),
    }
}
