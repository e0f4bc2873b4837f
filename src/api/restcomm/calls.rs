//! `Calls`: live and finished, the targets' legs among them, and what is done to them from outside.

use std::time::Duration;

use axum::extract::{Extension, Path, RawQuery, State};
use axum::response::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use crate::api::body::Form;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::service::Principal;
use crate::api::service::ServiceError;
use crate::api::state::Api;
use crate::call::outcome::CallStatus;
use crate::ids::{AccountSid, CallSid};
use crate::outbound::Target;
use crate::routing::model::{Hook, Method};
use crate::store::calls::{CallLegFilter, CallLegRow};
use crate::store::{Page as Rows, Word};
use crate::telemetry::calls::CallView;

use super::date::rfc2822;
use super::paging::{Page, Position};
use super::params::{Params, shown};
use super::xml::Wire;
use super::{Base, Owner, refuse, show, sid};

/// The filters of the list.
pub(crate) const FILTERS: &[&str] =
    &["To", "From", "Status", "StartTime", "StartTime>", "StartTime<", "ParentCallSid", "Page", "PageSize"];

/// What may be done to a call.
pub(crate) const CHANGES: &[&str] = &["Status", "Url", "Method"];

/// How long a change waits to be seen in its answer.
const SEEN: (u32, Duration) = (40, Duration::from_millis(25));

#[derive(Serialize)]
struct List {
    #[serde(flatten)]
    position: Position,
    calls: Vec<Printed>,
}

/// One call or leg, in the documented key order.
#[derive(Serialize)]
struct Printed {
    sid: String,
    date_created: String,
    date_updated: String,
    parent_call_sid: Option<String>,
    account_sid: String,
    to: String,
    from: String,
    phone_number_sid: Option<String>,
    status: &'static str,
    start_time: String,
    end_time: Option<String>,
    duration: Option<u64>,
    price: Option<String>,
    direction: &'static str,
    answered_by: Option<String>,
    api_version: &'static str,
    forwarded_from: String,
    caller_name: String,
    sip_response_code: Option<u16>,
    reason_code: Option<&'static str>,
    hangup_source: Option<String>,
    uri: String,
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
    api.service.account_for(&who, account).await.map_err(refuse)?;
    let filter = filter(&params, account)?;
    let rows = Rows { offset: page.offset(), limit: page.size };
    let listed = api.service.store().call_legs(&filter, rows).await.map_err(ServiceError::from)?;
    let uri = format!("{base}/Accounts/{account}/Calls{}", wire.suffix);
    let given = params.given(&FILTERS[..7]);
    let last = listed.rows.last().map(|row| row.id.to_string());
    let position = page.position(listed.total, listed.rows.len() as u64, &uri, &given, last.as_deref())?;
    let calls = listed.rows.into_iter().map(|row| print(fresh(&api, row), &base)).collect();
    let mut response = show("Calls", &List { position, calls });
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
    let row = one(&api, account, named(&path)?).await?;
    Ok(show("Call", &print(row, &base)))
}

