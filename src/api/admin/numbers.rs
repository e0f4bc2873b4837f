//! `/admin/v1/numbers`: what operators do with numbers of any account, and the linter.

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::auth::Admin;
use crate::api::body::JsonObject;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::restcomm::params::{Params, shown};
use crate::api::service::NewNumber;
use crate::api::state::Api;
use crate::ids::{AccountSid, NumberSid};
use crate::store::{AccountRow, NumberFilter, NumberRow, NumberState, Page, Word};

use super::columns::{self, Shown, given, lay, lay_some, print};
use super::etag::{self, IfMatch};
use super::fields::Fields;

pub(super) async fn list(
    State(api): State<Api>,
    _admin: Admin,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), FILTERS);
    let filter = filter(&params)?;
    let page = super::query::page(&params)?;
    if let Some(after) = params.change("after") {
        return follow(&api, &filter, after, page.limit).await;
    }
    let listed = api.service.store().numbers(&filter, page).await?;
    let rows: Vec<Value> = listed.rows.iter().map(print).collect();
    let mut response = reply::json(&json!({ "total": listed.total, "numbers": rows }));
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

/// What tells one number from another.
pub(in crate::api) const IDENTITY: [&str; 2] = ["number", "is_sip"];

/// The parameters of the list.
pub(in crate::api) const FILTERS: &[&str] = &["number", "account", "state", "limit", "offset", "after"];

/// The list in the order of texts, uncounted, from behind a sid on: what reads all numbers of many.
async fn follow(
    api: &Api,
    filter: &NumberFilter,
    after: Option<String>,
    limit: u64,
) -> Result<Response, ApiError> {
    let after = match after {
        Some(id) => api.service.store().place_of(find(api, &id).await?.id).await?,
        None => None,
    };
    let (rows, next) = api.service.store().numbers_after(filter, after.as_ref(), limit).await?;
    let next = rows.last().filter(|_| next.is_some()).map(|row| row.id.to_string());
    let rows: Vec<Value> = rows.iter().map(print).collect();
    Ok(reply::json(&json!({ "next_after": next, "numbers": rows })))
}

/// What `number`, `account` and `state` let through.
pub(super) fn filter(params: &Params) -> Result<NumberFilter, ApiError> {
    let account = params.change("account").flatten().map(|sid| sid.parse::<AccountSid>()).transpose();
    Ok(NumberFilter {
        account: account.map_err(|error| ApiError::bad(format!("account: {error}")))?,
        number_part: params.change("number").flatten(),
        state: state(params)?,
        ..NumberFilter::default()
    })
}

fn state(params: &Params) -> Result<Option<NumberState>, ApiError> {
    let Some(text) = params.change("state").flatten() else { return Ok(None) };
    let bad = || ApiError::bad(format!("state is `{}`: use {}", shown(&text), NumberState::EXPECTED));
    NumberState::of_word(&text).map(Some).ok_or_else(bad)
}

pub(super) async fn create(
    State(api): State<Api>,
    admin: Admin,
    JsonObject(map): JsonObject,
) -> Result<Response, ApiError> {
    let fields = Fields::new(map, NumberRow::KNOWN)?;
    let mut text = String::new();
    fields.set("number", &mut text)?;
    let mut account = None;
    fields.set("account_sid", &mut account)?;
    let account = match account {
        Some(sid) => sid,
        None => default_account(&api).await?.id,
    };
    let mut is_sip = false;
    fields.set("is_sip", &mut is_sip)?;
    let new = NewNumber {
        text,
        is_sip: is_sip.then_some(true),
        state: NumberState::InService,
        kind: None,
        bought: false,
    };
    let written = api.service.create_number(&admin.0, account, new, |row| apply(&fields, row)).await?;
    Ok(reply::written(written, Vec::new(), |row| reply::created(&print(&row))))
}

pub(super) async fn read(
    State(api): State<Api>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(etag::shown(&print(&find(&api, &id).await?)))
}

pub(super) async fn update(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
    meant: IfMatch,
    JsonObject(map): JsonObject,
) -> Result<Response, ApiError> {
    let fields = Fields::new(map, NumberRow::KNOWN)?;
    let row = find(&api, &id).await?;
    let edit = |row: &mut NumberRow| {
        meant.holds(&print(row))?;
        lay(&fields, row)
    };
    let written = api.service.update_number(&admin.0, row.account_id, row.id, edit).await?;
    Ok(reply::written(written, Vec::new(), |row| etag::shown(&print(&row))))
}

/// The number becomes what is sent; what is not said, is as in a new one. What tells it from others stays.
pub(super) async fn replace(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
    meant: IfMatch,
    JsonObject(map): JsonObject,
) -> Result<Response, ApiError> {
    let fields = Fields::new(given::<NumberRow>(map), NumberRow::KNOWN)?;
    let row = find(&api, &id).await?;
    let blank = NumberRow::new(row.account_id, row.organization_id, "");
    let edit = |row: &mut NumberRow| {
        meant.holds(&print(row))?;
        columns::replace(&fields, &blank, row)
    };
    let written = api.service.update_number(&admin.0, row.account_id, row.id, edit).await?;
    Ok(reply::written(written, Vec::new(), |row| etag::shown(&print(&row))))
}

pub(super) async fn delete(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let row = find(&api, &id).await?;
    let written = api.service.delete_number(&admin.0, row.account_id, row.id).await?;
    Ok(reply::written(written, Vec::new(), |()| reply::no_content()))
}

/// What looks wrong among the patterns of the live directory, and the rows it left out.
pub(super) async fn lint(State(api): State<Api>, _admin: Admin) -> Result<Response, ApiError> {
    let directory = api.handles.directory.load_full();
    let generation = directory.generation();
    // Thousands of patterns take a while: not on the thread that serves everybody else.
    let notes = tokio::task::spawn_blocking(move || super::lint::report(&directory)).await.map_err(|_| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the linter failed; the log has more")
    })?;
    Ok(reply::json(&json!({ "generation": generation, "notes": notes })))
}

pub(super) async fn default_account(api: &Api) -> Result<AccountRow, ApiError> {
    let found =
        api.service.store().default_account().await.map_err(crate::api::service::ServiceError::from)?;
    found.ok_or_else(|| ApiError::bad("account_sid is missing, and there is no default account: name one"))
}

/// By sid or by text; a text that several organizations have is not enough.
pub(super) async fn find(api: &Api, id: &str) -> Result<NumberRow, ApiError> {
    let store = api.service.store();
    if let Ok(sid) = id.parse::<NumberSid>()
        && let Some(row) =
            store.read::<NumberRow>(sid).await.map_err(crate::api::service::ServiceError::from)?
    {
        return Ok(row);
    }
    let filter = NumberFilter { number: Some(id.to_owned()), ..NumberFilter::default() };
    let found =
        store.numbers(&filter, Page::first(2)).await.map_err(crate::api::service::ServiceError::from)?.rows;
    match <[NumberRow; 1]>::try_from(found) {
        Ok([row]) => Ok(row),
        Err(rows) if rows.is_empty() => Err(ApiError::not_found(format!("there is no number `{id}` here"))),
        Err(rows) => Err(ApiError::bad(format!(
            "`{id}` stands in several organizations: name it by its sid, as {}",
            rows[0].id
        ))),
    }
}

/// Lays all that a number may have over it, but for what tells it from another.
pub(super) fn apply(fields: &Fields, row: &mut NumberRow) -> Result<(), ApiError> {
    lay_some(fields, row, |name| !IDENTITY.contains(&name))
}
