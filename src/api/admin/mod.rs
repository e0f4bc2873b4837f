//! `/admin/v1`: callgate's own part of the API, for operators and the command line.
//!
//! - `tables`: what the rows of each table show. `rows`: the operations that all tables have; `numbers`: those of numbers; `secrets`: those an account is given.
//! - `columns`: a row read, printed and described; `cell`, `cell_lists`: one value; `fields`: those of one request.
//! - `gateways`: how each stands, taken out and in again.
//! - `bulk`: many numbers in one request. `sweep`: all that match. `audit`: who changed what. `etag`: which row is meant.
//! - `directory`: reload, live generations, explain. `generations`: who made each, differences, the way back. `lint`: remarks about patterns.
//! - `bans`: strangers that get no answers for a while.
//! - `calls`: live and finished, with traces. `messages`: the latest ones, with theirs. `deliveries`: pending ones and dead letters.
//! - `upgrade`: the next version of the program.
//! - `query`: pages, limits and how numbers are shown. `redact`: numbers out of texts.

mod audit;
mod bans;
mod bulk;
mod calls;
mod cell;
mod cell_lists;
mod columns;
mod deliveries;
mod directory;
mod etag;
mod fields;
mod gateways;
mod generations;
mod lint;
mod messages;
mod numbers;
mod query;
mod redact;
mod rows;
mod secrets;
mod sweep;
mod tables;
mod upgrade;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::{get, post};

use super::body::texts_only;
use super::gate;
use super::state::Api;
use crate::store::{AccountRow, ApplicationRow, GatewayRow, NumberRow, OrganizationRow, TrunkRow};

pub(super) use audit::FILTERS as AUDIT_FILTERS;
pub(super) use calls::FILTERS as CALL_FILTERS;
pub(super) use columns::{Shown, printed, replaced, taken};
pub(super) use deliveries::FILTERS as DELIVERY_FILTERS;
pub(super) use gateways::STATES as GATEWAY_STATES;
pub(super) use generations::{BETWEEN as GENERATIONS_BETWEEN, FILTERS as GENERATION_FILTERS};
pub(super) use numbers::{FILTERS as NUMBER_FILTERS, IDENTITY as NUMBER_IDENTITY};
pub(super) use rows::{PAGE as ROW_FILTERS, Resource};
pub(super) use sweep::WHERE as SWEEP_WHERE;
pub(super) use upgrade::STATES as UPGRADE_STATES;

/// The most rows of one answer.
const MOST: u64 = 1_000;

/// The names of all that one may write of a number, in the order they are told.
#[must_use]
pub fn number_fields() -> &'static [&'static str] {
    NumberRow::KNOWN
}

/// The routes under `/admin/v1`.
pub(super) fn routes(api: &Api) -> Router<Api> {
    let waiting = Router::new()
        .route("/generation", get(directory::generation))
        .route_layer(from_fn_with_state(api.clone(), gate::limit_waiting));
    Router::new()
        .route("/reload", post(directory::reload))
        .route("/upgrade", get(upgrade::show).post(upgrade::begin))
        .route("/generations", get(generations::list))
        .route("/generations/live", get(directory::generations))
        .route("/generations/{generation}/diff", get(generations::diff))
        .route("/generations/{generation}/rollback", post(generations::rollback))
        .route("/explain", get(directory::explain))
        .route("/lint", get(numbers::lint))
        .route("/calls", get(calls::list))
        .route("/calls/{id}", get(calls::show))
        .route("/calls/{id}/trace", get(calls::trace))
        .route("/calls/{id}/hangup", post(calls::hang_up))
        .route("/messages", get(messages::list))
        .route("/messages/{id}", get(messages::show))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/disabled", get(deliveries::disabled))
        .route("/deliveries/enable", post(deliveries::enable))
        .route("/deliveries/{id}", get(deliveries::show))
        .route("/deliveries/{id}/replay", post(deliveries::replay))
        .route("/bans", get(bans::list))
        .route("/bans/{source}", axum::routing::delete(bans::lift))
        .route("/audit", get(audit::list))
        .route("/numbers", get(numbers::list).post(numbers::create).patch(sweep::update))
        .route("/numbers/bulk", post(bulk::upsert))
        .route("/numbers/{id}/restore", post(sweep::restore))
        .route(
            "/numbers/{id}",
            get(numbers::read).put(numbers::replace).patch(numbers::update).delete(numbers::delete),
        )
        .route("/accounts/{id}/auth-token", post(secrets::auth_token))
        .route("/accounts/{id}/webhook-secret", post(secrets::webhook_secret))
        .merge(rows::routes::<TrunkRow>())
        .merge(rows::routes::<GatewayRow>())
        .merge(rows::routes::<OrganizationRow>())
        .merge(rows::routes::<AccountRow>())
        .merge(rows::routes::<ApplicationRow>())
        .route("/gateways/{id}/drain", post(gateways::drain))
        .route("/gateways/{id}/resume", post(gateways::resume))
        .route_layer(from_fn_with_state(api.clone(), gate::limit))
        .merge(waiting)
        .layer(from_fn(texts_only))
}
