//! One IncomingPhoneNumber: which parameters a client may send, and how it is printed.

use serde::Serialize;

use crate::api::error::ApiError;
use crate::ids::ApplicationSid;
use crate::routing::model::Method;
use crate::store::NumberRow;

use super::date::rfc2822;
use super::params::{Params, shown};

/// The parameters of create and update.
pub(crate) const KNOWN: &[&str] = &[
    "PhoneNumber",
    "AreaCode",
    "isSIP",
    "FriendlyName",
    "VoiceUrl",
    "VoiceMethod",
    "VoiceFallbackUrl",
    "VoiceFallbackMethod",
    "VoiceCallerIdLookup",
    "VoiceApplicationSid",
    "StatusCallback",
    "StatusCallbackMethod",
    "FallbackTarget",
    "SmsUrl",
    "SmsMethod",
    "SmsFallbackUrl",
    "SmsFallbackMethod",
    "SmsApplicationSid",
    "UssdUrl",
    "UssdMethod",
    "UssdFallbackUrl",
    "UssdFallbackMethod",
    "UssdApplicationSid",
    "ReferUrl",
    "ReferMethod",
    "ReferApplicationSid",
    "VoiceCapable",
    "SmsCapable",
    "MmsCapable",
    "FaxCapable",
    "Cost",
    "ApiVersion",
    "AccountSid",
];

/// The parameters of a list.
pub(crate) const FILTERS: &[&str] =
    &["PhoneNumber", "FriendlyName", "Beta", "Page", "PageSize", "AfterSid", "SortBy", "Reverse"];

/// Lays the given parameters over a row. An empty URL, sid or name clears; what is absent stays.
pub(crate) fn apply(params: &Params, row: &mut NumberRow) -> Result<(), ApiError> {
    let text = |name: &str, field: &mut Option<String>| {
        if let Some(value) = params.change(name) {
            *field = value;
        }
    };
    text("FriendlyName", &mut row.friendly_name);
    text("VoiceUrl", &mut row.voice_url);
    text("VoiceFallbackUrl", &mut row.voice_fallback_url);
    text("StatusCallback", &mut row.status_callback);
    text("FallbackTarget", &mut row.fallback_target);
    text("SmsUrl", &mut row.sms_url);
    text("SmsFallbackUrl", &mut row.sms_fallback_url);
    text("UssdUrl", &mut row.ussd_url);
    text("UssdFallbackUrl", &mut row.ussd_fallback_url);
    text("ReferUrl", &mut row.refer_url);
    method(params, "VoiceMethod", &mut row.voice_method)?;
    method(params, "VoiceFallbackMethod", &mut row.voice_fallback_method)?;
    method(params, "StatusCallbackMethod", &mut row.status_callback_method)?;
    method(params, "SmsMethod", &mut row.sms_method)?;
    method(params, "SmsFallbackMethod", &mut row.sms_fallback_method)?;
    method(params, "UssdMethod", &mut row.ussd_method)?;
    method(params, "UssdFallbackMethod", &mut row.ussd_fallback_method)?;
    method(params, "ReferMethod", &mut row.refer_method)?;
    application(params, "VoiceApplicationSid", &mut row.voice_application_id)?;
    application(params, "SmsApplicationSid", &mut row.sms_application_id)?;
    application(params, "UssdApplicationSid", &mut row.ussd_application_id)?;
    application(params, "ReferApplicationSid", &mut row.refer_application_id)?;
    flag(params, "VoiceCallerIdLookup", &mut row.voice_caller_id_lookup)?;
    flag(params, "VoiceCapable", &mut row.voice_capable)?;
    flag(params, "SmsCapable", &mut row.sms_capable)?;
    flag(params, "MmsCapable", &mut row.mms_capable)?;
    flag(params, "FaxCapable", &mut row.fax_capable)?;
    api_version(params)
}

/// GET or POST; empty: the default, POST.
pub(crate) fn method(params: &Params, name: &str, field: &mut Method) -> Result<(), ApiError> {
    *field = match params.get(name).map(str::trim) {
        None => return Ok(()),
        Some("") => Method::Post,
        Some(word) if word.eq_ignore_ascii_case("GET") => Method::Get,
        Some(word) if word.eq_ignore_ascii_case("POST") => Method::Post,
        Some(other) => return Err(ApiError::bad(format!("{name} is `{}`: use GET or POST", shown(other)))),
    };
    Ok(())
}

/// 2012-04-24 is the only version there is.
pub(crate) fn api_version(params: &Params) -> Result<(), ApiError> {
    match params.get("ApiVersion").map(str::trim) {
        None | Some("" | "2012-04-24") => Ok(()),
        Some(other) => Err(ApiError::bad(format!("ApiVersion is `{}`: use 2012-04-24", shown(other)))),
    }
}

