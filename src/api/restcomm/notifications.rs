//! `Notifications`: what was wrong with an account's URLs and documents.

use axum::extract::{Extension, Path, RawQuery, State};
use axum::response::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::service::{Principal, ServiceError};
use crate::api::state::Api;
use crate::ids::{CallSid, NotificationSid};
use crate::store::calls::{NotificationFilter, NotificationRow};
use crate::store::{Page as Rows, Word};

use super::date::rfc2822;
use super::paging::{Page, Position};
use super::params::{Params, shown};
use super::xml::Wire;
use super::{Base, Owner, refuse, show, sid};

/// The filters of the list.
pub(crate) const FILTERS: &[&str] = &["StartTime", "EndTime", "ErrorCode", "RequestUrl", "Page", "PageSize"];

#[derive(Serialize)]
struct List {
    #[serde(flatten)]
    position: Position,
    notifications: Vec<Printed>,
}

/// One notification, in the documented key order.
#[derive(Serialize)]
struct Printed {
    sid: String,
    date_created: String,
    date_updated: String,
    account_sid: String,
    call_sid: Option<String>,
    api_version: &'static str,
    log: u8,
    error_code: u32,
    reason_code: String,
    more_info: Option<String>,
    message_text: String,
    message_date: String,
    request_url: String,
    request_method: Option<String>,
    response_status: Option<u16>,
    uri: String,
}

pub(super) async fn list(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    Extension(wire): Extension<Wire>,
    Path(path): Path<Vec<(String, String)>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), FILTERS);
    let page = Page::of(&params)?;
    api.service.account_for(&who, account).await.map_err(refuse)?;
    // Below a call: its own.
    let call = part(&path).map(|text| sid::<CallSid>("call", text)).transpose()?;
    let filter = NotificationFilter { account: Some(account), call, ..filter(&params)? };
    let rows = Rows { offset: page.offset(), limit: page.size };
    let listed = api.service.store().notifications(&filter, rows).await.map_err(ServiceError::from)?;
    let below = call.map_or_else(String::new, |call| format!("/Calls/{call}"));
    let uri = format!("{base}/Accounts/{account}{below}/Notifications{}", wire.suffix);
    let given = params.given(&FILTERS[..4]);
    let last = listed.rows.last().map(|row| row.id.to_string());
    let position = page.position(listed.total, listed.rows.len() as u64, &uri, &given, last.as_deref())?;
    let notifications = listed.rows.into_iter().map(|row| print(row, &base)).collect();
    let mut response = show("Notifications", &List { position, notifications });
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

pub(super) async fn read(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    Path(path): Path<Vec<(String, String)>>,
) -> Result<Response, ApiError> {
    api.service.account_for(&who, account).await.map_err(refuse)?;
    let id: NotificationSid = sid("notification", part(&path).unwrap_or_default())?;
    let row = api.service.store().notification(id).await.map_err(ServiceError::from)?;
    let row = row.filter(|row| row.account_id == account);
    let unknown = || ApiError::not_found(format!("there is no notification `{id}` here"));
    Ok(show("Notification", &print(row.ok_or_else(unknown)?, &base)))
}

fn print(row: NotificationRow, base: &str) -> Printed {
    Printed {
        sid: row.id.to_string(),
        date_created: rfc2822(row.at),
        date_updated: rfc2822(row.at),
        account_sid: row.account_id.to_string(),
        call_sid: row.call_id.map(|call| call.to_string()),
        api_version: "2012-04-24",
        log: 0,
        error_code: row.error_code,
        reason_code: row.reason,
        more_info: None,
        message_text: row.text,
        message_date: rfc2822(row.at),
        request_url: row.url,
        request_method: row.method.map(|method| method.word()),
        response_status: row.http_status,
        uri: format!("{base}/Accounts/{}/Notifications/{}.json", row.account_id, row.id),
    }
}

fn filter(params: &Params) -> Result<NotificationFilter, ApiError> {
    let code = params.get("ErrorCode").filter(|text| !text.is_empty());
    let bad = |text| ApiError::bad(format!("ErrorCode is `{}`: use a number, as 11205", shown(text)));
    Ok(NotificationFilter {
        error_code: code.map(|text| text.parse().map_err(|_| bad(text))).transpose()?,
        url: params.get("RequestUrl").filter(|text| !text.is_empty()).map(str::to_owned),
        from: day(params, "StartTime")?,
        until: day(params, "EndTime")?.map(|day| day.checked_add(24.hours()).unwrap_or(Timestamp::MAX)),
        ..NotificationFilter::default()
    })
}

/// A day in UTC.
fn day(params: &Params, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = params.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let date = text.parse::<Date>().ok().and_then(|date| date.to_zoned(TimeZone::UTC).ok());
    let bad = || ApiError::bad(format!("{name} is `{}`: use a day, as 2026-11-22", shown(text)));
    date.map(|date| Some(date.timestamp())).ok_or_else(bad)
}

/// The `{sid}` of the path, where it has one.
fn part(path: &[(String, String)]) -> Option<&str> {
    path.iter().find(|(name, _)| name == "sid").map(|(_, value)| value.as_str())
}
