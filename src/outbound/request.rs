//! One signed HTTP request: a target, parameters, an identity that all its repetitions share.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};

use super::params::Params;
use super::sign::{standard_signature, twilio_signature};
use super::target::{BadUrl, Target};
use crate::routing::model::{Method, SigningKeys};

/// Who asks, under which name, and with which keys.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// `webhook-id` and `I-Twilio-Idempotency-Token`: the same over all tries of one question.
    pub id: &'a str,
    /// The account's keys.
    pub keys: &'a SigningKeys,
    /// The attempt's time (`webhook-timestamp`).
    pub now: SystemTime,
}

/// A request that can be sent, and sent again, byte for byte.
#[derive(Clone, Debug)]
pub struct Request {
    pub(super) target: Arc<Target>,
    pub(super) method: hyper::Method,
    /// The whole URL, as HTTP/2 has it.
    pub(super) uri: hyper::Uri,
    /// Path and query, as HTTP/1 has it.
    pub(super) path: hyper::Uri,
    /// Host and port.
    pub(super) authority: HeaderValue,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) key: Arc<str>,
    /// Whether the URL's circuit breaker has a say.
    pub(super) breaker: bool,
}

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
const IDEMPOTENCY: HeaderName = HeaderName::from_static("i-twilio-idempotency-token");
const TWILIO: HeaderName = HeaderName::from_static("x-twilio-signature");
const DEADLINE: HeaderName = HeaderName::from_static("x-callgate-deadline-ms");

impl Request {
    /// Puts the parameters into the query (GET) or a form (POST) and signs both ways.
    ///
    /// With `query_in_body` a POST's own query moves behind the parameters, as Restcomm does it.
    ///
    /// # Errors
    /// [`BadUrl::Character`] where a value cannot stand in a header.
    pub fn signed(
        target: Arc<Target>,
        method: Method,
        params: &Params<'_>,
        identity: Identity<'_>,
        query_in_body: bool,
    ) -> Result<Self, BadUrl> {
        let mut headers = HeaderMap::with_capacity(10);
        let (path_and_query, body, signed_pairs) = match method {
            Method::Get => (with_query(&target, params), Bytes::new(), None),
            Method::Post => {
                headers.insert(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8"),
                );
                let moved = if query_in_body { with_moved(&target, params) } else { Cow::Borrowed(params) };
                let path = if query_in_body { target.without_query() } else { target.path_and_query() };
                (path.to_owned(), moved.encode(String::new()).into(), Some(moved))
            }
        };
        let url = format!("{}{path_and_query}", target.base());
        let pairs = signed_pairs.iter().flat_map(|params| params.iter());
        put(&mut headers, TWILIO, &twilio_signature(&identity.keys.auth_token, &url, pairs))?;
        standard_headers(&mut headers, identity, &body)?;
        if let Some(authorization) = &target.authorization {
            let mut value = HeaderValue::try_from(authorization).map_err(|_| BadUrl::Character)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/xml, text/xml, */*"));
        headers.insert(
            header::USER_AGENT,
            HeaderValue::from_static(concat!("callgate/", env!("CARGO_PKG_VERSION"))),
        );
        let method = match method {
            Method::Get => hyper::Method::GET,
            Method::Post => hyper::Method::POST,
        };
        let authority = HeaderValue::from_str(target.authority()).map_err(|_| BadUrl::Host)?;
        // Whatever is not a URI to the HTTP library is found out here, not in the middle of a call.
        let uri = url.parse::<hyper::Uri>().map_err(|_| BadUrl::Character)?;
        let path = uri.path_and_query().cloned().ok_or(BadUrl::Character)?;
        let key = target.key();
        Ok(Self { target, method, uri, path: path.into(), authority, headers, body, key, breaker: false })
    }

    /// Says how long the answer is waited for (`X-Callgate-Deadline-Ms`).
    #[must_use]
    pub fn deadline(mut self, wait: Duration) -> Self {
        self.headers.insert(DEADLINE, HeaderValue::from(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)));
        self
    }

    /// Lets the URL's circuit breaker refuse it.
    #[must_use]
    pub fn with_breaker(mut self) -> Self {
        self.breaker = true;
        self
    }
}

fn with_query(target: &Target, params: &Params<'_>) -> String {
    let mut out = target.path_and_query().to_owned();
    match out.find('?') {
        None => out.push('?'),
        Some(at) if at + 1 == out.len() || out.ends_with('&') => {}
        Some(_) => out.push('&'),
    }
    out.push_str(&params.encode(String::new()));
    out
}

fn with_moved<'a>(target: &'a Target, params: &'a Params<'a>) -> Cow<'a, Params<'a>> {
    let Some(query) = target.query() else { return Cow::Borrowed(params) };
    let mut all = params.clone();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        all.push(name, value);
    }
    Cow::Owned(all)
}

fn standard_headers(headers: &mut HeaderMap, identity: Identity<'_>, body: &[u8]) -> Result<(), BadUrl> {
    let since = identity.now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let id = HeaderValue::from_str(identity.id).map_err(|_| BadUrl::Character)?;
    headers.insert(ID, id.clone());
    headers.insert(IDEMPOTENCY, id);
    headers.insert(TIMESTAMP, HeaderValue::from(timestamp));
    let signature = standard_signature(&identity.keys.webhook_secrets, identity.id, timestamp, body);
    if !signature.is_empty() {
        put(headers, SIGNATURE, &signature)?;
    }
    Ok(())
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) -> Result<(), BadUrl> {
    headers.insert(name, HeaderValue::from_str(value).map_err(|_| BadUrl::Character)?);
    Ok(())
}
