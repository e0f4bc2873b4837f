//! `/admin/v1/audit`: who changed what, with the row before and after, the newest first.

use axum::extract::{RawQuery, State};
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::auth::Admin;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::restcomm::params::Params;
use crate::api::state::Api;
use crate::store::{AuditEntry, AuditFilter};

/// The parameters of the list.
pub(in crate::api) const FILTERS: &[&str] =
    &["actor", "subject", "id", "action", "generation", "limit", "offset"];

pub(super) async fn list(
    State(api): State<Api>,
    _admin: Admin,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), FILTERS);
    let text = |name| params.change(name).flatten();
    let filter = AuditFilter {
        actor: text("actor"),
        subject: text("subject"),
        // The store knows ids without the letters that say of what they are.
        id: text("id").map(|id| if id.len() == 34 { id[2..].to_owned() } else { id }),
        action: text("action"),
        generation: params.count("generation")?,
    };
    let page = super::query::page(&params)?;
    let entries = api.service.store().audit(&filter, page).await?;
    let entries: Vec<Value> = entries.iter().map(print).collect();
    let mut response = reply::json(&json!({ "entries": entries }));
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

fn print(entry: &AuditEntry) -> Value {
    let row = |text: &Option<String>| {
        text.as_deref().map_or(Value::Null, |text| serde_json::from_str(text).unwrap_or(Value::Null))
    };
    json!({
        "at": entry.at,
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "id": entry.id,
        "generation": entry.generation,
        "before": row(&entry.before),
        "after": row(&entry.after),
    })
}
