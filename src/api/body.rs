//! Bodies with their limits: size, and the time a client may take to send one.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::error::ApiError;
use super::state::Api;

/// A form-encoded body, as sent.
pub(super) struct Form(pub(super) Bytes);

/// A body of any type, as sent.
pub(super) struct Raw(pub(super) Bytes);

/// A JSON object; an absent body is an empty one.
pub(super) struct JsonObject(pub(super) serde_json::Map<String, serde_json::Value>);

impl FromRequest<Api> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        refuse_type(request.headers(), "application/x-www-form-urlencoded", "as curl's -d does")?;
        Ok(Self(read(request.into_body(), api).await?))
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
        serde_json::from_slice(&bytes).map(Self).map_err(bad)
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
