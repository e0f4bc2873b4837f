//! Tokens for an hour of use: by a user's digest, or by an account's token as the key.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::Told;
use super::normalize::normalize;
use super::refusal::Refusal;
use super::request::Asked;
use super::serve::Call;
use crate::api::service::{Claim, Hashed, ServiceError};
use crate::api::state::Api;
use crate::store::{AccountRow, Word};

/// `PUT /v2/user_auth`.
pub(super) async fn by_user(api: &Api, asked: &Asked) -> Result<Told, Refusal> {
    let data = asked.object()?;
    let text =
        |name: &str| data.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let credentials = text("credentials")
        .ok_or_else(|| Refusal::field("credentials", "required", "Field is required but missing"))?;
    let by = match text("method") {
        None | Some("md5") => Hashed::Md5,
        Some("sha" | "sha1") => Hashed::Sha1,
        Some(_) => {
            let told = json!({ "message": "Value not found in enumerated list of values", "target": ["md5", "sha"] });
            return Err(Refusal::fields(vec![("method".to_owned(), "enum", told)]));
        }
    };
    let claim = match (text("account_name"), text("account_realm"), text("phone_number")) {
        (Some(name), ..) => Claim::Name(name.to_owned()),
        (_, Some(realm), _) => Claim::Realm(realm.to_owned()),
        (_, _, Some(number)) => Claim::Number(vec![normalize(number), number.to_owned()]),
        _ => return Err(Refusal::field("account_name", "required", "Field is required but missing")),
    };
    let (account, token) = api.service.log_in(&claim, credentials, by).await?;
    Ok(granted(&account, token))
}

/// `PUT /v2/api_auth`.
pub(super) async fn by_key(api: &Api, asked: &Asked) -> Result<Told, Refusal> {
    let data = asked.object()?;
    let key = data.get("api_key").and_then(Value::as_str).filter(|key| !key.is_empty());
    let key = key.ok_or_else(|| Refusal::field("api_key", "required", "Field is required but missing"))?;
    match api.service.log_in_by_key(key).await {
        Ok((account, token)) => Ok(granted(&account, token)),
        // As documented: no 401, and the key is told back.
        Err(ServiceError::Unauthorized) => Err(Refusal::new(404, "bad identifier", json!([key]))),
        Err(other) => Err(other.into()),
    }
}

/// `/v2/token_auth`: what the token stands for, or its end.
pub(super) async fn token(call: &Call<'_>) -> Result<Told, Refusal> {
    let token = call.asked.token.clone().unwrap_or_default();
    if call.asked.method == Method::DELETE {
        // The account's own token is no session's: it is renewed, not ended.
        if !call.api.service.log_out(&token).await? {
            return Err(Refusal::bad_identifier());
        }
        return Ok(Told::new(json!({})));
    }
    let mut told = granted(&call.account, token);
    told.status = Some(StatusCode::OK);
    Ok(told)
}

fn granted(account: &AccountRow, token: String) -> Told {
    let data = json!({
        "account_id": account.id.word(),
        "owner_id": account.id.word(),
        "account_name": account.friendly_name,
        "reseller_id": account.parent_id.unwrap_or(account.id).word(),
        "is_reseller": account.parent_id.is_none(),
        "language": "en-us",
        "apps": [],
    });
    Told { token: Some(token), ..Told::new(data) }
}
