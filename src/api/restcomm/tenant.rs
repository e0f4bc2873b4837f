//! Organizations and accounts: what clients may send and how they are printed.

use serde::Serialize;

use crate::api::error::ApiError;
use crate::api::service::ServiceError;
use crate::routing::model::{MatchMode, Status};
use crate::store::{AccountRow, OrganizationRow, Role, Word};

use super::date::rfc2822;
use super::params::Params;

/// The parameters of an organization.
pub(crate) const ORGANIZATION: &[&str] = &[
    "DomainName",
    "FriendlyName",
    "Status",
    "MatchMode",
    "BaseUrl",
    "PostQueryInBody",
    "SkipMediaVerbs",
    "Registrar",
    "DefaultApplicationSid",
];

/// The parameters of an account.
pub(crate) const ACCOUNT: &[&str] = &[
    "FriendlyName",
    "Status",
    "Role",
    "OrganizationSid",
    "DefaultApplicationSid",
    "MaxCalls",
    "MaxCallsPerSecond",
    "MaxNumbers",
    "MaxPatterns",
    "MaxRequestsPerSecond",
    "RenewAuthToken",
];

/// Lays the given parameters over an organization.
pub(crate) fn apply_organization(params: &Params, row: &mut OrganizationRow) -> Result<(), ServiceError> {
    if let Some(domain) = params.change("DomainName").flatten() {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        if row.friendly_name == row.domain {
            row.friendly_name.clone_from(&domain);
        }
        row.domain = domain;
    }
    if let Some(name) = params.change("FriendlyName") {
        row.friendly_name = name.unwrap_or_else(|| row.domain.clone());
    }
    word(params, "Status", "status", &mut row.status)?;
    word::<MatchMode>(params, "MatchMode", "match_mode", &mut row.match_mode)?;
    if let Some(url) = params.change("BaseUrl") {
        row.base_url = url;
    }
    if let Some(uri) = params.change("Registrar") {
        row.registrar = uri;
    }
    flag(params, "PostQueryInBody", "post_query_in_body", &mut row.post_query_in_body)?;
    flag(params, "SkipMediaVerbs", "skip_media_verbs", &mut row.skip_media_verbs)?;
    sid(params, "DefaultApplicationSid", "default_application_sid", &mut row.default_application_id)
}

/// Lays the given parameters over an account.
pub(crate) fn apply_account(params: &Params, row: &mut AccountRow) -> Result<(), ServiceError> {
    if let Some(name) = params.change("FriendlyName") {
        row.friendly_name = name.unwrap_or_default();
    }
    word(params, "Status", "status", &mut row.status)?;
    word::<Role>(params, "Role", "role", &mut row.role)?;
    let mut organization = Some(row.organization_id);
    sid(params, "OrganizationSid", "organization_sid", &mut organization)?;
    row.organization_id = organization.unwrap_or(row.organization_id);
    sid(params, "DefaultApplicationSid", "default_application_sid", &mut row.default_application_id)?;
    limit(params, "MaxCalls", "max_calls", &mut row.max_calls)?;
    limit(params, "MaxCallsPerSecond", "max_calls_per_second", &mut row.max_calls_per_second)?;
    limit(params, "MaxNumbers", "max_numbers", &mut row.max_numbers)?;
    limit(params, "MaxPatterns", "max_patterns", &mut row.max_patterns)?;
    limit(params, "MaxRequestsPerSecond", "max_requests_per_second", &mut row.max_requests_per_second)
}

/// `Status=active|closed` of a list.
pub(crate) fn status(params: &Params) -> Result<Option<Status>, ApiError> {
    let mut status = Status::Active;
    if params.get("Status").is_none_or(str::is_empty) {
        return Ok(None);
    }
    word(params, "Status", "status", &mut status).map_err(super::refuse)?;
    Ok(Some(status))
}

fn word<T: Word>(
    params: &Params,
    name: &str,
    field: &'static str,
    value: &mut T,
) -> Result<(), ServiceError> {
    if let Some(text) = params.get(name).map(str::trim).filter(|text| !text.is_empty()) {
        let lower = text.to_ascii_lowercase();
        let bad = || {
            ServiceError::field(field, format!("is `{}`: use {}", super::params::shown(text), T::EXPECTED))
        };
        *value = T::of_word(&lower).ok_or_else(bad)?;
    }
    Ok(())
}