/// `Status=completed|canceled` ends a call, a `Url` gives one that is not answered yet another
/// document.
pub(super) async fn update(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    Path(path): Path<Vec<(String, String)>>,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let params = Params::parse(&body, CHANGES);
    api.service.account_for(&who, account).await.map_err(refuse)?;
    let row = one(&api, account, named(&path)?).await?;
    // A leg that is connected ends with its call.
    let call = row.call_id.unwrap_or(row.id);
    let over = row.ended_at.is_some();
    match (params.get("Status"), params.change("Url").flatten()) {
        (Some(_), Some(_)) => return Err(ApiError::bad("Status and Url are both given: use one of them")),
        (Some(status), None) => end(&api, status, &row, call).await?,
        (None, Some(url)) if !over => go_on(&api, &params, &row, url).await?,
        (None, Some(_)) => return Err(ApiError::bad("Url: the call is over")),
        (None, None) => return Err(ApiError::bad("give Status=completed, Status=canceled or a Url")),
    }
    let row = one(&api, account, row.id).await?;
    let mut response = show("Call", &print(row, &base));
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

async fn end(api: &Api, status: &str, row: &CallLegRow, call: CallSid) -> Result<(), ApiError> {
    let answered = row.answered_at.is_some() || row.status == CallStatus::InProgress;
    match status.trim() {
        "completed" => {}
        "canceled" if !answered => {}
        "canceled" => {
            return Err(ApiError::bad("Status is canceled, and the call is answered: use completed"));
        }
        other => {
            return Err(ApiError::bad(format!("Status is `{}`: use completed or canceled", shown(other))));
        }
    }
    if row.call_id.is_some() && !answered && row.ended_at.is_none() {
        return Err(ApiError::bad("Status: a target that rings ends with its call: use ParentCallSid's"));
    }
    if row.ended_at.is_none() {
        api.handles.control.hang_up(call).await;
        settle(api, call, |view| view.ended.is_some()).await;
    }
    Ok(())
}

async fn go_on(api: &Api, params: &Params, row: &CallLegRow, url: String) -> Result<(), ApiError> {
    if row.call_id.is_some() {
        return Err(ApiError::bad("Url: a target's leg carries out no document: use ParentCallSid's call"));
    }
    if row.answered_at.is_some() || row.status == CallStatus::InProgress {
        return Err(ApiError::bad("Url: the call is answered; only one that is not can be given another"));
    }
    if let Err(error) = Target::parse(&url, None) {
        return Err(ApiError::bad(format!("Url: {error}")));
    }
    let method = params.get("Method").filter(|word| !word.is_empty()).unwrap_or("POST");
    let method = Method::of_word(&method.to_ascii_uppercase())
        .ok_or_else(|| ApiError::bad(format!("Method is `{}`: use GET or POST", shown(method))))?;
    api.handles.control.go_on(row.id, Hook { url: url.into(), method }).await;
    Ok(())
}

/// Waits a moment for what was asked for.
async fn settle(api: &Api, call: CallSid, done: impl Fn(&CallView) -> bool) {
    for _ in 0..SEEN.0 {
        if api.handles.calls.get(call).is_none_or(|view| done(&view)) {
            return;
        }
        tokio::time::sleep(SEEN.1).await;
    }
}

/// A call or leg of this account: out of the store, or of memory while the store lags.
async fn one(api: &Api, account: AccountSid, id: CallSid) -> Result<CallLegRow, ApiError> {
    let stored = api.service.store().call_leg(id).await.map_err(ServiceError::from)?;
    let row = match stored {
        Some(row) => Some(fresh(api, row)),
        None => api.handles.calls.get(id).and_then(|view| of_view(api, &view)),
    };
    let unknown = || ApiError::not_found(format!("there is no call `{id}` here"));
    row.filter(|row| row.account_id == account).ok_or_else(unknown)
}

/// The row as this node's memory knows it to stand by now.
fn fresh(api: &Api, mut row: CallLegRow) -> CallLegRow {
    let view = row.call_id.is_none().then(|| api.handles.calls.get(row.id)).flatten();
    if let (None, Some(view)) = (row.ended_at, view) {
        stand(api, &mut row, &view);
    }
    row
}

fn stand(api: &Api, row: &mut CallLegRow, view: &CallView) {
    row.status = view.status.unwrap_or(row.status);
    row.answered_at = view.answered.and_then(|at| moment(api, at)).or(row.answered_at);
    if let Some(end) = view.ended {
        row.duration_ms = u64::try_from(end.duration.as_millis()).unwrap_or(u64::MAX);
        (row.sip_code, row.reason) = (Some(end.sip_code), Some(end.reason));
        row.hangup_source = Some(end.source.as_str().to_owned());
        row.ended_at = Some(
            row.answered_at.unwrap_or(row.started_at)
                + jiff::SignedDuration::from_millis(
                    i64::try_from(end.duration.as_millis()).unwrap_or_default(),
                ),
        );
    }
}

fn of_view(api: &Api, view: &CallView) -> Option<CallLegRow> {
    let facts = view.facts.as_deref()?;
    let mut row = CallLegRow {
        id: view.sid,
        call_id: None,
        account_id: facts.account,
        number_id: facts.number,
        caller: facts.from.as_ref().to_owned(),
        called: facts.to.as_ref().to_owned(),
        caller_name: facts.caller_name.as_ref().to_owned(),
        forwarded_from: facts.forwarded_from.as_ref().to_owned(),
        status: CallStatus::Ringing,
        started_at: moment(api, facts.started)?,
        answered_at: None,
        ended_at: None,
        duration_ms: 0,
        sip_code: None,
        reason: None,
        hangup_source: None,
    };
    stand(api, &mut row, view);
    Some(row)
}

fn moment(api: &Api, at: crate::time::Instant) -> Option<Timestamp> {
    Timestamp::try_from(api.handles.calls.wall(at)).ok()
}

fn print(row: CallLegRow, base: &str) -> Printed {
    let changed = row.ended_at.or(row.answered_at).unwrap_or(row.started_at);
    Printed {
        sid: row.id.to_string(),
        date_created: rfc2822(row.started_at),
        date_updated: rfc2822(changed),
        parent_call_sid: row.call_id.map(|call| call.to_string()),
        account_sid: row.account_id.to_string(),
        to: row.called,
        from: row.caller,
        phone_number_sid: row.number_id.map(|number| number.to_string()),
        status: row.status.as_str(),
        start_time: rfc2822(row.started_at),
        end_time: row.ended_at.map(rfc2822),
        duration: row.ended_at.map(|_| row.duration_ms.div_ceil(1_000)),
        price: None,
        direction: if row.call_id.is_some() { "outbound-dial" } else { "inbound" },
        answered_by: None,
        api_version: "2012-04-24",
        forwarded_from: row.forwarded_from,
        caller_name: row.caller_name,
        sip_response_code: row.sip_code,
        reason_code: row.reason.map(|reason| reason.code()),
        hangup_source: row.hangup_source,
        uri: format!("{base}/Accounts/{}/Calls/{}.json", row.account_id, row.id),
    }
}

fn filter(params: &Params, account: AccountSid) -> Result<CallLegFilter, ApiError> {
    // A `+` that was not escaped arrives as a space.
    let number =
        |name| params.get(name).filter(|text| !text.is_empty()).map(|text| text.replacen(' ', "+", 1));
    let status = params.get("Status").filter(|word| !word.is_empty());
    let status = status.map(|word| {
        CallStatus::of_word(word).ok_or_else(|| {
            let words = "ringing, in-progress, completed, busy, no-answer, canceled, failed or initiated";
            ApiError::bad(format!("Status is `{}`: use {words}", shown(word)))
        })
    });
    let parent = params.get("ParentCallSid").filter(|text| !text.is_empty());
    let day = |name| day(params, name);
    let (from, until) = match day("StartTime")? {
        Some(on) => (Some(on), Some(next_day(on))),
        None => (day("StartTime>")?, day("StartTime<")?.map(next_day)),
    };
    Ok(CallLegFilter {
        account: Some(account),
        parent: parent.map(|text| sid("call", text)).transpose()?,
        caller: number("From"),
        called: number("To"),
        status: status.transpose()?,
        from,
        until,
    })
}

/// A day in UTC, as `2026-11-22`; `StartTime>=` and `StartTime<=` arrive as names of their own.
fn day(params: &Params, name: &str) -> Result<Option<Timestamp>, ApiError> {
    let Some(text) = params.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let date = text.parse::<Date>().ok().and_then(|date| date.to_zoned(TimeZone::UTC).ok());
    let bad = || ApiError::bad(format!("StartTime is `{}`: use a day, as 2026-11-22", shown(text)));
    date.map(|date| Some(date.timestamp())).ok_or_else(bad)
}

fn next_day(at: Timestamp) -> Timestamp {
    at.checked_add(24.hours()).unwrap_or(Timestamp::MAX)
}

/// The `{sid}` of the path.
fn named(path: &[(String, String)]) -> Result<CallSid, ApiError> {
    let text = path.iter().find(|(name, _)| name == "sid").map(|(_, value)| value.as_str());
    sid("call", text.unwrap_or_default())
}
