//! Who calls come from and go to: trunks, with how they write numbers, and gateways.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Follow, ForwardedAs, HeaderRules, Status, TrunkDigest};
use crate::flow::Transport;
use crate::ids::{GatewaySid, OrganizationSid, TrunkSid};

/// Which part of the INVITE holds the dialled number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum DialledFrom {
    /// The user part of the Request-URI.
    #[default]
    RequestUri,
    /// The user part of the To header.
    To,
    /// The user part of the first URI in another header.
    Header(Arc<str>),
}

/// Where the caller's number is taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallerFrom {
    /// The From header.
    #[default]
    From,
    /// P-Asserted-Identity, where it is there.
    PAssertedIdentity,
    /// Remote-Party-ID, where it is there.
    RemotePartyId,
}

/// One ordered rule of a number profile: applied when the dialled digits begin with `prefix` and
/// their count is within the bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NumberRule {
    /// What the digits must begin with; empty: anything.
    pub prefix: String,
    /// Least and greatest length the rule applies to, the prefix included; 0: no bound.
    pub min_length: u8,
    /// See `min_length`.
    pub max_length: u8,
    /// How many leading characters to take away.
    pub strip: u8,
    /// What to put in front then.
    pub prepend: String,
}

/// How a trunk writes numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberProfile {
    /// The country code without `+`; `1` takes the small model of Restcomm for region US.
    pub country_code: String,
    /// The international prefix, `011` or `00`.
    pub international_prefix: String,
    /// The national (trunk) prefix, `1` or `0`; empty: none.
    pub national_prefix: String,
    /// Applied in order before the forms.
    pub rules: Vec<NumberRule>,
    /// Numbers that get no derived form. `112`, `911`, N11 and whatever holds `*` or `#` always.
    pub short_codes: Vec<String>,
}

impl Default for NumberProfile {
    fn default() -> Self {
        Self {
            country_code: "1".into(),
            international_prefix: "011".into(),
            national_prefix: "1".into(),
            rules: Vec::new(),
            short_codes: Vec::new(),
        }
    }
}

/// How in-dialog requests reach a peer behind NAT.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nat {
    /// On where the Contact is private or differs from the source and there is no Record-Route.
    #[default]
    Auto,
    /// In-dialog requests go to the source flow.
    On,
    /// They go to the Contact through the route set.
    Off,
}

/// What a trunk wants done with its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TrunkMode {
    /// A back-to-back user agent.
    #[default]
    Call,
    /// The decision comes back as 302 with Contacts.
    Redirect,
}

/// A prefix of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    /// Its first address.
    pub address: IpAddr,
    /// How many leading bits count.
    pub length: u8,
}

/// A SIP peer that may send calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trunk {
    /// Identity.
    pub sid: TrunkSid,
    /// What operators call it; unique.
    pub name: Arc<str>,
    /// Whether it may call.
    pub status: Status,
    /// The organization it is bound to; `None`: a shared trunk, which the From host tells apart.
    pub organization: Option<OrganizationSid>,
    /// Sources; the longest matching one wins.
    pub sources: Vec<Prefix>,
    /// Further keys, each narrowing: the listener's name, the source port, the Request-URI's host,
    /// `tgrp` and `trunk-context` (RFC 4904).
    pub listener: Option<Arc<str>>,
    /// See `listener`.
    pub source_port: Option<u16>,
    /// See `listener`.
    pub request_host: Option<Arc<str>>,
    /// See `listener`.
    pub tgrp: Option<Arc<str>>,
    /// See `listener`.
    pub trunk_context: Option<Arc<str>>,
    /// A domain that its TLS client certificate proves (mutual TLS); decides before the sources.
    pub tls_name: Option<Arc<str>>,
    /// Whom it must prove to be, by digest.
    pub digest: Option<Arc<TrunkDigest>>,
    /// Where the dialled number stands.
    pub dialled_from: DialledFrom,
    /// Where the caller's number stands.
    pub caller_from: CallerFrom,
    /// How it writes numbers.
    pub numbers: NumberProfile,
    /// What it wants done.
    pub mode: TrunkMode,
    /// 180 before the webhook is asked.
    pub ring_at_once: bool,
    /// One To tag toward this trunk, 18x as 180 without body (`early-dialogs = "single"`).
    pub single_early_dialog: bool,
    /// Answer to the source port even without `rport`.
    pub force_rport: bool,
    /// See [`Nat`].
    pub nat: Nat,
    /// Its identity headers are believed, and it is told ours (RFC 3325).
    pub trusted: bool,
    /// Numbers (as dialled) that are emergency calls on this trunk.
    pub emergency_numbers: Vec<Arc<str>>,
    /// Calls at once; `None`: no limit.
    pub max_calls: Option<u32>,
    /// New calls per second; `None`: no limit.
    pub max_calls_per_second: Option<u32>,
    /// The answer when a limit is reached (486).
    pub limit_code: u16,
    /// The answer when no URL gave a document; overrides 500, 404 and the static target.
    pub webhook_failure_status: Option<u16>,
    /// What of headers is passed, dropped and set in what it sends and is sent.
    pub header_rules: HeaderRules,
}

