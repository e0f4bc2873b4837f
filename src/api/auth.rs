//! Who asks: the peer on the Unix socket, or an account by its auth token: as Basic password, Bearer token
//! or `X-Auth-Token`.

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::error::ApiError;
use super::server::Peer;
use super::service::Principal;
use super::state::Api;

const X_AUTH_TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

impl FromRequestParts<Api> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        if parts.extensions.get::<Peer>() == Some(&Peer::Local) {
            return Ok(Self::Operator);
        }
        match Credentials::of(&parts.headers) {
            Some(Credentials::Token(token)) => Ok(api.service.authenticate_token(&token).await?),
            Some(Credentials::Basic(user, password)) => {
                let sid = user.parse().map_err(|_| ApiError::unauthorized())?;
                Ok(api.service.authenticate(sid, &password).await?)
            }
            None => Err(ApiError::unauthorized()),
        }
    }
}

/// What a request shows of itself.
enum Credentials {
    /// A token, which says by itself whose it is.
    Token(String),
    /// A user and its password.
    Basic(String, String),
}

impl Credentials {
    /// Those of `Authorization`, or without it of `X-Auth-Token`.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or(""));
        let Some(header) = text(AUTHORIZATION) else {
            return Some(Self::Token(text(X_AUTH_TOKEN)?.trim().to_owned()));
        };
        let token = bearer(header).map(|token| Self::Token(token.to_owned()));
        token.or_else(|| basic(header).map(|(user, password)| Self::Basic(user, password)))
    }
}

/// The super-admin, or the operator at the Unix socket: what `/admin/v1` is for.
#[derive(Clone, Debug)]
pub(super) struct Admin(pub(super) Principal);

impl FromRequestParts<Api> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let principal = Principal::from_request_parts(parts, api).await?;
        if principal.is_super_admin() {
            return Ok(Self(principal));
        }
        Err(ApiError::forbidden("only the super-admin account may use /admin/v1"))
    }
}

/// The secret that a request came with: an auth token, or one that was given for a while.
pub(super) fn presented(headers: &HeaderMap) -> Option<String> {
    match Credentials::of(headers)? {
        Credentials::Token(secret) | Credentials::Basic(_, secret) => Some(secret),
    }
}

/// The token of `Bearer` credentials (RFC 6750).
pub(super) fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// User and password of `Basic` credentials (RFC 7617).
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_read_and_nothing_else() {
        let read = basic("Basic QUMxOnRva2VuOndpdGg6Y29sb25z").unwrap();
        assert_eq!(read, ("AC1".to_owned(), "token:with:colons".to_owned()));
        assert_eq!(bearer("bearer  abc"), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        for bad in ["Bearer abc", "Basic !!!", "Basic", "Basic QUMx", ""] {
            assert_eq!(basic(bad), None, "{bad}");
        }
    }
}
