//! The envelope around every answer.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use super::place;
use super::refusal::Refusal;
use super::request::Asked;
use crate::api::reply;

/// What an operation answers.
#[derive(Debug)]
pub(super) struct Told {
    /// The payload.
    pub(super) data: Value,
    /// The document's revision; `None`: there is none.
    pub(super) revision: Option<String>,
    /// The generation that shows what was written.
    pub(super) generation: Option<u64>,
    /// What is worth saying about it.
    pub(super) warnings: Vec<String>,
    /// A token that was just given.
    pub(super) token: Option<String>,
    /// Members of the envelope of its own: paging.
    pub(super) beside: Map<String, Value>,
    /// A part failed.
    pub(super) status: Option<StatusCode>,
}

impl Told {
    pub(super) fn new(data: impl Into<Value>) -> Self {
        Self {
            data: data.into(),
            revision: None,
            generation: None,
            warnings: Vec::new(),
            token: None,
            beside: Map::new(),
            status: None,
        }
    }
}

/// The answer to one request.
pub(super) fn respond(asked: &Asked, outcome: Result<Told, Refusal>) -> Response {
    let mut envelope = Map::new();
    let mut set = |name: &str, value: Value| drop(envelope.insert(name.to_owned(), value));
    set("request_id", asked.id.clone().into());
    set("auth_token", asked.token.clone().unwrap_or_default().into());
    let mut retry_after = None;
    let (status, generation, warnings) = match outcome {
        Ok(told) => {
            set("data", told.data);
            set("status", "success".into());
            set("revision", told.revision.unwrap_or_else(|| "undefined".to_owned()).into());
            if let Some(token) = told.token {
                set("auth_token", token.into());
            }
            for (name, value) in told.beside {
                set(&name, value);
            }
            let made = asked.method == Method::PUT;
            let status = told.status.unwrap_or(if made { StatusCode::CREATED } else { StatusCode::OK });
            (status, told.generation, told.warnings)
        }
        Err(refusal) => {
            set("data", refusal.data);
            set("status", "error".into());
            set("message", refusal.message.into());
            set("error", refusal.status.as_u16().to_string().into());
            retry_after = refusal.retry_after;
            (refusal.status, None, Vec::new())
        }
    };
    let mut response = print(asked, envelope);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if let Some(generation) = generation {
        headers.insert(reply::GENERATION, HeaderValue::from(generation));
    }
    if let Ok(id) = HeaderValue::from_str(&asked.id) {
        headers.insert("x-request-id", id);
    }
    if let Some(seconds) = retry_after {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::METHOD_NOT_ALLOWED
        && let Some(read) = place::read(&asked.path)
    {
        let names: Vec<&str> = read.methods().iter().map(Method::as_str).chain(["OPTIONS"]).collect();
        let value = HeaderValue::from_str(&names.join(", ")).expect("names of methods are ASCII");
        headers.insert(header::ALLOW, value);
    }
    allow_browsers(headers);
    reply::warn(&mut response, &warnings);
    response
}

/// JSON, or a call of the function that `jsonp` names.
fn print(asked: &Asked, envelope: Map<String, Value>) -> Response {
    let text = Value::Object(envelope).to_string();
    let plain = |name: &&String| {
        let sign = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'$');
        !name.is_empty() && name.len() <= 64 && name.bytes().all(sign)
    };
    let (media, text) = match asked.query.get("jsonp").filter(plain) {
        Some(function) => ("application/javascript", format!("{function}({text});")),
        None => ("application/json", text),
    };
    let headers = [(header::CONTENT_TYPE, media), (header::CACHE_CONTROL, "no-store")];
    (headers, [(header::X_CONTENT_TYPE_OPTIONS, "nosniff")], text).into_response()
}

/// What a browser asks before it asks: any page may, since every request shows its token itself.
pub(super) fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    allow_browsers(response.headers_mut());
    response
}

fn allow_browsers(headers: &mut HeaderMap) {
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-methods", "GET, PUT, POST, PATCH, DELETE, OPTIONS"),
        (
            "access-control-allow-headers",
            "Content-Type, Depth, User-Agent, X-Http-Method-Override, X-File-Size, X-Requested-With, \
             If-Modified-Since, X-File-Name, Cache-Control, X-Auth-Token, If-Match",
        ),
        ("access-control-expose-headers", "Content-Type, X-Auth-Token, X-Request-ID, Location, Etag, ETag"),
        ("access-control-max-age", "86400"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}
