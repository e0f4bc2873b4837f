//! What Kazoo's parameters may be, and what its answers are: an envelope around each.

use serde_json::{Map, Value, json};

use super::shape::{
    count, flag, list, map, matching, maybe, object, open_object, text, within, words, words_or_empty,
};
use crate::api::kazoo::{FIRST_STATES, NUMBER};
use crate::routing::model::Method;
use crate::store::{NumberState, Word};

/// The schema of a parameter, by its name.
pub(super) fn parameter(name: &str) -> Value {
    match name {
        "{account}" => matching("^(AC)?[0-9a-fA-F]{32}$"),
        "prefix" => text(),
        "page_size" | "quantity" | "offset" => count(),
        "created_from" | "created_to" | "modified_from" | "modified_to" => json!({ "type": "integer" }),
        "country" => matching("^[A-Za-z]{2}$"),
        _ => text(),
    }
}

/// The same where no token is needed, and any account is as good.
pub(super) fn open_parameter(name: &str) -> Value {
    if name == "{account}" { text() } else { parameter(name) }
}

/// The components.
pub(super) fn shapes() -> Map<String, Value> {
    let id = || matching("^[0-9a-f]{32}$");
    let texts = || json!({ "type": "array", "items": text(), "minItems": 1, "maxItems": 1_000 });
    let all = [
        ("KazooError", error()),
        ("KazooNothing", enveloped(object([]))),
        ("KazooAccount", enveloped(account())),
        ("KazooAccounts", enveloped(list(object([("id", id()), ("name", text()), ("realm", text())])))),
        ("KazooNumber", enveloped(json!({ "anyOf": [number(true), object([])] }))),
        ("KazooNumbers", listed()),
        ("KazooMany", enveloped(object([("success", map(number(true)))]))),
        ("KazooOffers", enveloped(list(offer()))),
        ("KazooOwner", enveloped(object([("account_id", id()), ("number", text())]))),
        ("KazooChecked", enveloped(map(text()))),
        ("KazooPlaces", enveloped(map(json!({})))),
        ("KazooPrefixes", enveloped(json!({}))),
        ("KazooCarriers", enveloped(carriers())),
        ("KazooClassifiers", enveloped(map(classifier(&[])))),
        ("KazooClassified", enveloped(classifier(&["name", "number", "e164", "formatted_number"]))),
        ("KazooGranted", enveloped(granted())),
        ("KazooFields", sent(fields())),
        ("KazooBare", json!({ "type": "object", "maxProperties": 0, "description": "As good as no body" })),
        ("KazooManyFields", sent(with(fields(), "numbers", texts()))),
        (
            "KazooTexts",
            sent(json!({ "type": "object", "properties": { "numbers": texts() }, "required": ["numbers"] })),
        ),
        (
            "KazooAccountFields",
            sent(json!({
                "type": "object",
                "properties": {
                    "name": { "type": ["string", "null"], "maxLength": 64 },
                    "pvt_wnm_allow_additions": truth(),
                },
            })),
        ),
        ("KazooUserAuth", sent(user_auth())),
        (
            "KazooApiAuth",
            sent(json!({
                "type": "object", "properties": { "api_key": { "type": "string", "minLength": 1 } }, "required": ["api_key"],
            })),
        ),
    ];
    all.into_iter().map(|(name, shape)| (name.to_owned(), shape)).collect()
}

/// The envelope of a success.
fn enveloped(data: Value) -> Value {
    object([
        ("data", data),
        ("status", words(&["success"])),
        ("request_id", text()),
        ("auth_token", text()),
        ("revision", text()),
    ])
}

/// The envelope of a request.
fn sent(data: Value) -> Value {
    json!({ "type": "object", "properties": { "data": data }, "required": ["data"] })
}

fn with(mut shape: Value, name: &str, member: Value) -> Value {
    shape["properties"][name] = member;
    shape["required"] = json!([name]);
    shape
}

fn error() -> Value {
    object([
        (
            "data",
            json!({ "description": "What goes with the error; of a number: code, error, message, cause" }),
        ),
        ("status", words(&["error"])),
        ("message", json!({ "type": "string", "description": "The error's name" })),
        (
            "error",
            json!({ "type": "string", "pattern": "^[45][0-9]{2}$", "description": "The HTTP status as a text" }),
        ),
        ("request_id", text()),
        ("auth_token", text()),
    ])
}

/// A list has members of its own beside the envelope's.
fn listed() -> Value {
    let mut shape = enveloped(object([
        ("numbers", map(number(false))),
        ("casquade_quantity", count()),
        ("cascade_quantity", count()),
    ]));
    shape["properties"]["page_size"] = count();
    shape["properties"]["start_key"] = text();
    shape["properties"]["next_start_key"] = text();
    shape
}

