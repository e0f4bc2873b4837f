//! A number as Kazoo's clients read it: one document, the client's own fields and ours side by side.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::columns;
use crate::store::{NumberRow, NumberState, Word};

/// Kazoo counts seconds from the year 0.
const GREGORIAN: i64 = 62_167_219_200;

/// A moment in Kazoo's count.
pub(super) fn gregorian(at: Timestamp) -> i64 {
    at.as_second() + GREGORIAN
}

/// The whole document as somebody reads it: what the carrier is, and that it may be named, is the
/// administrator's to know.
pub(super) fn shown(row: &NumberRow, to_admin: bool) -> Map<String, Value> {
    let mut document = document(row);
    if to_admin && let Some(Value::Object(told)) = document.get_mut("_read_only") {
        let carrier = row.carrier.as_deref().unwrap_or("local");
        told.insert("carrier_module".into(), format!("knm_{carrier}").into());
        if let Some(Value::Array(features)) = told.get_mut("features_available") {
            features.insert(0, "carrier_name".into());
        }
    }
    document
}

/// The whole document.
pub(super) fn document(row: &NumberRow) -> Map<String, Value> {
    let mut document = listed(row);
    let features = document["features"].as_object().map(Map::keys).into_iter().flatten().cloned();
    let names: Vec<String> = features.collect();
    document.insert("id".into(), row.number.clone().into());
    let read_only = json!({
        "created": gregorian(row.created_at), "modified": gregorian(row.updated_at), "state": row.state.word(),
        "used_by": used_by(row), "features": names, "features_available": AVAILABLE,
    });
    document.insert("_read_only".into(), read_only);
    document
}

/// What a list says of a number.
pub(super) fn listed(row: &NumberRow) -> Map<String, Value> {
    let mut document = row.fields.clone();
    columns::print(row, &mut document);
    if let Some(cnam) = cnam(row) {
        document.insert("cnam".into(), cnam);
    }
    if row.state.is_held() {
        document.insert("assigned_to".into(), row.account_id.word().into());
    } else {
        document.remove("assigned_to");
    }
    let mut set = |name: &str, value: Value| drop(document.insert(name.to_owned(), value));
    set("created", gregorian(row.created_at).into());
    set("updated", gregorian(row.updated_at).into());
    set("state", row.state.word().into());
    set("used_by", used_by(row).into());
    set("features", features(row).into());
    document
}

/// The document as filters see it: also by the names of the stored one.
pub(super) fn filtered(row: &NumberRow) -> Map<String, Value> {
    let mut document = document(row);
    for (public, stored) in [
        ("state", "pvt_state"),
        ("assigned_to", "pvt_assigned_to"),
        ("used_by", "pvt_used_by"),
        ("created", "pvt_created"),
        ("updated", "pvt_modified"),
    ] {
        if let Some(value) = document.get(public).cloned() {
            document.insert(stored.into(), value);
        }
    }
    document
}

/// What uses the number. Kazoo's call flows are callgate's applications.
fn used_by(row: &NumberRow) -> &str {
    let routed = row.voice_url.is_some() || row.voice_application_id.is_some();
    row.used_by.as_deref().unwrap_or(if routed { "callflow" } else { "" })
}

/// The name a number shows, and whether callers' names are looked up: columns that other dialects write too.
fn cnam(row: &NumberRow) -> Option<Value> {
    let mut cnam = row.fields.get("cnam").and_then(Value::as_object).cloned().unwrap_or_default();
    match &row.caller_id_name {
        Some(name) => drop(cnam.insert("display_name".into(), name.clone().into())),
        None => drop(cnam.remove("display_name")),
    }
    if row.voice_caller_id_lookup || cnam.contains_key("inbound_lookup") {
        cnam.insert("inbound_lookup".into(), row.voice_caller_id_lookup.into());
    }
    let there = !cnam.is_empty() || row.fields.contains_key("cnam");
    there.then(|| cnam.into())
}

/// The features a client may set.
const AVAILABLE: &[&str] =
    &["cnam", "dash_e911", "e911", "failover", "force_outbound", "prepend", "ringback"];

