//! One request: limits, a connection, the answer, and one repetition where it is harmless.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::config::Config;
use super::connect::{Connector, Lookup};
use super::failure::Failure;
use super::guard::Guard;
use super::pool::{H1, H2, Idle, Origin, Pool};
use super::request::Request;
use super::stream::Meter;
use super::urls::Urls;

/// Octets one answer may cost on the wire beside its body: heads, chunk sizes, trailers.
const OVERHEAD: usize = 128 * 1024;

/// The client of one thread: its connections belong to that thread's runtime. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pool: Arc<Pool>,
    shared: Arc<Shared>,
}

struct Shared {
    config: Config,
    connector: Connector,
    urls: Arc<Urls>,
}

/// What an application answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, as far as it was read.
    pub body: Bytes,
    /// The body is longer than the limit; `body` holds its beginning.
    pub truncated: bool,
    /// The request was repeated once: no connection, or a kept one that had been closed.
    pub repeated: bool,
}

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// TLS cannot be set up with the ring provider.
    #[error("TLS cannot be set up")]
    Tls(#[from] rustls::Error),
    /// `ca-file` cannot be read.
    #[error("webhook.ca-file cannot be read as PEM certificates")]
    CaFile(#[source] pem::Error),
}

impl Client {
    /// A client without connections. `lookup` resolves names; `urls` is shared by all threads.
    ///
    /// # Errors
    /// [`SetupError`] when the certificates of `config.ca_file` cannot be read.
    pub fn new(config: Config, lookup: Lookup, urls: Arc<Urls>) -> Result<Self, SetupError> {
        let tls = TlsConnector::from(Arc::new(tls_config(&config)?));
        let guard = Guard::new(config.allow_private.clone());
        let connector = Connector { guard, lookup, tls, timeout: config.connect_timeout };
        let pool = Pool::new(config.idle);
        Ok(Self { pool, shared: Arc::new(Shared { config, connector, urls }) })
    }

    /// The same client for another thread: everything shared but the connections.
    #[must_use]
    pub fn for_another_thread(&self) -> Self {
        Self { pool: Pool::new(self.shared.config.idle), shared: self.shared.clone() }
    }

    /// Where requests may go: a handle that changes it for all threads.
    #[must_use]
    pub fn guard(&self) -> &Guard {
        &self.shared.connector.guard
    }

    /// What is known per URL.
    #[must_use]
    pub fn urls(&self) -> &Arc<Urls> {
        &self.shared.urls
    }

    /// Sends the request and reads the answer, all before `deadline`. Dropping the future ends the
    /// request and closes its connection.
    ///
    /// # Errors
    /// [`Failure`]; an HTTP status is none.
    pub async fn send(&self, request: &Request, deadline: Instant) -> Result<Response, Failure> {
        let permit = self.shared.urls.enter(
            &request.key,
            self.shared.config.in_flight,
            request.breaker,
            Instant::now(),
        )?;
        let result = timeout_at(deadline, self.send_twice(request)).await.unwrap_or(Err(Failure::Timeout));
        permit.settle(result.as_ref().is_err_and(Failure::is_outage), Instant::now());
        result
    }

    async fn send_twice(&self, request: &Request) -> Result<Response, Failure> {
        match self.send_once(request, true).await {
            Err(failure) if failure.may_repeat() => {
                self.pool.forget(&Origin::of(&request.target));
                let response = self.send_once(request, false).await?;
                Ok(Response { repeated: true, ..response })
            }
            other => other,
        }
    }

    async fn send_once(&self, request: &Request, pooled: bool) -> Result<Response, Failure> {
        let origin = Origin::of(&request.target);
        match if pooled { self.pool.take(&origin) } else { None } {
            Some(Idle::One(one)) => self.over_h1(origin, one, request, true).await,
            Some(Idle::Two(two)) => self.over_h2(two, request, true).await,
            None => {
                let meter = Meter::new(self.shared.config.body_limit + OVERHEAD);
                let stream = self.shared.connector.connect(&request.target, meter.clone()).await?;
                if stream.is_h2() {
                    meter.unlimited();
                    let two = H2::open(stream).await?;
                    self.pool.share(origin, two.clone());
                    return self.over_h2(two, request, false).await;
                }
                let one = H1::open(stream, meter).await?;
                self.over_h1(origin, one, request, false).await
            }
        }
    }

    async fn over_h1(
        &self,
        origin: Origin,
        mut one: H1,
        request: &Request,
        reused: bool,
    ) -> Result<Response, Failure> {
        one.meter.reset();
        let meter = one.meter.clone();
        let failed = |error: hyper::Error| match () {
            () if meter.is_over() || error.is_parse_too_large() => Failure::TooLarge,
            () if reused && meter.received() == 0 => Failure::Stale(error),
            () => Failure::Broken(error),
        };
        let sent = one.sender.send_request(request.to_http1());
        let (head, body) = one.drive(sent).await.map_err(&failed)?.into_parts();
        let limit = self.shared.config.body_limit;
        let (body, truncated) = one.drive(read(body, limit)).await.map_err(&failed)?;
        if !truncated {
            self.pool.put(origin, one).await;
        }
        let status = head.status.as_u16();
        Ok(Response { status, headers: head.headers, body, truncated, repeated: false })
    }

    async fn over_h2(&self, mut two: H2, request: &Request, reused: bool) -> Result<Response, Failure> {
        let answer = two.sender.send_request(request.to_http2()).await;
        let (head, body) = match answer {
            Ok(answer) => answer.into_parts(),
            Err(error) if reused && two.sender.is_closed() => return Err(Failure::Stale(error)),
            Err(error) => return Err(Failure::Broken(error)),
        };
        let (body, truncated) = read(body, self.shared.config.body_limit).await.map_err(Failure::Broken)?;
        let status = head.status.as_u16();
        Ok(Response { status, headers: head.headers, body, truncated, repeated: false })
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Client")
    }
}

impl Request {
    fn to_http1(&self) -> hyper::Request<Full<Bytes>> {
        let mut request = self.to_http(self.path.clone());
        request.headers_mut().insert(header::HOST, self.authority.clone());
        request
    }

    fn to_http2(&self) -> hyper::Request<Full<Bytes>> {
        self.to_http(self.uri.clone())
    }

    fn to_http(&self, uri: hyper::Uri) -> hyper::Request<Full<Bytes>> {
        let mut request = hyper::Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// Reads a body up to `limit`; true: there was more.
async fn read(mut body: Incoming, limit: usize) -> Result<(Bytes, bool), hyper::Error> {
    let mut whole: Option<Bytes> = None;
    let mut parts = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let have = parts.len() + whole.as_ref().map_or(0, Bytes::len);
        if have + data.len() > limit {
            return Ok((parts.freeze(), true));
        }
        match whole.take() {
            None if parts.is_empty() => whole = Some(data),
            first => {
                parts.extend_from_slice(first.as_deref().unwrap_or_default());
                parts.extend_from_slice(&data);
            }
        }
    }
    Ok((whole.unwrap_or_else(|| parts.freeze()), false))
}

fn tls_config(config: &Config) -> Result<ClientConfig, SetupError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (known, _) = roots.add_parsable_certificates(native.certs);
    if let Some(file) = &config.ca_file {
        for certificate in CertificateDer::pem_file_iter(file).map_err(SetupError::CaFile)? {
            roots.add(certificate.map_err(SetupError::CaFile)?)?;
        }
    }
    if known == 0 {
        let error = native.errors.first().map(ToString::to_string).unwrap_or_default();
        tracing::warn!(error, "the system has no root certificates: no https URL can be verified");
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}
