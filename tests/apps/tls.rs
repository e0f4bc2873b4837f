//! HTTPS: who is believed, and HTTP/2 where it is offered.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use callgate::call::ask::{Answer, AskId, Purpose, WebhookQuestion};
use callgate::call::outcome::CallStatus;
use callgate::outbound::{AllowPrivate, Client, Config, Urls};
use callgate::reason::Reason;
use callgate::routing::model::VoiceProfile;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::facts::{facts, hook, webhook_with};

/// An authority and what it signs.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    der: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().clone();
        Self { issuer: Issuer::new(params, key), der }
    }

    fn sign(&self, name: &str, expired: bool) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        (certificate, PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }

    /// A client that believes this authority, and finds every name on loopback.
    fn client(&self) -> Client {
        let text = BASE64_STANDARD.encode(&self.der);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("ca-{}-{number}.pem", std::process::id()));
        std::fs::write(&file, pem).unwrap();
        let config =
            Config { allow_private: AllowPrivate::All, ca_file: Some(file.clone()), ..Config::default() };
        let lookup = Arc::new(|_: &str| -> callgate::outbound::LookupFuture {
            Box::pin(async { Ok(Arc::from([IpAddr::from([127, 0, 0, 1])])) })
        });
        let client = Client::new(config, lookup, Arc::new(Urls::default())).unwrap();
        std::fs::remove_file(file).unwrap();
        client
    }
}

struct Https {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    h2: Arc<AtomicUsize>,
}

async fn serve(
    (certificate, key): (CertificateDer<'static>, PrivateKeyDer<'static>),
    alpn: &[&[u8]],
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Https {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connections, h2) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, twos) = (connections.clone(), h2.clone());
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let (acceptor, twos) = (acceptor.clone(), twos.clone());
            tokio::spawn(async move {
                let Ok(tls) = acceptor.accept(tcp).await else { return };
                let two = tls.get_ref().1.alpn_protocol() == Some(b"h2");
                let answer = service_fn(move |request| answer(request, twos.clone()));
                let io = TokioIo::new(tls);
                let served = if two {
                    http2::Builder::new(TokioExecutor::new()).serve_connection(io, answer).await
                } else {
                    http1::Builder::new().serve_connection(io, answer).await
                };
                // The client closes when it likes.
                drop(served);
            });
        }
    });
    Https { address, connections, h2 }
}

async fn answer(
    request: Request<Incoming>,
    twos: Arc<AtomicUsize>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    twos.fetch_add(usize::from(request.version() == Version::HTTP_2), Ordering::SeqCst);
    let host = request
        .uri()
        .authority()
        .map(ToString::to_string)
        .or_else(|| request.headers().get("host").and_then(|host| host.to_str().ok()).map(str::to_owned));
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let right = body.starts_with(b"CallSid=CA0") && host.is_some_and(|host| host.starts_with("app.example:"));
    Ok(Response::new(Full::from(if right { "<Response><Hangup/></Response>" } else { "<Wrong/>" })))
}

async fn ask(client: &Client, https: &Https, call: u128) -> Result<(), (Reason, String)> {
    let url = format!("https://app.example:{}/voice?x=1", https.address.port());
    let profile = VoiceProfile { voice: Some(hook(url)), ..VoiceProfile::default() };
    let question = WebhookQuestion {
        facts: facts(call, profile),
        purpose: Purpose::Voice,
        status: CallStatus::Ringing,
        outbound: None,
    };
    let webhook = webhook_with(client.clone(), Duration::from_secs(5));
    let asked = webhook.ask(AskId(1), &question, Duration::from_secs(5)).await;
    match asked.answer {
        Answer::Document(_) => Ok(()),
        Answer::NoDocument { reason, .. } => {
            Err((reason, asked.tries[0].detail.as_deref().unwrap_or_default().to_owned()))
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered_over_one_connection() {
    let authority = Authority::new();
    let offer: &[&[u8]] = &[b"h2", b"http/1.1"];
    let https = serve(authority.sign("app.example", false), offer, rustls::ALL_VERSIONS).await;
    let client = authority.client();
    assert_eq!(ask(&client, &https, 1).await, Ok(()));
    let mut asking = tokio::task::JoinSet::new();
    for call in 0..50 {
        let client = client.clone();
        let https =
            Https { address: https.address, connections: https.connections.clone(), h2: https.h2.clone() };
        asking.spawn(async move { ask(&client, &https, call).await });
    }
    for result in asking.join_all().await {
        assert_eq!(result, Ok(()));
    }
    let count = |of: &AtomicUsize| of.load(Ordering::SeqCst);
    assert_eq!((count(&https.connections), count(&https.h2)), (1, 51));
    tokio::time::sleep(Duration::from_millis(4_600)).await;
    assert_eq!(ask(&client, &https, 99).await, Ok(()), "the idle connection was closed, a new one is made");
    assert_eq!(count(&https.connections), 2);
}

#[tokio::test]
async fn http_1_is_spoken_where_nothing_else_is_offered() {
    let authority = Authority::new();
    for versions in [&[&rustls::version::TLS12][..], &[&rustls::version::TLS13]] {
        let https = serve(authority.sign("app.example", false), &[], versions).await;
        let client = authority.client();
        for call in 0..3 {
            assert_eq!(ask(&client, &https, call).await, Ok(()));
        }
        assert_eq!(https.connections.load(Ordering::SeqCst), 1);
        assert_eq!(https.h2.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_hold_is_refused() {
    let (known, other) = (Authority::new(), Authority::new());
    for (name, certificate) in [
        ("another name", known.sign("other.example", false)),
        ("expired", known.sign("app.example", true)),
        ("another authority", other.sign("app.example", false)),
    ] {
        let https = serve(certificate, &[], rustls::ALL_VERSIONS).await;
        let refused = ask(&known.client(), &https, 1).await.expect_err(name);
        assert_eq!(refused.0, Reason::WebhookUnreachable, "{name}");
        assert!(refused.1.contains("certificate"), "{name}: {}", refused.1);
    }
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_no_https_server() {
    let plain = crate::server::Server::saying("<Response/>");
    let https = Https { address: plain.address, connections: Arc::default(), h2: Arc::default() };
    let refused = ask(&Authority::new().client(), &https, 1).await.unwrap_err();
    assert_eq!(refused.0, Reason::WebhookUnreachable);
}
