//! The tables that people edit, column by column. The README documents them for SQL by hand.

use std::sync::Arc;

use jiff::Timestamp;

use crate::flow::Transport;
use crate::ids::{AccountSid, ApplicationSid, GatewaySid, NumberSid, OrganizationSid, TrunkSid};
use crate::routing::model::{
    CallerFrom, CallerIdFormat, DEFAULT_GROUP, DialledFrom, Follow, ForwardedAs, HeaderRules, MatchMode,
    Method, Nat, NumberProfile, NumberRule, Prefix, Status, TrunkMode,
};
use crate::store::secrets::Sealed;
use crate::store::table::table;

table! {
    /// An organization.
    OrganizationRow in "organizations" {
        /// Identity.
        1 id: OrganizationSid,
        /// Its SIP domain, lower case; unique.
        2 domain: String,
        /// What people call it.
        3 friendly_name: String,
        /// Whether it routes.
        4 status: Status,
        /// `full` or `search`.
        5 match_mode: MatchMode,
        /// What relative URLs resolve against; NULL: `https://<domain>`.
        6 base_url: Option<String>,
        /// A POST moves the URL's query into the body.
        7 post_query_in_body: bool,
        /// Verbs that need media are skipped instead of failing.
        8 skip_media_verbs: bool,
        /// A SIP URI that `<Client>` goes to.
        9 registrar: Option<String>,
        /// The application of numbers that have none, after the account's own.
        10 default_application_id: Option<ApplicationSid>,
        /// The one that unmatched hosts belong to; at most one.
        11 is_default: bool,
        /// When it was made.
        12 created_at: Timestamp,
        /// When it was last changed.
        13 updated_at: Timestamp,
    }
}

table! {
    /// An account.
    AccountRow in "accounts" {
        /// Identity.
        1 id: AccountSid,
        /// Its organization; empty in SQL by hand: the default one.
        2 organization_id: OrganizationSid,
        /// The account it is a sub-account of.
        3 parent_id: Option<AccountSid>,
        /// What people call it.
        4 friendly_name: String,
        /// Whether its numbers route and its token is accepted.
        5 status: Status,
        /// `super-admin`, `admin` or `developer`.
        6 role: Role,
        /// The auth token, sealed; see [`crate::store::Store::set_auth_token`].
        7 auth_token: Option<Sealed>,
        /// What the token is looked up by.
        8 auth_token_hash: Option<String>,
        /// Standard Webhooks secrets, sealed.
        9 webhook_secret: Option<Sealed>,
        /// The former secret while it is being rotated out, sealed.
        10 former_webhook_secret: Option<Sealed>,
        /// The application of numbers that have none.
        11 default_application_id: Option<ApplicationSid>,
        /// Calls at once; NULL: no limit.
        12 max_calls: Option<u32>,
        /// New calls per second; NULL: no limit.
        13 max_calls_per_second: Option<u32>,
        /// Exact numbers it may have; NULL: no limit.
        14 max_numbers: Option<u32>,
        /// Patterns it may have; NULL: no limit.
        15 max_patterns: Option<u32>,
        /// API requests per second; NULL: no limit.
        16 max_requests_per_second: Option<u32>,
        /// Whether it may add numbers through Kazoo's API.
        17 allow_additions: bool,
        /// Owns what SQL by hand gives no owner; at most one.
        18 is_default: bool,
        /// The group of gateways of its Numbers that name none; NULL: `default`.
        19 gateway_group: Option<String>,
        /// When it was made.
        20 created_at: Timestamp,
        /// When it was last changed.
        21 updated_at: Timestamp,
    }
}

table! {
    /// An application: URLs that many numbers share.
    ApplicationRow in "applications" {
        /// Identity.
        1 id: ApplicationSid,
        /// Owner; empty in SQL by hand: the default account.
        2 account_id: AccountSid,
        /// What people call it.
        3 friendly_name: String,
        /// `voice`, `sms` or `ussd`.
        4 kind: String,
        /// `RcmlUrl`, alias VoiceUrl.
        5 voice_url: Option<String>,
        /// How it is asked.
        6 voice_method: Method,
        /// Asked when it fails.
        7 voice_fallback_url: Option<String>,
        /// How.
        8 voice_fallback_method: Method,
        /// Whether the caller's name is looked up.
        9 voice_caller_id_lookup: bool,
        /// Told what became of the call.
        10 status_callback: Option<String>,
        /// How.
        11 status_callback_method: Method,
        /// For messages.
        12 sms_url: Option<String>,
        /// How.
        13 sms_method: Method,
        /// When it fails.
        14 sms_fallback_url: Option<String>,
        /// How.
        15 sms_fallback_method: Method,
        /// For REFER.
        16 refer_url: Option<String>,
        /// How.
        17 refer_method: Method,
        /// When it was made.
        18 created_at: Timestamp,
        /// When it was last changed.
        19 updated_at: Timestamp,
    }
}

