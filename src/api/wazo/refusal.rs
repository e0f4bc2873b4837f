//! Errors as Wazo's clients read them: an array of texts, which they join.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::error::{ApiError, Told};
use crate::api::service::ServiceError;

/// A refusal on its way to the client.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    lines: Vec<String>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, lines: Vec<String>) -> Self {
        Self { status, lines }
    }

    /// 400 for what was sent: one line a field.
    pub(super) fn input(lines: Vec<String>) -> Self {
        let lines = lines.into_iter().map(|line| format!("Input Error - {line}")).collect();
        Self::new(StatusCode::BAD_REQUEST, lines)
    }

    /// No such number; `how` is what it was looked for by.
    pub(super) fn not_found(how: &str) -> Self {
        let line = format!("Resource Not Found - PhoneNumber was not found ({how})");
        Self::new(StatusCode::NOT_FOUND, vec![line])
    }

    /// The tenant has such a number.
    pub(super) fn exists(number: &str, tenant: &str) -> Self {
        let line = format!(
            "Resource Error - PhoneNumber already exists ('number': '{number}', 'tenant_uuid': '{tenant}')"
        );
        Self::new(StatusCode::BAD_REQUEST, vec![line])
    }

    /// Token or tenant are not right. What was sent is not repeated.
    pub(super) fn unauthorized() -> Self {
        let line = "Unauthorized - X-Auth-Token is missing or unknown, or Wazo-Tenant is not its to use";
        Self::new(StatusCode::UNAUTHORIZED, vec![line.to_owned()])
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let repeat = matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let mut response = (self.status, Json(self.lines)).into_response();
        if repeat {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<ServiceError> for Refusal {
    fn from(error: ServiceError) -> Self {
        match error {
            ServiceError::Field { field, problem } => Self::input(vec![format!("{field}: ['{problem}']")]),
            ServiceError::Forbidden(_) | ServiceError::Unauthorized => Self::unauthorized(),
            ServiceError::Full { .. } | ServiceError::Unobtainable(_) | ServiceError::Taken { .. } => {
                Self::new(StatusCode::BAD_REQUEST, vec![format!("Resource Error - {error}")])
            }
            other => ApiError::from(other).into(),
        }
    }
}

impl From<ApiError> for Refusal {
    fn from(error: ApiError) -> Self {
        if error.status == StatusCode::UNAUTHORIZED || error.status == StatusCode::FORBIDDEN {
            return Self::unauthorized();
        }
        let line = match error.status.as_u16() {
            400..=499 => format!("Input Error - {}", error.message),
            _ => format!("Unexpected error: {}", error.message),
        };
        Self::new(error.status, vec![line])
    }
}

/// What the common floors refused, told in this dialect.
pub(super) async fn retell(mut response: Response) -> Response {
    let Some(Told(error)) = response.extensions_mut().remove::<Told>() else { return response };
    Refusal::from(error).into_response()
}
