//! `/admin/v1/numbers/bulk`: many numbers in one request, and its repetition answered by key.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::api::auth::Admin;
use crate::api::body::JsonObject;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::service::{Bulk, BulkNumber, Existing, ServiceError};
use crate::api::state::Api;
use crate::ids::AccountSid;
use crate::store::NumberRow;

use super::columns::Shown;
use super::fields::Fields;
use super::numbers::{apply, default_account};

/// The fields of the request.
const KNOWN: &[&str] = &["rows", "defaults", "existing"];

/// The most numbers of one request.
const MOST: usize = 5_000;

/// The longest idempotency key.
const LONGEST_KEY: usize = 255;

/// One number with all that was given for it.
struct Wanted {
    fields: Fields,
    text: String,
    is_sip: bool,
    account: Option<AccountSid>,
}

pub(super) async fn upsert(
    State(api): State<Api>,
    admin: Admin,
    headers: HeaderMap,
    JsonObject(mut map): JsonObject,
) -> Result<Response, ApiError> {
    let digest = reply::digest(&Value::Object(map.clone()).to_string());
    let key = key(&headers, &admin)?;
    if let Some(key) = &key
        && let Some((of, answer)) = api.service.store().answered(key).await.map_err(ServiceError::from)?
    {
        return again(of == digest, &answer);
    }
    let existing = existing(map.remove("existing"))?;
    let defaults = match map.remove("defaults") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(defaults)) => defaults,
        Some(_) => return Err(ApiError::bad("defaults is no object: give fields that hold for every row")),
    };
    let Some(Value::Array(rows)) = map.remove("rows") else {
        return Err(ApiError::bad("rows is no list: give numbers, or objects with number and other fields"));
    };
    Fields::new(map, KNOWN)?;
    if rows.len() > MOST {
        return Err(ApiError::bad(format!("rows has {} entries: give at most {MOST} at once", rows.len())));
    }
    let bulk = write(&api, &admin, rows, &defaults, existing).await?;
    let body = print(&bulk);
    if let Some(key) = &key {
        api.service.store().keep_answer(key, &digest, &body.to_string()).await.map_err(ServiceError::from)?;
    }
    Ok(answer(&body))
}

async fn write(
    api: &Api,
    admin: &Admin,
    rows: Vec<Value>,
    defaults: &Map<String, Value>,
    existing: Existing,
) -> Result<Bulk, ApiError> {
    let read: Vec<Result<Wanted, ApiError>> = rows.into_iter().map(|row| wanted(row, defaults)).collect();
    let mut places = Vec::new();
    let mut numbers = Vec::new();
    let mut refused = Vec::new();
    let mut owner = None;
    for (at, row) in read.iter().enumerate() {
        match row {
            Ok(row) => {
                let account = match (row.account, owner) {
                    (Some(account), _) | (None, Some(account)) => account,
                    (None, None) => *owner.insert(default_account(api).await?.id),
                };
                places.push(at);
                numbers.push(BulkNumber { text: row.text.clone(), account, is_sip: row.is_sip });
            }
            Err(error) => refused.push((at, error.message.clone())),
        }
    }
    let edit = |at: usize, row: &mut NumberRow| match &read[places[at]] {
        Ok(wanted) => apply(&wanted.fields, row),
        Err(_) => Ok(()),
    };
    let say = |error: &ApiError| error.message.clone();
    let mut bulk = api.service.upsert_numbers(&admin.0, &numbers, existing, edit, say).await?;
    refused.extend(bulk.refused.drain(..).map(|(at, problem)| (places[at], problem)));
    refused.sort_by_key(|(at, _)| *at);
    Ok(Bulk { refused, ..bulk })
}

/// A number alone, or an object; the defaults lie under it.
fn wanted(row: Value, defaults: &Map<String, Value>) -> Result<Wanted, ApiError> {
    let mut map = defaults.clone();
    match row {
        Value::String(number) => drop(map.insert("number".to_owned(), number.into())),
        Value::Object(row) => map.extend(row),
        _ => return Err(ApiError::bad("is neither a number nor an object")),
    }
    let fields = Fields::new(map, NumberRow::KNOWN)?;
    let (mut text, mut is_sip, mut account) = (String::new(), false, None);
    fields.set("number", &mut text)?;
    fields.set("is_sip", &mut is_sip)?;
    fields.set("account_sid", &mut account)?;
    Ok(Wanted { fields, text, is_sip, account })
}

fn existing(value: Option<Value>) -> Result<Existing, ApiError> {
    match value.as_ref().map(Value::as_str) {
        None | Some(Some("update")) => Ok(Existing::Update),
        Some(Some("refuse")) => Ok(Existing::Refuse),
        Some(_) => Err(ApiError::bad("existing is neither update nor refuse")),
    }
}

fn print(bulk: &Bulk) -> Value {
    let refused = bulk.refused.iter().map(|(row, message)| json!({ "row": row, "message": message }));
    json!({
        "created": bulk.created,
        "updated": bulk.updated,
        "unchanged": bulk.unchanged,
        "refused": refused.collect::<Vec<_>>(),
        "generation": bulk.generation,
    })
}

fn answer(body: &Value) -> Response {
    let mut response = reply::json(body);
    if let Some(generation) = body["generation"].as_u64() {
        response.headers_mut().insert(reply::GENERATION, HeaderValue::from(generation));
    }
    response
}

/// The key of this asker's request.
fn key(headers: &HeaderMap, admin: &Admin) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    match value.to_str() {
        Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(Some(format!("{}/{key}", admin.0.actor()))),
        _ => Err(ApiError::bad(format!("Idempotency-Key holds 1 to {LONGEST_KEY} ASCII characters"))),
    }
}

/// The answer given before, to the same request only.
fn again(same: bool, kept: &str) -> Result<Response, ApiError> {
    if !same {
        let message = "this Idempotency-Key was used for another request within a day: take another";
        return Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, message));
    }
    let body = serde_json::from_str(kept).unwrap_or(Value::Null);
    let mut response = answer(&body);
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    Ok(response)
}
