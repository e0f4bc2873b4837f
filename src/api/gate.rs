//! What every request passes: the limit of requests at once, and the counting.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::error::ApiError;
use super::server::Peer;
use super::state::Api;

/// Refuses what is beyond the limit of requests at once.
pub(super) async fn limit(State(api): State<Api>, request: Request, next: Next) -> Response {
    hold(&api, &api.gate, request, next).await
}

/// The same for requests that wait for something, which have room of their own: a few dozen waiting
/// for a generation must not shut everybody else out.
pub(super) async fn limit_waiting(State(api): State<Api>, request: Request, next: Next) -> Response {
    hold(&api, &api.waiting, request, next).await
}

/// A place among the requests at once, for a dialect that refuses in its own words; `None`: there is none.
pub(super) fn enter(api: &Api) -> Option<Inside<'_>> {
    let Ok(permit) = api.gate.try_acquire() else {
        api.handles.metrics.api.overloaded.inc();
        return None;
    };
    api.handles.metrics.api.in_flight.inc();
    Some(Inside { _permit: permit, _leaves: Leaves(api) })
}

/// See [`enter`].
pub(super) struct Inside<'a> {
    _permit: tokio::sync::SemaphorePermit<'a>,
    _leaves: Leaves<'a>,
}

async fn hold(api: &Api, room: &Arc<Semaphore>, request: Request, next: Next) -> Response {
    let Ok(_permit) = room.try_acquire() else {
        api.handles.metrics.api.overloaded.inc();
        let message =
            format!("{} requests are being worked on already: repeat in a second", api.config.max_requests);
        return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, message).into_response();
    };
    api.handles.metrics.api.in_flight.inc();
    let _leaves = Leaves(api);
    next.run(request).await
}

/// Counts a request out, also when its client went away in the middle.
struct Leaves<'a>(&'a Api);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.handles.metrics.api.in_flight.dec();
    }
}

/// Counts and logs every request, has the directory follow what one wrote, and turns strangers on the Unix socket away.
pub(super) async fn observe(State(api): State<Api>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let line = (request.method().clone(), request.uri().path().to_owned());
    let response = match request.extensions().get::<Peer>() {
        Some(Peer::Stranger { uid }) => {
            let message =
                format!("user {uid} may not use this socket: only root and the daemon's own user may");
            ApiError::forbidden(message).into_response()
        }
        _ => next.run(request).await,
    };
    if response.headers().contains_key(super::reply::GENERATION) {
        api.handles.follower.look();
    }
    let status = response.status();
    let metrics = &api.handles.metrics.api;
    metrics.requests.inc(match status.as_u16() {
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    });
    metrics.seconds.observe(started.elapsed().as_secs_f64());
    if status == StatusCode::UNAUTHORIZED {
        metrics.unauthorized.inc();
    }
    tracing::debug!(method = %line.0, path = line.1, status = status.as_u16(), "API request");
    response
}
