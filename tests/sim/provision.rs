//! The directory of the simulated world, and who owns which message.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use callgate::call::mint::ShardKey;
use callgate::engine::virtual_shard;
use callgate::ids::{AccountSid, GatewaySid, NumberSid, OrganizationSid, TrunkSid};
use callgate::routing::model::{
    Account, Credentials, Follow, Frame, Gateway, Hook, Method, Number, Organization, Prefix, Trunk,
    TrunkMode, VoiceProfile,
};
use callgate::routing::{Builder, Directory};

/// Callers of a wide world stand here: their trunk is trusted with identity, hears one early dialog,
/// both, or is told where to go instead of being connected.
pub const TRUSTED: u8 = 11;
pub const SINGLE: u8 = 12;
pub const REDIRECT: u8 = 13;
pub const CLOSE: u8 = 14;
/// Gateways of a wide world: the usual one, which is trusted, two of a group, one that wants a password, and two that
/// know somebody else.
pub const GATEWAYS: [(u8, &str); 6] =
    [(61, "default"), (62, "plain"), (63, "plain"), (64, "guarded"), (65, "guide"), (66, "careful guide")];
/// Which of them are trusted.
pub const IN_CONFIDENCE: [u8; 3] = [61, 64, 65];

/// The user that a guarded target lets in, and how.
pub const USER: &str = "router";
pub const PASSWORD: &str = "open, \"sesame\"";
pub const REALM: &str = "pbx";

/// One organization, one trunk, and one number, 1000, which operators take away for a while. In a wide
/// world: several trunks, and gateways.
pub fn directory(generation: u64, with_number: bool, wide: bool) -> Arc<Directory> {
    let frame = Frame {
        organizations: vec![Arc::new(organization())],
        accounts: vec![Arc::new(account())],
        trunks: if wide { trunks() } else { vec![Arc::new(trunk())] },
        gateways: if wide { gateways() } else { Vec::new() },
        ..Frame::default()
    };
    let hook =
        |path: &str| Some(Hook { url: format!("https://app.example/{path}").into(), method: Method::Post });
    let profile = VoiceProfile {
        voice: hook("voice"),
        status_callback: hook("status"),
        refer: hook("refer"),
        sms: hook("sms"),
        ..VoiceProfile::default()
    };
    let number = Number::of(OrganizationSid(1), AccountSid(2), NumberSid(4), "1000", &Arc::new(profile));
    let builder = Builder::new(frame);
    let builder = if with_number { builder.number(number) } else { builder };
    Arc::new(builder.build(generation))
}

/// Which of `shards` engines a datagram belongs to, as the hand-off between shards decides it.
pub fn owner(bytes: &[u8], key: &ShardKey, shards: usize) -> usize {
    virtual_shard(bytes, key).map_or(0, |shard| usize::from(shard.0) % shards)
}

fn organization() -> Organization {
    Organization { is_default: true, ..Organization::at(OrganizationSid(1), "example.com") }
}

fn account() -> Account {
    Account::of(OrganizationSid(1), AccountSid(2))
}

fn net(a: u8, b: u8, c: u8, d: u8, length: u8) -> Prefix {
    Prefix { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length }
}

fn trunks() -> Vec<Arc<Trunk>> {
    let own = |last: u8| Trunk {
        organization: Some(OrganizationSid(1)),
        sources: vec![net(198, 51, 100, last, 32)],
        trusted: [TRUSTED, CLOSE].contains(&last),
        single_early_dialog: [SINGLE, CLOSE].contains(&last),
        mode: if last == REDIRECT { TrunkMode::Redirect } else { TrunkMode::Call },
        ..Trunk::named(TrunkSid(last.into()), format!("trunk {last}"))
    };
    let all = [TRUSTED, SINGLE, REDIRECT, CLOSE].into_iter().map(own);
    std::iter::once(trunk()).chain(all).map(Arc::new).collect()
}

fn gateways() -> Vec<Arc<Gateway>> {
    let credentials = || Credentials {
        username: USER.to_owned(),
        password: PASSWORD.to_owned(),
        realm: Some(REALM.to_owned()),
    };
    let gateway = |(last, group): (u8, &str)| {
        let host = format!("203.0.113.{last}");
        Arc::new(Gateway {
            group: group.into(),
            priority: u16::from(last),
            trusted: IN_CONFIDENCE.contains(&last),
            credentials: (group == "guarded").then(|| Arc::new(credentials())),
            follow_redirects: match group {
                "guide" => Follow::Any,
                "careful guide" => Follow::Known,
                _ => Follow::No,
            },
            ..Gateway::at(GatewaySid(last.into()), format!("gateway {last}"), host)
        })
    };
    GATEWAYS.into_iter().map(gateway).collect()
}

fn trunk() -> Trunk {
    Trunk {
        organization: Some(OrganizationSid(1)),
        // The router's own address too, so that spirals come in as calls.
        sources: vec![net(198, 51, 100, 0, 24), net(192, 0, 2, 1, 32)],
        ..Trunk::named(TrunkSid(3), "carrier")
    }
}