table! {
    /// A number: an exact one, a pattern or the catch-all.
    NumberRow in "numbers" {
        /// Identity.
        1 id: NumberSid,
        /// Owner; empty in SQL by hand: the default account.
        2 account_id: AccountSid,
        /// Always the account's organization; triggers keep it so whatever is written.
        3 organization_id: OrganizationSid,
        /// The text that is dialled, or a pattern.
        4 number: String,
        /// A pure SIP number: unique per organization; a provider number is unique in the system.
        5 is_sip: bool,
        /// Kazoo's words; `in_service`, `port_in` and `port_out` route.
        6 state: NumberState,
        /// What people call it; NULL: its digits.
        7 friendly_name: Option<String>,
        /// Asked what to do with a call.
        8 voice_url: Option<String>,
        /// How.
        9 voice_method: Method,
        /// Asked when it fails.
        10 voice_fallback_url: Option<String>,
        /// How.
        11 voice_fallback_method: Method,
        /// Its application, whose URLs win over the number's.
        12 voice_application_id: Option<ApplicationSid>,
        /// Whether the caller's name is looked up.
        13 voice_caller_id_lookup: bool,
        /// Told what became of the call.
        14 status_callback: Option<String>,
        /// How.
        15 status_callback_method: Method,
        /// A SIP URI for when no URL gave a document.
        16 fallback_target: Option<String>,
        /// For messages.
        17 sms_url: Option<String>,
        /// How.
        18 sms_method: Method,
        /// When it fails.
        19 sms_fallback_url: Option<String>,
        /// How.
        20 sms_fallback_method: Method,
        /// The messages' application.
        21 sms_application_id: Option<ApplicationSid>,
        /// For REFER.
        22 refer_url: Option<String>,
        /// How.
        23 refer_method: Method,
        /// REFER's application.
        24 refer_application_id: Option<ApplicationSid>,
        /// For USSD.
        25 ussd_url: Option<String>,
        /// How.
        26 ussd_method: Method,
        /// When it fails.
        27 ussd_fallback_url: Option<String>,
        /// How.
        28 ussd_fallback_method: Method,
        /// USSD's application.
        29 ussd_application_id: Option<ApplicationSid>,
        /// Capability, which informs and blocks nothing.
        30 voice_capable: bool,
        /// Capability.
        31 sms_capable: bool,
        /// Capability.
        32 mms_capable: bool,
        /// Capability.
        33 fax_capable: bool,
        /// The name that goes with it where it is shown as the caller.
        34 caller_id_name: Option<String>,
        /// The account's canonical number; at most one, and always shared.
        35 main: bool,
        /// Offered to everybody of the account as the caller to show.
        36 shared: bool,
        /// What uses it, in Kazoo's words; NULL: what its URLs say.
        37 used_by: Option<String>,
        /// Whose it was before.
        38 previous_account_id: Option<AccountSid>,
        /// The accounts that reserved it, the last first: a number that is given back goes to the one before.
        39 reserve_history: Vec<AccountSid>,
        /// It came from another carrier.
        40 ported_in: bool,
        /// What Kazoo's clients say of it beside the other columns: a JSON object.
        41 fields: Fields,
        /// Put before the name of who calls.
        42 caller_name_prefix: Option<String>,
        /// Who carries it, in Kazoo's words; NULL: `local`.
        43 carrier: Option<String>,
        /// When it was made.
        44 created_at: Timestamp,
        /// When it was last changed.
        45 updated_at: Timestamp,
    }
}

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
        /// When it was made.
        31 created_at: Timestamp,
        /// When it was last changed.
        32 updated_at: Timestamp,
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
        /// When it was made.
        23 created_at: Timestamp,
        /// When it was last changed.
        24 updated_at: Timestamp,
    }
}

/// A JSON object in a column.
pub type Fields = serde_json::Map<String, serde_json::Value>;

/// What an account may do through the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Everything, in every organization.
    SuperAdmin,
    /// Everything in its organization.
    Admin,
    /// What is its own.
    #[default]
    Developer,
}

/// The states of a number, in Kazoo's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NumberState {
    /// Known to a carrier.
    Discovery,
    /// In the inventory, nobody's.
    Available,
    /// Somebody's, not routed.
    Reserved,
    /// Routed.
    #[default]
    InService,
    /// On its way in.
    PortIn,
    /// On its way out.
    PortOut,
    /// Given back.
    Released,
    /// Given back; waits before anybody else may have it.
    Aging,
    /// Taken away by the carrier.
    Disconnected,
    /// Gone.
    Deleted,
}

