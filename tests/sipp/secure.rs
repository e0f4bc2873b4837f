//! SIP over TLS, against openssl and baresip.

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};

use crate::app::App;
use crate::baresip::{Baresip, Setup};
use crate::peers::completed;
use crate::phone::Message;
use crate::pipe::Pipe;
use crate::router::Router;
use crate::sipp::{Sipp, free_port};
use crate::zone::{Data, Zone};

/// A CA of the test's own, and the files it made.
struct Ca {
    folder: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("callgate-tls-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = params.self_signed(&key).expect("a certificate");
        fs::write(folder.join("ca.pem"), ca.pem()).expect("written");
        Self { folder, issuer: Issuer::new(params, key) }
    }

    /// Writes `NAME.pem` and `NAME.key` for these names, which may be addresses and SIP URIs.
    fn issue(&self, name: &str, names: &[&str]) -> (String, String) {
        let mut params = CertificateParams::default();
        let name_of = |name: &&str| match name.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) if name.contains(':') => SanType::URI((*name).try_into().expect("ASCII")),
            Err(_) => SanType::DnsName((*name).try_into().expect("ASCII")),
        };
        params.subject_alt_names = names.iter().map(name_of).collect();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        let (at, key_at) = (self.file(&format!("{name}.pem")), self.file(&format!("{name}.key")));
        fs::write(&at, certificate.pem()).expect("written");
        fs::write(&key_at, key.serialize_pem()).expect("written");
        (at, key_at)
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }
}

impl Drop for Ca {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays: {error}", self.folder.display());
        }
    }
}

/// `[sip]` with a TLS listener whose certificate is gate.test's.
fn section(ca: &Ca, more: &str) -> String {
    let (certificate, key) = ca.issue("gate", &["gate.test", "127.0.0.1"]);
    let trusted = ca.file("ca.pem");
    format!(
        "tls-certificate = \"{certificate}\"\ntls-key = \"{key}\"\ntls-ca-file = \"{trusted}\"\n{more}\n\
         [[sip.listener]]\nname = \"secure\"\nbind = \"tls://127.0.0.1:0\"\n"
    )
}

fn client(router: &Router, ca: &Ca, words: &[&str]) -> Pipe {
    let (at, trusted) = (router.tls.to_string(), ca.file("ca.pem"));
    let common = ["s_client", "-connect", &at, "-CAfile", &trusted, "-verify_return_error"];
    Pipe::openssl(&[&common[..], words].concat())
}

