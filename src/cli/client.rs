//! HTTP over the daemon's Unix socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

/// A reload of many numbers takes its time; nothing else takes this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why the daemon gave no answer that can be printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody listens.
    #[error(
        "no callgate answers on {path}: start it with `callgate serve`, or name its socket with --socket"
    )]
    NoDaemon {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection broke.
    #[error("the daemon's answer could not be read")]
    Broken(#[source] hyper::Error),
    /// Too slow.
    #[error("the daemon did not answer within {} s", PATIENCE.as_secs())]
    Slow,
    /// The daemon refused.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The error object's message.
        message: String,
    },
    /// An answer in a form that is not understood.
    #[error("the daemon's answer is no JSON: is it another version?")]
    NoJson(#[source] serde_json::Error),
}

/// An answer with the warnings that came along.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The JSON body; null when empty.
    pub(crate) body: Value,
    /// `X-Callgate-Warning`.
    pub(crate) warnings: Vec<String>,
    /// `X-Callgate-Generation`.
    pub(crate) generation: Option<String>,
}

/// One request over the socket.
pub(crate) fn request(
    socket: &Path,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Reply, ClientError> {
    Connection::open(socket)?.request(method, path, body)
}

/// A connection that many requests go over, one after the other.
pub(crate) struct Connection {
    runtime: tokio::runtime::Runtime,
    sender: SendRequest<Full<Bytes>>,
}

impl Connection {
    /// Connects to the daemon.
    pub(crate) fn open(socket: &Path) -> Result<Self, ClientError> {
        let away = |source| ClientError::NoDaemon { path: socket.to_owned(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(away)?;
        let sender = runtime.block_on(async {
            let stream = UnixStream::connect(socket).await.map_err(away)?;
            let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
                .await
                .map_err(ClientError::Broken)?;
            // It ends with the last request; its error reaches the request as well.
            tokio::spawn(connection);
            Ok(sender)
        })?;
        Ok(Self { runtime, sender })
    }

    /// One request and its answer.
    pub(crate) fn request(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, ClientError> {
        self.request_matching(method, path, body, None)
    }

    /// The same, with what the request is meant for (`If-Match`).
    pub(crate) fn request_matching(
        &mut self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        matching: Option<&str>,
    ) -> Result<Reply, ClientError> {
        let sent = send(&mut self.sender, method, path, body, matching);
        self.runtime
            .block_on(async { tokio::time::timeout(PATIENCE, sent).await.unwrap_or(Err(ClientError::Slow)) })
    }
}

async fn send(
    sender: &mut SendRequest<Full<Bytes>>,
    method: Method,
    path: &str,
    body: Option<&Value>,
    matching: Option<&str>,
) -> Result<Reply, ClientError> {
    sender.ready().await.map_err(ClientError::Broken)?;
    let bytes = body.map_or_else(Bytes::new, |body| body.to_string().into());
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "callgate")
        .header("content-type", "application/json");
    if let Some(tag) = matching {
        request = request.header("if-match", format!("\"{tag}\""));
    }
    let request = request
        .body(Full::new(bytes))
        .expect("method, path, fixed headers and a tag of digits make a request");
    let response = sender.send_request(request).await.map_err(ClientError::Broken)?;
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map_err(ClientError::Broken)?.to_bytes();
    let text =
        |name: &str| parts.headers.get_all(name).iter().filter_map(|v| v.to_str().ok().map(str::to_owned));
    let warnings = text("x-callgate-warning").collect();
    let generation = text("x-callgate-generation").next();
    let body: Value = if bytes.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&bytes).map_err(ClientError::NoJson)?
    };
    if parts.status.is_success() {
        return Ok(Reply { body, warnings, generation });
    }
    let message = body["message"].as_str().map_or_else(|| parts.status.to_string(), str::to_owned);
    Err(ClientError::Refused { status: parts.status, message })
}

impl ClientError {
    /// The exit code (sysexits.h).
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NoDaemon { .. } | Self::Slow => super::exit::UNAVAILABLE,
            Self::Broken(_) | Self::NoJson(_) => super::exit::PROTOCOL,
            Self::Refused { status, .. } => match status.as_u16() {
                401 | 403 => super::exit::NO_PERMISSION,
                404 => super::exit::NO_INPUT,
                503 => super::exit::UNAVAILABLE,
                500..=599 => super::exit::SOFTWARE,
                _ => super::exit::DATA,
            },
        }
    }
}
