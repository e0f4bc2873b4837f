//! What a client may say of a number: its own fields as they are, those with a meaning checked.

use serde_json::{Map, Value, json};

use super::columns;
use super::document::truth;
use super::members::Members;
use super::refusal::Refusal;
use crate::api::service::ServiceError;
use crate::store::{NumberRow, NumberState, Word};

/// What only the system says of a number; a document that was read may be sent back whole.
const OURS: &[&str] = &[
    "id",
    "used_by",
    "state",
    "features",
    "features_available",
    "assigned_to",
    "created",
    "updated",
    "modified",
    "create_with_state",
    "accept_charges",
    "numbers",
    "auth_token",
];

/// How much a client may say of one number, in bytes of JSON.
const MOST: usize = 64 * 1024;

/// Whether fields that are not given stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// POST: they go.
    Replace,
    /// PATCH, and what moves a number: they stay; null takes one away.
    Merge,
}

/// The client's fields, checked.
pub(super) fn checked(mut given: Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    check(&given)?;
    given.retain(|name, _| {
        !OURS.contains(&name.as_str()) && !name.starts_with('_') && !name.starts_with("pvt_")
    });
    if serde_json::to_string(&given).is_ok_and(|text| text.len() > MOST) {
        let sentence = format!("String must not be more than {MOST} characters");
        return Err(Refusal::field("data", "maxLength", &sentence));
    }
    Ok(given)
}

fn check(given: &Map<String, Value>) -> Result<(), Refusal> {
    let mut members = Members::of(given);
    members.one_of("create_with_state", FIRST_STATES);
    let mut cnam = members.within("cnam");
    cnam.sized("display_name", 1, 15);
    cnam.flag("inbound_lookup");
    // What these hold is the client's own, as in Kazoo: it counts where it is of the type that is meant.
    for name in ["prepend", "failover", "ringback", "dash_e911", "e911"] {
        members.object(name);
    }
    members.and(cnam).done()
}

/// What a number may begin as.
pub(in crate::api) const FIRST_STATES: &[&str] = &["aging", "available", "in_service", "port_in", "reserved"];

/// The state a number is to begin in. `reserved`, unless `create_with_state`, which was [`checked`], names
/// another that the asker may choose.
pub(super) fn first_state(given: &Map<String, Value>, is_admin: bool) -> Result<NumberState, Refusal> {
    use NumberState::{Aging, Available, InService, PortIn, Reserved};
    let Some(word) = given.get("create_with_state").and_then(Value::as_str) else { return Ok(Reserved) };
    let may =
        if is_admin { &[Aging, Available, InService, PortIn, Reserved][..] } else { &[InService, Reserved] };
    match NumberState::of_word(word).filter(|state| may.contains(state)) {
        Some(state) => Ok(state),
        None => {
            Err(Refusal::forbidden_operation(&format!("creating number in state '{word}' is not allowed")))
        }
    }
}

/// The carriers that need no configuration: numbers of nobody else, those of the inventory, mobile ones, and
/// those that the carrier provider gave.
pub(super) const CARRIERS: [&str; 4] = ["local", "inventory", "mdn", "other"];

/// `carrier_name` is the administrator's, and one of those that are known; it stays under its short name.
pub(super) fn check_carrier(
    given: &mut Map<String, Value>,
    is_admin: bool,
    configured: &[String],
) -> Result<(), Refusal> {
    match given.remove("carrier_name") {
        None | Some(Value::Null) => Ok(()),
        Some(_) if !is_admin => Err(Refusal::forbidden_operation("carrier_name is the administrator's")),
        Some(name) => {
            // As modules are called, today and in former times.
            let text = name.as_str().unwrap_or_default();
            let short = text.strip_prefix("knm_").or_else(|| text.strip_prefix("wnm_")).unwrap_or(text);
            if CARRIERS.contains(&short) || configured.iter().any(|known| known == short) {
                given.insert("carrier_name".into(), short.into());
                return Ok(());
            }
            let cause = format!("'{}' is not known by the system", name.as_str().unwrap_or_default());
            let data = json!({ "code": 400, "error": "invalid", "message": "invalid", "cause": cause });
            Err(Refusal::new(400, "invalid", data))
        }
    }
}

/// Lays the fields over a row.
pub(super) fn apply(given: &Map<String, Value>, mode: Mode, row: &mut NumberRow) -> Result<(), ServiceError> {
    let had_cnam = row.fields.contains_key("cnam");
    let mut own = if mode == Mode::Replace { Map::new() } else { row.fields.clone() };
    for (name, value) in given {
        if name == "carrier_name" {
            row.carrier = value.as_str().filter(|name| *name != "local").map(str::to_owned);
        } else if columns::is_column(name) {
            columns::set(row, name, value)?;
        } else {
            merge(&mut own, name, value, mode);
        }
    }
    // Other dialects may have set these: they go only with a `cnam` that was said here.
    if given.contains_key("cnam") || (had_cnam && !own.contains_key("cnam")) {
        let cnam = own.get("cnam");
        let name = cnam.and_then(|cnam| cnam.get("display_name")).and_then(Value::as_str);
        row.caller_id_name = name.map(str::to_owned);
        row.voice_caller_id_lookup =
            cnam.and_then(|cnam| cnam.get("inbound_lookup")).and_then(truth).unwrap_or(false);
    }
    row.caller_name_prefix = prefix(own.get("prepend"));
    row.fields = own;
    Ok(())
}

