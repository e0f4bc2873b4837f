//! The directory of the simulated world, and who owns which message.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use callgate::call::mint::ShardKey;
use callgate::engine::virtual_shard;
use callgate::ids::{AccountSid, NumberSid, OrganizationSid, TrunkSid};
use callgate::routing::model::{
    Account, Frame, Hook, Method, Number, Organization, Prefix, Trunk, VoiceProfile,
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
    Organization { is_default: true, ..Organization::at(OrganizationSid(1), "example.com") }
}

fn account() -> Account {
    Account::of(OrganizationSid(1), AccountSid(2))
}

fn trunk() -> Trunk {
    let net = |a, b, c, d, length| Prefix { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), length };
    Trunk {
        organization: Some(OrganizationSid(1)),
        // The router's own address too, so that spirals come in as calls.
        sources: vec![net(198, 51, 100, 0, 24), net(192, 0, 2, 1, 32)],
        ..Trunk::named(TrunkSid(3), "carrier")
    }
}
