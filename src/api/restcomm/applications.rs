//! `Applications`.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use serde::Serialize;

use crate::api::body::Form;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::service::Principal;
use crate::api::state::Api;
use crate::store::{ApplicationRow, Page as Rows};

use super::application::{self, KNOWN, Printed};
use super::number::friendly;
use super::params::Params;
use super::{Base, Owner, refuse, show, sid};

/// The most applications of one list, which has no pages.
const MOST: u64 = 10_000;

/// The most numbers shown of one application.
const MOST_NUMBERS: u64 = 1_000;

/// An application with the numbers that name it (`includeNumbers=true`).
#[derive(Serialize)]
struct WithNumbers {
    #[serde(flatten)]
    application: Printed,
    #[serde(skip_serializing_if = "Option::is_none")]
    numbers: Option<Vec<Named>>,
}

#[derive(Serialize)]
struct Named {
    sid: String,
    account_sid: String,
    friendly_name: String,
    phone_number: String,
}

/// The parameters of the list.
pub(crate) const FILTERS: &[&str] = &["FriendlyName", "includeNumbers"];

/// A bare array, as documented.
pub(super) async fn list(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), FILTERS);
    let name = params.get("FriendlyName").filter(|name| !name.is_empty());
    let with_numbers = params.flag("includeNumbers")?.unwrap_or(false);
    let listed = api.service.applications(&who, account, name, Rows::first(MOST)).await.map_err(refuse)?;
    let mut printed = Vec::with_capacity(listed.rows.len());
    for row in listed.rows {
        let numbers = if with_numbers { Some(numbers(&api, &row).await?) } else { None };
        printed.push(WithNumbers { application: application::print(row, &base), numbers });
    }
    let mut response = show("Applications", &printed);
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

pub(super) async fn create(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let params = Params::parse(&body, KNOWN);
    if params.get("FriendlyName").is_none_or(str::is_empty) {
        return Err(ApiError::bad("Friendly name can not be null."));
    }
    let edit = |row: &mut ApplicationRow| application::apply(&params, row);
    let written = api.service.create_application(&who, account, edit).await?;
    Ok(reply::written(written, params.warnings, |row| show("Application", &application::print(row, &base))))
}

pub(super) async fn read(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let row = api.service.application(&who, account, sid("application", &id)?).await.map_err(refuse)?;
    Ok(show("Application", &application::print(row, &base)))
}

pub(super) async fn update(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    Path((_, id)): Path<(String, String)>,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let params = Params::parse(&body, KNOWN);
    let edit = |row: &mut ApplicationRow| application::apply(&params, row);
    let written = api.service.update_application(&who, account, sid("application", &id)?, edit).await?;
    if let Some(url) = &written.value.status_callback {
        // Written again, even with what it had: a receiver that answered 410 is asked once more.
        api.handles.receivers.enable(Some(account), url);
    }
    Ok(reply::written(written, params.warnings, |row| show("Application", &application::print(row, &base))))
}

/// 200 without a body, as documented.
pub(super) async fn delete(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let id = sid("application", &id)?;
    let written = api.service.delete_application(&who, account, id).await.map_err(refuse)?;
    Ok(reply::written(written, Vec::new(), |()| reply::empty()))
}

async fn numbers(api: &Api, row: &ApplicationRow) -> Result<Vec<Named>, ApiError> {
    let rows = api.service.numbers_naming(row.id, MOST_NUMBERS).await?;
    let named = rows.into_iter().map(|number| Named {
        sid: number.id.to_string(),
        account_sid: number.account_id.to_string(),
        friendly_name: number.friendly_name.unwrap_or_else(|| friendly(&number.number).to_owned()),
        phone_number: number.number,
    });
    Ok(named.collect())
}