fn server(port: u16, certificate: &(String, String), words: &[&str]) -> Pipe {
    let at = format!("127.0.0.1:{port}");
    let common = ["s_server", "-accept", &at, "-cert", &certificate.0, "-key", &certificate.1];
    let pipe = Pipe::openssl(&[&common[..], words].concat());
    // It takes one connection after another: to connect would be one.
    let until = Instant::now() + Duration::from_secs(10);
    while !listens(port) {
        assert!(Instant::now() < until, "openssl s_server does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    pipe
}

/// Whether some socket listens on the port, as the kernel tells it (state 0A).
fn listens(port: u16) -> bool {
    let own = format!(":{port:04X}");
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    tables.iter().flat_map(|table| table.lines()).any(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        fields.len() > 3 && fields[1].ends_with(&own) && fields[3] == "0A"
    })
}

fn request(method: &str, router: &Router, call_id: &str, extra: &str) -> String {
    format!(
        "{method} sips:1@{0} SIP/2.0\nVia: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK{call_id}{method};rport\n\
         From: <sips:alice@gate.test>;tag=a\nTo: <sips:1@{0}>\nCall-ID: {call_id}\nCSeq: 1 {method}\n\
         Contact: <sips:alice@127.0.0.1:1>\nMax-Forwards: 70\n{extra}Content-Length: 0\n\n",
        router.tls
    )
}

fn respond(to: &Message, status: &str, port: u16) -> String {
    let tag = if to.header("To").contains("tag=") { "" } else { ";tag=bob" };
    format!(
        "SIP/2.0 {status}\n{}From: {}\nTo: {}{tag}\nCall-ID: {}\nCSeq: {}\nContact: <sips:bob@127.0.0.1:{port}>\nContent-Length: 0\n\n",
        to.lines("Via"),
        to.header("From"),
        to.header("To"),
        to.header("Call-ID"),
        to.header("CSeq"),
    )
}

#[test]
fn a_client_certificate_names_the_trunk_and_the_target_proves_its_domain() {
    let ca = Ca::new("both");
    let port = free_port();
    let zone = Zone::serve(vec![("pbx.test", 60, Data::A(Ipv4Addr::LOCALHOST))]);
    let clients = format!("tls-client-ca-file = \"{}\"", ca.file("ca.pem"));
    let router = Router::launch(&zone.section(&section(&ca, &clients)), 2);
    router.sql("UPDATE trunks SET sources = '', tls_name = 'carrier.test'");
    let app = App::start();
    router.number("1", &app.url(&format!("/secure/pbx.test:{port}")), &app.url("/status"));

    // Without its certificate nobody is that trunk.
    let mut stranger = client(&router, &ca, &[]);
    stranger.send(&request("INVITE", &router, "stranger", ""));
    assert_eq!(stranger.next(|message| message.status() >= 200).expect("an answer").status(), 403);

    // The server ends the handshake unless it is asked for by name (SNI).
    let right = ca.issue("pbx", &["sip:pbx.test"]);
    let names = ["-servername", "pbx.test", "-servername_fatal", "-cert2", &right.0, "-key2", &right.1];
    let mut bob = server(port, &right, &names);
    let (certificate, key) = ca.issue("carrier", &["carrier.test"]);
    let mut alice = client(&router, &ca, &["-cert", &certificate, "-key", &key]);
    alice.send(&request("INVITE", &router, "good", ""));
    let invite = bob.request("INVITE");
    assert!(invite.header("Via").starts_with("SIP/2.0/TLS 127.0.0.1:"), "{}", invite.0);
    assert!(invite.contact().starts_with("sips:"), "{}", invite.0);
    bob.send(&respond(&invite, "200 OK", port));
    let answer = alice.response(200);
    let inside = |method: &str, cseq: u32| {
        format!(
            "{method} {} SIP/2.0\nVia: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK{method}{cseq};rport\nFrom: {}\nTo: {}\n\
             Call-ID: good\nCSeq: {cseq} {method}\nMax-Forwards: 70\nContent-Length: 0\n\n",
            answer.contact(),
            answer.header("From"),
            answer.header("To"),
        )
    };
    alice.send(&inside("ACK", 1));
    bob.request("ACK");
    alice.send(&inside("BYE", 2));
    alice.response(200);
    let bye = bob.request("BYE");
    bob.send(&respond(&bye, "200 OK", port));
    assert_eq!(app.asked().len(), 1);
}

#[test]
fn a_target_that_proves_another_domain_gets_no_invite() {
    let ca = Ca::new("wrong");
    let stranger = Ca::new("stranger");
    let port = free_port();
    let zone = Zone::serve(vec![("pbx.test", 60, Data::A(Ipv4Addr::LOCALHOST))]);
    let router = Router::launch(&zone.section(&section(&ca, "")), 1);
    let app = App::start();
    router.number("1", &app.url(&format!("/secure/pbx.test:{port}")), &app.url("/status"));
    for (name, certificate) in [
        ("other", ca.issue("other", &["other.test"])),
        ("wild", ca.issue("wild", &["*.test"])),
        ("unknown", stranger.issue("pbx", &["pbx.test"])),
    ] {
        let bob = server(port, &certificate, &[]);
        let mut alice = client(&router, &ca, &[]);
        alice.send(&request("INVITE", &router, name, ""));
        let refused = alice.response(500);
        assert_eq!(refused.header("X-Callgate-Reason"), "target_unreachable", "{name}");
        drop(bob);
    }
}

#[test]
fn old_protocols_and_silent_handshakes_are_refused() {
    let ca = Ca::new("old");
    let router = Router::launch(&section(&ca, "tls-handshake-ms = 300"), 1);
    let at = router.tls.to_string();
    let shaken = |version: &str| {
        let done = Command::new("openssl")
            .args(["s_client", "-connect", &at, "-brief", version, "-cipher", "ALL:@SECLEVEL=0"])
            .stdin(std::process::Stdio::null())
            .output()
            .expect("openssl is installed");
        done.status.success()
    };
    assert_eq!(["-tls1", "-tls1_1", "-tls1_2"].map(shaken), [false, false, true]);
    for greeting in [&b""[..], b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", b"\x16\x03\x01\x40\x00\x01"] {
        let began = Instant::now();
        let mut silent = TcpStream::connect(router.tls).expect("the TLS port");
        std::io::Write::write_all(&mut silent, greeting).expect("sent");
        silent.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        let mut left = Vec::new();
        // Cut off, with an alert or without.
        if let Err(error) = silent.read_to_end(&mut left) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{greeting:?}");
        }
        assert!(began.elapsed() < Duration::from_secs(3), "{greeting:?} took {:?}", began.elapsed());
    }
}

