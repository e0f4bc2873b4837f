//! The API in TLS, asked by curl.

use std::path::Path;
use std::process::{Command, Output};

use callgate::api::{HttpConfig, HttpTls, serve_tls};
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::servers::Server;
use crate::world::Api;

/// Writes a CA of its own, and a certificate for localhost that it signed.
fn certify(folder: &Path) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, "a CA of the tests");
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let signed = params.signed_by(&key, &ca).unwrap();
    std::fs::write(folder.join("ca.pem"), ca.pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), signed.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

async fn curl(folder: &Path, arguments: &[&str]) -> Output {
    let ca = folder.join("ca.pem");
    let mut command = Command::new("curl");
    command.args(["-sS", "--noproxy", "*", "--max-time", "20", "--cacert"]).arg(ca).args(arguments);
    let run = move || command.output().expect("curl is installed by `make test`");
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_is_served_in_tls_and_a_reload_changes_the_certificate() {
    let api = Api::new(Server::Sqlite).await;
    let folder = &api.world.folder.0;
    certify(folder);
    let config = HttpConfig {
        tls_certificate: folder.join("cert.pem"),
        tls_key: folder.join("key.pem"),
        client_timeout_ms: 5_000,
        ..HttpConfig::default()
    };
    let tls = HttpTls::of(&config).unwrap().expect("both files are given");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (stop, stopped) = watch::channel(false);
    let (routes, served, own) = (api.routes.clone(), config.clone(), tls.clone());
    let server = tokio::spawn(async move { serve_tls(listener, &own, routes, &served, stopped).await });

    // A client that says nothing keeps nobody waiting.
    let silent = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let url = format!("https://localhost:{port}");
    let user = api.admin.credentials.0.clone().map(|(sid, token)| format!("{sid}:{token}")).unwrap();
    let numbers = format!("{url}{}", api.admin.numbers());
    let made = curl(folder, &["-f", "-u", &user, "-d", "PhoneNumber=+16505550142", &numbers]).await;
    assert!(made.status.success(), "{made:?}");
    assert!(String::from_utf8_lossy(&made.stdout).contains("+16505550142"));
    // Wazo's links begin as the request did.
    let token = format!("X-Auth-Token: {}", user.split_once(':').unwrap().1);
    let wazo = format!("{url}/api/confd/1.1/phone-numbers");
    let listed = curl(folder, &["-f", "-H", &token, &wazo]).await;
    let href = format!("https://localhost:{port}/api/confd/1.1/phone-numbers/");
    assert!(String::from_utf8_lossy(&listed.stdout).contains(&href), "{listed:?}");
    // Plain HTTP and old protocols get nothing.
    assert!(!curl(folder, &[&numbers.replace("https:", "http:")]).await.status.success());
    assert!(!curl(folder, &["--tls-max", "1.1", &numbers]).await.status.success());

    // Another CA: the former one's certificate is refused by who trusts the new one, until it is read again.
    certify(folder);
    assert!(!curl(folder, &["-u", &user, &numbers]).await.status.success());
    tls.reload().unwrap();
    assert!(curl(folder, &["-f", "-u", &user, &numbers]).await.status.success());
    std::fs::write(folder.join("key.pem"), "nothing").unwrap();
    assert!(tls.reload().is_err(), "an unusable key is told");
    assert!(curl(folder, &["-f", "-u", &user, &numbers]).await.status.success(), "the former one stays");
    drop(silent);
    stop.send(true).unwrap();
    server.await.unwrap();
}
