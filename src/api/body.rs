//! Bodies with their limits: size, the time a client may take to send one, and that they are texts, as paths
//! and queries are.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode;
use serde_json::Value;

use super::error::ApiError;
use super::state::Api;

/// A form-encoded body, as sent.
pub(super) struct Form(pub(super) Bytes);

/// A body of any type, as sent.
pub(super) struct Raw(pub(super) Bytes);

/// A JSON object; an absent body is an empty one.
pub(super) struct JsonObject(pub(super) serde_json::Map<String, Value>);

impl FromRequest<Api> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        refuse_type(request.headers(), "application/x-www-form-urlencoded", "as curl's -d does")?;
        let bytes = read(request.into_body(), api).await?;
        match unreadable(&bytes) {
            None => Ok(Self(bytes)),
            Some(problem) => Err(ApiError::bad(format!("the body {problem}"))),
        }
    }
}

impl FromRequest<Api> for Raw {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        Ok(Self(read(request.into_body(), api).await?))
    }
}

impl FromRequest<Api> for JsonObject {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        refuse_type(request.headers(), "application/json", "with one object")?;
        let bytes = read(request.into_body(), api).await?;
        if bytes.is_empty() {
            return Ok(Self(serde_json::Map::new()));
        }
        let bad = |error| ApiError::bad(format!("the body is no JSON object: {error}"));
        let object = Self(serde_json::from_slice(&bytes).map_err(bad)?);
        match object.0.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)) {
            false => Ok(object),
            true => Err(ApiError::bad("the body holds NUL in a text: leave it out")),
        }
    }
}

/// Refuses paths and queries that are no texts, before anybody reads them.
pub(super) async fn texts_only(request: Request, next: Next) -> Response {
    let uri = request.uri();
    let parts = [("path", uri.path()), ("query", uri.query().unwrap_or_default())];
    let wrong = parts.into_iter().find_map(|(part, text)| Some((part, unreadable(text.as_bytes())?)));
    match wrong {
        None => next.run(request).await,
        Some((part, problem)) => ApiError::bad(format!("the {part} {problem}")).into_response(),
    }
}

/// Why no text can be made of what is percent-encoded: no store keeps NUL, and none takes what is no UTF-8.
pub(super) fn unreadable(encoded: &[u8]) -> Option<&'static str> {
    match percent_decode(encoded).decode_utf8() {
        Err(_) => Some("is not UTF-8: encode it so"),
        Ok(text) if text.contains('\0') => Some("holds NUL: leave it out"),
        Ok(_) => None,
    }
}

/// Whether a text in it holds NUL, which no store keeps.
pub(super) fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        _ => false,
    }
}

/// Another type than the expected one is refused; none at all is taken as the expected one.
fn refuse_type(headers: &HeaderMap, expected: &str, hint: &str) -> Result<(), ApiError> {
    let Some(given) = headers.get(header::CONTENT_TYPE) else { return Ok(()) };
    let given = given.to_str().unwrap_or("?");
    let media = given.split(';').next().unwrap_or("").trim();
    if media.is_empty() || media.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    let message =
        format!("Content-Type is {}: send {expected}, {hint}", super::restcomm::params::shown(media));
    Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
}

pub(super) async fn read(body: Body, api: &Api) -> Result<Bytes, ApiError> {
    let most = api.config.max_body_bytes;
    let collected =
        tokio::time::timeout(api.config.client_timeout(), Limited::new(body, most).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body is larger than {most} bytes (http.max-body-bytes)"),
        )),
        Ok(Err(error)) => Err(ApiError::bad(format!("the body could not be read: {error}"))),
        Err(_) => Err(ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            format!(
                "the body did not come within {} ms (http.client-timeout-ms)",
                api.config.client_timeout_ms
            ),
        )),
    }
}
