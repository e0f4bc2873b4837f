//! Organizations, accounts and applications.

use jiff::Timestamp;

use crate::ids::{AccountSid, ApplicationSid, OrganizationSid};
use crate::routing::model::{MatchMode, Method, Status};
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
        /// Hosts that its `<Sip>` targets may be at; empty: any.
        20 dial_domains: Vec<String>,
        /// What its `<Number>`s may begin with, in E.164.
        21 dial_prefixes: Vec<String>,
        /// Country codes of its `<Number>`s; empty like the prefixes: any number.
        22 dial_countries: Vec<String>,
        /// Targets a minute; NULL: no limit.
        23 dial_per_minute: Option<u32>,
        /// When it was made.
        24 created_at: Timestamp,
        /// When it was last changed.
        25 updated_at: Timestamp,
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
            dial_domains: Vec::new(),
            dial_prefixes: Vec::new(),
            dial_countries: Vec::new(),
            dial_per_minute: None,
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
