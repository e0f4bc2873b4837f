//! `PATCH /admin/v1/numbers`: all numbers that match; and `…/{id}/restore`.

use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderValue;
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::api::auth::Admin;
use crate::api::body::JsonObject;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::restcomm::params::Params;
use crate::api::state::Api;
use crate::store::NumberRow;

use super::columns::{Shown, print};
use super::etag;
use super::fields::Fields;
use super::numbers::{IDENTITY, apply, filter, find};

/// The parameters: at least one of the first three.
pub(in crate::api) const WHERE: &[&str] = &["number", "account", "state", "dry_run"];

pub(super) async fn update(
    State(api): State<Api>,
    admin: Admin,
    RawQuery(query): RawQuery,
    JsonObject(map): JsonObject,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), WHERE);
    // A misspelt filter would change more than was meant.
    if let Some(warning) = params.warnings.first() {
        return Err(ApiError::bad(warning.clone()));
    }
    let dry_run = params.flag("dry_run")?.unwrap_or(false);
    if WHERE[..3].iter().all(|name| params.change(name).flatten().is_none()) {
        return Err(ApiError::bad(
            "nothing narrows this: give number, account or state; number=* is every one",
        ));
    }
    let mut filter = filter(&params)?;
    if filter.number_part.as_deref() == Some("*") {
        filter.number_part = None;
    }
    if let Some(name) = IDENTITY.iter().find(|name| map.contains_key(**name)) {
        return Err(ApiError::bad(format!("{name} is no field here: it tells one number from another")));
    }
    if map.is_empty() {
        return Err(ApiError::bad("no field is given: give those that are to change"));
    }
    let fields = Fields::new(map, NumberRow::KNOWN)?;
    let edit = |row: &mut NumberRow| apply(&fields, row);
    let sweep = api.service.sweep_numbers(&admin.0, &filter, dry_run, edit).await?;
    let examples: Vec<Value> =
        sweep.examples.iter().map(|(before, after)| difference(before, after)).collect();
    let body = json!({
        "matched": sweep.matched, "changed": sweep.changed, "dry_run": dry_run, "examples": examples,
        "generation": sweep.generation,
    });
    let mut response = reply::json(&body);
    if let Some(generation) = sweep.generation {
        response.headers_mut().insert(reply::GENERATION, HeaderValue::from(generation));
    }
    Ok(response)
}

/// The fields that differ, each before and after.
fn difference(before: &NumberRow, after: &NumberRow) -> Value {
    let (before, after) = (print(before), print(after));
    let mut fields = Map::new();
    for (name, value) in after.as_object().into_iter().flatten() {
        if before[name] != *value {
            fields.insert(name.clone(), json!([before[name], value]));
        }
    }
    json!({ "number": before["number"], "sid": before["sid"], "fields": fields })
}

pub(super) async fn restore(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let row = find(&api, &id).await?;
    let written = api.service.restore_number(&admin.0, row.id).await?;
    Ok(reply::written(written, Vec::new(), |row| etag::shown(&print(&row))))
}
