//! One Application: which parameters a client may send, and how it is printed.

use serde::Serialize;

use crate::api::error::ApiError;
use crate::store::ApplicationRow;

use super::date::rfc2822;
use super::number::{api_version, flag, method, word};
use super::params::{Params, shown};

/// The parameters of create and update.
pub(crate) const KNOWN: &[&str] = &[
    "FriendlyName",
    "ApiVersion",
    "Kind",
    "RcmlUrl",
    "VoiceUrl",
    "VoiceMethod",
    "VoiceFallbackUrl",
    "VoiceFallbackMethod",
    "VoiceCallerIdLookup",
    "StatusCallback",
    "StatusCallbackMethod",
    "SmsUrl",
    "SmsMethod",
    "SmsFallbackUrl",
    "SmsFallbackMethod",
    "ReferUrl",
    "ReferMethod",
];

/// Lays the given parameters over a row. An empty URL clears; `RcmlUrl` wins over its alias VoiceUrl.
pub(crate) fn apply(params: &Params, row: &mut ApplicationRow) -> Result<(), ApiError> {
    match params.change("FriendlyName") {
        Some(Some(name)) => row.friendly_name = name,
        Some(None) => return Err(ApiError::bad("FriendlyName is empty: give the application a name")),
        None => {}
    }
    let text = |name: &str, field: &mut Option<String>| {
        if let Some(value) = params.change(name) {
            *field = value;
        }
    };
    text("VoiceUrl", &mut row.voice_url);
    text("RcmlUrl", &mut row.voice_url);
    text("VoiceFallbackUrl", &mut row.voice_fallback_url);
    text("StatusCallback", &mut row.status_callback);
    text("SmsUrl", &mut row.sms_url);
    text("SmsFallbackUrl", &mut row.sms_fallback_url);
    text("ReferUrl", &mut row.refer_url);
    method(params, "VoiceMethod", &mut row.voice_method)?;
    method(params, "VoiceFallbackMethod", &mut row.voice_fallback_method)?;
    method(params, "StatusCallbackMethod", &mut row.status_callback_method)?;
    method(params, "SmsMethod", &mut row.sms_method)?;
    method(params, "SmsFallbackMethod", &mut row.sms_fallback_method)?;
    method(params, "ReferMethod", &mut row.refer_method)?;
    flag(params, "VoiceCallerIdLookup", &mut row.voice_caller_id_lookup)?;
    kind(params, row)?;
    api_version(params)
}

fn kind(params: &Params, row: &mut ApplicationRow) -> Result<(), ApiError> {
    match params.get("Kind").map(str::trim) {
        None | Some("") => {}
        Some(word @ ("voice" | "sms" | "ussd")) => word.clone_into(&mut row.kind),
        Some(other) => {
            return Err(ApiError::bad(format!("Kind is `{}`: use voice, sms or ussd", shown(other))));
        }
    }
    Ok(())
}

/// An application: the documented keys in their order, then what callgate adds.
#[derive(Debug, Serialize)]
pub(crate) struct Printed {
    sid: String,
    date_created: String,
    date_updated: String,
    friendly_name: String,
    account_sid: String,
    api_version: &'static str,
    voice_caller_id_lookup: bool,
    uri: String,
    rcml_url: Option<String>,
    kind: String,
    voice_method: &'static str,
    voice_fallback_url: Option<String>,
    voice_fallback_method: &'static str,
    status_callback: Option<String>,
    status_callback_method: &'static str,
    sms_url: Option<String>,
    sms_method: &'static str,
    sms_fallback_url: Option<String>,
    sms_fallback_method: &'static str,
    refer_url: Option<String>,
    refer_method: &'static str,
}

/// Prints a row; `base` is what the request's path began with.
pub(crate) fn print(row: ApplicationRow, base: &str) -> Printed {
    Printed {
        sid: row.id.to_string(),
        date_created: rfc2822(row.created_at),
        date_updated: rfc2822(row.updated_at),
        account_sid: row.account_id.to_string(),
        api_version: "2012-04-24",
        voice_caller_id_lookup: row.voice_caller_id_lookup,
        uri: format!("{base}/Accounts/{}/Applications/{}.json", row.account_id, row.id),
        friendly_name: row.friendly_name,
        rcml_url: row.voice_url,
        kind: row.kind,
        voice_method: word(row.voice_method),
        voice_fallback_url: row.voice_fallback_url,
        voice_fallback_method: word(row.voice_fallback_method),
        status_callback: row.status_callback,
        status_callback_method: word(row.status_callback_method),
        sms_url: row.sms_url,
        sms_method: word(row.sms_method),
        sms_fallback_url: row.sms_fallback_url,
        sms_fallback_method: word(row.sms_fallback_method),
        refer_url: row.refer_url,
        refer_method: word(row.refer_method),
    }
}