impl Trunk {
    /// A shared trunk that no source matches yet, with the defaults of the table.
    #[must_use]
    pub fn named(sid: TrunkSid, name: impl Into<Arc<str>>) -> Self {
        Self {
            sid,
            name: name.into(),
            status: Status::Active,
            organization: None,
            sources: Vec::new(),
            listener: None,
            source_port: None,
            request_host: None,
            tgrp: None,
            trunk_context: None,
            tls_name: None,
            digest: None,
            dialled_from: DialledFrom::default(),
            caller_from: CallerFrom::default(),
            numbers: NumberProfile::default(),
            mode: TrunkMode::default(),
            ring_at_once: true,
            single_early_dialog: false,
            force_rport: false,
            nat: Nat::default(),
            trusted: false,
            emergency_numbers: Vec::new(),
            max_calls: None,
            max_calls_per_second: None,
            limit_code: 486,
            webhook_failure_status: None,
            header_rules: HeaderRules::default(),
        }
    }
}

/// Where `<Number>` and emergency calls leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gateway {
    /// Identity.
    pub sid: GatewaySid,
    /// What operators call it; unique.
    pub name: Arc<str>,
    /// Whether it is used.
    pub status: Status,
    /// Whose calls it carries; `None`: those of every organization without one of its own.
    pub organization: Option<OrganizationSid>,
    /// Host name or address literal.
    pub host: Arc<str>,
    /// Port; `None`: 5060.
    pub port: Option<u16>,
    /// Transport; `None`: UDP, or TCP above 1300 octets.
    pub transport: Option<Transport>,
    /// Serves emergency calls.
    pub emergency: bool,
    /// Its identity headers are believed, and it is told ours (RFC 3325).
    pub trusted: bool,
    /// How it wants the caller's number.
    pub caller_id_format: CallerIdFormat,
    /// Shows a number of the account instead of the caller's own.
    pub own_caller_id: bool,
    /// Lower ones are tried first.
    pub priority: u16,
    /// Its share of the calls among equals of priority; 0: only behind them.
    pub weight: u16,
    /// The group it is one of, for `<Number>`s.
    pub group: Arc<str>,
    /// Carries the verbs that need media, and no `<Number>`.
    pub media: bool,
    /// It is checked by OPTIONS this often, in seconds; 0: not at all; `None`: as the configuration says.
    pub options_interval: Option<u16>,
    /// Gets no new calls; those it has go on, and its checks too.
    pub draining: bool,
    /// What its challenges are answered with.
    pub credentials: Option<Arc<Credentials>>,
    /// What of headers is passed, dropped and set in what it is sent and sends.
    pub header_rules: HeaderRules,
    /// Which Contacts of its 3xx are followed.
    pub follow_redirects: Follow,
    /// How it hears that a call was for another number first.
    pub forwarded_as: ForwardedAs,
}

impl Gateway {
    /// A gateway of nobody in particular, with the defaults of the table.
    #[must_use]
    pub fn at(sid: GatewaySid, name: impl Into<Arc<str>>, host: impl Into<Arc<str>>) -> Self {
        Self {
            sid,
            name: name.into(),
            status: Status::Active,
            organization: None,
            host: host.into(),
            port: None,
            transport: None,
            emergency: false,
            trusted: false,
            caller_id_format: CallerIdFormat::PlusE164,
            own_caller_id: false,
            priority: 10,
            weight: 10,
            group: DEFAULT_GROUP.into(),
            media: false,
            options_interval: None,
            draining: false,
            credentials: None,
            header_rules: HeaderRules::default(),
            follow_redirects: Follow::No,
            forwarded_as: ForwardedAs::None,
        }
    }
}

/// The group of a gateway that names none, and of a `<Number>` for which nobody names one.
pub const DEFAULT_GROUP: &str = "default";

/// Digest credentials toward a target. `Debug` hides the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
    /// The realm they are for; `None`: the first that the target names.
    pub realm: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// The spelling of a caller id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallerIdFormat {
    /// `+16508251255`.
    #[default]
    PlusE164,
    /// `16508251255`.
    E164,
    /// As written within the country.
    National,
}
