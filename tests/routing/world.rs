//! A small directory to dial in: organizations `a.test`, `b.test`, `c.test`.

use std::sync::Arc;

use callgate::ids::{AccountSid, NumberSid, OrganizationSid, TrunkSid};
use callgate::routing::model::*;
use callgate::routing::{Address, Decision, Directory, Inbound, decide};

/// The organizations of every case.
pub const NAMES: [&str; 3] = ["A", "B", "C"];

/// `A` is 1, and so on.
pub fn organization_sid(name: &str) -> OrganizationSid {
    let at = NAMES.iter().position(|known| *known == name).expect("a known organization");
    OrganizationSid(at as u128 + 1)
}

/// `a.test`; a host nobody knows for `-`.
pub fn host(name: &str) -> String {
    if name == "-" { "192.0.2.1".to_owned() } else { format!("{}.test", name.to_lowercase()) }
}

/// Organizations without a default one, each with an account.
pub fn frame(match_mode: MatchMode) -> Frame {
    let organization = |name: &&str| {
        Arc::new(Organization { match_mode, ..Organization::at(organization_sid(name), host(name)) })
    };
    let account = |name: &&str| Arc::new(account(organization_sid(name)));
    Frame {
        organizations: NAMES.iter().map(organization).collect(),
        accounts: NAMES.iter().map(account).collect(),
        ..Frame::default()
    }
}

/// The account of an organization has its number.
pub fn account(organization: OrganizationSid) -> Account {
    Account::of(organization, AccountSid(organization.0))
}

/// A number of `organization` that asks one URL.
pub fn number(sid: u128, organization: &str, text: &str, is_sip: bool) -> Number {
    let organization = organization_sid(organization);
    let hook = Hook { url: "https://app.test/voice".into(), method: Method::Post };
    let profile = Arc::new(VoiceProfile { voice: Some(hook), ..VoiceProfile::default() });
    let account = AccountSid(organization.0);
    Number { is_sip, ..Number::of(organization, account, NumberSid(sid), text, &profile) }
}

/// A shared trunk that matches 192.0.2.0/24.
pub fn trunk() -> Trunk {
    Trunk {
        sources: vec![Prefix { address: [192, 0, 2, 0].into(), length: 24 }],
        ..Trunk::named(TrunkSid(1), "trunk")
    }
}

/// Dials `user` at `to` from `from` over a shared trunk.
pub fn dial<'d>(directory: &'d Directory, trunk: &Trunk, user: &str, from: &str, to: &str) -> Decision<'d> {
    let (from, to) = (host(from), host(to));
    let request = Address { user: user.as_bytes(), host: to.as_bytes(), ..Address::default() };
    decide(directory, &Inbound { from_host: from.as_bytes(), ..inbound(trunk, request) })
}

/// A request from nowhere over a trunk.
pub fn inbound<'a>(trunk: &'a Trunk, request: Address<'a>) -> Inbound<'a> {
    Inbound {
        trunk: Some(trunk),
        unknown_organization: None,
        request,
        to: Address { user: b"else", host: b"192.0.2.9", ..Address::default() },
        from_host: b"",
        header: None,
    }
}