/// The prefix in effect: a name that is enabled.
fn prefix(prepend: Option<&Value>) -> Option<String> {
    let prepend = prepend?;
    let enabled = prepend.get("enabled").and_then(truth).unwrap_or(false);
    let name = prepend.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    name.filter(|_| enabled).map(str::to_owned)
}

/// Objects are merged member by member; null takes away.
pub(super) fn merge(into: &mut Map<String, Value>, name: &str, value: &Value, mode: Mode) {
    match value {
        Value::Null if mode == Mode::Merge => drop(into.remove(name)),
        Value::Object(members) if mode == Mode::Merge => {
            let slot = into.entry(name).or_insert_with(|| json!({}));
            if !slot.is_object() {
                *slot = json!({});
            }
            let slot = slot.as_object_mut().expect("just made one");
            for (name, value) in members {
                merge(slot, name, value, mode);
            }
        }
        other => drop(into.insert(name.to_owned(), other.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountSid, OrganizationSid};

    fn object(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn row() -> NumberRow {
        NumberRow::new(AccountSid(1), OrganizationSid(1), "+12125550123")
    }

    #[test]
    fn what_is_ours_is_not_the_clients_to_say() {
        let given = checked(object(json!({
            "id": "x", "used_by": "y", "state": "z", "features": {}, "_read_only": {}, "pvt_state": 1, "mine": 1,
        })));
        assert_eq!(given.unwrap(), object(json!({ "mine": 1 })));
    }

    #[test]
    fn post_replaces_and_patch_merges() {
        let mut row = row();
        row.voice_url = Some("https://a.example/".into());
        apply(&object(json!({ "a": 1, "deep": { "b": 2, "c": 3 } })), Mode::Replace, &mut row).unwrap();
        apply(&object(json!({ "deep": { "b": null, "d": 4 }, "e": [1] })), Mode::Merge, &mut row).unwrap();
        assert_eq!(row.fields, object(json!({ "a": 1, "deep": { "c": 3, "d": 4 }, "e": [1] })));
        apply(&object(json!({ "f": null })), Mode::Replace, &mut row).unwrap();
        assert_eq!(row.fields, object(json!({ "f": null })));
        assert_eq!(row.voice_url.as_deref(), Some("https://a.example/"), "routing goes only when named");
        apply(&object(json!({ "voice_url": null })), Mode::Merge, &mut row).unwrap();
        assert_eq!(row.voice_url, None);
    }

    #[test]
    fn a_prefix_is_in_effect_when_it_is_enabled_and_has_a_name() {
        for (prepend, expected) in [
            (json!({ "enabled": true, "name": "Sales" }), Some("Sales")),
            (json!({ "enabled": "true", "name": "Sales" }), Some("Sales")),
            (json!({ "enabled": true, "name": "" }), None),
            (json!({ "enabled": true }), None),
            (json!({ "enabled": false, "name": "Sales" }), None),
            (json!({ "name": "Sales" }), None),
        ] {
            let mut row = row();
            apply(&object(json!({ "prepend": prepend.clone() })), Mode::Replace, &mut row).unwrap();
            assert_eq!(row.caller_name_prefix.as_deref(), expected, "{prepend}");
        }
    }

    #[test]
    fn cnam_is_the_columns_that_others_write_too() {
        let mut row = row();
        row.voice_caller_id_lookup = true;
        apply(&object(json!({ "mine": 1 })), Mode::Replace, &mut row).unwrap();
        assert!(row.voice_caller_id_lookup, "set in another dialect, not named here");
        let cnam = json!({ "cnam": { "display_name": "Shop", "inbound_lookup": false } });
        apply(&object(cnam), Mode::Merge, &mut row).unwrap();
        assert_eq!((row.caller_id_name.as_deref(), row.voice_caller_id_lookup), (Some("Shop"), false));
        apply(&object(json!({})), Mode::Replace, &mut row).unwrap();
        assert_eq!(row.caller_id_name, None);
        for bad in [
            json!({ "display_name": "sixteen letters " }),
            json!({ "display_name": "" }),
            json!(3),
            json!({ "inbound_lookup": "x" }),
        ] {
            assert!(checked(object(json!({ "cnam": bad.clone() }))).is_err(), "{bad}");
        }
    }

    #[test]
    fn who_may_choose_which_first_state() {
        let with = |state: &str| object(json!({ "create_with_state": state }));
        assert_eq!(first_state(&Map::new(), false), Ok(NumberState::Reserved));
        assert_eq!(first_state(&with("in_service"), false), Ok(NumberState::InService));
        assert_eq!(first_state(&with("available"), true), Ok(NumberState::Available));
        assert_eq!(first_state(&with("available"), false).unwrap_err().status, 403);
        assert_eq!(
            checked(with("deleted")).unwrap_err().data["create_with_state"]["enum"]["target"][0],
            "aging"
        );
        assert!(checked(object(json!({ "create_with_state": 3 }))).is_err());
    }
}
