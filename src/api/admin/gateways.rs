//! What only gateways have: how each stands on this node, and taking one out and in again.

use std::time::SystemTime;

use axum::extract::{Path, State};
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::rows::tagged;
use crate::api::auth::Admin;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::state::Api;
use crate::routing::model::Status;
use crate::store::{GatewayRow, Word};

/// Every `state` of a standing.
pub(in crate::api) const STATES: &[&str] =
    &["up", "down", "out", "draining", "unknown", "suspended", "closed"];

/// No new calls from here on; those it has go on, and so do its checks.
pub(super) async fn drain(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    set(&api, &admin, &id, |since| Some(since.unwrap_or_else(Timestamp::now))).await
}

/// It gets calls again.
pub(super) async fn resume(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    set(&api, &admin, &id, |_| None).await
}

async fn set(
    api: &Api,
    admin: &Admin,
    id: &str,
    since: fn(Option<Timestamp>) -> Option<Timestamp>,
) -> Result<Response, ApiError> {
    let edit = |row: &mut GatewayRow| {
        row.draining_since = since(row.draining_since);
        Ok::<(), ApiError>(())
    };
    let written = api.service.update_row(&admin.0, id, edit).await?;
    Ok(reply::written(written, Vec::new(), |row| tagged(api, &row)))
}

/// How a gateway is on this node, and what became of its calls since the start.
pub(super) fn standing(row: &GatewayRow, api: &Api) -> Value {
    let gateways = &api.handles.metrics.gateways;
    let (seen, counts) = (gateways.seen(row.id), gateways.counts(row.id));
    let out = seen.out_since(SystemTime::now()).map(moment);
    let (state, since) = match (row.status, seen.up) {
        (Status::Closed, _) => ("closed", None),
        (Status::Suspended, _) => ("suspended", None),
        _ if row.draining_since.is_some() => ("draining", row.draining_since),
        _ if out.is_some() => ("out", out),
        (Status::Active, Some((true, since))) => ("up", Some(moment(since))),
        (Status::Active, Some((false, since))) => ("down", Some(moment(since))),
        (Status::Active, None) => ("unknown", None),
    };
    json!({
        "state": state,
        "since": since.map(|since| since.word()),
        "answers_checks": seen.up.map(|(up, _)| up),
        "last_check": seen.checked.map(|(at, code)| json!({ "at": moment(at).word(), "code": code })),
        "active": counts.active,
        "calls": counts.calls,
        "answers": counts.answers,
        "failures": counts.failures,
    })
}

fn moment(at: SystemTime) -> Timestamp {
    Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH)
}
