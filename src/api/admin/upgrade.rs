//! The way to the next version of the program, without a call lost.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::auth::Admin;
use crate::api::error::ApiError;
use crate::api::handles::{UpgradeNote, UpgradeRefused, UpgradeState};
use crate::api::reply;
use crate::api::state::Api;

/// What `state` may say.
pub(in crate::api) const STATES: &[&str] = &["idle", "running", "complete", "failed"];

pub(super) async fn begin(State(api): State<Api>, _admin: Admin) -> Result<Response, ApiError> {
    let note = api.handles.upgrade.begin().map_err(|why| {
        ApiError::new(
            StatusCode::CONFLICT,
            match why {
                UpgradeRefused::UnderWay => "an upgrade is under way: wait for its end, then repeat",
                UpgradeRefused::Ending => "the process has been told to end: start callgate anew instead",
            },
        )
    })?;
    let mut response = reply::json(&printed(&note));
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

pub(super) async fn show(State(api): State<Api>, _admin: Admin) -> Response {
    reply::json(&printed(&api.handles.upgrade.note()))
}

fn printed(note: &UpgradeNote) -> Value {
    let state = match note.state {
        UpgradeState::Idle => STATES[0],
        UpgradeState::Running => STATES[1],
        UpgradeState::Complete => STATES[2],
        UpgradeState::Failed => STATES[3],
    };
    json!({
        "state": state,
        "pid": note.pid,
        "successor": note.successor,
        "steps": note.steps,
        "error": note.error,
    })
}
