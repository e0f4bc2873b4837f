//! What Restcomm's parameters may be, and what its answers are.

use serde_json::{Map, Value, json};

use super::shape::{
    count, date, flag, given_sid, given_sid_or_empty, list, matching, maybe, named, object, sid, text,
    within, words, words_or_empty,
};
use crate::call::outcome::CallStatus;
use crate::routing::model::{MatchMode, Method, Status};
use crate::store::{Role, Word};

/// The schema of a parameter, by its name.
pub(super) fn parameter(name: &str) -> Value {
    match name {
        "{account}" => given_sid("AC"),
        "{number_sid}" => given_sid("PN"),
        "{application_sid}" => given_sid("AP"),
        "{call_sid}" => given_sid("CA"),
        "{notification_sid}" => given_sid("NO"),
        "{organization}" => text(),
        "{country}" => matching("^[A-Za-z]{2}$"),
        "OrganizationSid" => given_sid("OR"),
        "AccountSid" => given_sid_or_empty("AC"),
        "AfterSid" => given_sid_or_empty("PN"),
        "ParentCallSid" => given_sid_or_empty("CA"),
        "Page" => within(0, u64::from(u32::MAX)),
        "PageSize" | "RangeSize" => within(1, 1_000),
        "RangeIndex" => count(),
        "ApiVersion" => words_or_empty(&["2012-04-24"]),
        "Kind" => words_or_empty(&["voice", "sms", "ussd"]),
        "SortBy" => words_or_empty(&["PhoneNumber", "FriendlyName", "DateCreated"]),
        "MatchMode" => words_or_empty(MatchMode::WORDS),
        "Role" => words_or_empty(Role::WORDS),
        "Status" => text(),
        "ErrorCode" => matching("^[0-9]{0,9}$"),
        "StartTime" | "StartTime>" | "StartTime<" | "EndTime" => {
            json!({ "type": "string", "anyOf": [{ "format": "date" }, { "maxLength": 0 }] })
        }
        "AreaCode" => matching("^ *([0-9]{3})? *$"),
        "Contains" => matching("^[+]*[0-9A-Za-z*]*$"),
        "FriendlyName" => json!({ "type": "string", "maxLength": 64 }),
        "MaxCalls" | "MaxCallsPerSecond" | "MaxRequestsPerSecond" | "MaxNumbers" | "MaxPatterns" => {
            json!({ "type": ["integer", "string"], "minimum": 0, "maximum": u32::MAX, "pattern": "^[0-9]*$" })
        }
        name if name.ends_with("ApplicationSid") => given_sid_or_empty("AP"),
        name if name.ends_with("Method") => words_or_empty(Method::WORDS),
        name if is_flag(name) => words_or_empty(&["true", "false"]),
        _ => text(),
    }
}

fn is_flag(name: &str) -> bool {
    let ends = ["Capable", "Lookup", "Enabled"];
    let others = ["isSIP", "Beta", "Reverse", "includeNumbers", "PostQueryInBody", "SkipMediaVerbs"];
    // Whether the inventory's numbers take USSD is not known: the filter is ignored, with a warning.
    (ends.iter().any(|end| name.ends_with(end)) && name != "UssdEnabled")
        || others.contains(&name)
        || name == "RenewAuthToken"
}

/// The components.
pub(super) fn shapes() -> Map<String, Value> {
    let all = [
        ("Error", error()),
        ("Account", account()),
        ("Accounts", list(named("Account"))),
        ("Organization", organization()),
        ("Organizations", list(named("Organization"))),
        ("Application", application(false)),
        ("Applications", list(application(true))),
        ("IncomingPhoneNumber", number()),
        ("IncomingPhoneNumbers", page("incomingPhoneNumbers", "IncomingPhoneNumber")),
        ("AvailablePhoneNumbers", list(available())),
        ("Countries", list(matching("^[A-Z]{2}$"))),
        ("CallOrLeg", call()),
        ("Calls", page("calls", "CallOrLeg")),
        ("Notification", notification()),
        ("Notifications", page("notifications", "Notification")),
    ];
    all.into_iter().map(|(name, shape)| (name.to_owned(), shape)).collect()
}

fn error() -> Value {
    object([
        ("status", within(400, 599)),
        (
            "code",
            json!({ "type": "integer", "description": "21452: the number cannot be had; else the status" }),
        ),
        ("message", json!({ "type": "string", "description": "Names the field and the fix" })),
        ("error?", text()),
        ("more_info", text()),
    ])
}

fn method() -> Value {
    words(Method::WORDS)
}

fn url() -> Value {
    maybe(text())
}

fn account() -> Value {
    let limit = || maybe(within(0, u64::from(u32::MAX)));
    object([
        ("sid", sid("AC")),
        ("organization", sid("OR")),
        ("parent_sid", maybe(sid("AC"))),
        ("date_created", date()),
        ("date_updated", date()),
        ("friendly_name", text()),
        ("type", words(&["Full"])),
        ("status", words(Status::WORDS)),
        ("role", words(Role::WORDS)),
        ("auth_token", maybe(text())),
        ("default_application_sid", maybe(sid("AP"))),
        ("max_calls", limit()),
        ("max_calls_per_second", limit()),
        ("max_numbers", limit()),
        ("max_patterns", limit()),
        ("max_requests_per_second", limit()),
        ("uri", text()),
    ])
}

