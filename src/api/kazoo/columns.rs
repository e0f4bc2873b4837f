//! The columns that a document may set beside the client's own fields: what the number's calls and messages
//! do, under the names of `/admin/v1`.

use serde_json::{Map, Value};

use crate::api::service::ServiceError;
use crate::ids::ApplicationSid;
use crate::routing::model::Method;
use crate::store::{NumberRow, Word};

/// A column, to be read or written.
enum Column<'a> {
    Text(&'a mut Option<String>),
    Method(&'a mut Method),
    Application(&'a mut Option<ApplicationSid>),
}

macro_rules! columns {
    ($($name:literal: $kind:ident($field:ident),)*) => {
        /// Their names.
        pub(super) const NAMES: &[&str] = &[$($name),*];

        fn column<'a>(row: &'a mut NumberRow, name: &str) -> Option<(&'static str, Column<'a>)> {
            match name {
                $($name => Some(($name, Column::$kind(&mut row.$field))),)*
                _ => None,
            }
        }
    };
}

columns! {
    "friendly_name": Text(friendly_name),
    "voice_url": Text(voice_url),
    "voice_method": Method(voice_method),
    "voice_fallback_url": Text(voice_fallback_url),
    "voice_fallback_method": Method(voice_fallback_method),
    "voice_application_sid": Application(voice_application_id),
    "status_callback": Text(status_callback),
    "status_callback_method": Method(status_callback_method),
    "fallback_target": Text(fallback_target),
    "sms_url": Text(sms_url),
    "sms_method": Method(sms_method),
    "sms_fallback_url": Text(sms_fallback_url),
    "sms_fallback_method": Method(sms_fallback_method),
    "sms_application_sid": Application(sms_application_id),
    "refer_url": Text(refer_url),
    "refer_method": Method(refer_method),
    "refer_application_sid": Application(refer_application_id),
    "ussd_url": Text(ussd_url),
    "ussd_method": Method(ussd_method),
    "ussd_fallback_url": Text(ussd_fallback_url),
    "ussd_fallback_method": Method(ussd_fallback_method),
    "ussd_application_sid": Application(ussd_application_id),
}

/// Writes the columns that are set into a document; a method where its URL is.
pub(super) fn print(row: &NumberRow, document: &mut Map<String, Value>) {
    let mut row = row.clone();
    for name in NAMES {
        let url = name.strip_suffix("_method").map(|stem| match stem {
            "status_callback" => stem.to_owned(),
            stem => format!("{stem}_url"),
        });
        let value = match column(&mut row, name) {
            Some((_, Column::Text(text))) => text.clone(),
            Some((_, Column::Application(sid))) => sid.map(|sid| sid.to_string()),
            Some((_, Column::Method(method))) => {
                Some(method.word()).filter(|_| url.is_some_and(|url| document.contains_key(&url)))
            }
            None => None,
        };
        if let Some(value) = value {
            document.insert((*name).to_owned(), value.into());
        }
    }
}

/// Whether a field of a document is a column.
pub(super) fn is_column(name: &str) -> bool {
    NAMES.contains(&name)
}

/// Writes one; null and the empty text clear it.
pub(super) fn set(row: &mut NumberRow, name: &str, value: &Value) -> Result<(), ServiceError> {
    let Some((name, column)) = column(row, name) else { return Ok(()) };
    let text = match value {
        Value::Null => None,
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        _ => return Err(ServiceError::field(name, "is no text")),
    };
    match column {
        Column::Text(field) => *field = text,
        Column::Method(field) => {
            let word = text.unwrap_or_else(|| "POST".to_owned()).to_ascii_uppercase();
            *field = Method::of_word(&word)
                .ok_or_else(|| ServiceError::field(name, "is no method: use GET or POST"))?;
        }
        Column::Application(field) => {
            let read =
                |text: String| text.parse().or_else(|error| ApplicationSid::of_word(&text).ok_or(error));
            *field = text
                .map(read)
                .transpose()
                .map_err(|error| ServiceError::field(name, format!("is none: {error}")))?;
        }
    }
    Ok(())
}
