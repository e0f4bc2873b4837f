//! `/admin/v1`: callgate's own part of the API, for operators and the command line.
//!
//! - `trunks`, `gateways`, `numbers`: one resource each. `fields`: JSON into columns.
//! - `directory`: reload, generations, explain. `lint`: remarks about patterns.
//! - `calls`: live and finished, with traces. `deliveries`: pending ones and dead letters.
//! - `redact`: numbers out of texts.

mod calls;
mod deliveries;
mod directory;
mod fields;
mod gateways;
mod lint;
mod numbers;
mod redact;
mod trunks;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use super::gate;
use super::state::Api;

pub(super) use deliveries::ENABLE as ENABLE_FIELDS;
pub(super) use gateways::KNOWN as GATEWAY_FIELDS;
pub(super) use numbers::KNOWN as NUMBER_FIELDS;
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
        .route("/numbers", get(numbers::list).post(numbers::create))
        .route("/numbers/{id}", get(numbers::read).patch(numbers::update).delete(numbers::delete))
        .route("/trunks", get(trunks::list).post(trunks::create))
        .route("/trunks/{id}", get(trunks::read).patch(trunks::update).delete(trunks::delete))
        .route("/gateways", get(gateways::list).post(gateways::create))
        .route("/gateways/{id}", get(gateways::read).patch(gateways::update).delete(gateways::delete))
        .route_layer(from_fn_with_state(api.clone(), gate::limit))
        .merge(waiting)
}
