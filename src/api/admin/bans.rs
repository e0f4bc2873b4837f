//! Sources that get no answers for a while: listed and lifted.

use std::net::IpAddr;

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::auth::Admin;
use crate::api::error::ApiError;
use crate::api::handles::BanNote;
use crate::api::reply;
use crate::api::restcomm::params::shown;
use crate::api::state::Api;

use super::calls::moment;

pub(super) async fn list(State(api): State<Api>, _admin: Admin) -> Response {
    let bans: Vec<Value> = api.handles.bans.list().iter().map(print).collect();
    reply::json(&json!({ "bans": bans }))
}

/// 404 where there is none: a misspelt address is not to look lifted.
pub(super) async fn lift(
    State(api): State<Api>,
    _admin: Admin,
    Path(source): Path<String>,
) -> Result<Response, ApiError> {
    let address = source.parse::<IpAddr>().map_err(|_| {
        ApiError::bad(format!("`{}` is no IP address; GET /admin/v1/bans lists those banned", shown(&source)))
    })?;
    match api.handles.bans.lift(address) {
        0 => Err(ApiError::not_found(format!("{address} is not banned on this node"))),
        lifted => {
            tracing::info!(source = %address, "a ban was lifted");
            Ok(reply::json(&json!({ "source": address.to_string(), "lifted": lifted })))
        }
    }
}

fn print(ban: &BanNote) -> Value {
    json!({
        "source": ban.source.to_string(),
        "over": if ban.stream { "connections" } else { "datagrams" },
        "cause": ban.cause,
        "since": moment(ban.since),
        "seconds_left": ban.left.as_secs(),
        "dropped": ban.dropped,
    })
}
