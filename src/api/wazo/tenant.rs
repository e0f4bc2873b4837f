//! Whose numbers a request speaks of: the `Wazo-Tenant` header, else the token's own account. A tenant is an
//! account; its UUID is the account's identifier.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::api::service::{Principal, ServiceError};
use crate::api::state::Api;
use crate::ids::{AccountSid, NumberSid};

use super::refusal::Refusal;

/// Who asks, for which account.
#[derive(Clone, Debug)]
pub(super) struct Tenant {
    pub(super) who: Principal,
    pub(super) account: AccountSid,
}

impl FromRequestParts<Api> for Tenant {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let who = Principal::from_request_parts(parts, api).await?;
        let account = match parts.headers.get("wazo-tenant") {
            Some(header) => {
                let uuid = header.to_str().ok().and_then(id).ok_or_else(Refusal::unauthorized)?;
                AccountSid(uuid)
            }
            None => own(api, &who).await?,
        };
        match api.service.account_for(&who, account).await {
            Ok(_) => Ok(Self { who, account }),
            // A tenant that is not there is one that is not the asker's.
            Err(ServiceError::NotFound { .. }) => Err(Refusal::unauthorized()),
            Err(error) => Err(error.into()),
        }
    }
}

async fn own(api: &Api, who: &Principal) -> Result<AccountSid, Refusal> {
    match who {
        Principal::Account { sid, .. } => Ok(*sid),
        Principal::Operator => {
            let found = api.service.store().default_account().await.map_err(ServiceError::from)?;
            found.map(|row| row.id).ok_or_else(Refusal::unauthorized)
        }
    }
}

/// The `{uuid}` of a path.
pub(super) fn number(text: &str) -> Result<NumberSid, Refusal> {
    id(text).map(NumberSid).ok_or_else(|| Refusal::not_found(&format!("'uuid': '{}'", shown(text))))
}

/// A UUID in its form with hyphens, in either case.
pub(super) fn id(text: &str) -> Option<u128> {
    let hyphens = [8, 13, 18, 23];
    let right = |(at, byte): (usize, u8)| match hyphens.contains(&at) {
        true => byte == b'-',
        false => byte.is_ascii_hexdigit(),
    };
    if text.len() != 36 || !text.bytes().enumerate().all(right) {
        return None;
    }
    u128::from_str_radix(&text.replace('-', ""), 16).ok()
}

/// An identifier as a UUID.
pub(super) fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn shown(text: &str) -> String {
    crate::api::restcomm::params::shown(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_a_uuid_and_back() {
        let text = "ae8b8b0d-ae5f-46ae-b739-d5bcc7744cba";
        assert_eq!(uuid(id(text).unwrap()), text);
        assert_eq!(id(&text.to_uppercase()), id(text));
        for bad in ["ae8b8b0dae5f46aeb739d5bcc7744cba", "", "ae8b8b0d-ae5f-46ae-b739-d5bcc7744cb", "main"] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }
}