fn flag(params: &Params, name: &str, field: &'static str, value: &mut bool) -> Result<(), ServiceError> {
    let given = params.flag(name).map_err(|_| ServiceError::field(field, "is neither true nor false"))?;
    *value = given.unwrap_or(*value);
    Ok(())
}

fn sid<T: std::str::FromStr<Err = crate::ids::BadSid>>(
    params: &Params,
    name: &str,
    field: &'static str,
    value: &mut Option<T>,
) -> Result<(), ServiceError> {
    if let Some(text) = params.change(name) {
        let read = |text: String| {
            text.parse().map_err(|error| ServiceError::field(field, format!("is wrong: {error}")))
        };
        *value = text.map(read).transpose()?;
    }
    Ok(())
}

fn limit(
    params: &Params,
    name: &str,
    field: &'static str,
    value: &mut Option<u32>,
) -> Result<(), ServiceError> {
    if let Some(text) = params.change(name) {
        let bad = |_| ServiceError::field(field, "is no whole number: give one, or nothing for no limit");
        *value = text.map(|text| text.parse().map_err(bad)).transpose()?;
    }
    Ok(())
}

/// An organization: the documented keys in their order, then what callgate adds.
#[derive(Debug, Serialize)]
pub(crate) struct PrintedOrganization {
    sid: String,
    domain_name: String,
    status: String,
    date_created: String,
    date_updated: String,
    friendly_name: String,
    match_mode: String,
    base_url: Option<String>,
    post_query_in_body: bool,
    skip_media_verbs: bool,
    registrar: Option<String>,
    default_application_sid: Option<String>,
    uri: String,
}

/// An account. The auth token is shown when it is made, and to whoever holds it.
#[derive(Debug, Serialize)]
pub(crate) struct PrintedAccount {
    sid: String,
    organization: String,
    parent_sid: Option<String>,
    date_created: String,
    date_updated: String,
    friendly_name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    status: String,
    role: String,
    auth_token: Option<String>,
    default_application_sid: Option<String>,
    max_calls: Option<u32>,
    max_calls_per_second: Option<u32>,
    max_numbers: Option<u32>,
    max_patterns: Option<u32>,
    max_requests_per_second: Option<u32>,
    uri: String,
}

/// Prints an organization; `base` is what the request's path began with.
pub(crate) fn print_organization(row: OrganizationRow, base: &str) -> PrintedOrganization {
    PrintedOrganization {
        sid: row.id.to_string(),
        status: row.status.word(),
        date_created: rfc2822(row.created_at),
        date_updated: rfc2822(row.updated_at),
        friendly_name: row.friendly_name,
        match_mode: row.match_mode.word(),
        base_url: row.base_url,
        post_query_in_body: row.post_query_in_body,
        skip_media_verbs: row.skip_media_verbs,
        registrar: row.registrar,
        default_application_sid: row.default_application_id.map(|sid| sid.to_string()),
        uri: format!("{base}/Organizations/{}.json", row.id),
        domain_name: row.domain,
    }
}

/// Prints an account; `token` is its auth token, opened, where it is shown.
pub(crate) fn print_account(row: AccountRow, token: Option<String>, base: &str) -> PrintedAccount {
    PrintedAccount {
        sid: row.id.to_string(),
        organization: row.organization_id.to_string(),
        parent_sid: row.parent_id.map(|sid| sid.to_string()),
        date_created: rfc2822(row.created_at),
        date_updated: rfc2822(row.updated_at),
        kind: "Full",
        status: row.status.word(),
        role: row.role.word(),
        auth_token: token,
        default_application_sid: row.default_application_id.map(|sid| sid.to_string()),
        max_calls: row.max_calls,
        max_calls_per_second: row.max_calls_per_second,
        max_numbers: row.max_numbers,
        max_patterns: row.max_patterns,
        max_requests_per_second: row.max_requests_per_second,
        uri: format!("{base}/Accounts/{}.json", row.id),
        friendly_name: row.friendly_name,
    }
}
