//! From rows to what routing knows.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ids::{AccountSid, ApplicationSid, NumberSid, OrganizationSid};
use crate::routing::model::{
    Account, Application, DialPolicy, Gateway, Hook, Method, Number, NumberProfile, Organization, Trunk,
    TrunkDigest, VoiceProfile,
};
use crate::routing::pattern::is_pattern;
use crate::store::column::Word as _;
use crate::store::error::BadRow;
use crate::store::keys::{gateway_credentials, signing_keys, trunk_digest};
use crate::store::packed::Packed;
use crate::store::rows::{AccountRow, ApplicationRow, GatewayRow, NumberState, OrganizationRow, TrunkRow};
use crate::store::secrets::Vault;
use crate::store::sql::Row;
use crate::store::table::{Table, cell, table};

/// An empty text in a column of URLs means none, as NULL does.
fn some(text: Option<&str>) -> Option<Arc<str>> {
    text.filter(|text| !text.is_empty()).map(Arc::from)
}

fn hook(url: Option<&str>, method: Method) -> Option<Hook> {
    some(url).map(|url| Hook { url, method })
}

/// An organization as routing knows it.
pub(crate) fn organization(row: OrganizationRow) -> Organization {
    Organization {
        sid: row.id,
        domain: row.domain.trim_end_matches('.').into(),
        status: row.status,
        match_mode: row.match_mode,
        base_url: some(row.base_url.as_deref()),
        post_query_in_body: row.post_query_in_body,
        skip_media_verbs: row.skip_media_verbs,
        registrar: some(row.registrar.as_deref()),
        default_application: row.default_application_id,
        is_default: row.is_default,
    }
}

/// An account as routing knows it, its keys opened.
pub(crate) fn account(row: &AccountRow, vault: &Vault) -> Result<Account, BadRow> {
    let keys = signing_keys(vault, row).map_err(|error| BadRow {
        table: "accounts",
        id: format!("{:032x}", row.id.0),
        column: "auth_token, webhook_secret or former_webhook_secret",
        value: error.to_string(),
        expected: "sealed under a key of the key file",
    })?;
    let dialling = dialling(row);
    if let Some(wrong) = dialling.mistake() {
        return Err(BadRow {
            table: "accounts",
            id: format!("{:032x}", row.id.0),
            column: wrong.list,
            value: wrong.text.to_owned(),
            expected: wrong.expected,
        });
    }
    Ok(Account {
        sid: row.id,
        organization: row.organization_id,
        parent: row.parent_id,
        status: row.status,
        default_application: row.default_application_id,
        keys: Arc::new(keys),
        max_calls: row.max_calls,
        max_calls_per_second: row.max_calls_per_second,
        gateway_group: some(row.gateway_group.as_deref()),
        dialling,
    })
}

/// What an account may dial.
pub(crate) fn dialling(row: &AccountRow) -> DialPolicy {
    DialPolicy {
        domains: row.dial_domains.clone(),
        prefixes: row.dial_prefixes.clone(),
        countries: row.dial_countries.clone(),
        per_minute: row.dial_per_minute,
    }
}

/// An application as routing knows it. One for messages is asked about them at its `RcmlUrl`, where it has no
/// other URL.
pub(crate) fn application(row: &ApplicationRow) -> Application {
    let messages = hook(row.sms_url.as_deref(), row.sms_method);
    let at_rcml = || hook(row.voice_url.as_deref(), row.voice_method).filter(|_| row.kind == "sms");
    Application {
        sid: row.id,
        account: row.account_id,
        voice: hook(row.voice_url.as_deref(), row.voice_method),
        voice_fallback: hook(row.voice_fallback_url.as_deref(), row.voice_fallback_method),
        status_callback: hook(row.status_callback.as_deref(), row.status_callback_method),
        name_lookup: row.voice_caller_id_lookup,
        sms: messages.or_else(at_rcml),
        sms_fallback: hook(row.sms_fallback_url.as_deref(), row.sms_fallback_method),
        refer: hook(row.refer_url.as_deref(), row.refer_method),
    }
}

