//! Optimistic concurrency: an answer names the row as it stands (`ETag`), a write may name the row it is
//! meant for (`If-Match`, RFC 9110 13.1.1).

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::Value;

use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::state::Api;

/// What a write names; `None`: whatever stands there.
#[derive(Clone, Debug)]
pub(super) struct IfMatch(Option<String>);

impl FromRequestParts<Api> for IfMatch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Infallible> {
        let value = parts.headers.get(header::IF_MATCH);
        Ok(Self(value.map(|value| value.to_str().unwrap_or("").to_owned())))
    }
}

impl IfMatch {
    /// Whether the row as it is printed is the one that is meant.
    pub(super) fn holds(&self, printed: &Value) -> Result<(), ApiError> {
        let Some(wanted) = &self.0 else { return Ok(()) };
        let tag = of(printed);
        if wanted.split(',').any(|one| matches!(one.trim(), "*") || one.trim() == tag) {
            return Ok(());
        }
        let message = "it was changed since you read it: read it again, then repeat with its new ETag";
        Err(ApiError::new(StatusCode::PRECONDITION_FAILED, message))
    }
}

/// 200 with the row and its tag.
pub(super) fn shown(printed: &Value) -> Response {
    tagged(reply::json(printed), printed)
}

/// An answer with the tag of the row in it.
pub(super) fn tagged(mut response: Response, printed: &Value) -> Response {
    let value = HeaderValue::from_str(&of(printed)).expect("a digest in quotes is ASCII");
    response.headers_mut().insert(header::ETAG, value);
    response
}

fn of(printed: &Value) -> String {
    format!("\"{}\"", reply::digest(&printed.to_string()))
}
