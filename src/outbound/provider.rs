//! Providers of others' knowledge: JSON over HTTP, with a deadline, and answers kept for a while.
//!
//! Each is asked below one base URL. A question is `GET base/PATH?…` or `POST base/PATH` with a JSON body;
//! an answer is a 2xx with a JSON object.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use foldhash::HashMap;
use hyper::header::{self, HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::Instant;

use super::client::Client;
use super::failure::Failure;
use super::request::Request;
use super::target::{BadUrl, Target};

/// `[providers]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProvidersConfig {
    /// Where numbers are searched and bought beyond the inventory; empty: nowhere.
    pub carrier_url: String,
    /// Where numbers are located; empty: nowhere.
    pub locality_url: String,
    /// Where addresses for emergency calls are checked and told; empty: nowhere.
    pub e911_url: String,
    /// Where callers' names are looked up; empty: nowhere.
    pub cnam_url: String,
    /// How long one of them may take to answer, in milliseconds.
    pub timeout_ms: u64,
    /// How long an answer about a number is kept, in seconds.
    pub cache_seconds: u64,
}

impl Default for ProvidersConfig {
    fn default() -> Self {
        Self {
            carrier_url: String::new(),
            locality_url: String::new(),
            e911_url: String::new(),
            cnam_url: String::new(),
            timeout_ms: 3_000,
            cache_seconds: 900,
        }
    }
}

/// All providers; `None`: there is no such one.
#[derive(Clone, Debug, Default)]
pub struct Providers {
    /// Numbers that may be had.
    pub carrier: Option<Provider>,
    /// Where numbers are.
    pub locality: Option<Provider>,
    /// Addresses for emergency calls.
    pub e911: Option<Provider>,
    /// Callers' names.
    pub cnam: Option<Provider>,
}

/// Most answers that one provider's cache keeps; beyond, it begins anew.
const KEPT_AT_MOST: usize = 10_000;

/// One provider.
#[derive(Clone, Debug)]
pub struct Provider {
    base: Arc<str>,
    client: Client,
    timeout: Duration,
    keep: Duration,
    kept: Arc<Mutex<HashMap<String, (Instant, Value)>>>,
}

/// Why a provider gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// The URL of the configuration, or what was asked, makes none.
    #[error("its URL cannot be asked")]
    Url(#[from] BadUrl),
    /// No answer in time.
    #[error("no answer")]
    Failure(#[from] Failure),
    /// It refused.
    #[error("HTTP status {status}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// What it said, where that was JSON.
        body: Value,
    },
    /// It answered what it should not.
    #[error("the answer is not as agreed")]
    Answer,
}

impl Providers {
    /// Those that are configured. `client` may reach private addresses: operators name these URLs.
    #[must_use]
    pub fn new(config: &ProvidersConfig, client: &Client) -> Self {
        let provider = |url: &str| {
            (!url.is_empty()).then(|| Provider {
                base: url.trim_end_matches('/').into(),
                client: client.clone(),
                timeout: Duration::from_millis(config.timeout_ms),
                keep: Duration::from_secs(config.cache_seconds),
                kept: Arc::default(),
            })
        };
        Self {
            carrier: provider(&config.carrier_url),
            locality: provider(&config.locality_url),
            e911: provider(&config.e911_url),
            cnam: provider(&config.cnam_url),
        }
    }
}

impl Provider {
    /// The same provider for another thread: what is kept is shared, connections are not.
    #[must_use]
    pub fn for_another_thread(&self) -> Self {
        Self { client: self.client.for_another_thread(), ..self.clone() }
    }

    /// How long it may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Asks with GET; `query` is appended.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, ProviderError> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        self.ask(hyper::Method::GET, &format!("{path}?{query}"), None, self.timeout).await
    }

    /// Asks with POST.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, ProviderError> {
        self.ask(hyper::Method::POST, path, Some(body), self.timeout).await
    }

    /// As [`Provider::get`], within `limit`, unless the answer is still known.
    ///
    /// # Errors
    /// [`ProviderError`].
    pub async fn get_kept(
        &self,
        path: &str,
        query: &[(&str, &str)],
        limit: Duration,
    ) -> Result<Value, ProviderError> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let key = format!("{path}?{query}");
        if let Some(known) = self.known(&key) {
            return Ok(known);
        }
        let answer = self.ask(hyper::Method::GET, &key, None, self.timeout.min(limit)).await?;
        self.keep(key, answer.clone());
        Ok(answer)
    }

    /// What is known under a key.
    #[must_use]
    pub fn known(&self, key: &str) -> Option<Value> {
        let kept = self.kept.lock().expect("nobody panics while holding it");
        kept.get(key).filter(|(until, _)| *until > Instant::now()).map(|(_, value)| value.clone())
    }

    /// Keeps what is known under a key for a while.
    pub fn keep(&self, key: String, value: Value) {
        let mut kept = self.kept.lock().expect("nobody panics while holding it");
        if kept.len() >= KEPT_AT_MOST {
            kept.clear();
        }
        kept.insert(key, (Instant::now() + self.keep, value));
    }

    async fn ask(
        &self,
        method: hyper::Method,
        path: &str,
        body: Option<&Value>,
        limit: Duration,
    ) -> Result<Value, ProviderError> {
        let target = Target::parse(&format!("{}/{path}", self.base), None)?;
        let request = Request::json(Arc::new(target), method, body)?;
        let response = self.client.send(&request, Instant::now() + limit).await?;
        let read = serde_json::from_slice::<Value>(&response.body);
        if !(200..300).contains(&response.status) {
            return Err(ProviderError::Status { status: response.status, body: read.unwrap_or_default() });
        }
        read.ok().filter(Value::is_object).ok_or(ProviderError::Answer)
    }
}

impl Request {
    /// A request of JSON for JSON, unsigned; the URL's userinfo is its credentials.
    ///
    /// # Errors
    /// [`BadUrl`] where the URL cannot be sent.
    pub(super) fn json(
        target: Arc<Target>,
        method: hyper::Method,
        body: Option<&Value>,
    ) -> Result<Self, BadUrl> {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let agent = HeaderValue::from_static(concat!("callgate/", env!("CARGO_PKG_VERSION")));
        headers.insert(header::USER_AGENT, agent);
        if let Some(authorization) = &target.authorization {
            let mut value = HeaderValue::try_from(authorization).map_err(|_| BadUrl::Character)?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        if body.is_some() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        let authority = HeaderValue::from_str(target.authority()).map_err(|_| BadUrl::Host)?;
        let uri = target.url().parse::<hyper::Uri>().map_err(|_| BadUrl::Character)?;
        let path = uri.path_and_query().cloned().ok_or(BadUrl::Character)?;
        let key = target.key();
        let body = body.map(|body| body.to_string().into()).unwrap_or_default();
        Ok(Self { target, method, uri, path: path.into(), authority, headers, body, key, breaker: true })
    }
}
