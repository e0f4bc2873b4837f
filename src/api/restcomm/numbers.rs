//! `IncomingPhoneNumbers`.

use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::api::body::Form;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::service::{NewNumber, Principal, ServiceError, Written};
use crate::api::state::Api;
use crate::ids::AccountSid;
use crate::store::{NumberFilter, NumberRow, NumberState, Page as Rows};

use super::number::{self, ApplicationNames, FILTERS, KNOWN, Printed};
use super::paging::{Page, Position};
use super::params::{Params, shown};
use super::xml::Wire;
use super::{Base, Owner, refuse, show, sid};

/// The list object.
#[derive(Serialize)]
struct List {
    #[serde(flatten)]
    position: Position,
    #[serde(rename = "incomingPhoneNumbers")]
    numbers: Vec<Printed>,
}

pub(super) async fn list(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    Extension(wire): Extension<Wire>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), FILTERS);
    let page = Page::of(&params)?;
    // A `+` that was not escaped arrives as a space.
    let number =
        params.get("PhoneNumber").filter(|text| !text.is_empty()).map(|text| text.replacen(' ', "+", 1));
    let name = params.change("FriendlyName").flatten();
    let filter =
        NumberFilter { number_part: number.clone(), friendly_name: name.clone(), ..NumberFilter::default() };
    let rows = Rows { offset: page.offset(), limit: page.size };
    let listed = api.service.numbers(&who, account, filter, rows).await.map_err(refuse)?;
    let uri = format!("{base}/Accounts/{account}/IncomingPhoneNumbers{}", wire.suffix);
    let given = [("PhoneNumber", &number), ("FriendlyName", &name)];
    let filters: Vec<(&str, &str)> =
        given.into_iter().filter_map(|(name, value)| value.as_deref().map(|value| (name, value))).collect();
    let last = listed.rows.last().map(|row| row.id.to_string());
    let position = page.position(listed.total, listed.rows.len() as u64, &uri, &filters, last.as_deref())?;
    let mut numbers = Vec::with_capacity(listed.rows.len());
    for row in listed.rows {
        numbers.push(print(&api, row, &base).await?);
    }
    let mut response = show("IncomingPhoneNumbers", &List { position, numbers });
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
    let text = wanted(&params)?;
    let is_sip = params.get("isSIP").map(|value| value.eq_ignore_ascii_case("true"));
    let new = NewNumber { text, is_sip, state: NumberState::InService };
    let edit = |row: &mut NumberRow| number::apply(&params, row).map_err(Refusal::Api);
    let written = api.service.create_number(&who, account, new, edit).await.map_err(Refusal::into_api)?;
    answer(&api, written, params.warnings, &base).await
}

pub(super) async fn read(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let row = api.service.number(&who, account, sid("number", &id)?).await.map_err(refuse)?;
    Ok(show("IncomingPhoneNumber", &print(&api, row, &base).await?))
}

pub(super) async fn update(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    Path((_, id)): Path<(String, String)>,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let mut params = Params::parse(&body, KNOWN);
    for fixed in ["PhoneNumber", "AreaCode", "isSIP"] {
        if params.get(fixed).is_some() {
            params.warnings.push(format!("{fixed} cannot be changed and was ignored"));
        }
    }
    let receiver = transfer(&params)?;
    let edit = |row: &mut NumberRow| {
        if let Some(receiver) = receiver {
            row.account_id = receiver;
        }
        number::apply(&params, row).map_err(Refusal::Api)
    };
    let id = sid("number", &id)?;
    let written = api.service.update_number(&who, account, id, edit).await.map_err(Refusal::into_api)?;
    answer(&api, written, params.warnings, &base).await
}

pub(super) async fn delete(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let written = api.service.delete_number(&who, account, sid("number", &id)?).await.map_err(refuse)?;
    Ok(reply::written(written, Vec::new(), |()| reply::no_content()))
}

/// Exactly one of PhoneNumber and AreaCode; an area's numbers come out of an inventory, and there is
/// none.
fn wanted(params: &Params) -> Result<String, ApiError> {
    let given = |name| params.get(name).filter(|text| !text.is_empty());
    if let Some(area) = given("AreaCode") {
        let message = format!(
            "AreaCode {}: there is no number of this area to be had; give a PhoneNumber",
            shown(area)
        );
        return Err(ApiError::coded(StatusCode::BAD_REQUEST, 21452, message));
    }
    given("PhoneNumber").map(str::to_owned).ok_or_else(|| ApiError::bad("Phone number can not be null."))
}

/// The account a number is handed to.
fn transfer(params: &Params) -> Result<Option<AccountSid>, ApiError> {
    let text = params.get("AccountSid").filter(|text| !text.is_empty());
    text.map(str::parse).transpose().map_err(|error| ApiError::bad(format!("AccountSid: {error}")))
}

/// What comes out of the service: its own refusals, or this dialect's.
enum Refusal {
    Service(ServiceError),
    Api(ApiError),
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl Refusal {
    fn into_api(self) -> ApiError {
        match self {
            Self::Service(error) => refuse(error),
            Self::Api(error) => error,
        }
    }
}

async fn answer(
    api: &Api,
    written: Written<NumberRow>,
    warnings: Vec<String>,
    base: &str,
) -> Result<Response, ApiError> {
    let Written { value, generation, warnings: remarks } = written;
    let printed = print(api, value, base).await?;
    let written = Written { value: printed, generation, warnings: remarks };
    Ok(reply::written(written, warnings, |printed| show("IncomingPhoneNumber", &printed)))
}

async fn print(api: &Api, row: NumberRow, base: &str) -> Result<Printed, ApiError> {
    let names = ApplicationNames {
        voice: api.service.application_name(row.voice_application_id).await?,
        sms: api.service.application_name(row.sms_application_id).await?,
        ussd: api.service.application_name(row.ussd_application_id).await?,
        refer: api.service.application_name(row.refer_application_id).await?,
    };
    Ok(number::print(row, names, base))
}