impl NumberState {
    /// The condition of numbers that somebody has, as [`NumberState::is_held`] says.
    pub(crate) const HELD: &'static str = Self::AND_HELD.split_at(4).1;
    /// The same behind another condition.
    pub(crate) const AND_HELD: &'static str =
        "AND state NOT IN ('discovery', 'available', 'released', 'aging', 'deleted') ";

    /// Whether somebody has a number in this state; the others are as if they were not there.
    #[must_use]
    pub const fn is_held(self) -> bool {
        !matches!(self, Self::Discovery | Self::Available | Self::Released | Self::Aging | Self::Deleted)
    }
}

impl NumberRow {
    /// A number with the defaults of the table; id and dates are given when it is created.
    #[must_use]
    pub fn new(account: AccountSid, organization: OrganizationSid, number: impl Into<String>) -> Self {
        Self {
            id: NumberSid(0),
            account_id: account,
            organization_id: organization,
            number: number.into(),
            is_sip: false,
            state: NumberState::InService,
            friendly_name: None,
            voice_url: None,
            voice_method: Method::Post,
            voice_fallback_url: None,
            voice_fallback_method: Method::Post,
            voice_application_id: None,
            voice_caller_id_lookup: false,
            status_callback: None,
            status_callback_method: Method::Post,
            fallback_target: None,
            sms_url: None,
            sms_method: Method::Post,
            sms_fallback_url: None,
            sms_fallback_method: Method::Post,
            sms_application_id: None,
            refer_url: None,
            refer_method: Method::Post,
            refer_application_id: None,
            ussd_url: None,
            ussd_method: Method::Post,
            ussd_fallback_url: None,
            ussd_fallback_method: Method::Post,
            ussd_application_id: None,
            voice_capable: true,
            sms_capable: true,
            mms_capable: false,
            fax_capable: false,
            caller_id_name: None,
            main: false,
            shared: false,
            used_by: None,
            previous_account_id: None,
            reserve_history: Vec::new(),
            ported_in: false,
            fields: Fields::new(),
            caller_name_prefix: None,
            carrier: None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }
}

impl OrganizationRow {
    /// An organization with the defaults of the table.
    #[must_use]
    pub fn new(domain: impl Into<String>) -> Self {
        let domain = domain.into();
        Self {
            id: OrganizationSid(0),
            friendly_name: domain.clone(),
            domain,
            status: Status::Active,
            match_mode: MatchMode::Full,
            base_url: None,
            post_query_in_body: false,
            skip_media_verbs: false,
            registrar: None,
            default_application_id: None,
            is_default: false,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }
}

impl AccountRow {
    /// An account with the defaults of the table, without a token.
    #[must_use]
    pub fn new(organization: OrganizationSid, friendly_name: impl Into<String>) -> Self {
        Self {
            id: AccountSid(0),
            organization_id: organization,
            parent_id: None,
            friendly_name: friendly_name.into(),
            status: Status::Active,
            role: Role::Developer,
            auth_token: None,
            auth_token_hash: None,
            webhook_secret: None,
            former_webhook_secret: None,
            default_application_id: None,
            max_calls: None,
            max_calls_per_second: None,
            max_numbers: None,
            max_patterns: None,
            max_requests_per_second: None,
            allow_additions: false,
            is_default: false,
            gateway_group: None,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }
}

impl ApplicationRow {
    /// An application with the defaults of the table.
    #[must_use]
    pub fn new(account: AccountSid, friendly_name: impl Into<String>) -> Self {
        Self {
            id: ApplicationSid(0),
            account_id: account,
            friendly_name: friendly_name.into(),
            kind: "voice".to_owned(),
            voice_url: None,
            voice_method: Method::Post,
            voice_fallback_url: None,
            voice_fallback_method: Method::Post,
            voice_caller_id_lookup: false,
            status_callback: None,
            status_callback_method: Method::Post,
            sms_url: None,
            sms_method: Method::Post,
            sms_fallback_url: None,
            sms_fallback_method: Method::Post,
            refer_url: None,
            refer_method: Method::Post,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
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
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::NumberState;
    use crate::store::column::Word;

    #[test]
    fn the_condition_names_just_the_states_in_which_nobody_has_a_number() {
        use NumberState::{
            Aging, Available, Deleted, Disconnected, Discovery, InService, PortIn, PortOut, Released,
            Reserved,
        };
        for state in [
            Discovery,
            Available,
            Reserved,
            InService,
            PortIn,
            PortOut,
            Released,
            Aging,
            Disconnected,
            Deleted,
        ] {
            let named = NumberState::HELD.contains(&format!("'{}'", state.word()));
            assert_eq!(named, !state.is_held(), "{state:?}");
        }
    }
}
