//! What the parameters of callgate's own operations may be, and what they take and answer.

use serde_json::{Map, Value, json};

use super::shape::{
    count, flag, given, given_sid, given_sid_or_empty, list, map, maybe, moment, named, object, open_object,
    sid, text, within, words, words_or_empty,
};
use crate::api::admin::{
    GATEWAY_STATES, NUMBER_IDENTITY, Resource, Shown, UPGRADE_STATES, printed, replaced, taken,
};
use crate::call::outcome::CallStatus;
use crate::store::calls::DeliveryState;
use crate::store::{AccountRow, ApplicationRow, GatewayRow, NumberRow, OrganizationRow, TrunkRow, Word};

/// The schema of a parameter, by its name.
pub(super) fn parameter(name: &str) -> Value {
    match name {
        "limit" | "offset" | "wait" | "timeout_ms" | "generation" | "before" => count(),
        "check_only" | "force" | "live" | "numbers" | "dry_run" => words_or_empty(&["true", "false"]),
        "account" => given_sid_or_empty("AC"),
        "call" => given_sid_or_empty("CA"),
        "state" | "status" => text(),
        "Idempotency-Key" => json!({ "type": "string", "pattern": "^[!-~]{1,255}$" }),
        _ => text(),
    }
}

/// The components.
pub(super) fn shapes() -> Map<String, Value> {
    let mut shapes = Map::new();
    table::<TrunkRow>(&mut shapes, "Trunk");
    table::<GatewayRow>(&mut shapes, "Gateway");
    table::<OrganizationRow>(&mut shapes, "OrganizationRow");
    table::<AccountRow>(&mut shapes, "AccountRow");
    table::<ApplicationRow>(&mut shapes, "ApplicationRow");
    let all = [
        ("Standing", standing()),
        ("Number", printed::<NumberRow>()),
        ("NumberFields", taken::<NumberRow>(|_| true)),
        ("NumberWhole", replaced::<NumberRow>()),
        ("AuthToken", object([("sid", sid("AC")), ("auth_token", text())])),
        ("WebhookSecret", object([("sid", sid("AC")), ("webhook_secret", text())])),
        ("NumberList", object([("total", count()), ("numbers", list(named("Number")))])),
        ("NumbersAfter", object([("next_after", maybe(sid("PN"))), ("numbers", list(named("Number")))])),
        ("SweepFields", taken::<NumberRow>(|name| !NUMBER_IDENTITY.contains(&name))),
        ("Sweep", sweep()),
        ("BulkFields", bulk_fields()),
        ("Bulk", bulk()),
        ("Bans", object([("bans", list(ban()))])),
        ("Lifted", object([("source", text()), ("lifted", count())])),
        ("Audit", object([("entries", list(audit()))])),
        ("Reload", reload()),
        (
            "Upgrade",
            object([
                ("state", words(UPGRADE_STATES)),
                ("pid", count()),
                ("successor", maybe(count())),
                ("steps", list(text())),
                ("error", maybe(text())),
            ]),
        ),
        ("Generation", object([("generation", count())])),
        ("Generations", object([("generations", list(generation()))])),
        ("GenerationList", generations()),
        ("Difference", differences()),
        ("RolledBack", rolled_back()),
        ("Explanation", explanation()),
        ("Lint", object([("generation", count()), ("notes", list(note()))])),
        ("Call", call()),
        ("CallList", object([("live", count()), ("calls", list(named("Call")))])),
        ("Trace", trace()),
        ("Message", message()),
        ("MessageList", object([("messages", list(named("Message")))])),
        ("MessageTrace", message_trace()),
        ("Delivery", delivery()),
        ("Delivered", delivered()),
        ("SentAgain", sent_again()),
        ("Deliveries", object([("total", count()), ("deliveries", list(named("Delivery")))])),
        ("Disabled", object([("disabled", list(object([("account_sid", sid("AC")), ("url", text())])))])),
        (
            "Enable",
            given([
                ("url", text()),
                ("account", json!({ "anyOf": [given_sid("AC"), { "enum": [null, ""] }] })),
            ]),
        ),
        ("Enabled", object([("url", text()), ("accounts", list(sid("AC")))])),
        ("Health", object([("status", words(&["ok"]))])),
        ("Ready", ready()),
        ("Document", open_object([("openapi", text()), ("paths", json!({ "type": "object" }))])),
    ];
    shapes.extend(all.into_iter().map(|(name, shape)| (name.to_owned(), shape)));
    shapes
}

