//! `IncomingPhoneNumbers`.

use std::collections::HashMap;

use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::api::body::Form;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::service::{NewNumber, Principal, ServiceError, Written};
use crate::api::state::Api;
use crate::ids::{AccountSid, ApplicationSid, NumberSid};
use crate::store::{NumberFilter, NumberOrder, NumberRow, NumberState, Page as Rows};

use super::available::Kind;
use super::number::{self, ApplicationNames, FILTERS, KNOWN, Printed};
use super::paging::{Page, Position};
use super::params::{self, Params, shown};
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
    kind: Kind,
    Extension(wire): Extension<Wire>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), FILTERS);
    let page = Page::of(&params)?;
    // A `+` that was not escaped arrives as a space.
    let number =
        params.get("PhoneNumber").filter(|text| !text.is_empty()).map(|text| text.replacen(' ', "+", 1));
    let name = params.change("FriendlyName").flatten();
    params.flag("Beta")?;
    let filter = NumberFilter {
        number_part: number.clone(),
        friendly_name: name.clone(),
        kind: kind.wanted,
        order: order(&params)?,
        reverse: params.flag("Reverse")?.unwrap_or(false),
        // One that is not there counts as none: the page's number holds then.
        after: after(&params)?,
        ..NumberFilter::default()
    };
    let rows = Rows { offset: page.offset(), limit: page.size };
    let listed = api.service.numbers(&who, account, filter, rows).await.map_err(refuse)?;
    let uri = format!("{base}/Accounts/{account}/IncomingPhoneNumbers{}{}", kind.path, wire.suffix);
    let given = [
        ("PhoneNumber", number.as_deref()),
        ("FriendlyName", name.as_deref()),
        ("SortBy", params.get("SortBy")),
        ("Reverse", params.get("Reverse")),
    ];
    let filters: Vec<(&str, &str)> =
        given.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
    let last = listed.rows.last().map(|row| row.id.to_string());
    let position = page.position(listed.total, listed.rows.len() as u64, &uri, &filters, last.as_deref())?;
    let mut names = Names::default();
    let mut numbers = Vec::with_capacity(listed.rows.len());
    for row in listed.rows {
        numbers.push(names.print(&api, row, &base).await?);
    }
    let mut response = show("IncomingPhoneNumbers", &List { position, numbers });
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

fn after(params: &Params) -> Result<Option<NumberSid>, ApiError> {
    let text = params.get("AfterSid").filter(|text| !text.is_empty());
    text.map(str::parse).transpose().map_err(|error| ApiError::bad(format!("AfterSid: {error}")))
}

/// `SortBy`: PhoneNumber, which is the default, or FriendlyName.
fn order(params: &Params) -> Result<NumberOrder, ApiError> {
    match params.get("SortBy").map(str::trim) {
        None | Some("" | "PhoneNumber") => Ok(NumberOrder::Number),
        Some("FriendlyName") => Ok(NumberOrder::FriendlyName),
        Some(other) => {
            Err(ApiError::bad(format!("SortBy is `{}`: use PhoneNumber or FriendlyName", shown(other))))
        }
    }
}

pub(super) async fn create(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    kind: Kind,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let mut params = Params::parse(&body, KNOWN);
    let given = |name| params.get(name).filter(|text| !text.trim().is_empty()).map(str::to_owned);
    let (area, number) = (given("AreaCode"), given("PhoneNumber"));
    let is_sip = params.flag("isSIP")?;
    if given("AccountSid").is_some() {
        params
            .warnings
            .push("AccountSid is for updates and was ignored: the path names the account".to_owned());
    }
    let edit = |row: &mut NumberRow| number::apply(&params, row).map_err(Refusal::Api);
    let new =
        |text| NewNumber { text, is_sip, state: NumberState::InService, kind: kind.wanted, bought: true };
    let written = match (area, number) {
        (Some(area), _) if kind.wanted.is_some() => {
            let message = format!("AreaCode {}: give a PhoneNumber here, as documented", shown(&area));
            return Err(ApiError::coded(StatusCode::BAD_REQUEST, 21452, message));
        }
        (Some(area), _) => {
            api.service.create_number_of_area(&who, account, area.trim(), new(String::new()), edit).await
        }
        (None, Some(text)) => {
            let text = params::number("PhoneNumber", &text)?;
            api.service.create_number(&who, account, new(text), edit).await
        }
        (None, None) => return Err(ApiError::bad("Phone number can not be null.")),
    };
    answer(&api, written.map_err(Refusal::into_api)?, params.warnings, &base).await
}

/// `["US"]`, and what else the inventory has.
pub(super) async fn countries(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
) -> Result<Response, ApiError> {
    let countries = api.service.available_countries(&who, account).await.map_err(refuse)?;
    Ok(show("AvailableCountries", &countries))
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
    api.service.number(&who, account, id).await.map_err(refuse)?;
    let written = api.service.update_number(&who, account, id, edit).await.map_err(Refusal::into_api)?;
    answer(&api, written, params.warnings, &base).await
}

pub(super) async fn delete(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, ApiError> {
    let written = api.service.release_number(&who, account, sid("number", &id)?).await.map_err(refuse)?;
    Ok(reply::written(written, Vec::new(), |()| reply::no_content()))
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

impl<'a> From<&'a Refusal> for Option<&'a ServiceError> {
    fn from(refusal: &'a Refusal) -> Self {
        match refusal {
            Refusal::Service(error) => Some(error),
            Refusal::Api(_) => None,
        }
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
    Names::default().print(api, row, base).await
}

/// The names of applications, each looked up once for an answer.
#[derive(Default)]
struct Names(HashMap<ApplicationSid, Option<String>>);

impl Names {
    async fn print(&mut self, api: &Api, row: NumberRow, base: &str) -> Result<Printed, ApiError> {
        let names = ApplicationNames {
            voice: self.of(api, row.voice_application_id).await?,
            sms: self.of(api, row.sms_application_id).await?,
            ussd: self.of(api, row.ussd_application_id).await?,
            refer: self.of(api, row.refer_application_id).await?,
        };
        Ok(number::print(row, names, base))
    }

    async fn of(&mut self, api: &Api, sid: Option<ApplicationSid>) -> Result<Option<String>, ApiError> {
        let Some(sid) = sid else { return Ok(None) };
        if let Some(name) = self.0.get(&sid) {
            return Ok(name.clone());
        }
        let name = api.service.application_name(Some(sid)).await?;
        self.0.insert(sid, name.clone());
        Ok(name)
    }
}
