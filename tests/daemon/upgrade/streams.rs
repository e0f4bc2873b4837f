//! Connections: they end with the old process, which carries the new one's calls over them until then.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use callgate::cli::demo::phone::PhoneError;
use callgate::cli::demo::wire::Wire;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};

use super::{
    Follower, NUMBERS, RINGS, begin, node_in, node_on, said, slow_call, slow_call_from, slow_target,
    until_step, whole,
};
use crate::node::{Node, PATIENCE, folder};
use crate::receiver::Receiver;
use crate::{caller, loopback, target};

/// How many calls the process that answers the API has admitted.
fn admitted(node: &Node) -> u64 {
    let metrics = node.ask("GET /metrics", "text/plain", "").body;
    let line = metrics.lines().find(|line| line.starts_with("callgate_calls_admitted_total")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn calls_over_a_connection_of_the_old_process_are_the_new_ones_and_peers_connect_again() {
    let (ringing, _hung_up) = slow_target(RINGS);
    let receiver = Receiver::start(&[(NUMBERS[0], ringing), (NUMBERS[1], target())]);
    let mut node = node_on(&["udp://127.0.0.1:0", "tcp://127.0.0.1:0"], "2");
    node.provision(NUMBERS[0], receiver.at);
    node.number_of(NUMBERS[1], receiver.at);
    let mut phone = caller(Wire::connect(node.sip[1]).unwrap());
    let mut call = |node: &Node| {
        let mut dialog = phone.call(node.sip[1], NUMBERS[1], PATIENCE).unwrap();
        phone.hang_up(&mut dialog, PATIENCE).unwrap()
    };
    assert_eq!(call(&node), 200);
    let router = node.sip[0];
    let slow = slow_call(router);
    node.until("it rings", |_| receiver.asked().len() == 2);
    let command = begin(&node.folder);
    let _follower = Follower::of(&node);
    until_step(&node, "takes new calls");
    let before = admitted(&node);
    assert_eq!(call(&node), 200);
    assert_eq!(admitted(&node), before, "it is a call of the new process");
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success(), "{}{}", said(&output), node.log());
    assert!(matches!(slow.join().unwrap(), Ok(200)), "{}", node.log());
    assert_eq!(node.ended(), Some(0), "{}", node.log());
    let mut again = caller(Wire::connect(node.sip[1]).unwrap());
    let mut dialog = again.call(node.sip[1], NUMBERS[1], PATIENCE).unwrap();
    assert_eq!(again.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    for call in receiver.asked() {
        node.until("its callbacks", |_| whole(&receiver, &call));
    }
}

/// A CA of the test's own; `NAME.pem` and `NAME.key` for each of these names, and `ca.pem`.
fn certificates(folder: &Path, names: &[(&str, SanType)]) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    std::fs::write(folder.join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(params, key);
    for (name, proves) in names {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![proves.clone()];
        params.distinguished_name.push(rcgen::DnType::CommonName, *name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        std::fs::write(folder.join(format!("{name}.pem")), certificate.pem()).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key.serialize_pem()).unwrap();
    }
}

/// A connection to `to` that proves to be `name`: what is said on it goes through openssl.
struct Secured(Child);

impl Secured {
    fn connect(folder: &Path, to: SocketAddr, name: &str) -> (Self, Wire) {
        let door = TcpListener::bind(loopback()).unwrap();
        let wire = Wire::connect(door.local_addr().unwrap()).unwrap();
        let (far, _) = door.accept().unwrap();
        let ends = [far.try_clone().unwrap(), far].map(|end| Stdio::from(OwnedFd::from(end)));
        let [from, into] = ends;
        let child = Command::new("openssl")
            .args(["s_client", "-quiet", "-verify_return_error", "-CAfile", "ca.pem", "-connect"])
            .arg(to.to_string())
            .args(["-cert", &format!("{name}.pem"), "-key", &format!("{name}.key")])
            .current_dir(folder)
            .stdin(from)
            .stdout(into)
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl is installed");
        (Self(child), wire)
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            self.0.kill().unwrap();
        }
        self.0.wait().unwrap();
    }
}

/// A node with a trunk that proves its name over TLS, and one of 127.0.0.2 over UDP.
fn named_by_certificate(receiver: &Receiver) -> Node {
    let folder = folder();
    let name = |text: &str| SanType::DnsName(text.try_into().unwrap());
    certificates(
        &folder,
        &[("gate", SanType::IpAddress([127, 0, 0, 1].into())), ("carrier", name("carrier.test"))],
    );
    let settings = [
        ("CALLGATE__NODE__SHARDS", "2"),
        ("CALLGATE__SIP__TLS_CERTIFICATE", "gate.pem"),
        ("CALLGATE__SIP__TLS_KEY", "gate.key"),
        ("CALLGATE__SIP__TLS_CLIENT_CA_FILE", "ca.pem"),
    ];
    let node = node_in(folder, &["udp://127.0.0.1:0", "tls://127.0.0.1:0"], &settings);
    for trunk in
        [r#"{"name":"secure","tls_name":"carrier.test"}"#, r#"{"name":"other","sources":["127.0.0.2/32"]}"#]
    {
        let answer = node.ask("POST /admin/v1/trunks", "application/json", trunk);
        assert_eq!(answer.status(), 201, "{answer:?}");
    }
    node.number_of(NUMBERS[0], receiver.at);
    node.number_of(NUMBERS[1], receiver.at);
    node
}

#[test]
fn over_tls_the_new_process_knows_who_the_peer_is_and_a_standing_call_goes_on_over_a_new_connection() {
    let (ringing, _hung_up) = slow_target(RINGS);
    let (other, over) = slow_target(std::time::Duration::ZERO);
    let receiver = Receiver::start(&[(NUMBERS[0], ringing), (NUMBERS[1], other)]);
    let own = Receiver::start(&[(NUMBERS[2], target())]);
    let mut node = named_by_certificate(&receiver);
    node.number_of(NUMBERS[2], own.at);
    let (router, secure) = (node.sip[0], node.sip[1]);
    let (_first, wire) = Secured::connect(&node.folder, secure, "carrier");
    let mut phone = caller(wire);
    let mut standing = phone.call(secure, NUMBERS[1], PATIENCE).unwrap();
    let from = SocketAddr::from(([127, 0, 0, 2], 0));
    let slow = slow_call_from(from, router);
    node.until("it rings", |_| receiver.asked().len() == 2);
    let command = begin(&node.folder);
    let _follower = Follower::of(&node);
    until_step(&node, "takes new calls");
    // It never saw the certificate, and takes the call as its trunk's all the same.
    let before = admitted(&node);
    let mut dialog = phone.call(secure, NUMBERS[2], PATIENCE).unwrap();
    assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    assert_eq!(admitted(&node), before, "it is a call of the new process");
    let output = command.wait_with_output().unwrap();
    assert!(output.status.success(), "{}{}", said(&output), node.log());
    assert!(matches!(slow.join().unwrap(), Ok(200)), "{}", node.log());
    assert_eq!(node.ended(), Some(0), "{}", node.log());
    assert!(phone.call(secure, NUMBERS[2], PATIENCE).is_err(), "that connection ended with its process");
    let (_second, wire) = Secured::connect(&node.folder, secure, "carrier");
    let mut again = caller(wire);
    assert_eq!(again.hang_up(&mut standing, PATIENCE).unwrap(), 200, "{}", node.log());
    assert!(over.recv_timeout(PATIENCE).unwrap(), "the target hears of it: {}", node.log());
    let mut dialog = again.call(secure, NUMBERS[2], PATIENCE).unwrap();
    assert_eq!(again.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    // Who does not prove the name is nobody, here as there.
    let (_third, wire) = Secured::connect(&node.folder, secure, "gate");
    let refused = caller(wire).call(secure, NUMBERS[2], PATIENCE);
    assert!(matches!(refused, Err(PhoneError::Refused(403, _))), "{refused:?}");
    for call in receiver.asked().into_iter().chain(own.asked()) {
        let heard = if own.asked().contains(&call) { &own } else { &receiver };
        node.until("its callbacks", |_| whole(heard, &call));
    }
}