#[test]
fn a_reload_changes_the_certificate_of_new_connections_and_drops_none() {
    let ca = Ca::new("reload");
    let router = Router::launch(&section(&ca, ""), 1);
    let mut before = client(&router, &ca, &[]);
    before.send(&request("OPTIONS", &router, "one", ""));
    before.response(200);
    assert_eq!(shown_to(router.tls), "gate");
    let (certificate, key) = ca.issue("renewed", &["gate.test"]);
    fs::copy(certificate, ca.file("gate.pem")).expect("copied");
    fs::copy(key, ca.file("gate.key")).expect("copied");
    callgate(&router, &["reload"]);
    assert_eq!(shown_to(router.tls), "renewed");
    // A file that is none leaves the certificate as it was.
    fs::write(Path::new(&ca.file("gate.pem")), "no certificate").expect("written");
    callgate(&router, &["reload"]);
    assert_eq!(shown_to(router.tls), "renewed");
    before.send(&request("OPTIONS", &router, "two", ""));
    before.response(200);
}

#[test]
fn a_client_is_shown_the_certificate_of_the_name_it_asks_for() {
    let ca = Ca::new("names");
    let table = |name: &str, names: &[&str], more: &str| {
        let (certificate, key) = ca.issue(name, names);
        format!("[[sip.certificate]]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n{more}\n")
    };
    let others = [
        table("tenant", &["sip:tenant.test", "www.tenant.test"], ""),
        table("wide", &["wide.test"], "names = [\"*.wide.test\"]"),
    ];
    let router = Router::launch(&section(&ca, &others.concat()), 1);
    let asked = |name: &str| shown(router.tls, &format!("-servername {name}"));
    for (name, expected) in [
        ("tenant.test", "tenant"),
        ("TENANT.test", "tenant"),
        // A SIP domain in a certificate leaves its DNS names out (RFC 5922 7.1).
        ("www.tenant.test", "gate"),
        ("sip.wide.test", "wide"),
        ("wide.test", "gate"),
        ("nobody.test", "gate"),
    ] {
        assert_eq!(asked(name), expected, "{name}");
    }
    assert_eq!(shown_to(router.tls), "gate");
    let (certificate, key) = ca.issue("renewed", &["tenant.test"]);
    fs::copy(certificate, ca.file("tenant.pem")).expect("copied");
    fs::copy(key, ca.file("tenant.key")).expect("copied");
    callgate(&router, &["reload"]);
    assert_eq!((asked("tenant.test").as_str(), asked("sip.wide.test").as_str()), ("renewed", "wide"));
    // One key that is not its certificate's leaves all as they were.
    fs::copy(ca.file("gate.key"), ca.file("wide.key")).expect("copied");
    fs::copy(ca.file("gate.pem"), ca.file("tenant.pem")).expect("copied");
    callgate(&router, &["reload"]);
    assert_eq!((asked("tenant.test").as_str(), asked("sip.wide.test").as_str()), ("renewed", "wide"));
}