/// A table's row, its list, and what may be written of it.
fn table<T: Resource + Shown>(shapes: &mut Map<String, Value>, name: &str) {
    let mut row = printed::<T>();
    if let Some((member, shape)) = T::BESIDE {
        row["properties"][member] = named(shape);
        row["required"].as_array_mut().expect("a row has members").push(json!(member));
    }
    shapes.insert(name.to_owned(), row);
    shapes.insert(format!("{name}List"), object([("total", count()), (T::ALL, list(named(name)))]));
    shapes.insert(format!("{name}Fields"), taken::<T>(|_| true));
    let mut whole = replaced::<T>();
    if let Some((member, _)) = T::BESIDE {
        whole["properties"][member] = json!({});
    }
    shapes.insert(format!("{name}Whole"), whole);
}

fn standing() -> Value {
    let check = object([("at", moment()), ("code", maybe(within(200, 699)))]);
    object([
        ("state", words(GATEWAY_STATES)),
        ("since", maybe(moment())),
        ("answers_checks", maybe(flag())),
        ("last_check", maybe(check)),
        ("active", count()),
        ("calls", count()),
        ("answers", count()),
        ("failures", count()),
    ])
}

fn sweep() -> Value {
    let example = object([("number", text()), ("sid", sid("PN")), ("fields", json!({ "type": "object" }))]);
    object([
        ("matched", count()),
        ("changed", count()),
        ("dry_run", flag()),
        ("examples", list(example)),
        ("generation", maybe(count())),
    ])
}

fn bulk_fields() -> Value {
    let row = json!({ "anyOf": [text(), named("NumberFields")] });
    let mut shape = given([
        ("rows", json!({ "type": "array", "items": row, "maxItems": 5_000 })),
        ("defaults", maybe(named("NumberFields"))),
        ("existing", words(&["update", "refuse"])),
    ]);
    shape["required"] = json!(["rows"]);
    shape
}

fn bulk() -> Value {
    object([
        ("created", count()),
        ("updated", count()),
        ("unchanged", count()),
        ("refused", list(object([("row", count()), ("message", text())]))),
        ("generation", maybe(count())),
    ])
}

fn ban() -> Value {
    object([
        ("source", text()),
        ("over", words(&["datagrams", "connections"])),
        ("cause", words(&["refused", "unreadable", "stray", "scanner"])),
        ("since", moment()),
        ("seconds_left", count()),
        ("dropped", count()),
    ])
}

fn audit() -> Value {
    let row = || json!({ "type": ["object", "null"] });
    object([
        ("at", moment()),
        ("actor", text()),
        ("action", text()),
        ("subject", text()),
        ("id", text()),
        ("generation", count()),
        ("before", row()),
        ("after", row()),
    ])
}

fn reload() -> Value {
    object([
        ("from", count()),
        ("to", count()),
        ("applied", flag()),
        ("numbers_before", count()),
        ("numbers_after", count()),
        ("added", count()),
        ("removed", count()),
        ("changed", count()),
        ("skipped", list(text())),
        ("took_ms", count()),
    ])
}

fn generation() -> Value {
    object([
        ("generation", count()),
        ("at", maybe(moment())),
        ("kind", text()),
        ("written", count()),
        ("removed", count()),
    ])
}

/// What one generation did.
fn generations() -> Value {
    let one = object([
        ("number", count()),
        ("first", count()),
        ("at", moment()),
        ("by", text()),
        ("action", text()),
        ("added", count()),
        ("changed", count()),
        ("removed", count()),
    ]);
    object([
        ("current", count()),
        ("oldest", count()),
        ("next_before", maybe(count())),
        ("generations", list(one)),
    ])
}

/// One row that differs: its columns, or those that differ.
fn row_change() -> Value {
    let row = || json!({ "type": ["object", "null"] });
    object([
        ("table", words(&["organizations", "accounts", "applications", "numbers", "trunks", "gateways"])),
        ("sid", text()),
        ("name", text()),
        ("kind", words(&["added", "changed", "removed"])),
        ("before", row()),
        ("after", row()),
    ])
}

fn differences() -> Value {
    object([
        ("from", count()),
        ("to", count()),
        ("next_after", maybe(text())),
        ("unknown", list(count())),
        ("rows", list(row_change())),
    ])
}

fn rolled_back() -> Value {
    object([
        ("from", count()),
        ("to", count()),
        ("dry_run", flag()),
        ("generation", maybe(count())),
        ("added", count()),
        ("changed", count()),
        ("removed", count()),
        ("examples", list(row_change())),
    ])
}