/// The features that are on, each with its setting. Some are for numbers in service only.
pub(super) fn features(row: &NumberRow) -> Map<String, Value> {
    let mut features = Map::new();
    let fields = &row.fields;
    if row.state == NumberState::InService {
        for name in ["prepend", "failover", "ringback"] {
            if let Some(Value::Object(setting)) = fields.get(name)
                && !setting.is_empty()
            {
                features.insert(name.into(), setting.clone().into());
            }
        }
        if let Some(on) = fields.get("force_outbound").and_then(truth) {
            features.insert("force_outbound".into(), on.into());
        }
    }
    for name in ["dash_e911", "e911"] {
        if let Some(address @ Value::Object(_)) = fields.get(name) {
            features.insert(name.into(), address.clone());
        }
    }
    if let Some(name) = &row.caller_id_name {
        features.insert("outbound_cnam".into(), json!({ "display_name": name }));
    }
    if row.voice_caller_id_lookup {
        features.insert("inbound_cnam".into(), json!({ "inbound_lookup": true }));
    }
    if row.ported_in {
        features.insert("port".into(), json!({}));
    }
    features
}

/// A boolean, or a text of one.
pub(super) fn truth(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountSid, OrganizationSid};

    fn row(fields: Value) -> NumberRow {
        let mut row = NumberRow::new(AccountSid(7), OrganizationSid(1), "+12125550123");
        row.fields = fields.as_object().unwrap().clone();
        row
    }

    #[test]
    fn moments_are_counted_from_the_year_0() {
        assert_eq!(gregorian(Timestamp::from_second(1_460_385_611).unwrap()), 63_627_604_811);
    }

    #[test]
    fn what_a_client_sent_stays_as_it_is() {
        let row = row(json!({ "flag": false, "empty": {}, "nothing": null, "state": "mine" }));
        let document = document(&row);
        assert_eq!(
            (&document["flag"], &document["empty"], &document["nothing"]),
            (&json!(false), &json!({}), &Value::Null)
        );
        assert_eq!((&document["state"], &document["features"]), (&json!("in_service"), &json!({})));
        assert_eq!(document["assigned_to"], "00000000000000000000000000000007");
    }

    #[test]
    fn a_feature_is_what_its_field_says() {
        for (given, on) in [
            (json!(true), Some(true)),
            (json!(false), Some(false)),
            (json!("true"), Some(true)),
            (json!("false"), Some(false)),
            (json!("blabla"), None),
            (json!(1), None),
        ] {
            let mut row = row(json!({ "force_outbound": given.clone() }));
            assert_eq!(features(&row).get("force_outbound").and_then(Value::as_bool), on, "{given}");
            assert_eq!(document(&row)["force_outbound"], given);
            row.state = NumberState::Reserved;
            assert_eq!(features(&row).get("force_outbound"), None, "for numbers in service only");
        }
    }

    #[test]
    fn the_carrier_is_told_to_the_administrator_alone() {
        let mut row = row(json!({}));
        for (carrier, module) in [(None, "knm_local"), (Some("harbour"), "knm_harbour")] {
            row.carrier = carrier.map(str::to_owned);
            let told = &shown(&row, true)["_read_only"];
            assert_eq!(
                (&told["carrier_module"], &told["features_available"][0]),
                (&json!(module), &json!("carrier_name"))
            );
            assert_eq!(shown(&row, false), document(&row));
            assert!(document(&row)["_read_only"].get("carrier_module").is_none());
        }
    }

    #[test]
    fn what_nobody_has_is_assigned_to_nobody() {
        for (state, assigned) in [
            (NumberState::Discovery, false),
            (NumberState::Available, false),
            (NumberState::Aging, false),
            (NumberState::Released, false),
            (NumberState::Deleted, false),
            (NumberState::Reserved, true),
            (NumberState::PortIn, true),
            (NumberState::PortOut, true),
        ] {
            let mut row = row(json!({}));
            row.state = state;
            assert_eq!(document(&row).contains_key("assigned_to"), assigned, "{state:?}");
        }
    }
}