/// A trunk as routing knows it.
pub(crate) fn trunk(row: TrunkRow) -> Trunk {
    Trunk {
        sid: row.id,
        name: row.name.into(),
        status: row.status,
        organization: row.organization_id,
        sources: row.sources,
        listener: some(row.listener.as_deref()),
        source_port: row.source_port,
        request_host: some(row.request_host.as_deref()),
        tgrp: some(row.tgrp.as_deref()),
        trunk_context: some(row.trunk_context.as_deref()),
        tls_name: some(row.tls_name.as_deref()),
        dialled_from: row.dialled_from,
        caller_from: row.caller_from,
        numbers: NumberProfile {
            country_code: row.country_code,
            international_prefix: row.international_prefix,
            national_prefix: row.national_prefix,
            rules: row.number_rules,
            short_codes: row.short_codes,
        },
        mode: row.mode,
        ring_at_once: row.ring_at_once,
        single_early_dialog: row.single_early_dialog,
        force_rport: row.force_rport,
        nat: row.nat,
        trusted: row.trusted,
        emergency_numbers: row.emergency_numbers,
        max_calls: row.max_calls,
        max_calls_per_second: row.max_calls_per_second,
        limit_code: row.limit_code,
        webhook_failure_status: row.webhook_failure_status,
        header_rules: row.header_rules,
        digest: row.auth_username.as_deref().map(|name| Arc::new(TrunkDigest::named(name, &row.auth_realm))),
    }
}

/// The same, with what proves it opened.
pub(crate) fn opened_trunk(row: TrunkRow, vault: &Vault) -> Result<Trunk, BadRow> {
    let digest = trunk_digest(vault, &row).map_err(|error| BadRow {
        table: "trunks",
        id: format!("{:032x}", row.id.0),
        column: "auth_password",
        value: error.to_string(),
        expected: "sealed under a key of the key file",
    })?;
    Ok(Trunk { digest: digest.map(Arc::new), ..trunk(row) })
}

/// A gateway as routing knows it, its password opened.
pub(crate) fn gateway(row: GatewayRow, vault: &Vault) -> Result<Gateway, BadRow> {
    let credentials = gateway_credentials(vault, &row).map_err(|error| BadRow {
        table: "gateways",
        id: format!("{:032x}", row.id.0),
        column: "password",
        value: error.to_string(),
        expected: "sealed under a key of the key file",
    })?;
    Ok(Gateway {
        sid: row.id,
        name: row.name.into(),
        status: row.status,
        organization: row.organization_id,
        host: row.host.into(),
        port: row.port,
        transport: row.transport,
        emergency: row.emergency,
        trusted: row.trusted,
        caller_id_format: row.caller_id_format,
        own_caller_id: row.own_caller_id,
        priority: row.priority,
        weight: row.weight,
        group: row.group_name.into(),
        media: row.media,
        options_interval: row.options_interval,
        draining: row.draining_since.is_some(),
        credentials: credentials.map(Arc::new),
        header_rules: row.header_rules,
        follow_redirects: row.follow_redirects,
        forwarded_as: row.forwarded_as,
    })
}

table! {
    /// What routing reads of a number; `numbers`' further columns cost it nothing.
    RoutedRow in "numbers" {
        /// Identity.
        1 id: NumberSid,
        /// Owner.
        2 account_id: AccountSid,
        /// The owner's.
        3 organization_id: OrganizationSid,
        /// The text.
        4 number: String,
        /// Whether it is a pure SIP number.
        5 is_sip: bool,
        /// Whether it routes.
        6 state: NumberState,
        /// Asked first.
        7 voice_url: Option<String>,
        /// How.
        8 voice_method: Method,
        /// Asked then.
        9 voice_fallback_url: Option<String>,
        /// How.
        10 voice_fallback_method: Method,
        /// Its application.
        11 voice_application_id: Option<ApplicationSid>,
        /// Told.
        12 status_callback: Option<String>,
        /// How.
        13 status_callback_method: Method,
        /// Rung when no URL answers.
        14 fallback_target: Option<String>,
        /// Whether the caller's name is looked up.
        15 voice_caller_id_lookup: bool,
        /// Put before the caller's name.
        16 caller_name_prefix: Option<String>,
        /// Asked about a MESSAGE.
        17 sms_url: Option<String>,
        /// How.
        18 sms_method: Method,
        /// Asked then.
        19 sms_fallback_url: Option<String>,
        /// How.
        20 sms_fallback_method: Method,
        /// The application of its messages.
        21 sms_application_id: Option<ApplicationSid>,
        /// Asked about a REFER.
        22 refer_url: Option<String>,
        /// How.
        23 refer_method: Method,
        /// The application of its transfers.
        24 refer_application_id: Option<ApplicationSid>,
        /// Whether it stands for its account.
        25 main: bool,
    }
}

/// The columns of [`RoutedRow`] that make the profile.
const PROFILE: std::ops::Range<usize> = 6..24;

/// The one among them that is no text.
const LOOKUP: usize = 14;

/// Reads rows of [`RoutedRow`] column by column, without its strings; numbers with the same URLs
/// share one profile.
#[derive(Debug, Default)]
pub(crate) struct NumberReader {
    shared: HashMap<Box<str>, Arc<VoiceProfile>, foldhash::fast::RandomState>,
    key: String,
}

/// Where every number has URLs of its own there is nothing to share: the memory stays bounded.
const SHARED_AT_MOST: usize = 16_384;

