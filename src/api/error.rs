//! Errors as clients read them: `{status, code, message, more_info}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::restcomm::xml::Root;

/// A refusal on its way to the client.
#[derive(Clone, Debug)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The error code: Restcomm's number where it has one (21452), else the status.
    pub code: u32,
    /// What is wrong: names the field and the fix.
    pub message: String,
    /// A word for programs, where the dialect has one.
    pub error: Option<&'static str>,
}

/// Goes along with the answer, for dialects whose errors look otherwise.
#[derive(Clone, Debug)]
pub(super) struct Told(pub(super) ApiError);

/// The body of an error, in Restcomm's key order.
#[derive(Debug, Serialize)]
struct Body<'a> {
    status: u16,
    code: u32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    more_info: String,
}

impl ApiError {
    /// A refusal whose code is its status.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self::coded(status, u32::from(status.as_u16()), message)
    }

    /// A refusal with a code of its own.
    pub fn coded(status: StatusCode, code: u32, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), error: None }
    }

    /// 400.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// 401 with the challenge.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "Basic auth with an account's sid and its auth token is needed here",
        )
    }

    /// 403.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, message)
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Body {
            status: self.status.as_u16(),
            code: self.code,
            message: &self.message,
            error: self.error,
            more_info: format!("/openapi.json#errors-{}", self.code),
        };
        let mut response = (self.status, Json(body)).into_response();
        response.extensions_mut().insert(Root("RestException"));
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"Restcomm realm\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(Told(self));
        response
    }
}
