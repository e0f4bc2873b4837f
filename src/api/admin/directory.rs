//! Reload, generations, explain.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::auth::Admin;
use crate::api::error::ApiError;
use crate::api::handles::{ReloadError, ReloadOptions, ReloadReport};
use crate::api::reply;
use crate::api::restcomm::params::{Params, shown};
use crate::api::state::Api;
use crate::routing::dialled::Address;
use crate::routing::explain::{Explanation, Outcome};
use crate::routing::model::Trunk;
use crate::routing::trunk::{Source, find};
use crate::routing::{Directory, Inbound};
use crate::store::Word;
use crate::telemetry::chain;

/// The longest that `?wait=` waits.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

pub(super) async fn reload(
    State(api): State<Api>,
    _admin: Admin,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), &["check_only", "force"]);
    let options = ReloadOptions {
        check_only: params.flag("check_only")?.unwrap_or(false),
        force: params.flag("force")?.unwrap_or(false),
    };
    let report = api.handles.follower.reload(options).await?;
    tracing::info!(from = report.from, to = report.to, applied = report.applied, "reload by the API");
    let mut response = reply::json(&print_reload(&report));
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

pub(super) async fn generation(
    State(api): State<Api>,
    _admin: Admin,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), &["wait", "timeout_ms"]);
    let live = || api.handles.directory.load().generation();
    let limit = params.count("timeout_ms")?.map_or(LONGEST_WAIT, Duration::from_millis).min(LONGEST_WAIT);
    let Some(wanted) = params.count("wait")? else {
        return Ok(reply::json(&json!({ "generation": live() })));
    };
    let reached = api.handles.follower.wait(wanted, limit).await;
    if reached >= wanted {
        return Ok(reply::json(&json!({ "generation": reached })));
    }
    let message =
        format!("generation {wanted} is not live yet after {} ms; live is {reached}", limit.as_millis());
    Err(ApiError::new(StatusCode::GATEWAY_TIMEOUT, message))
}

pub(super) async fn generations(State(api): State<Api>, _admin: Admin) -> Response {
    let notes = api.handles.follower.history().into_iter().map(|note| {
        json!({
            "generation": note.generation,
            "at": Timestamp::from_millisecond(note.at_ms).map(|at| at.word()).ok(),
            "kind": note.kind,
            "written": note.written,
            "removed": note.removed,
        })
    });
    reply::json(&json!({ "generations": notes.collect::<Vec<_>>() }))
}

pub(super) async fn explain(
    State(api): State<Api>,
    _admin: Admin,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    const KNOWN: &[&str] = &["number", "host", "source", "listener", "from_host", "to", "trunk", "message"];
    let params = Params::parse(query.unwrap_or_default().as_bytes(), KNOWN);
    let number = params.get("number").filter(|number| !number.is_empty());
    // A `+` that was not escaped arrives as a space, which no dialled string begins with.
    let number = number.ok_or_else(|| ApiError::bad("number is missing: give the dialled string"))?;
    let number = number.strip_prefix(' ').map_or_else(|| number.to_owned(), |rest| format!("+{rest}"));
    let directory = api.handles.directory.load_full();
    let trunk = trunk_of(&directory, &params)?;
    let default_host = directory.default_organization().map(|organization| organization.domain.clone());
    let host = params.get("host").map(Arc::from).or(default_host).unwrap_or_default();
    let address = Address { user: number.as_bytes(), host: host.as_bytes(), ..Address::default() };
    let to = params.get("to").map_or(address, |to| Address { user: to.as_bytes(), ..address });
    let inbound = Inbound {
        trunk: trunk.as_deref(),
        unknown_organization: None,
        request: address,
        to,
        from_host: params.get("from_host").unwrap_or_default().as_bytes(),
        header: None,
    };
    let explanation = match params.flag("message")?.unwrap_or(false) {
        true => crate::routing::explain_message(&directory, &inbound),
        false => crate::routing::explain(&directory, &inbound),
    };
    let mut response = reply::json(&print(&explanation));
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

/// The trunk named by `trunk`, else the one that `source` belongs to.
fn trunk_of(directory: &Directory, params: &Params) -> Result<Option<Arc<Trunk>>, ApiError> {
    if let Some(name) = params.get("trunk") {
        let by_name = |trunk: &&Arc<Trunk>| trunk.name.as_ref() == name || trunk.sid.to_string() == name;
        let found = directory.trunks().all().iter().find(by_name).cloned();
        return match found {
            Some(trunk) => Ok(Some(trunk)),
            None => Err(ApiError::not_found(format!("there is no trunk `{}` here", shown(name)))),
        };
    }
    let Some(text) = params.get("source") else { return Ok(None) };
    let bad =
        || ApiError::bad(format!("source is `{}`: use an address, with a port or without", shown(text)));
    let address = text
        .parse::<SocketAddr>()
        .or_else(|_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 5060)))
        .map_err(|_| bad())?;
    let source = Source {
        address,
        listener: params.get("listener").unwrap_or_default(),
        request_host: params.get("host").unwrap_or_default().as_bytes(),
        tgrp: None,
        trunk_context: None,
        names: &[],
        username: None,
    };
    let found = find(directory, &source).cloned();
    found.map(Some).ok_or_else(|| {
        ApiError::not_found(format!(
            "no trunk matches {address}: add one with `callgate trunks add NAME sources={}`",
            address.ip()
        ))
    })
}