/// `true` or `false` into a column.
pub(crate) fn flag(params: &Params, name: &str, field: &mut bool) -> Result<(), ApiError> {
    if let Some(value) = params.flag(name)? {
        *field = value;
    }
    Ok(())
}

fn application(params: &Params, name: &str, field: &mut Option<ApplicationSid>) -> Result<(), ApiError> {
    if let Some(value) = params.change(name) {
        let read = |text: String| text.parse().map_err(|error| ApiError::bad(format!("{name}: {error}")));
        *field = value.map(read).transpose()?;
    }
    Ok(())
}

/// GET or POST as printed.
pub(crate) const fn word(method: Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Post => "POST",
    }
}

/// The names of the applications that one number names.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApplicationNames {
    pub(crate) voice: Option<String>,
    pub(crate) sms: Option<String>,
    pub(crate) ussd: Option<String>,
    pub(crate) refer: Option<String>,
}

/// A number in the documented key order; nulls are written.
#[derive(Debug, Serialize)]
pub(crate) struct Printed {
    sid: String,
    account_sid: String,
    friendly_name: String,
    phone_number: String,
    voice_url: Option<String>,
    voice_method: &'static str,
    voice_fallback_url: Option<String>,
    voice_fallback_method: &'static str,
    status_callback: Option<String>,
    status_callback_method: &'static str,
    voice_caller_id_lookup: bool,
    voice_application_sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voice_application_name: Option<String>,
    date_created: String,
    date_updated: String,
    sms_url: Option<String>,
    sms_method: &'static str,
    sms_fallback_url: Option<String>,
    sms_fallback_method: &'static str,
    sms_application_sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sms_application_name: Option<String>,
    ussd_url: Option<String>,
    ussd_method: &'static str,
    ussd_fallback_url: Option<String>,
    ussd_fallback_method: &'static str,
    ussd_application_sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ussd_application_name: Option<String>,
    refer_url: Option<String>,
    refer_method: &'static str,
    refer_application_sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refer_application_name: Option<String>,
    capabilities: Capabilities,
    api_version: &'static str,
    uri: String,
}

#[derive(Debug, Serialize)]
struct Capabilities {
    voice_capable: bool,
    sms_capable: bool,
    mms_capable: bool,
    fax_capable: bool,
}

/// Prints a row; `base` is what the request's path began with.
pub(crate) fn print(row: NumberRow, names: ApplicationNames, base: &str) -> Printed {
    let sid = |id: Option<ApplicationSid>| id.map(|id| id.to_string());
    Printed {
        sid: row.id.to_string(),
        account_sid: row.account_id.to_string(),
        friendly_name: row.friendly_name.unwrap_or_else(|| friendly(&row.number).to_owned()),
        voice_url: row.voice_url,
        voice_method: word(row.voice_method),
        voice_fallback_url: row.voice_fallback_url,
        voice_fallback_method: word(row.voice_fallback_method),
        status_callback: row.status_callback,
        status_callback_method: word(row.status_callback_method),
        voice_caller_id_lookup: row.voice_caller_id_lookup,
        voice_application_sid: sid(row.voice_application_id),
        voice_application_name: names.voice,
        date_created: rfc2822(row.created_at),
        date_updated: rfc2822(row.updated_at),
        sms_url: row.sms_url,
        sms_method: word(row.sms_method),
        sms_fallback_url: row.sms_fallback_url,
        sms_fallback_method: word(row.sms_fallback_method),
        sms_application_sid: sid(row.sms_application_id),
        sms_application_name: names.sms,
        ussd_url: row.ussd_url,
        ussd_method: word(row.ussd_method),
        ussd_fallback_url: row.ussd_fallback_url,
        ussd_fallback_method: word(row.ussd_fallback_method),
        ussd_application_sid: sid(row.ussd_application_id),
        ussd_application_name: names.ussd,
        refer_url: row.refer_url,
        refer_method: word(row.refer_method),
        refer_application_sid: sid(row.refer_application_id),
        refer_application_name: names.refer,
        capabilities: Capabilities {
            voice_capable: row.voice_capable,
            sms_capable: row.sms_capable,
            mms_capable: row.mms_capable,
            fax_capable: row.fax_capable,
        },
        api_version: "2012-04-24",
        uri: format!("{base}/Accounts/{}/IncomingPhoneNumbers/{}.json", row.account_id, row.id),
        phone_number: row.number,
    }
}

/// The default FriendlyName: the number's digits without `+`; other texts as they are.
pub(crate) fn friendly(number: &str) -> &str {
    match number.strip_prefix('+') {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits,
        _ => number,
    }
}
