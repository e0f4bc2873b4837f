//! Addresses for emergency calls: complete, known to the provider where there is one, then stored with what
//! it says of them.

use serde_json::{Map, Value, json};

use super::fields::{Mode, merge};
use super::members::Members;
use super::refusal::Refusal;
use crate::api::state::Api;
use crate::outbound::ProviderError;

/// The fields that hold one: the document's, and the later name.
pub(super) const FIELDS: [&str; 2] = ["dash_e911", "e911"];

/// What every address says.
const NEEDED: [&str; 4] = ["postal_code", "street_address", "locality", "region"];

/// What the provider is asked with.
const ADDRESS: [&str; 6] =
    ["caller_name", "postal_code", "street_address", "extended_address", "locality", "region"];

/// An address that PATCH leaves incomplete, with what is stored.
pub(super) fn completed(mut given: Map<String, Value>, stored: &Map<String, Value>) -> Map<String, Value> {
    for name in FIELDS {
        let Some(Value::Object(change)) = given.get(name) else { continue };
        let mut whole = stored.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
        for (name, value) in change {
            merge(&mut whole, name, value, Mode::Merge);
        }
        given.insert(name.to_owned(), whole.into());
    }
    given
}

/// Checks the addresses that are given and asks the provider about them.
pub(super) async fn settle(api: &Api, given: &mut Map<String, Value>) -> Result<Vec<String>, Refusal> {
    let mut warnings = Vec::new();
    for name in FIELDS {
        let Some(Value::Object(address)) = given.get(name) else { continue };
        check(name, given)?;
        let asked: Map<String, Value> = ADDRESS
            .iter()
            .filter_map(|part| Some(((*part).to_owned(), address.get(*part)?.clone())))
            .collect();
        let Some(provider) = api.handles.providers.e911.as_ref() else {
            warnings.push(format!(
                "{name} is stored, nobody was told of it: there is no provider (providers.e911-url)"
            ));
            continue;
        };
        let answer = provider.post("address", &json!({ "data": asked })).await.map_err(failed)?;
        let known = judged(name, &asked, answer)?;
        given.insert(name.to_owned(), known.into());
    }
    Ok(warnings)
}

fn check(name: &str, given: &Map<String, Value>) -> Result<(), Refusal> {
    let mut address = Members::of(given).within(name);
    for field in NEEDED {
        address.needed(field);
    }
    if address.text("region").is_some_and(|region| !region.is_empty()) {
        address.sized("region", 2, 2);
    }
    address.sized("caller_name", 3, usize::MAX);
    address.text("extended_address");
    address.done()
}

/// What the provider says: the address as it knows it, several it could be, or none.
fn judged(name: &str, asked: &Map<String, Value>, answer: Value) -> Result<Map<String, Value>, Refusal> {
    let data = answer.get("data").cloned().unwrap_or_default();
    match answer.get("status").and_then(Value::as_str) {
        Some("success") => {
            let Value::Object(known) = data else { return Err(failed(ProviderError::Answer)) };
            let mut whole = asked.clone();
            whole.extend(known);
            whole.entry("caller_name").or_insert_with(|| "Valued Customer".into());
            Ok(whole)
        }
        Some("multiple_choice") => {
            let told = json!({ "cause": asked, "details": data, "message": "more than one address found" });
            let mut choices = Map::new();
            choices.insert(name.to_owned(), told);
            Err(Refusal::new(400, "multiple_choice", json!({ "multiple_choice": choices })))
        }
        Some("invalid") => {
            let sentence = data.get("message").and_then(Value::as_str).unwrap_or("Location is not geocoded");
            let told = json!({ "cause": asked, "message": sentence, "provider": name });
            Err(Refusal::new(400, "invalid data", json!({ "address": { "invalid": told } })))
        }
        _ => Err(failed(ProviderError::Answer)),
    }
}

fn failed(error: ProviderError) -> Refusal {
    tracing::warn!(%error, "the E911 provider failed: an address was not stored");
    Refusal::no_provider("the E911 provider did not answer: the number stays as it was; repeat later")
}
