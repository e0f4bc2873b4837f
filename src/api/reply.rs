//! Answers with what goes along: the generation of a write, warnings.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;
use super::service::{ServiceError, Written};
use crate::store::{SecretError, StoreError};
use crate::telemetry::chain;

/// Names the generation that has what a request wrote.
pub(super) const GENERATION: &str = "x-callgate-generation";

/// The most warnings one answer carries.
const MOST_WARNINGS: usize = 20;

/// 200 with pretty-printed JSON, as Restcomm's answers are.
pub(super) fn json(body: &impl Serialize) -> Response {
    let mut text = serde_json::to_string_pretty(body).expect("our own types serialize");
    text.push('\n');
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, text).into_response()
}

/// The answer to a write: `X-Callgate-Generation`, and a warning header for each remark.
pub(super) fn written<T>(
    written: Written<T>,
    mut remarks: Vec<String>,
    print: impl FnOnce(T) -> Response,
) -> Response {
    remarks.extend(written.warnings);
    let mut response = print(written.value);
    let headers = response.headers_mut();
    headers.insert(GENERATION, HeaderValue::from(written.generation));
    warn(&mut response, &remarks);
    response
}

/// `X-Callgate-Warning`, one a remark.
pub(super) fn warn(response: &mut Response, remarks: &[String]) {
    for remark in remarks.iter().take(MOST_WARNINGS) {
        let ascii: String = remark.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
        let value = HeaderValue::from_str(&ascii).expect("printable ASCII is a header value");
        response.headers_mut().append("x-callgate-warning", value);
    }
}

/// A short digest of a text, which stands for it.
pub(super) fn digest(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 201 with pretty-printed JSON.
pub(super) fn created(body: &impl Serialize) -> Response {
    let mut response = json(body);
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// 200 without a body.
pub(super) fn empty() -> Response {
    StatusCode::OK.into_response()
}

/// 204.
pub(super) fn no_content() -> Response {
    StatusCode::NO_CONTENT.into_response()
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        of_store(&error)
    }
}

impl From<ServiceError> for ApiError {
    fn from(error: ServiceError) -> Self {
        match &error {
            ServiceError::Field { .. } => Self::bad(error.to_string()),
            ServiceError::NotFound { .. } => Self::not_found(error.to_string()),
            ServiceError::Taken { .. } | ServiceError::Full { .. } => {
                Self::new(StatusCode::CONFLICT, error.to_string())
            }
            ServiceError::Unobtainable(_) => Self::coded(StatusCode::BAD_REQUEST, 21452, error.to_string()),
            ServiceError::TooMany(_) => Self::new(StatusCode::TOO_MANY_REQUESTS, error.to_string()),
            ServiceError::Forbidden(_) => Self::forbidden(error.to_string()),
            ServiceError::Unauthorized => Self::unauthorized(),
            ServiceError::Failed(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
            ServiceError::Store(store) => of_store(store),
        }
    }
}

fn of_store(error: &StoreError) -> ApiError {
    match error {
        StoreError::Duplicate { .. } => ApiError::new(StatusCode::CONFLICT, error.to_string()),
        StoreError::Constraint { .. } | StoreError::Secret(SecretError::NoWebhookSecret) => {
            ApiError::bad(error.to_string())
        }
        StoreError::NotFound { .. } => ApiError::not_found(error.to_string()),
        StoreError::Unavailable(_) => {
            tracing::warn!(error = chain(error), "the store does not answer the API");
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "the store does not answer; calls go on being routed",
            )
        }
        _ => {
            tracing::error!(error = chain(error), "the store failed the API");
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "the store failed; the log has more")
        }
    }
}
