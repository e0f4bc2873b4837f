//! `/admin/v1/gateways`.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::auth::Admin;
use crate::api::body::JsonObject;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::state::Api;
use crate::store::{GatewayRow, Page, Word};

use super::etag::{self, IfMatch};
use super::fields::Fields;

/// The fields one may write, in the order they are printed.
pub(in crate::api) const KNOWN: &[&str] = &[
    "name",
    "status",
    "organization_sid",
    "host",
    "port",
    "transport",
    "emergency",
    "trusted",
    "caller_id_format",
    "own_caller_id",
    "priority",
    "weight",
];

pub(super) async fn list(State(api): State<Api>, _admin: Admin) -> Result<Response, ApiError> {
    let listed = api.service.gateways(Page::first(super::MOST)).await?;
    let rows: Vec<Value> = listed.rows.iter().map(print).collect();
    Ok(reply::json(&json!({ "total": listed.total, "gateways": rows })))
}

pub(super) async fn create(
    State(api): State<Api>,
    admin: Admin,
    JsonObject(map): JsonObject,
) -> Result<Response, ApiError> {
    let fields = Fields::new(map, KNOWN)?;
    let written = api.service.create_gateway(&admin.0, |row| apply(&fields, row)).await?;
    Ok(reply::written(written, Vec::new(), |row| reply::created(&print(&row))))
}

pub(super) async fn read(
    State(api): State<Api>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(etag::shown(&print(&api.service.gateway(&id).await?)))
}

pub(super) async fn update(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
    meant: IfMatch,
    JsonObject(map): JsonObject,
) -> Result<Response, ApiError> {
    let fields = Fields::new(map, KNOWN)?;
    let edit = |row: &mut GatewayRow| {
        meant.holds(&print(row))?;
        apply(&fields, row)
    };
    let written = api.service.update_gateway(&admin.0, &id, edit).await?;
    Ok(reply::written(written, Vec::new(), |row| etag::shown(&print(&row))))
}

pub(super) async fn delete(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let written = api.service.delete_gateway(&admin.0, &id).await?;
    Ok(reply::written(written, Vec::new(), |()| reply::no_content()))
}

fn apply(fields: &Fields, row: &mut GatewayRow) -> Result<(), ApiError> {
    fields.text("name", &mut row.name)?;
    fields.word("status", &mut row.status)?;
    fields.sid_or_none("organization_sid", &mut row.organization_id)?;
    fields.text("host", &mut row.host)?;
    fields.count_or_none("port", &mut row.port)?;
    fields.word_or_none("transport", &mut row.transport)?;
    fields.flag("emergency", &mut row.emergency)?;
    fields.flag("trusted", &mut row.trusted)?;
    fields.word("caller_id_format", &mut row.caller_id_format)?;
    fields.flag("own_caller_id", &mut row.own_caller_id)?;
    fields.count("priority", &mut row.priority)?;
    fields.count("weight", &mut row.weight)
}

fn print(row: &GatewayRow) -> Value {
    json!({
        "sid": row.id.to_string(),
        "name": row.name,
        "status": row.status.word(),
        "organization_sid": row.organization_id.map(|sid| sid.to_string()),
        "host": row.host,
        "port": row.port,
        "transport": row.transport.map(|transport| transport.word()),
        "emergency": row.emergency,
        "trusted": row.trusted,
        "caller_id_format": row.caller_id_format.word(),
        "own_caller_id": row.own_caller_id,
        "priority": row.priority,
        "weight": row.weight,
        "created": row.created_at.word(),
        "updated": row.updated_at.word(),
    })
}
