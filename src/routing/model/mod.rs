//! The things routing knows, as values: what the store loads, the API writes and the engine reads.
//!
//! No type here knows SQL, JSON or HTTP; `store`, `api` and `webhook` own their forms and convert.
//!
//! - Here: organizations, accounts, applications and numbers, all of them at once and what changed.
//! - `peers`: trunks and gateways. `digest`: what a trunk proves itself by. `dialling`: what an account may dial.

mod dialling;
mod digest;
mod peers;

use std::sync::Arc;

use crate::ids::{AccountSid, ApplicationSid, NumberSid, OrganizationSid};

pub use super::peer_policy::{Follow, ForwardedAs, HeaderAction, HeaderRule, HeaderRules, Way};
pub use dialling::{DialPolicy, Undialable};
pub use digest::{DigestAlgorithm, TrunkDigest};
pub use peers::{
    CallerFrom, CallerIdFormat, Credentials, DEFAULT_GROUP, DialledFrom, Gateway, Nat, NumberProfile,
    NumberRule, Prefix, Trunk, TrunkMode,
};

/// How an organization's patterns are matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MatchMode {
    /// The whole dialled form must match.
    #[default]
    Full,
    /// Anywhere in the dialled form, as Restcomm does; for those who migrate.
    Search,
}

/// Whether an organization, account or application may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// In use.
    #[default]
    Active,
    /// Out of use for now.
    Suspended,
    /// Out of use for good.
    Closed,
}

/// A tenant's SIP domain and the rules that hold in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// Identity.
    pub sid: OrganizationSid,
    /// The host of its SIP URIs, lower case, without a trailing dot.
    pub domain: Arc<str>,
    /// Whether it routes.
    pub status: Status,
    /// How its patterns match.
    pub match_mode: MatchMode,
    /// What relative URLs of its applications resolve against; `https://<domain>` when unset.
    pub base_url: Option<Arc<str>>,
    /// `post-query = "body"`: a POST moves the URL's query into the body, as Restcomm does.
    pub post_query_in_body: bool,
    /// `without-media = "skip"`: verbs that need media are skipped instead of failing to the fallback.
    pub skip_media_verbs: bool,
    /// Where `<Client>` goes: the SIP registrar of the organization, a SIP URI.
    pub registrar: Option<Arc<str>>,
    /// The application of numbers that have none, after the account's own.
    pub default_application: Option<ApplicationSid>,
    /// The organization that unmatched hosts belong to.
    pub is_default: bool,
}

impl Organization {
    /// An organization that only has its name, with the defaults of the table.
    #[must_use]
    pub fn at(sid: OrganizationSid, domain: impl Into<Arc<str>>) -> Self {
        Self {
            sid,
            domain: domain.into(),
            status: Status::Active,
            match_mode: MatchMode::Full,
            base_url: None,
            post_query_in_body: false,
            skip_media_verbs: false,
            registrar: None,
            default_application: None,
            is_default: false,
        }
    }
}

/// Who owns numbers and answers for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Identity.
    pub sid: AccountSid,
    /// Its organization.
    pub organization: OrganizationSid,
    /// The account it is a sub-account of.
    pub parent: Option<AccountSid>,
    /// Whether its numbers route.
    pub status: Status,
    /// The application of numbers that have none.
    pub default_application: Option<ApplicationSid>,
    /// What its webhooks are signed with.
    pub keys: Arc<SigningKeys>,
    /// Calls at once; `None`: no limit.
    pub max_calls: Option<u32>,
    /// New calls per second; `None`: no limit.
    pub max_calls_per_second: Option<u32>,
    /// The group of gateways of its `<Number>`s that name none; `None`: [`DEFAULT_GROUP`].
    pub gateway_group: Option<Arc<str>>,
    /// Where its documents may lead.
    pub dialling: DialPolicy,
}

impl Account {
    /// An account with the defaults of the table, and nothing to sign with.
    #[must_use]
    pub fn of(organization: OrganizationSid, sid: AccountSid) -> Self {
        Self {
            sid,
            organization,
            parent: None,
            status: Status::Active,
            default_application: None,
            keys: Arc::default(),
            max_calls: None,
            max_calls_per_second: None,
            gateway_group: None,
            dialling: DialPolicy::default(),
        }
    }
}

/// The secrets of one account. `Debug` shows nothing of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SigningKeys {
    /// `X-Twilio-Signature`: the account's auth token.
    pub auth_token: String,
    /// Standard Webhooks: up to two secrets, so that one can be rotated out (raw bytes).
    pub webhook_secrets: Vec<Vec<u8>>,
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKeys(…)")
    }
}

