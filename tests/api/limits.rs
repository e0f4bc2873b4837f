//! What the API bears: requests at once, bodies, slow clients.

use std::time::Duration;

use callgate::api::HttpConfig;
use hyper::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{over_tcp, request};
use crate::servers::Server;
use crate::world::Api;

async fn small() -> Api {
    let http = HttpConfig {
        max_requests: 2,
        max_body_bytes: 1_000,
        client_timeout_ms: 300,
        ..HttpConfig::default()
    };
    Api::with(Server::Sqlite, http).await
}

/// A POST whose body does not come.
async fn stalled(api: &Api) -> TcpStream {
    let mut stream = TcpStream::connect(api.address).await.unwrap();
    let (user, token) = api.admin.credentials.0.clone().unwrap();
    let credentials =
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{user}:{token}"));
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Basic {credentials}\r\ncontent-length: 20\r\n\r\nPhone",
        api.admin.numbers()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn what_is_too_much_at_once_is_503_and_health_still_answers() {
    let http = HttpConfig { max_requests: 2, client_timeout_ms: 2_000, ..HttpConfig::default() };
    let api = Api::with(Server::Sqlite, http).await;
    let first = stalled(&api).await;
    let second = stalled(&api).await;
    while api.handles.metrics.api.in_flight.get() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let refused = api.get(&api.admin, &api.admin.numbers()).await.expect(503);
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(api.handles.metrics.api.overloaded.get(), 1);
    api.get(&api.admin, "/healthz").await.expect(200);
    api.get(&api.admin, "/metrics").await.expect(200);
    drop((first, second));
    while api.handles.metrics.api.in_flight.get() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    api.get(&api.admin, &api.admin.numbers()).await.expect(200);
}

#[tokio::test]
async fn those_who_wait_do_not_shut_the_others_out() {
    let api = small().await;
    let path = "/admin/v1/generation?wait=999999&timeout_ms=3000";
    let (a, b, other, third) = tokio::join!(
        api.get(&api.admin, path),
        api.get(&api.admin, path),
        async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            api.get(&api.admin, &api.admin.numbers()).await
        },
        async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            api.get(&api.admin, path).await
        }
    );
    a.expect(504);
    b.expect(504);
    other.expect(200);
    third.expect(503);
}

#[tokio::test]
async fn a_body_has_a_size_and_a_type() {
    let api = small().await;
    let long = "x".repeat(2_000);
    let answer = api.post(&api.admin, &api.admin.numbers(), &[("FriendlyName", &long)]).await.expect(413);
    assert!(answer.json()["message"].as_str().unwrap().contains("http.max-body-bytes"));
    let body = Some(("text/xml", "<x/>".to_owned()));
    let path = api.admin.numbers();
    over_tcp(api.address, request(&api.admin.credentials, Method::POST, &path, body)).await.expect(415);
    let body = Some(("application/json", "[1]".to_owned()));
    over_tcp(api.address, request(&api.admin.credentials, Method::POST, "/admin/v1/trunks", body))
        .await
        .expect(400);
}

#[tokio::test]
async fn a_slow_client_is_cut_off() {
    let api = small().await;
    // A head that does not end.
    let mut head = TcpStream::connect(api.address).await.unwrap();
    head.write_all(b"GET /healthz HTTP/1.1\r\nhost:").await.unwrap();
    let mut text = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), head.read_to_end(&mut text)).await.unwrap().unwrap();
    // A connection that says nothing at all.
    let mut idle = TcpStream::connect(api.address).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), idle.read_to_end(&mut text)).await.unwrap().unwrap();
    // A body that does not come: 408, then the end.
    let mut body = stalled(&api).await;
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), body.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn the_api_stops_and_cuts_nobody_off_in_the_middle() {
    let api = small().await;
    let waiting = api.get(&api.admin, "/admin/v1/generation?wait=999999&timeout_ms=2000");
    let stopping = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        api.stop();
    };
    let (answer, ()) = tokio::join!(waiting, stopping);
    answer.expect(504);
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(api.address).await.is_ok() {
        assert!(tokio::time::Instant::now() < until, "the port is still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
