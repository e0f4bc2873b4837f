//! Tokens for an hour of use: by a user's digest, or by an account's token as the key.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::answer::Told;
use super::members::Members;
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
    let mut members = Members::of(&data);
    let credentials = members.needed("credentials").unwrap_or_default().trim();
    let by = match members.one_of("method", &["md5", "sha", "sha1", ""]) {
        Some("sha" | "sha1") => Hashed::Sha1,
        _ => Hashed::Md5,
    };
    let (name, realm) = (members.words("account_name"), members.words("account_realm"));
    let claim = match (name, realm, members.words("phone_number")) {
        (Some(name), ..) => Claim::Name(name.to_owned()),
        (_, Some(realm), _) => Claim::Realm(realm.to_owned()),
        (_, _, Some(number)) => Claim::Number(vec![normalize(number), number.to_owned()]),
        _ => Claim::Name(members.needed("account_name").unwrap_or_default().to_owned()),
    };
    members.done()?;
    let (account, token) = api.service.log_in(&claim, credentials, by).await?;
    Ok(granted(&account, token))
}

/// `PUT /v2/api_auth`.
pub(super) async fn by_key(api: &Api, asked: &Asked) -> Result<Told, Refusal> {
    let data = asked.object()?;
    let mut members = Members::of(&data);
    let key = members.needed("api_key").unwrap_or_default();
    members.done()?;
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
