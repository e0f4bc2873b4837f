//! Status callbacks: pending ones and dead letters.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::auth::Admin;
use crate::api::body::JsonObject;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::restcomm::params::{Params, shown};
use crate::api::service::ServiceError;
use crate::api::state::Api;
use crate::ids::AccountSid;
use crate::store::Word;
use crate::store::calls::{DeliveryFilter, DeliveryRow, DeliveryState};

use super::fields::Fields;
use super::{query, redact};

/// The parameters of the list.
pub(in crate::api) const FILTERS: &[&str] = &["state", "call", "account", "url", "limit", "offset"];

/// What `enable` reads.
const ENABLE: &[&str] = &["url", "account"];

/// Newest first; `state=dead` are the dead letters, superseded ones included.
pub(super) async fn list(
    State(api): State<Api>,
    _admin: Admin,
    RawQuery(asked): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(asked.unwrap_or_default().as_bytes(), FILTERS);
    let state = params.get("state").filter(|word| !word.is_empty());
    let filter = DeliveryFilter {
        state: state.map(|word| DeliveryState::of_word(word).ok_or_else(|| bad_state(word))).transpose()?,
        call: sid(&params, "call")?,
        account: sid(&params, "account")?,
        url: params.change("url").flatten(),
    };
    let page = query::page(&params)?;
    let store = api.service.store();
    let mut listed = store.deliveries(&filter, page).await.map_err(ServiceError::from)?;
    if filter.state == Some(DeliveryState::Dead) {
        let superseded = DeliveryFilter { state: Some(DeliveryState::Superseded), ..filter };
        let more = store.deliveries(&superseded, page).await.map_err(ServiceError::from)?;
        listed.total += more.total;
        listed.rows.extend(more.rows);
        listed.rows.sort_by_key(|row| std::cmp::Reverse(row.created_at));
    }
    let rows: Vec<Value> = listed.rows.iter().map(print).collect();
    let mut response = reply::json(&json!({ "total": listed.total, "deliveries": rows }));
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

/// One delivery with its parameters and its tries.
pub(super) async fn show(
    State(api): State<Api>,
    _admin: Admin,
    Path(id): Path<String>,
    RawQuery(asked): RawQuery,
) -> Result<Response, ApiError> {
    let (params, whole) = query::only_whole(asked)?;
    let row = known(&api, &id).await?;
    let told = form_urlencoded::parse(row.body.as_bytes()).map(|(name, value)| {
        let value = if whole { value.into_owned() } else { redact::numbers(&value) };
        (name.into_owned(), Value::from(value))
    });
    let mut value = print(&row);
    value["parameters"] = Value::Object(told.collect());
    value["tries"] = tries(&api, &row).await?;
    let mut response = reply::json(&value);
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

/// Sends a dead letter, or one that was delivered, once more, now; its `webhook-id` is the one it had.
pub(super) async fn replay(
    State(api): State<Api>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let row = known(&api, &id).await?;
    if row.state == DeliveryState::Pending {
        return Err(ApiError::new(StatusCode::CONFLICT, "it is still tried: nothing is to be sent again"));
    }
    let sent = api.handles.receivers.send_again(row).await;
    let store = api.service.store();
    store.tried_again(&sent.attempt, sent.taken).await.map_err(ServiceError::from)?;
    Ok(reply::json(&json!({
        "id": id,
        "delivered": sent.taken,
        "attempt": sent.attempt.attempt,
        "http_status": sent.attempt.http_status,
        "error": sent.attempt.error,
        "took_ms": sent.attempt.took_ms,
    })))
}

async fn known(api: &Api, id: &str) -> Result<DeliveryRow, ApiError> {
    let found = api.service.store().delivery(id).await.map_err(ServiceError::from)?;
    found.ok_or_else(|| {
        ApiError::not_found(format!("`{}` is no delivery; `callgate deliveries list` has ids", shown(id)))
    })
}

/// The tries of a delivery, in order.
pub(super) async fn tries(api: &Api, row: &DeliveryRow) -> Result<Value, ApiError> {
    let attempts = api.service.store().attempts(&row.id).await.map_err(ServiceError::from)?;
    let tries = attempts.iter().map(|attempt| {
        json!({
            "attempt": attempt.attempt,
            "at": attempt.at.word(),
            "http_status": attempt.http_status,
            "error": attempt.error,
            "took_ms": attempt.took_ms,
        })
    });
    Ok(tries.collect())
}

/// Receivers that answered 410 and get nothing.
pub(super) async fn disabled(State(api): State<Api>, _admin: Admin) -> Response {
    let rows = api.handles.receivers.disabled();
    let rows = rows
        .iter()
        .map(|(account, url)| json!({ "account_sid": account.to_string(), "url": without_userinfo(url) }));
    reply::json(&json!({ "disabled": rows.collect::<Vec<_>>() }))
}

/// Sends to a URL again that answered 410; without an account, for all accounts it is disabled for.
pub(super) async fn enable(
    State(api): State<Api>,
    _admin: Admin,
    JsonObject(map): JsonObject,
) -> Result<Response, ApiError> {
    let fields = Fields::new(map, ENABLE)?;
    let (mut url, mut account) = (String::new(), None);
    fields.set("url", &mut url)?;
    fields.set::<Option<AccountSid>>("account", &mut account)?;
    if url.is_empty() {
        return Err(ApiError::bad("url is missing: give the URL as its row has it"));
    }
    let enabled = api.handles.receivers.enable(account, &url);
    if enabled.is_empty() {
        let text = format!("`{}` is not disabled; `callgate deliveries disabled` lists what is", shown(&url));
        return Err(ApiError::not_found(text));
    }
    let accounts: Vec<String> = enabled.iter().map(ToString::to_string).collect();
    Ok(reply::json(&json!({ "url": without_userinfo(&url), "accounts": accounts })))
}

pub(super) fn print(row: &DeliveryRow) -> Value {
    json!({
        "id": row.id,
        "call_sid": row.call_id.to_string(),
        "account_sid": row.account_id.to_string(),
        "sequence": row.sequence,
        "status": row.status.as_str(),
        "url": without_userinfo(&row.url),
        "method": row.method.word(),
        "state": row.state.word(),
        "attempts": row.attempts,
        "created": row.created_at.word(),
        "next_attempt": row.next_attempt_at.map(|at| at.word()),
        "finished": row.finished_at.map(|at| at.word()),
        "last_error": row.last_error,
    })
}

/// A URL's password is nobody's business here.
fn without_userinfo(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else { return text.to_owned() };
    if url.password().is_none() || url.set_password(Some("…")).is_err() {
        return text.to_owned();
    }
    url.into()
}

fn sid<T: std::str::FromStr<Err = crate::ids::BadSid>>(
    params: &Params,
    name: &str,
) -> Result<Option<T>, ApiError> {
    let text = params.get(name).filter(|text| !text.is_empty());
    text.map(str::parse).transpose().map_err(|error| ApiError::bad(format!("{name}: {error}")))
}

fn bad_state(word: &str) -> ApiError {
    ApiError::bad(format!("state is `{}`: use {}", shown(word), DeliveryState::EXPECTED))
}