/// The method of a request to an application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// Parameters in the query.
    Get,
    /// Parameters in a form-encoded body.
    #[default]
    Post,
}

/// A URL of an application with its method, as stored: possibly relative, possibly with `#tt=…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Hook {
    /// The URL as stored.
    pub url: Arc<str>,
    /// How it is asked.
    pub method: Method,
}

/// URLs that many numbers share. What an application leaves unset is taken from the number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Identity.
    pub sid: ApplicationSid,
    /// Owner.
    pub account: AccountSid,
    /// `RcmlUrl`.
    pub voice: Option<Hook>,
    /// `VoiceFallbackUrl`.
    pub voice_fallback: Option<Hook>,
    /// `StatusCallback`.
    pub status_callback: Option<Hook>,
    /// Whether a provider is asked for callers' names.
    pub name_lookup: bool,
    /// `SmsUrl`.
    pub sms: Option<Hook>,
    /// `SmsFallbackUrl`.
    pub sms_fallback: Option<Hook>,
    /// `ReferUrl`.
    pub refer: Option<Hook>,
}

/// What is asked and told about the calls of a number; shared by all numbers that have the same.
///
/// A number's own profile names its application; the profile in a decision and in
/// [`crate::call::facts::CallFacts`] has the application's URLs laid over it already, so that an
/// edited application is one small change and not one per number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct VoiceProfile {
    /// Asked what to do with a call.
    pub voice: Option<Hook>,
    /// Asked when `voice` fails.
    pub voice_fallback: Option<Hook>,
    /// Told what became of the call.
    pub status_callback: Option<Hook>,
    /// A SIP URI for when no URL gave a document.
    pub fallback_target: Option<Arc<str>>,
    /// The number's application, where it names one.
    pub application: Option<ApplicationSid>,
    /// Whether a provider is asked for the caller's name.
    pub name_lookup: bool,
    /// Put before the caller's name.
    pub name_prefix: Option<Arc<str>>,
    /// Asked what to do with a MESSAGE.
    pub sms: Option<Hook>,
    /// Asked when `sms` fails.
    pub sms_fallback: Option<Hook>,
    /// The application of its messages, where it names one.
    pub sms_application: Option<ApplicationSid>,
    /// Asked what a REFER inside a call shall lead to.
    pub refer: Option<Hook>,
    /// The application of its transfers, where it names one.
    pub refer_application: Option<ApplicationSid>,
}

/// One number: an exact one, a pattern or the catch-all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    /// Identity.
    pub sid: NumberSid,
    /// The row's own text: `+16508251255`, `1234`, `16.*`, `*`, `mms:+1…`.
    pub text: Arc<str>,
    /// Owner.
    pub account: AccountSid,
    /// The organization it is dialled in.
    pub organization: OrganizationSid,
    /// A pure SIP number: reachable in its own organization only. Provider numbers are unique in
    /// the system and reachable through any organization.
    pub is_sip: bool,
    /// Whether it routes (Kazoo's `in_service`).
    pub in_service: bool,
    /// The one that stands for its account where a caller has none to show.
    pub main: bool,
    /// What is asked and told about its calls.
    pub profile: Arc<VoiceProfile>,
}

impl Number {
    /// A pure SIP number that routes.
    #[must_use]
    pub fn of(
        organization: OrganizationSid,
        account: AccountSid,
        sid: NumberSid,
        text: &str,
        profile: &Arc<VoiceProfile>,
    ) -> Self {
        Self {
            sid,
            text: text.into(),
            account,
            organization,
            is_sip: true,
            in_service: true,
            main: false,
            profile: Arc::clone(profile),
        }
    }
}

/// Everything one generation of the directory is built from, apart from the numbers themselves,
/// which are many and come one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// All organizations.
    pub organizations: Vec<Arc<Organization>>,
    /// All accounts.
    pub accounts: Vec<Arc<Account>>,
    /// All applications.
    pub applications: Vec<Arc<Application>>,
    /// All trunks.
    pub trunks: Vec<Arc<Trunk>>,
    /// All gateways.
    pub gateways: Vec<Arc<Gateway>>,
}

/// What one step from a generation to the next changes; numbers it does not name stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Rows that are no longer there, or are in `written` under another text or organization.
    pub removed: Vec<NumberKey>,
    /// Rows that are new or changed.
    pub written: Vec<Number>,
    /// Everything but the numbers, where any of it changed.
    pub frame: Option<Frame>,
}

/// What finds one row in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberKey {
    /// Its identity.
    pub sid: NumberSid,
    /// Where it was dialled.
    pub organization: OrganizationSid,
    /// Its text.
    pub text: Arc<str>,
}