#[test]
fn two_names_at_one_address_are_two_peers() {
    let ca = Ca::new("two");
    let port = free_port();
    let at_home = |name| (name, 60, Data::A(Ipv4Addr::LOCALHOST));
    let zone = Zone::serve(vec![at_home("pbx.test"), at_home("other.test")]);
    let router = Router::launch(&zone.section(&section(&ca, "tls-handshake-ms = 700")), 2);
    let app = App::start();
    router.number("1", &app.url(&format!("/secure/pbx.test:{port}")), &app.url("/status"));
    router.number("2", &app.url(&format!("/secure/other.test:{port}")), &app.url("/status"));
    let mut bob = server(port, &ca.issue("pbx", &["pbx.test"]), &[]);
    let mut alice = client(&router, &ca, &[]);
    let other_is_refused = |alice: &mut Pipe, call_id: &str| {
        alice.send(&request("INVITE", &router, call_id, "").replace("sips:1@", "sips:2@"));
        let refused = alice.next(|message| message.status() == 500 && message.header("Call-ID") == call_id);
        let refused = refused.expect("a refusal");
        assert_eq!(refused.header("X-Callgate-Reason"), "target_unreachable", "{call_id}");
        let ack = request("ACK", &router, call_id, "").replace("sips:1@", "sips:2@");
        let ack = ack.replace(&format!("{call_id}ACK"), &format!("{call_id}INVITE"));
        alice.send(
            &ack.replace(&format!("To: <sips:2@{}>", router.tls), &format!("To: {}", refused.header("To"))),
        );
    };
    // There it finds a certificate of the first name, and no call.
    other_is_refused(&mut alice, "before");
    alice.send(&request("INVITE", &router, "good", ""));
    let invite = bob.request("INVITE");
    assert!(invite.0.starts_with("INVITE sips:bob@pbx.test"), "{}", invite.0);
    bob.send(&respond(&invite, "200 OK", port));
    let answer = alice.next(|message| message.status() == 200).expect("an answer");
    let inside = |method: &str, cseq: u32| {
        format!(
            "{method} {} SIP/2.0\nVia: SIP/2.0/TLS 127.0.0.1:1;branch=z9hG4bK{method}{cseq};rport\nFrom: {}\nTo: {}\n\
             Call-ID: good\nCSeq: {cseq} {method}\nMax-Forwards: 70\nContent-Length: 0\n\n",
            answer.contact(),
            answer.header("From"),
            answer.header("To"),
        )
    };
    alice.send(&inside("ACK", 1));
    bob.request("ACK");
    // Neither does the open connection to the first name serve the second, nor does a call to the second
    // change whom the first one's requests go to.
    other_is_refused(&mut alice, "meanwhile");
    alice.send(&inside("BYE", 2));
    let bye = bob.request("BYE");
    bob.send(&respond(&bye, "200 OK", port));
}

/// The common name of the certificate that is shown to new clients that ask for no name.
fn shown_to(at: SocketAddr) -> String {
    shown(at, "-noservername")
}

fn shown(at: SocketAddr, name: &str) -> String {
    let words = format!(
        "openssl s_client -connect {at} {name} </dev/null 2>/dev/null | openssl x509 -noout -subject"
    );
    let shown = Command::new("sh").args(["-c", &words]).output().expect("a shell");
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    text.rsplit('=').next().unwrap_or_default().trim().to_owned()
}

fn callgate(router: &Router, words: &[&str]) {
    let done = Command::new(env!("CARGO_BIN_EXE_callgate"))
        .args(words)
        .args(["--socket", "callgate.sock"])
        .current_dir(router.folder())
        .output()
        .expect("callgate runs");
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn baresip_calls_and_answers_over_tls() {
    let ca = Ca::new("baresip");
    let (certificate, key) = ca.issue("phone", &["127.0.0.1"]);
    let pair = [certificate, key].map(|file| fs::read_to_string(file).expect("a file")).concat();
    let (router, app) = (Router::launch(&section(&ca, ""), 1), App::start());
    let secure = |answers| Baresip::start(Setup { answers, pair: Some(pair.clone()), ..Setup::default() });
    let (mut alice, bob) = (secure(false), secure(true));
    let target = format!("/at/127.0.0.1:{};transport=tls", bob.port() + 1);
    router.number("1", &app.url(&target), &app.url("/status"));
    Sipp::new(&router, "caller").dials("1").run();
    alice.does("dial", &format!("sip:1@{};transport=tls", router.tls));
    alice.event("CALL_ESTABLISHED");
    bob.logs("Call established", 2);
    alice.does("hold", "");
    alice.session("answer");
    alice.does("hangup", "");
    completed(&app, 2);
}
