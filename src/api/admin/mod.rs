//! `/admin/v1`: callgate's own part of the API, for operators and the command line.
//!
//! - `trunks`, `gateways`, `numbers`: one resource each. `fields`: JSON into columns.
//! - `bulk`: many numbers in one request. `sweep`: all that match. `audit`: who changed what. `etag`: which row is meant.
//! - `directory`: reload, generations, explain. `lint`: remarks about patterns.
//! - `calls`: live and finished, with traces. `deliveries`: pending ones and dead letters.
//! - `redact`: numbers out of texts.

mod audit;
mod bulk;
mod calls;
mod deliveries;
mod directory;
mod etag;
mod fields;
mod gateways;
mod lint;
mod numbers;
mod redact;
mod sweep;
mod trunks;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::gate;
use super::state::Api;

pub(super) use audit::FILTERS as AUDIT_FILTERS;
pub(super) use bulk::KNOWN as BULK_FIELDS;
pub(super) use deliveries::ENABLE as ENABLE_FIELDS;
pub(super) use gateways::KNOWN as GATEWAY_FIELDS;
pub(super) use numbers::{FILTERS as NUMBER_FILTERS, KNOWN as NUMBER_FIELDS};
pub(super) use sweep::{KNOWN as SWEEP_FIELDS, WHERE as SWEEP_WHERE};
pub(super) use trunks::KNOWN as TRUNK_FIELDS;

/// The most rows of one answer.
const MOST: u64 = 1_000;

/// The routes under `/admin/v1`.
pub(super) fn routes(api: &Api) -> Router<Api> {
    let waiting = Router::new()
        .route("/generation", get(directory::generation))
        .route_layer(from_fn_with_state(api.clone(), gate::limit_waiting));
    Router::new()
        .route("/reload", post(directory::reload))
        .route("/generations", get(directory::generations))
        .route("/explain", get(directory::explain))
        .route("/lint", get(numbers::lint))
        .route("/calls", get(calls::list))
        .route("/calls/{id}", get(calls::show))
        .route("/calls/{id}/trace", get(calls::trace))
        .route("/calls/{id}/hangup", post(calls::hang_up))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/disabled", get(deliveries::disabled))
        .route("/deliveries/enable", post(deliveries::enable))
        .route("/audit", get(audit::list))
        .route("/numbers", get(numbers::list).post(numbers::create).patch(sweep::update))
        .route("/numbers/bulk", post(bulk::upsert))
        .route("/numbers/{id}/restore", post(sweep::restore))
        .route("/numbers/{id}", get(numbers::read).patch(numbers::update).delete(numbers::delete))
        .route("/trunks", get(trunks::list).post(trunks::create))
        .route("/trunks/{id}", get(trunks::read).patch(trunks::update).delete(trunks::delete))
        .route("/gateways", get(gateways::list).post(gateways::create))
        .route("/gateways/{id}", get(gateways::read).patch(gateways::update).delete(gateways::delete))
        .route_layer(from_fn_with_state(api.clone(), gate::limit))
        .merge(waiting)
}