fn account() -> Value {
    object([
        ("id", matching("^[0-9a-f]{32}$")),
        ("name", text()),
        ("realm", text()),
        ("enabled", flag()),
        ("is_reseller", flag()),
        ("reseller_id", matching("^[0-9a-f]{32}$")),
        ("superduper_admin", flag()),
        ("wnm_allow_additions", flag()),
        ("pvt_wnm_allow_additions", flag()),
        ("created", count()),
    ])
}

/// A number's document: what is always there, the client's own fields beside it.
fn number(whole: bool) -> Value {
    let mut shape = open_object([
        ("created", count()),
        ("updated", count()),
        ("state", words(NumberState::WORDS)),
        ("used_by", text()),
        ("features", json!({ "type": "object" })),
        ("assigned_to?", matching("^[0-9a-f]{32}$")),
    ]);
    if whole {
        shape["properties"]["id"] = text();
        shape["properties"]["_read_only"] = object([
            ("created", count()),
            ("modified", count()),
            ("state", words(NumberState::WORDS)),
            ("used_by", text()),
            ("features", list(text())),
            ("features_available", list(text())),
            ("carrier_module?", text()),
        ]);
        shape["required"] = json!(["created", "updated", "state", "used_by", "features", "id", "_read_only"]);
    }
    shape
}

fn offer() -> Value {
    object([
        ("e164", text()),
        ("formatted_number", text()),
        ("npa_nxx", text()),
        ("number", text()),
        ("number_id", text()),
        ("rate_center", json!({})),
        ("status", words(&["Available"])),
        ("ten_digit", text()),
    ])
}

fn carriers() -> Value {
    object([
        ("maximal_prefix_length", within(10, 10)),
        ("usable_carriers", list(text())),
        ("usable_creation_states", list(words(NumberState::WORDS))),
    ])
}

fn classifier(more: &[&str]) -> Value {
    let mut shape = object([("regex", text()), ("friendly_name", text()), ("pretty_print?", text())]);
    for name in more {
        shape["properties"][*name] = text();
    }
    let required = ["regex", "friendly_name"].iter().chain(more);
    shape["required"] = required.copied().collect();
    shape
}

fn granted() -> Value {
    let id = || matching("^[0-9a-f]{32}$");
    object([
        ("account_id", id()),
        ("owner_id", id()),
        ("account_name", text()),
        ("reseller_id", id()),
        ("is_reseller", flag()),
        ("language", text()),
        ("apps", list(json!({}))),
    ])
}

fn user_auth() -> Value {
    json!({
        "type": "object",
        "properties": {
            "credentials": { "type": "string", "minLength": 1 }, "account_name": said(), "account_realm": said(),
            "phone_number": said(), "method": maybe(words_or_empty(&["md5", "sha", "sha1"])),
        },
        "required": ["credentials"],
    })
}

/// A text; null is as if it were not said.
fn said() -> Value {
    json!({ "type": ["string", "null"] })
}

/// A boolean or a text of one; null is as if it were not said.
fn truth() -> Value {
    json!({ "enum": [true, false, "true", "false", null] })
}

/// What a client may say of a number; any other member is its own and comes back as it was.
fn fields() -> Value {
    let properties: Map<String, Value> =
        NUMBER.iter().map(|name| ((*name).to_owned(), field(name))).collect();
    json!({ "type": "object", "properties": properties })
}

fn field(name: &str) -> Value {
    let setting = || json!({ "type": ["object", "null"] });
    match name {
        "create_with_state" => maybe(words(FIRST_STATES)),
        "carrier_name" => said(),
        "cnam" => maybe(json!({
            "type": "object",
            "properties": {
                "display_name": { "type": ["string", "null"], "minLength": 1, "maxLength": 15 },
                "inbound_lookup": truth(),
            },
        })),
        "dash_e911" | "e911" => maybe(address()),
        "prepend" | "failover" | "ringback" => setting(),
        "force_outbound" => json!({}),
        name if name.ends_with("_method") => maybe(words_or_empty(Method::WORDS)),
        name if name.ends_with("application_sid") => maybe(matching("^((AP)?[0-9a-fA-F]{32})?$")),
        _ => said(),
    }
}

fn address() -> Value {
    json!({
        "type": "object",
        "properties": {
            "caller_name": { "type": ["string", "null"], "minLength": 3 },
            "postal_code": { "type": "string", "minLength": 1 },
            "street_address": { "type": "string", "minLength": 1 },
            "extended_address": said(),
            "locality": { "type": "string", "minLength": 1 },
            "region": { "type": "string", "minLength": 2, "maxLength": 2 },
        },
        "required": ["postal_code", "street_address", "locality", "region"],
    })
}
