//! Calls, live and finished, with their traces.

use std::time::SystemTime;

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::auth::Admin;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::restcomm::params::{Params, shown};
use crate::api::service::ServiceError;
use crate::api::state::Api;
use crate::call::outcome::CallStatus;
use crate::ids::CallSid;
use crate::pii::Pii;
use crate::store::calls::{CallFilter, CallRow, DeliveryFilter, EventRow, TraceRow};
use crate::store::{Page, Word};
use crate::telemetry::Calls;
use crate::telemetry::calls::{CallView, RECOVERED, Trace, TraceLine};

use super::{MOST, query, redact};

/// The parameters of the list.
pub(in crate::api) const FILTERS: &[&str] = &["limit", "offset", "live", "status", "numbers"];

/// The live calls of this node first, then the finished ones out of the store, newest first.
pub(super) async fn list(
    State(api): State<Api>,
    _admin: Admin,
    RawQuery(asked): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(asked.unwrap_or_default().as_bytes(), FILTERS);
    let page = query::page(&params)?;
    let limit = page.limit;
    let whole = query::whole(&params)?;
    let only_live = params.flag("live")?.unwrap_or(false);
    let status = params.get("status").filter(|word| !word.is_empty());
    let status = status.map(|word| CallStatus::of_word(word).ok_or_else(|| bad_status(word))).transpose()?;
    let calls = &api.handles.calls;
    let live = calls.live(usize::try_from(limit).unwrap_or(usize::MAX));
    let mut rows: Vec<Value> = live
        .iter()
        .filter(|view| status.is_none() || view.status == status)
        .map(|view| print_view(calls, view, whole))
        .collect();
    if !only_live && status.is_none_or(CallStatus::is_terminal) {
        let filter = CallFilter { status, ..CallFilter::default() };
        let listed = api.service.store().calls(&filter, page).await.map_err(ServiceError::from)?;
        let known = |row: &&CallRow| !live.iter().any(|view| view.sid == row.id);
        rows.extend(listed.rows.iter().filter(known).map(|row| print_row(row, whole)));
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    }
    let mut response = reply::json(&json!({ "live": calls.count(), "calls": rows }));
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

pub(super) async fn show(
    State(api): State<Api>,
    _admin: Admin,
    Path(id): Path<String>,
    RawQuery(asked): RawQuery,
) -> Result<Response, ApiError> {
    let (params, whole) = query::only_whole(asked)?;
    let mut response = reply::json(&one(&api, find(&api, &id).await?, whole).await?);
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

/// Everything that is known of one call: how it stands, its lines, its deliveries with attempts.
pub(super) async fn trace(
    State(api): State<Api>,
    _admin: Admin,
    Path(id): Path<String>,
    RawQuery(asked): RawQuery,
) -> Result<Response, ApiError> {
    let (params, whole) = query::only_whole(asked)?;
    let sid = find(&api, &id).await?;
    let call = one(&api, sid, whole).await?;
    let (lines, omitted) = lines(&api, sid, whole).await?;
    let deliveries = deliveries(&api, sid).await?;
    let mut response =
        reply::json(&json!({ "call": call, "lines": lines, "omitted": omitted, "deliveries": deliveries }));
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

/// Ends a live call; answers how it stands a moment later.
pub(super) async fn hang_up(
    State(api): State<Api>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let sid = find(&api, &id).await?;
    let view = api.handles.calls.get(sid).filter(|view| view.ended.is_none());
    if view.is_none() {
        return Err(ApiError::not_found(format!("there is no live call `{}` on this node", shown(&id))));
    }
    api.handles.control.hang_up(sid).await;
    for _ in 0..40 {
        if api.handles.calls.get(sid).is_none_or(|view| view.ended.is_some()) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    Ok(reply::json(&one(&api, sid, false).await?))
}

/// By CallSid or by Call-ID, live before finished.
async fn find(api: &Api, id: &str) -> Result<CallSid, ApiError> {
    if let Ok(sid) = id.parse::<CallSid>() {
        return Ok(sid);
    }
    if let Some(sid) = api.handles.calls.find_call_id(id) {
        return Ok(sid);
    }
    let row = api.service.store().call_by_sip_call_id(id).await.map_err(ServiceError::from)?;
    row.map(|row| row.id).ok_or_else(|| unknown(id))
}

async fn one(api: &Api, sid: CallSid, whole: bool) -> Result<Value, ApiError> {
    let calls = &api.handles.calls;
    if let Some(view) = calls.get(sid) {
        return Ok(print_view(calls, &view, whole));
    }
    let row = api.service.store().call(sid).await.map_err(ServiceError::from)?;
    row.map(|row| print_row(&row, whole)).ok_or_else(|| unknown(&sid.to_string()))
}

/// The trace from memory while it is there, else out of the store. What was before its first line, in
/// an earlier process that could not keep its trace, is what the journal has of it.
async fn lines(api: &Api, sid: CallSid, whole: bool) -> Result<(Vec<Value>, u32), ApiError> {
    let (calls, store) = (&api.handles.calls, api.service.store());
    let (kept, omitted) = match calls.trace_of(sid) {
        Some(trace) => {
            let line = |line: &TraceLine| (wall(calls, line), line.text());
            (trace.lines.iter().map(line).collect::<Vec<_>>(), trace.omitted)
        }
        None => {
            let rows = store.call_trace(sid).await.map_err(ServiceError::from)?;
            let line = |(at, text): (Timestamp, &str)| (at, text.to_owned());
            (rows.iter().flat_map(TraceRow::lines).map(line).collect(), 0)
        }
    };
    let (first, recovered) = match kept.first() {
        Some((at, text)) => (Some(*at), text == RECOVERED),
        None => (None, true),
    };
    let mut lines = Vec::with_capacity(kept.len());
    if recovered {
        let events = store.call_events(sid).await.map_err(ServiceError::from)?;
        let before = events.iter().flat_map(EventRow::lines);
        let before = before.filter(|(at, _)| first.is_none_or(|first| *at < first));
        lines.extend(before.map(|(at, text)| (at, text.to_owned())));
    }
    lines.extend(kept);
    let print = |(at, text): (Timestamp, String)| {
        let text = match text.trim_end() {
            RECOVERED => format!("{RECOVERED} at {}", at.word()),
            text if whole => text.to_owned(),
            text => redact::numbers(text),
        };
        json!({ "at": at.word(), "text": text })
    };
    Ok((lines.into_iter().map(print).collect(), omitted))
}

fn wall(calls: &Calls, line: &TraceLine) -> Timestamp {
    Timestamp::try_from(calls.wall(line.at)).unwrap_or_default()
}

/// The lines of a trace that is in memory.
pub(super) fn print_lines(calls: &Calls, trace: &Trace, whole: bool) -> Vec<Value> {
    let shown = |text: String| if whole { text } else { redact::numbers(&text) };
    let line = |line: &TraceLine| json!({ "at": moment(calls.wall(line.at)), "text": shown(line.text()) });
    trace.lines.iter().map(line).collect()
}

async fn deliveries(api: &Api, sid: CallSid) -> Result<Vec<Value>, ApiError> {
    let store = api.service.store();
    let filter = DeliveryFilter { call: Some(sid), ..DeliveryFilter::default() };
    let listed = store.deliveries(&filter, Page::first(MOST)).await.map_err(ServiceError::from)?;
    let mut printed = Vec::with_capacity(listed.rows.len());
    for row in listed.rows.iter().rev() {
        let mut value = super::deliveries::print(row);
        value["tries"] = super::deliveries::tries(api, row).await?;
        printed.push(value);
    }
    Ok(printed)
}

fn print_view(calls: &Calls, view: &CallView, whole: bool) -> Value {
    let facts = view.facts.as_deref();
    let number = |text: Option<&str>| text.map(|text| number(text, whole));
    json!({
        "sid": view.sid.to_string(),
        "status": view.status.map(CallStatus::as_str),
        "from": number(facts.map(|facts| facts.from.as_ref())),
        "to": number(facts.map(|facts| facts.to.as_ref())),
        "account_sid": facts.map(|facts| facts.account.to_string()),
        "organization_sid": facts.map(|facts| facts.organization.to_string()),
        "number_sid": facts.and_then(|facts| facts.number).map(|sid| sid.to_string()),
        "number": number(facts.map(|facts| facts.number_text.as_ref())),
        "trunk_sid": facts.and_then(|facts| facts.trunk).map(|sid| sid.to_string()),
        "sip_call_id": facts.map(|facts| facts.sip_call_id.as_ref()),
        "source": facts.map(|facts| facts.sip_source.to_string()),
        "generation": facts.map(|facts| facts.generation),
        "shard": view.shard,
        "started": facts.map(|facts| moment(calls.wall(facts.started))),
        "answered": view.answered.map(|at| moment(calls.wall(at))),
        "duration": view.ended.map(|end| seconds(end.duration.as_millis())),
        "sip_code": view.ended.map(|end| end.sip_code),
        "reason": view.ended.map(|end| end.reason.code()),
        "hangup_source": view.ended.map(|end| end.source.as_str()),
    })
}

fn print_row(row: &CallRow, whole: bool) -> Value {
    let number = |text: &str| number(text, whole);
    json!({
        "sid": row.id.to_string(),
        "status": row.status.as_str(),
        "from": number(&row.caller),
        "to": number(&row.called),
        "account_sid": row.account_id.to_string(),
        "organization_sid": row.organization_id.to_string(),
        "number_sid": row.number_id.map(|sid| sid.to_string()),
        "number": number(&row.number),
        "trunk_sid": row.trunk_id.map(|sid| sid.to_string()),
        "sip_call_id": &*row.sip_call_id,
        "source": row.sip_source.to_string(),
        "generation": row.generation,
        "node": row.node.to_string(),
        "started": row.started_at.word(),
        "answered": row.answered_at.map(|at| at.word()),
        "ended": row.ended_at.map(|at| at.word()),
        "duration": row.ended_at.map(|_| seconds(u128::from(row.duration_ms))),
        "sip_code": row.sip_code,
        "reason": row.reason.map(|reason| reason.code()),
        "hangup_source": row.hangup_source,
    })
}

pub(super) fn number(text: &str, whole: bool) -> String {
    if whole { text.to_owned() } else { Pii(text).to_string() }
}

/// Whole seconds, rounded up, as `CallDuration` says it.
fn seconds(millis: u128) -> u128 {
    millis.div_ceil(1_000)
}

pub(super) fn moment(at: SystemTime) -> Option<String> {
    Timestamp::try_from(at).ok().map(|at| at.word())
}

fn unknown(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no call `{}` here", shown(id)))
}

fn bad_status(word: &str) -> ApiError {
    ApiError::bad(format!(
        "status is `{}`: use ringing, in-progress, completed, busy, no-answer, canceled or failed",
        shown(word)
    ))
}
