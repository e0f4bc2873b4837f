//! Trunks and gateways.

use std::sync::Arc;

use jiff::Timestamp;

use crate::flow::Transport;
use crate::ids::{GatewaySid, OrganizationSid, TrunkSid};
use crate::routing::model::{
    CallerFrom, CallerIdFormat, DEFAULT_GROUP, DialledFrom, Follow, ForwardedAs, HeaderRules, Nat,
    NumberProfile, NumberRule, Prefix, Status, TrunkMode,
};
use crate::store::secrets::Sealed;
use crate::store::table::table;

table! {
    /// A trunk.
    TrunkRow in "trunks" {
        /// Identity.
        1 id: TrunkSid,
        /// What operators call it; unique.
        2 name: String,
        /// Whether it may call.
        3 status: Status,
        /// The organization it is bound to; NULL: a shared trunk.
        4 organization_id: Option<OrganizationSid>,
        /// Addresses and prefixes, parted by commas.
        5 sources: Vec<Prefix>,
        /// The listener's name.
        6 listener: Option<String>,
        /// The source port.
        7 source_port: Option<u16>,
        /// The Request-URI's host.
        8 request_host: Option<String>,
        /// RFC 4904.
        9 tgrp: Option<String>,
        /// RFC 4904.
        10 trunk_context: Option<String>,
        /// A domain that its client certificate proves.
        11 tls_name: Option<String>,
        /// `request-uri`, `to` or `header:NAME`.
        12 dialled_from: DialledFrom,
        /// `from`, `p-asserted-identity` or `remote-party-id`.
        13 caller_from: CallerFrom,
        /// Without `+`.
        14 country_code: String,
        /// `011` or `00`.
        15 international_prefix: String,
        /// `1` or `0`; empty: none.
        16 national_prefix: String,
        /// JSON: see [`NumberRule`].
        17 number_rules: Vec<NumberRule>,
        /// Numbers that get no derived form.
        18 short_codes: Vec<String>,
        /// `call` or `redirect`.
        19 mode: TrunkMode,
        /// 180 before the webhook is asked.
        20 ring_at_once: bool,
        /// One To tag toward this trunk.
        21 single_early_dialog: bool,
        /// Answer to the source port even without `rport`.
        22 force_rport: bool,
        /// `auto`, `on` or `off`.
        23 nat: Nat,
        /// Its identity headers are believed.
        24 trusted: bool,
        /// Numbers that are emergency calls here.
        25 emergency_numbers: Vec<Arc<str>>,
        /// Calls at once; NULL: no limit.
        26 max_calls: Option<u32>,
        /// New calls per second; NULL: no limit.
        27 max_calls_per_second: Option<u32>,
        /// The answer at a limit.
        28 limit_code: u16,
        /// The answer when no URL gave a document.
        29 webhook_failure_status: Option<u16>,
        /// JSON: what of headers is passed, dropped and set.
        30 header_rules: HeaderRules,
        /// Whom it must prove to be by digest; NULL: it need not.
        31 auth_username: Option<String>,
        /// Hashed, then sealed; see [`crate::store::Store::seal_trunk_password`].
        32 auth_password: Option<Sealed>,
        /// The realm of the challenge.
        33 auth_realm: String,
        /// When it was made.
        34 created_at: Timestamp,
        /// When it was last changed.
        35 updated_at: Timestamp,
    }
}

table! {
    /// A gateway.
    GatewayRow in "gateways" {
        /// Identity.
        1 id: GatewaySid,
        /// What operators call it; unique.
        2 name: String,
        /// Whether it is used.
        3 status: Status,
        /// Whose calls it carries; NULL: everybody's.
        4 organization_id: Option<OrganizationSid>,
        /// Host name or address literal.
        5 host: String,
        /// NULL: 5060.
        6 port: Option<u16>,
        /// `udp`, `tcp`, `tls`; NULL: by size.
        7 transport: Option<Transport>,
        /// Serves emergency calls.
        8 emergency: bool,
        /// Its identity headers are believed.
        9 trusted: bool,
        /// `+e164`, `e164` or `national`.
        10 caller_id_format: CallerIdFormat,
        /// Shows a number of the account instead of the caller's own.
        11 own_caller_id: bool,
        /// Lower ones are tried first.
        12 priority: u16,
        /// Its share among equals of priority.
        13 weight: u16,
        /// The group it is one of.
        14 group_name: String,
        /// Carries the verbs that need media.
        15 media: bool,
        /// What its challenges are answered with.
        16 username: Option<String>,
        /// Sealed; see [`crate::store::Store::seal_password`].
        17 password: Option<Sealed>,
        /// The only realm they are for; NULL: the first it names.
        18 realm: Option<String>,
        /// JSON: what of headers is passed, dropped and set.
        19 header_rules: HeaderRules,
        /// `no`, `known` or `any`.
        20 follow_redirects: Follow,
        /// `none`, `diversion` or `history-info`.
        21 forwarded_as: ForwardedAs,
        /// Seconds between its checks; 0: none; NULL: as the configuration says.
        22 options_interval: Option<u16>,
        /// Since when it gets no new calls; NULL: it gets them.
        23 draining_since: Option<Timestamp>,
        /// When it was made.
        24 created_at: Timestamp,
        /// When it was last changed.
        25 updated_at: Timestamp,
    }
}

impl TrunkRow {
    /// A trunk with the defaults of the table.
    #[must_use]
    pub fn new(name: impl Into<String>, sources: Vec<Prefix>) -> Self {
        let profile = NumberProfile::default();
        Self {
            id: TrunkSid(0),
            name: name.into(),
            status: Status::Active,
            organization_id: None,
            sources,
            listener: None,
            source_port: None,
            request_host: None,
            tgrp: None,
            trunk_context: None,
            tls_name: None,
            dialled_from: DialledFrom::RequestUri,
            caller_from: CallerFrom::From,
            country_code: profile.country_code,
            international_prefix: profile.international_prefix,
            national_prefix: profile.national_prefix,
            number_rules: profile.rules,
            short_codes: profile.short_codes,
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
            header_rules: HeaderRules::default(),
            auth_username: None,
            auth_password: None,
            auth_realm: "callgate".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }
}

impl GatewayRow {
    /// A gateway with the defaults of the table.
    #[must_use]
    pub fn new(name: impl Into<String>, host: impl Into<String>) -> Self {
        Self {
            id: GatewaySid(0),
            name: name.into(),
            status: Status::Active,
            organization_id: None,
            host: host.into(),
            port: None,
            transport: None,
            emergency: false,
            trusted: false,
            caller_id_format: CallerIdFormat::PlusE164,
            own_caller_id: false,
            priority: 10,
            weight: 10,
            group_name: DEFAULT_GROUP.into(),
            media: false,
            username: None,
            password: None,
            realm: None,
            header_rules: HeaderRules::default(),
            follow_redirects: Follow::No,
            forwarded_as: ForwardedAs::None,
            options_interval: None,
            draining_since: None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }
}