impl NumberReader {
    /// One number.
    pub(crate) fn read(&mut self, row: &Row) -> Result<Number, BadRow> {
        let text = row.text(3).ok().flatten().unwrap_or_default();
        Ok(Number {
            sid: cell::<RoutedRow, _>(row, 0)?,
            account: cell::<RoutedRow, _>(row, 1)?,
            organization: cell::<RoutedRow, _>(row, 2)?,
            text: text.into(),
            is_sip: cell::<RoutedRow, bool>(row, 4)? || is_pattern(text),
            in_service: routes(cell::<RoutedRow, NumberState>(row, 5)?),
            main: cell::<RoutedRow, bool>(row, 24)?,
            profile: self.profile(row)?,
        })
    }

    /// One number that came packed. What cannot be understood is told as of any row.
    pub(crate) fn read_packed(&mut self, packed: &Packed<'_>) -> Result<Number, BadRow> {
        let plain = || packed.row(str::to_owned);
        let known = self.shared.get(packed.span(PROFILE.start, PROFILE.end - 1)).map(Arc::clone);
        match known {
            Some(profile) => quick(packed, profile).map_or_else(|| self.read(&plain()), Ok),
            None => {
                let number = self.read(&plain())?;
                self.share(packed.span(PROFILE.start, PROFILE.end - 1), &number.profile);
                Ok(number)
            }
        }
    }

    fn profile(&mut self, row: &Row) -> Result<Arc<VoiceProfile>, BadRow> {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        for column in PROFILE {
            match column {
                LOOKUP => key.push(if row.bool(column).ok().flatten().unwrap_or(false) { '1' } else { '0' }),
                _ => key.push_str(row.text(column).ok().flatten().unwrap_or_default()),
            }
            key.push('\n');
        }
        let profile = match self.shared.get(key.as_str()) {
            Some(profile) => Arc::clone(profile),
            None => {
                let profile = Arc::new(profile(&RoutedRow::read(row)?));
                self.share(&key, &profile);
                profile
            }
        };
        self.key = key;
        Ok(profile)
    }

    fn share(&mut self, key: &str, profile: &Arc<VoiceProfile>) {
        if self.shared.len() >= SHARED_AT_MOST {
            self.shared.clear();
        }
        self.shared.insert(key.into(), Arc::clone(profile));
    }
}

/// A number as its texts have it; `None` where one is not what it should be.
fn quick(packed: &Packed<'_>, profile: Arc<VoiceProfile>) -> Option<Number> {
    let flag = |column| match packed.text(column)? {
        "1" | "t" => Some(true),
        "0" | "f" => Some(false),
        _ => None,
    };
    let text = packed.text(3)?;
    Some(Number {
        sid: NumberSid::of_word(packed.text(0)?)?,
        account: AccountSid::of_word(packed.text(1)?)?,
        organization: OrganizationSid::of_word(packed.text(2)?)?,
        text: text.into(),
        is_sip: flag(4)? || is_pattern(text),
        in_service: routes(NumberState::of_word(packed.text(5)?)?),
        main: flag(24)?,
        profile,
    })
}

/// A number that is being ported rings here until the other carrier has it.
fn routes(state: NumberState) -> bool {
    matches!(state, NumberState::InService | NumberState::PortIn | NumberState::PortOut)
}

fn profile(row: &RoutedRow) -> VoiceProfile {
    VoiceProfile {
        voice: hook(row.voice_url.as_deref(), row.voice_method),
        voice_fallback: hook(row.voice_fallback_url.as_deref(), row.voice_fallback_method),
        status_callback: hook(row.status_callback.as_deref(), row.status_callback_method),
        fallback_target: some(row.fallback_target.as_deref()),
        application: row.voice_application_id,
        name_lookup: row.voice_caller_id_lookup,
        name_prefix: some(row.caller_name_prefix.as_deref()),
        sms: hook(row.sms_url.as_deref(), row.sms_method),
        sms_fallback: hook(row.sms_fallback_url.as_deref(), row.sms_fallback_method),
        sms_application: row.sms_application_id,
        refer: hook(row.refer_url.as_deref(), row.refer_method),
        refer_application: row.refer_application_id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_for_messages_is_asked_about_them_at_its_rcml_url() {
        for (kind, sms_url, asked) in [
            ("voice", None, None),
            ("sms", None, Some("https://rcml.example/")),
            ("sms", Some("https://sms.example/"), Some("https://sms.example/")),
        ] {
            let mut row = ApplicationRow::new(AccountSid(1), "Shop");
            row.kind = kind.into();
            row.voice_url = Some("https://rcml.example/".into());
            row.sms_url = sms_url.map(str::to_owned);
            let sms = application(&row).sms;
            assert_eq!(sms.as_ref().map(|hook| &*hook.url), asked, "{kind}");
        }
    }
}