fn organization() -> Value {
    object([
        ("sid", sid("OR")),
        ("domain_name", text()),
        ("status", words(Status::WORDS)),
        ("date_created", date()),
        ("date_updated", date()),
        ("friendly_name", text()),
        ("match_mode", words(MatchMode::WORDS)),
        ("base_url", url()),
        ("post_query_in_body", flag()),
        ("skip_media_verbs", flag()),
        ("registrar", maybe(text())),
        ("default_application_sid", maybe(sid("AP"))),
        ("uri", text()),
    ])
}

fn application(listed: bool) -> Value {
    let mut shape = object([
        ("sid", sid("AP")),
        ("date_created", date()),
        ("date_updated", date()),
        ("friendly_name", text()),
        ("account_sid", sid("AC")),
        ("api_version", words(&["2012-04-24"])),
        ("voice_caller_id_lookup", flag()),
        ("uri", text()),
        ("rcml_url", url()),
        ("kind", words(&["voice", "sms", "ussd"])),
        ("voice_method", method()),
        ("voice_fallback_url", url()),
        ("voice_fallback_method", method()),
        ("status_callback", url()),
        ("status_callback_method", method()),
        ("sms_url", url()),
        ("sms_method", method()),
        ("sms_fallback_url", url()),
        ("sms_fallback_method", method()),
        ("refer_url", url()),
        ("refer_method", method()),
    ]);
    if listed {
        shape["properties"]["numbers"] = list(object([
            ("sid", sid("PN")),
            ("account_sid", sid("AC")),
            ("friendly_name", text()),
            ("phone_number", text()),
        ]));
    }
    shape
}

fn number() -> Value {
    let app = || maybe(sid("AP"));
    let capabilities = object([
        ("voice_capable", flag()),
        ("sms_capable", flag()),
        ("mms_capable", flag()),
        ("fax_capable", flag()),
    ]);
    object([
        ("sid", sid("PN")),
        ("account_sid", sid("AC")),
        ("friendly_name", text()),
        ("phone_number", text()),
        ("voice_url", url()),
        ("voice_method", method()),
        ("voice_fallback_url", url()),
        ("voice_fallback_method", method()),
        ("status_callback", url()),
        ("status_callback_method", method()),
        ("voice_caller_id_lookup", flag()),
        ("voice_application_sid", app()),
        ("voice_application_name?", text()),
        ("date_created", date()),
        ("date_updated", date()),
        ("sms_url", url()),
        ("sms_method", method()),
        ("sms_fallback_url", url()),
        ("sms_fallback_method", method()),
        ("sms_application_sid", app()),
        ("sms_application_name?", text()),
        ("ussd_url", url()),
        ("ussd_method", method()),
        ("ussd_fallback_url", url()),
        ("ussd_fallback_method", method()),
        ("ussd_application_sid", app()),
        ("ussd_application_name?", text()),
        ("refer_url", url()),
        ("refer_method", method()),
        ("refer_application_sid", app()),
        ("refer_application_name?", text()),
        ("capabilities", capabilities),
        ("api_version", words(&["2012-04-24"])),
        ("uri", text()),
    ])
}

fn available() -> Value {
    object([
        ("friendlyName", text()),
        ("phoneNumber", text()),
        ("isoCountry", matching("^[A-Z]{2}$")),
        ("voiceCapable", flag()),
        ("smsCapable", flag()),
        ("mmsCapable", flag()),
        ("faxCapable", flag()),
    ])
}

fn call() -> Value {
    object([
        ("sid", sid("CA")),
        ("date_created", date()),
        ("date_updated", date()),
        ("parent_call_sid", maybe(sid("CA"))),
        ("account_sid", sid("AC")),
        ("to", text()),
        ("from", text()),
        ("phone_number_sid", maybe(sid("PN"))),
        ("status", words(CallStatus::WORDS)),
        ("start_time", date()),
        ("end_time", maybe(date())),
        ("duration", maybe(count())),
        ("price", maybe(text())),
        ("direction", words(&["inbound", "outbound-dial"])),
        ("answered_by", maybe(text())),
        ("api_version", words(&["2012-04-24"])),
        ("forwarded_from", text()),
        ("caller_name", text()),
        ("sip_response_code", maybe(within(100, 699))),
        ("reason_code", maybe(text())),
        ("hangup_source", maybe(text())),
        ("uri", text()),
    ])
}

/// A page of a list.
fn notification() -> Value {
    object([
        ("sid", sid("NO")),
        ("date_created", date()),
        ("date_updated", date()),
        ("account_sid", sid("AC")),
        ("call_sid", maybe(sid("CA"))),
        ("api_version", words(&["2012-04-24"])),
        ("log", count()),
        ("error_code", count()),
        ("reason_code", text()),
        ("more_info", maybe(text())),
        ("message_text", text()),
        ("message_date", date()),
        ("request_url", text()),
        ("request_method", maybe(method())),
        ("response_status", maybe(within(100, 999))),
        ("uri", text()),
    ])
}

fn page(rows: &str, of: &str) -> Value {
    object([
        ("page", count()),
        ("num_pages", count()),
        ("page_size", within(1, 1_000)),
        ("total", count()),
        ("start", matching("^[0-9]+$")),
        ("end", matching("^[0-9]+$")),
        ("uri", text()),
        ("first_page_uri", text()),
        ("previous_page_uri", text()),
        ("next_page_uri", text()),
        ("last_page_uri", text()),
        (rows, list(named(of))),
    ])
}