fn print(told: &Explanation) -> Value {
    let outcome = match &told.outcome {
        Outcome::Number { number, text, account, application, url } => json!({
            "number_sid": number.to_string(),
            "number": text,
            "account_sid": account.to_string(),
            "application_sid": application.map(|sid| sid.to_string()),
            "url": url,
        }),
        Outcome::Emergency { gateway, name } => {
            json!({ "gateway_sid": gateway.to_string(), "gateway": name })
        }
        Outcome::Refused(reason) => {
            json!({ "status": reason.status(), "reason": reason.code(), "message": reason.sentence() })
        }
    };
    let forms =
        told.forms.iter().map(|form| json!({ "kind": form.kind, "form": form.text, "hit": form.hit }));
    let patterns = told
        .patterns
        .iter()
        .map(|tried| json!({ "pattern": tried.text, "form": tried.form, "hit": tried.hit }));
    json!({
        "generation": told.generation,
        "trunk": told.trunk.as_ref().map(|(sid, name)| json!({ "sid": sid.to_string(), "name": name })),
        "written": told.written,
        "dialled": told.number,
        "rewritten": told.rewritten,
        "organization": told.organization.as_ref().map(|(sid, domain, because)| {
            json!({ "sid": sid.to_string(), "domain": domain, "because": because })
        }),
        "source_organization": told.source_organization.as_ref().map(|(sid, domain)| {
            json!({ "sid": sid.to_string(), "domain": domain })
        }),
        "forms": forms.collect::<Vec<_>>(),
        "patterns_closed": told.patterns_closed,
        "pattern_count": told.pattern_count,
        "patterns": patterns.collect::<Vec<_>>(),
        "catch_all": told.catch_all,
        "outcome": outcome,
        "text": format!("{told}\n"),
    })
}

fn print_reload(report: &ReloadReport) -> Value {
    json!({
        "from": report.from,
        "to": report.to,
        "applied": report.applied,
        "numbers_before": report.numbers_before,
        "numbers_after": report.numbers_after,
        "added": report.added,
        "removed": report.removed,
        "changed": report.changed,
        "skipped": report.skipped,
        "took_ms": u64::try_from(report.took.as_millis()).unwrap_or(u64::MAX),
    })
}

impl From<ReloadError> for ApiError {
    fn from(error: ReloadError) -> Self {
        let status = match &error {
            ReloadError::Shrinks { .. } | ReloadError::Busy => StatusCode::CONFLICT,
            ReloadError::Store(source) => {
                tracing::warn!(error = chain(source.as_ref()), "a reload could not read the store");
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        Self::new(status, error.to_string())
    }
}
