//! Secrets of an account, made here and shown once: its auth token, and what signs its webhooks.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::json;

use crate::api::auth::Admin;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::service::Written;
use crate::api::state::Api;
use crate::store::AccountRow;

/// A fresh auth token; the one before stops at once.
pub(super) async fn auth_token(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let account = api.service.row::<AccountRow>(&id).await?;
    let Written { value, generation, warnings } = api.service.renew_token(&admin.0, account.id).await?;
    let token = api.service.token_of(&value)?;
    let written = Written { value: token, generation, warnings };
    Ok(reply::written(written, Vec::new(), |token| {
        reply::json(&json!({ "sid": account.id.to_string(), "auth_token": token }))
    }))
}

/// A fresh webhook secret; the one before goes on signing beside it until the next change.
pub(super) async fn webhook_secret(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let account = api.service.row::<AccountRow>(&id).await?;
    let written = api.service.renew_webhook_secret(&admin.0, account.id).await?;
    Ok(reply::written(written, Vec::new(), |secret| {
        reply::json(&json!({ "sid": account.id.to_string(), "webhook_secret": secret }))
    }))
}
