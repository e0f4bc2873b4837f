//! For those who watch: metrics, whether the process lives, whether it is ready, the API's own form.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::openapi;
use super::reply;
use super::state::Api;
use crate::telemetry::health::Severity;
use crate::telemetry::metrics::CONTENT_TYPE;

/// The routes that need no credentials and no room among the requests at once.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/ready", get(ready))
        .route("/openapi.json", get(document))
}

async fn metrics(State(api): State<Api>) -> Response {
    let metrics = &api.handles.metrics;
    let directory = api.handles.directory.load();
    (api.handles.sample)();
    let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    metrics.directory.generation.set(gauge(directory.generation()));
    metrics.directory.numbers.set(gauge(directory.len() as u64));
    metrics.directory.patterns.set(gauge(directory.pattern_count() as u64));
    metrics.directory.skipped.set(gauge(directory.skipped().count() as u64));
    metrics.calls.active.set(gauge(api.handles.calls.count() as u64));
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], metrics.render()).into_response()
}

/// The process answers: nothing more is said.
async fn healthz() -> Response {
    reply::json(&json!({ "status": "ok" }))
}

/// 200 while new calls are served, degraded or not; 503 otherwise. The reasons stand in the body.
async fn ready(State(api): State<Api>) -> Response {
    let health = &api.handles.health;
    let matters = health.matters();
    let status = match (health.is_ready(), matters.is_empty()) {
        (false, _) => "not_ready",
        (true, false) => "degraded",
        (true, true) => "ready",
    };
    let reasons = matters.into_iter().map(|matter| {
        let severity = match matter.severity {
            Severity::Degraded => "degraded",
            Severity::NotReady => "not_ready",
        };
        json!({ "name": matter.name, "severity": severity, "message": matter.sentence })
    });
    let generation = api.handles.directory.load().generation();
    let body = json!({ "status": status, "generation": generation, "reasons": reasons.collect::<Vec<_>>() });
    let mut response = reply::json(&body);
    if !health.is_ready() {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    response
}

async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi::text()).into_response()
}
