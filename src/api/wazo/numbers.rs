//! `/phone-numbers` and `/phone-numbers/{uuid}`.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::api::body::Raw;
use crate::api::reply;
use crate::api::service::{Service, ServiceError, Written};
use crate::api::state::Api;
use crate::ids::NumberSid;
use crate::store::{NumberRow, StoreError};

use super::item::{Here, Item};
use super::query::{MOST, Query};
use super::refusal::Refusal;
use super::schema::{Body, Changes};
use super::tenant::{Tenant, number, uuid};

#[derive(Serialize)]
struct List {
    total: u64,
    items: Vec<Item>,
}

pub(super) async fn list(
    State(api): State<Api>,
    Tenant { who, account }: Tenant,
    here: Here,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let query = Query::read(query.as_deref().unwrap_or_default())?;
    let listed =
        api.service.numbers_of_tenant(&who, account, query.recurse, query.filter, query.page).await?;
    let more = listed.rows.len() as u64 == MOST && query.page.offset + MOST < listed.total;
    let items = listed.rows.into_iter().map(|row| here.print(row)).collect();
    let mut response = reply::json(&List { total: listed.total, items });
    if more {
        let remark = format!("one answer holds {MOST} numbers at most: go on with offset");
        reply::warn(&mut response, &[remark]);
    }
    Ok(response)
}

pub(super) async fn create(
    State(api): State<Api>,
    Tenant { who, account }: Tenant,
    here: Here,
    Raw(body): Raw,
) -> Result<Response, Refusal> {
    let changes = Body::read(&body)?.changes(true)?;
    let text = changes.number.clone().unwrap_or_default();
    let edit = |row: &mut NumberRow| apply(&changes, row);
    let made = api.service.create_numbers_of_tenant(&who, account, &[text], edit).await;
    let exists = |text: &str| Refusal::exists(text, &uuid(account.0));
    let made = made.map_err(|error| match error {
        ServiceError::Taken { value, .. } => exists(&value),
        other => other.into(),
    })?;
    let generation = made.generation.unwrap_or(0);
    let row = match (made.created.into_iter().next(), made.existing.first()) {
        (Some(row), _) => row,
        (None, Some(row)) => return Err(exists(&row.number)),
        (None, None) => return Err(ServiceError::Failed("nothing was created").into()),
    };
    let location = here.href(row.id);
    let written = Written { value: row, generation, warnings: Vec::new() };
    let response = reply::written(written, Vec::new(), |row| reply::created(&here.print(row)));
    Ok(located(response, &location))
}

pub(super) async fn read(
    State(api): State<Api>,
    Tenant { who, account }: Tenant,
    here: Here,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let row = find(&api.service, &who, account, number(&id)?).await?;
    Ok(reply::json(&here.print(row)))
}

/// Partial in spite of its method. That the number is there is looked at before the body is.
pub(super) async fn update(
    State(api): State<Api>,
    Tenant { who, account }: Tenant,
    Path(id): Path<String>,
    Raw(body): Raw,
) -> Result<Response, Refusal> {
    let before = find(&api.service, &who, account, number(&id)?).await?;
    let changes = Body::read(&body)?.changes(false)?;
    if before.main && changes.shared == Some(false) {
        return Err(Refusal::input(vec!["shared: ['the main phone number is always shared']".to_owned()]));
    }
    let refuse = |error| match error {
        ServiceError::Taken { .. } | ServiceError::Store(StoreError::Duplicate { .. }) => {
            let text = changes.number.as_deref().unwrap_or_default();
            Refusal::exists(text, &uuid(before.account_id.0))
        }
        other => other.into(),
    };
    if let Some(text) = changes.number.as_ref().filter(|text| **text != before.number) {
        api.service.must_be_free(&before, text).await.map_err(refuse)?;
    }
    let edit = |row: &mut NumberRow| {
        apply(&changes, row);
        row.shared |= row.main;
        Ok::<(), ServiceError>(())
    };
    let written =
        api.service.update_number(&who, before.account_id, before.id, edit).await.map_err(refuse)?;
    Ok(reply::written(written, Vec::new(), |_| done()))
}

pub(super) async fn delete(
    State(api): State<Api>,
    Tenant { who, account }: Tenant,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let row = find(&api.service, &who, account, number(&id)?).await?;
    let written = api.service.release_number(&who, row.account_id, row.id).await?;
    Ok(reply::written(written, Vec::new(), |()| done()))
}

/// One number of the tenant or of one below it.
async fn find(
    service: &Service,
    who: &crate::api::service::Principal,
    account: crate::ids::AccountSid,
    sid: NumberSid,
) -> Result<NumberRow, Refusal> {
    match service.number_under(who, account, sid).await {
        Err(ServiceError::NotFound { .. }) => {
            Err(Refusal::not_found(&format!("'uuid': UUID('{}')", uuid(sid.0))))
        }
        other => Ok(other?),
    }
}

fn apply(changes: &Changes, row: &mut NumberRow) {
    if let Some(number) = &changes.number {
        row.number.clone_from(number);
    }
    if let Some(name) = &changes.caller_id_name {
        row.caller_id_name.clone_from(name);
    }
    if let Some(shared) = changes.shared {
        row.shared = shared;
    }
}

/// 204 as Wazo sends it.
pub(super) fn done() -> Response {
    (StatusCode::NO_CONTENT, [(header::CONTENT_TYPE, "application/json")]).into_response()
}

/// With `Location`.
pub(super) fn located(mut response: Response, href: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(href) {
        response.headers_mut().insert(header::LOCATION, value);
    }
    response
}
