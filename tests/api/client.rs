//! An HTTP client of the tests' own: one connection a request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::{TcpStream, UnixStream};

/// Whom a request comes from.
#[derive(Clone, Debug, Default)]
pub struct Credentials(pub Option<(String, String)>);

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn warnings(&self) -> Vec<&str> {
        self.headers.get_all("x-callgate-warning").iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// Fails with the body when the status is another.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// Encodes a form.
pub fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Sends one request and reads the whole answer, which must be one that the document knows.
pub async fn send(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Answer {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let asked = (request.method().clone(), request.uri().to_string());
    let (parts, body) = sender.send_request(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let answer = Answer { status: parts.status, headers: parts.headers, text };
    crate::contract::holds(&asked.0, &asked.1, &answer);
    answer
}

/// Makes a request; a body of `Some` says its type.
pub fn request(
    who: &Credentials,
    method: Method,
    path: &str,
    body: Option<(&str, String)>,
) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path).header("host", "callgate.test");
    request = request.header("accept", "application/json");
    if let Some((user, password)) = &who.0 {
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        request = request.header("authorization", format!("Basic {encoded}"));
    }
    if let Some((media, _)) = &body {
        request = request.header("content-type", *media);
    }
    let bytes = body.map_or_else(Bytes::new, |(_, text)| text.into());
    request.body(Full::new(bytes)).unwrap()
}

pub async fn over_tcp(address: std::net::SocketAddr, request: Request<Full<Bytes>>) -> Answer {
    send(TcpStream::connect(address).await.unwrap(), request).await
}

pub async fn over_unix(path: &std::path::Path, request: Request<Full<Bytes>>) -> Answer {
    send(UnixStream::connect(path).await.unwrap(), request).await
}
