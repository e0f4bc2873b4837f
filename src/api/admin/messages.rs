//! Messages outside calls: the latest of this node, with their traces. What they say is never shown.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::auth::Admin;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::restcomm::params::{Params, shown};
use crate::api::state::Api;
use crate::call::messages::ReplyEnd;
use crate::telemetry::Calls;
use crate::telemetry::messages::MessageView;

use super::calls::{moment, number, print_lines};
use super::query;

pub(super) async fn list(
    State(api): State<Api>,
    _admin: Admin,
    RawQuery(asked): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(asked.unwrap_or_default().as_bytes(), &["limit", "numbers"]);
    let limit = query::limit(&params)?;
    let whole = query::whole(&params)?;
    let calls = &api.handles.calls;
    let latest = calls.messages.list(usize::try_from(limit).unwrap_or(usize::MAX));
    let rows: Vec<Value> = latest.iter().map(|view| print(calls, view, whole)).collect();
    let mut response = reply::json(&json!({ "messages": rows }));
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
    let calls = &api.handles.calls;
    let unknown = || {
        let shown = shown(&id);
        ApiError::not_found(format!("this node remembers no message `{shown}`: it keeps the latest 1,000"))
    };
    let view = calls.messages.find(&id).ok_or_else(unknown)?;
    let lines = print_lines(calls, &view.trace, whole);
    let message = print(calls, &view, whole);
    let mut response =
        reply::json(&json!({ "message": message, "lines": lines, "omitted": view.trace.omitted }));
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

fn print(calls: &Calls, view: &MessageView, whole: bool) -> Value {
    let facts = &view.facts;
    let ended = |word: &str| view.ends.iter().filter(|end| end.as_str() == word).count();
    let delivered = ended(ReplyEnd::Answered(200).as_str());
    json!({
        "sid": format!("SM{:032x}", facts.call.0),
        "status": view.status(),
        "from": number(&facts.from, whole),
        "to": number(&facts.to, whole),
        "account_sid": facts.account.to_string(),
        "organization_sid": facts.organization.to_string(),
        "number_sid": facts.number.map(|sid| sid.to_string()),
        "number": number(&facts.number_text, whole),
        "trunk_sid": facts.trunk.map(|sid| sid.to_string()),
        "sip_call_id": facts.sip_call_id.as_ref(),
        "source": facts.sip_source.to_string(),
        "generation": facts.generation,
        "came": moment(calls.wall(facts.started)),
        "answered": view.answered.map(|at| moment(calls.wall(at))),
        "sip_code": view.code,
        "reason": view.reason.map(|reason| reason.code()),
        "replies": view.sent,
        "replies_delivered": delivered,
        "replies_failed": view.ends.len() - delivered,
    })
}