fn explanation() -> Value {
    let organization =
        |because: &'static str| object([("sid", sid("OR")), ("domain", text()), (because, text())]);
    let outcome = json!({ "anyOf": [
        object([
            ("number_sid", sid("PN")), ("number", text()), ("account_sid", sid("AC")),
            ("application_sid", maybe(sid("AP"))), ("url", maybe(text())),
        ]),
        object([("gateway_sid", sid("GW")), ("gateway", text())]),
        object([("status", within(400, 699)), ("reason", text()), ("message", text())]),
    ] });
    object([
        ("generation", count()),
        ("trunk", maybe(object([("sid", sid("TK")), ("name", text())]))),
        ("written", maybe(text())),
        ("dialled", maybe(text())),
        ("rewritten", json!({})),
        ("organization", maybe(organization("because"))),
        ("source_organization", maybe(organization("because?"))),
        ("forms", list(object([("kind", text()), ("form", text()), ("hit", flag())]))),
        ("patterns_closed", json!({})),
        ("pattern_count", count()),
        ("patterns", list(object([("pattern", text()), ("form", text()), ("hit", flag())]))),
        ("catch_all", json!({})),
        ("outcome", outcome),
        ("text", text()),
    ])
}

fn note() -> Value {
    object([
        ("kind", text()),
        ("number", text()),
        ("sid", maybe(sid("PN"))),
        ("organization_sid", sid("OR")),
        ("message", text()),
    ])
}

/// A call in memory has its shard, one of the store its node and end.
fn call() -> Value {
    object([
        ("sid", sid("CA")),
        ("status", maybe(words(CallStatus::WORDS))),
        ("from", maybe(text())),
        ("to", maybe(text())),
        ("account_sid", maybe(sid("AC"))),
        ("organization_sid", maybe(sid("OR"))),
        ("number_sid", maybe(sid("PN"))),
        ("number", maybe(text())),
        ("trunk_sid", maybe(sid("TK"))),
        ("sip_call_id", maybe(text())),
        ("source", maybe(text())),
        ("generation", maybe(count())),
        ("shard?", count()),
        ("node?", text()),
        ("started", maybe(moment())),
        ("answered", maybe(moment())),
        ("ended?", maybe(moment())),
        ("duration", maybe(count())),
        ("sip_code", maybe(within(0, 699))),
        ("reason", maybe(text())),
        ("hangup_source", maybe(text())),
    ])
}

fn trace() -> Value {
    object([
        ("call", named("Call")),
        ("lines", list(object([("at", maybe(moment())), ("text", text())]))),
        ("omitted", count()),
        ("deliveries", list(tried())),
    ])
}

/// A MESSAGE outside calls.
fn message() -> Value {
    object([
        ("sid", sid("SM")),
        ("status", words(&["asking", "accepted", "failed"])),
        ("from", text()),
        ("to", text()),
        ("account_sid", sid("AC")),
        ("organization_sid", sid("OR")),
        ("number_sid", maybe(sid("PN"))),
        ("number", text()),
        ("trunk_sid", maybe(sid("TK"))),
        ("sip_call_id", text()),
        ("source", text()),
        ("generation", count()),
        ("came", maybe(moment())),
        ("answered", maybe(moment())),
        ("sip_code", maybe(within(200, 699))),
        ("reason", maybe(text())),
        ("replies", count()),
        ("replies_delivered", count()),
        ("replies_failed", count()),
    ])
}

fn message_trace() -> Value {
    object([
        ("message", named("Message")),
        ("lines", list(object([("at", maybe(moment())), ("text", text())]))),
        ("omitted", count()),
    ])
}

/// A delivery with its tries.
fn tried() -> Value {
    let attempt = object([
        ("attempt", count()),
        ("at", moment()),
        ("http_status", maybe(within(100, 999))),
        ("error", maybe(text())),
        ("took_ms", maybe(count())),
    ]);
    let mut tried = delivery();
    tried["properties"]["tries"] = list(attempt);
    tried
}

fn delivered() -> Value {
    let mut delivered = tried();
    delivered["properties"]["parameters"] = map(text());
    delivered
}

fn sent_again() -> Value {
    object([
        ("id", text()),
        ("delivered", flag()),
        ("attempt", count()),
        ("http_status", maybe(within(100, 999))),
        ("error", maybe(text())),
        ("took_ms", maybe(count())),
    ])
}

fn delivery() -> Value {
    object([
        ("id", text()),
        ("call_sid", sid("CA")),
        ("account_sid", sid("AC")),
        ("sequence", count()),
        ("status", words(CallStatus::WORDS)),
        ("url", text()),
        ("method", words(&["GET", "POST"])),
        ("state", words(DeliveryState::WORDS)),
        ("attempts", count()),
        ("created", moment()),
        ("next_attempt", maybe(moment())),
        ("finished", maybe(moment())),
        ("last_error", maybe(text())),
    ])
}

fn ready() -> Value {
    let reason =
        object([("name", text()), ("severity", words(&["degraded", "not_ready"])), ("message", text())]);
    object([
        ("status", words(&["ready", "degraded", "not_ready"])),
        ("generation", count()),
        ("reasons", list(reason)),
    ])
}
