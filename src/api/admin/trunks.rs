//! `/admin/v1/trunks`.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::auth::Admin;
use crate::api::body::JsonObject;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::state::Api;
use crate::store::{Page, TrunkRow, Word};

use super::etag::{self, IfMatch};
use super::fields::Fields;

/// The fields one may write, in the order they are printed.
pub(in crate::api) const KNOWN: &[&str] = &[
    "name",
    "status",
    "organization_sid",
    "sources",
    "listener",
    "source_port",
    "request_host",
    "tgrp",
    "trunk_context",
    "tls_name",
    "dialled_from",
    "caller_from",
    "country_code",
    "international_prefix",
    "national_prefix",
    "number_rules",
    "short_codes",
    "mode",
    "ring_at_once",
    "single_early_dialog",
    "force_rport",
    "nat",
    "trusted",
    "emergency_numbers",
    "max_calls",
    "max_calls_per_second",
    "limit_code",
    "webhook_failure_status",
];

pub(super) async fn list(State(api): State<Api>, _admin: Admin) -> Result<Response, ApiError> {
    let listed = api.service.trunks(Page::first(super::MOST)).await?;
    let rows: Vec<Value> = listed.rows.iter().map(print).collect();
    Ok(reply::json(&json!({ "total": listed.total, "trunks": rows })))
}

pub(super) async fn create(
    State(api): State<Api>,
    admin: Admin,
    JsonObject(map): JsonObject,
) -> Result<Response, ApiError> {
    let fields = Fields::new(map, KNOWN)?;
    let written = api.service.create_trunk(&admin.0, |row| apply(&fields, row)).await?;
    Ok(reply::written(written, Vec::new(), |row| reply::created(&print(&row))))
}

pub(super) async fn read(
    State(api): State<Api>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(etag::shown(&print(&api.service.trunk(&id).await?)))
}

pub(super) async fn update(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
    meant: IfMatch,
    JsonObject(map): JsonObject,
) -> Result<Response, ApiError> {
    let fields = Fields::new(map, KNOWN)?;
    let edit = |row: &mut TrunkRow| {
        meant.holds(&print(row))?;
        apply(&fields, row)
    };
    let written = api.service.update_trunk(&admin.0, &id, edit).await?;
    Ok(reply::written(written, Vec::new(), |row| etag::shown(&print(&row))))
}

pub(super) async fn delete(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let written = api.service.delete_trunk(&admin.0, &id).await?;
    Ok(reply::written(written, Vec::new(), |()| reply::no_content()))
}

fn apply(fields: &Fields, row: &mut TrunkRow) -> Result<(), ApiError> {
    fields.text("name", &mut row.name)?;
    fields.word("status", &mut row.status)?;
    fields.sid_or_none("organization_sid", &mut row.organization_id)?;
    fields.word("sources", &mut row.sources)?;
    fields.text_or_none("listener", &mut row.listener)?;
    fields.count_or_none("source_port", &mut row.source_port)?;
    fields.text_or_none("request_host", &mut row.request_host)?;
    fields.text_or_none("tgrp", &mut row.tgrp)?;
    fields.text_or_none("trunk_context", &mut row.trunk_context)?;
    fields.text_or_none("tls_name", &mut row.tls_name)?;
    fields.word("dialled_from", &mut row.dialled_from)?;
    fields.word("caller_from", &mut row.caller_from)?;
    fields.text("country_code", &mut row.country_code)?;
    fields.text("international_prefix", &mut row.international_prefix)?;
    fields.text("national_prefix", &mut row.national_prefix)?;
    fields.word("number_rules", &mut row.number_rules)?;
    fields.word("short_codes", &mut row.short_codes)?;
    fields.word("mode", &mut row.mode)?;
    fields.flag("ring_at_once", &mut row.ring_at_once)?;
    fields.flag("single_early_dialog", &mut row.single_early_dialog)?;
    fields.flag("force_rport", &mut row.force_rport)?;
    fields.word("nat", &mut row.nat)?;
    fields.flag("trusted", &mut row.trusted)?;
    fields.word("emergency_numbers", &mut row.emergency_numbers)?;
    fields.count_or_none("max_calls", &mut row.max_calls)?;
    fields.count_or_none("max_calls_per_second", &mut row.max_calls_per_second)?;
    fields.count("limit_code", &mut row.limit_code)?;
    fields.count_or_none("webhook_failure_status", &mut row.webhook_failure_status)
}

fn print(row: &TrunkRow) -> Value {
    let rules: Value = serde_json::from_str(&row.number_rules.word()).unwrap_or(Value::Null);
    let sources: Vec<String> = row.sources.iter().map(|p| format!("{}/{}", p.address, p.length)).collect();
    let emergency: Vec<&str> = row.emergency_numbers.iter().map(AsRef::as_ref).collect();
    json!({
        "sid": row.id.to_string(),
        "name": row.name,
        "status": row.status.word(),
        "organization_sid": row.organization_id.map(|sid| sid.to_string()),
        "sources": sources,
        "listener": row.listener,
        "source_port": row.source_port,
        "request_host": row.request_host,
        "tgrp": row.tgrp,
        "trunk_context": row.trunk_context,
        "tls_name": row.tls_name,
        "dialled_from": row.dialled_from.word(),
        "caller_from": row.caller_from.word(),
        "country_code": row.country_code,
        "international_prefix": row.international_prefix,
        "national_prefix": row.national_prefix,
        "number_rules": rules,
        "short_codes": row.short_codes,
        "mode": row.mode.word(),
        "ring_at_once": row.ring_at_once,
        "single_early_dialog": row.single_early_dialog,
        "force_rport": row.force_rport,
        "nat": row.nat.word(),
        "trusted": row.trusted,
        "emergency_numbers": emergency,
        "max_calls": row.max_calls,
        "max_calls_per_second": row.max_calls_per_second,
        "limit_code": row.limit_code,
        "webhook_failure_status": row.webhook_failure_status,
        "created": row.created_at.word(),
        "updated": row.updated_at.word(),
    })
}
