//! The real binary on free ports: calls, signals, restarts, limits, and what it says when it cannot.

mod away;
mod backup;
mod by_hand;
mod commands;
mod deliveries;
mod edge;
mod faults;
mod flood;
#[path = "../sipp/free_port.rs"]
mod free_port;
mod killed;
mod lifecycle;
mod listeners;
mod node;
mod notified;
mod observed;
mod readme;
mod receiver;
#[allow(dead_code, reason = "the store's own tests use all of it")]
#[path = "../store/servers.rs"]
mod servers;
#[path = "../sipp/side.rs"]
mod side;
mod silent;
mod upgrade;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use callgate::cli::demo::application::{self, Exchange};
use callgate::cli::demo::phone::{Phone, PhoneError};
use callgate::cli::demo::wire::Wire;
use nix::sys::signal::Signal;

use flood::Flood;
use node::{Node, PATIENCE, command, folder};

const NUMBER: &str = "+16508251255";

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A target that answers one call after another, and where it is.
fn target() -> SocketAddr {
    let mut phone = Phone::new(Wire::udp(loopback()).unwrap(), "demo", Box::new(|_| {}));
    let at = phone.local().unwrap();
    std::thread::spawn(
        move || while phone.answer(Duration::from_millis(50), Duration::from_secs(60)).is_ok() {},
    );
    at
}

fn caller(wire: Wire) -> Phone {
    Phone::new(wire, "alice", Box::new(|_| {}))
}

fn statuses(exchanges: &Receiver<Exchange>, wanted: usize) -> Vec<String> {
    let until = Instant::now() + PATIENCE;
    let mut statuses = Vec::new();
    while statuses.len() < wanted {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(exchange) = exchanges.recv_timeout(left) else { break };
        if let Exchange::Status { params } = exchange {
            statuses
                .extend(params.into_iter().find(|(name, _)| name == "CallStatus").map(|(_, value)| value));
        }
    }
    statuses
}

/// What answers an OPTIONS sent from `from` to `to`, and from where.
fn options(from: &UdpSocket, to: SocketAddr) -> (String, SocketAddr) {
    let local = from.local_addr().unwrap();
    let message = format!(
        "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bKo{};rport\r\nMax-Forwards: 70\r\n\
         From: <sip:t@{local}>;tag=1\r\nTo: <sip:{to}>\r\nCall-ID: o{}@t\r\nCSeq: 1 OPTIONS\r\n\
         Contact: <sip:t@{local}>\r\nUser-Agent: a test\r\nContent-Length: 0\r\n\r\n",
        local.port(),
        to.port()
    );
    from.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    from.send_to(message.as_bytes(), to).unwrap();
    let mut buffer = [0; 4096];
    let (length, at) = from.recv_from(&mut buffer).unwrap();
    (String::from_utf8_lossy(&buffer[..length]).into_owned(), at)
}

#[test]
fn calls_over_udp_and_tcp_go_where_the_application_says_and_it_hears_of_them() {
    let (told, exchanges) = channel();
    let application = application::start(target(), told).unwrap();
    for shards in ["1", "3"] {
        let node =
            Node::start(&["udp://127.0.0.1:0", "tcp://127.0.0.1:0"], &[("CALLGATE__NODE__SHARDS", shards)]);
        node.provision(NUMBER, application);
        let wires = [Wire::udp(loopback()).unwrap(), Wire::connect(node.sip[1]).unwrap()];
        for (wire, router) in wires.into_iter().zip(&node.sip) {
            let mut phone = caller(wire);
            let mut dialog = phone.call(*router, NUMBER, PATIENCE).unwrap();
            assert_eq!(dialog.responses.first(), Some(&100));
            assert_eq!(dialog.responses.last(), Some(&200));
            assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
            assert_eq!(statuses(&exchanges, 3), ["ringing", "in-progress", "completed"]);
        }
        let unknown = caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], "5551", PATIENCE);
        assert!(matches!(unknown, Err(PhoneError::Refused(404, _))), "{unknown:?}");
    }
}

#[test]
fn a_restart_after_kill_9_delivers_what_was_pending() {
    // The receiver is down: its port is known, nobody listens.
    let application = TcpListener::bind(loopback()).unwrap().local_addr().unwrap();
    let node = Node::start(&["udp://127.0.0.1:0"], &[]);
    node.provision(NUMBER, application);
    let refused = caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], NUMBER, PATIENCE);
    assert!(matches!(refused, Err(PhoneError::Refused(500, _))), "no webhook: {refused:?}");
    std::thread::sleep(Duration::from_millis(200));
    let folder = node.kill();

    let listener = TcpListener::bind(application).unwrap();
    let _node = Node::start_in(folder, &["udp://127.0.0.1:0"], &[]);
    listener.set_nonblocking(true).unwrap();
    let until = Instant::now() + PATIENCE;
    let mut heard = String::new();
    while !heard.contains("CallStatus=failed") {
        assert!(Instant::now() < until, "no terminal event: {heard}");
        let Ok((mut stream, _)) = listener.accept() else {
            std::thread::sleep(Duration::from_millis(20));
            continue;
        };
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            heard.push_str(&text);
            if text.contains("CallStatus=") {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
            }
        }
    }
    let (ringing, failed) = (heard.find("CallStatus=ringing"), heard.find("CallStatus=failed"));
    assert!(ringing < failed, "in order: {heard}");
}

#[test]
fn hup_reloads_term_drains_and_the_exit_is_clean() {
    let mut node = Node::start(&["udp://127.0.0.1:0"], &[]);
    node.signal(Signal::SIGHUP);
    let until = Instant::now() + PATIENCE;
    while !node.log().contains("reloaded") {
        assert!(Instant::now() < until, "{}", node.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(node.ask("GET /ready", "text/plain", "").status(), 200);
    node.signal(Signal::SIGTERM);
    assert_eq!(node.ended(), Some(0), "{}", node.log());
    assert!(node.log().contains("drained"), "{}", node.log());
}

#[test]
fn a_draining_node_refuses_what_is_new_and_a_second_term_ends_it_at_once() {
    // An application that takes the question and never answers keeps a call unanswered.
    let application = TcpListener::bind(loopback()).unwrap();
    let mut node = Node::start(&["udp://127.0.0.1:0"], &[]);
    node.provision(NUMBER, application.local_addr().unwrap());
    let router = node.sip[0];
    let ringing = std::thread::spawn(move || {
        caller(Wire::udp(loopback()).unwrap()).call(router, NUMBER, Duration::from_secs(2))
    });
    let _asked = application.accept().unwrap();
    node.signal(Signal::SIGTERM);
    let until = Instant::now() + PATIENCE;
    loop {
        let (answer, _) = options(&UdpSocket::bind(loopback()).unwrap(), router);
        if answer.starts_with("SIP/2.0 503 ") {
            break;
        }
        assert!(Instant::now() < until, "{answer}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let refused = caller(Wire::udp(loopback()).unwrap()).call(router, NUMBER, PATIENCE);
    assert!(matches!(refused, Err(PhoneError::Refused(503, _))), "{refused:?}");
    let began = Instant::now();
    node.signal(Signal::SIGTERM);
    assert_eq!(node.ended(), Some(0), "{}", node.log());
    assert!(began.elapsed() < Duration::from_secs(2), "{:?} {}", began.elapsed(), node.log());
    assert!(ringing.join().unwrap().is_err());
}

#[test]
fn the_log_holds_no_credentials_of_a_url() {
    let node = Node::start(&["udp://127.0.0.1:0"], &[]);
    let nobody = TcpListener::bind(loopback()).unwrap().local_addr().unwrap();
    node.provision(NUMBER, nobody);
    let body = form_urlencoded::Serializer::new(String::new())
        .append_pair("PhoneNumber", "+16508251256")
        .append_pair("VoiceUrl", &format!("http://user:s3cret@{nobody}/voice?token=s3cret"))
        .append_pair("StatusCallback", &format!("http://user:s3cret@{nobody}/status?token=s3cret"))
        .finish();
    let line = format!("POST /restcomm/2012-04-24/Accounts/{}/IncomingPhoneNumbers.json", node::SID);
    let answer = node.ask(&line, "application/x-www-form-urlencoded", &body);
    node.live(&answer);
    let refused = caller(Wire::udp(loopback()).unwrap()).call(node.sip[0], "+16508251256", PATIENCE);
    assert!(matches!(refused, Err(PhoneError::Refused(500, _))), "{refused:?}");
    let until = Instant::now() + PATIENCE;
    while !node.log().contains("a callback failed") {
        assert!(Instant::now() < until, "{}", node.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!node.log().contains("s3cret"), "{}", node.log());
}

/// OPTIONS number `count` of `local`.
fn asked(to: SocketAddr, local: SocketAddr, count: u64) -> String {
    format!(
        "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK{count}\r\nMax-Forwards: 70\r\n\
         From: <sip:t@{local}>;tag=1\r\nTo: <sip:{to}>\r\nCall-ID: {count}@t\r\nCSeq: 1 OPTIONS\r\n\
         Content-Length: 0\r\n\r\n"
    )
}

#[test]
fn a_flood_on_one_socket_starves_neither_answers_nor_signals() {
    let (told, _exchanges) = channel();
    let application = application::start(target(), told).unwrap();
    let mut node =
        Node::start(&["udp://127.0.0.1:0", "udp://127.0.0.1:0"], &[("CALLGATE__NODE__SHARDS", "1")]);
    node.provision(NUMBER, application);
    let to = node.sip[0];
    let flood =
        [(); 2].map(|()| Flood::of([127, 0, 0, 1], to, None, move |from, count| asked(to, from, count)));
    std::thread::sleep(Duration::from_millis(300));
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let dialog = phone.call(node.sip[1], NUMBER, Duration::from_secs(10)).unwrap();
    assert_eq!(dialog.responses.last(), Some(&200));
    let began = Instant::now();
    node.signal(Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(100));
    node.signal(Signal::SIGTERM);
    assert_eq!(node.ended(), Some(0), "{}", node.log());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    drop(flood);
}

#[test]
fn every_listener_answers_from_the_address_that_received() {
    let node = Node::start(&["udp://0.0.0.0:0", "udp://127.0.0.2:0", "udp://[::1]:0"], &[]);
    let v4 = UdpSocket::bind(loopback()).unwrap();
    let v6 = UdpSocket::bind("[::1]:0").unwrap();
    let wildcard = SocketAddr::from(([127, 0, 0, 7], node.sip[0].port()));
    for (socket, to) in [(&v4, wildcard), (&v4, node.sip[1]), (&v6, node.sip[2])] {
        let (answer, from) = options(socket, to);
        assert!(answer.starts_with("SIP/2.0 "), "{answer}");
        assert_eq!(from, to);
    }
}

#[test]
fn a_slow_and_a_silent_connection_are_closed() {
    let settings = [("CALLGATE__SIP__TCP_MESSAGE_MS", "200"), ("CALLGATE__SIP__TCP_IDLE_SECONDS", "1")];
    let node = Node::start(&["tcp://127.0.0.1:0"], &settings);
    let began = Instant::now();
    let mut slow = TcpStream::connect(node.sip[0]).unwrap();
    slow.write_all(b"INVITE sip:").unwrap();
    assert_eq!(slow.read(&mut [0; 16]).unwrap_or(0), 0);
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    let mut silent = TcpStream::connect(node.sip[0]).unwrap();
    silent.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(silent.read(&mut [0; 16]).unwrap(), 0);
}

#[test]
fn a_port_that_is_taken_is_said_and_nothing_is_shared() {
    let node = Node::start(&["udp://127.0.0.1:0"], &[("CALLGATE__NODE__SHARDS", "2")]);
    let other = folder();
    let listen = format!("udp://{}", node.sip[0]);
    let status = command(&other, &[&listen], &[("CALLGATE__NODE__SHARDS", "2")]).status().unwrap();
    let log = std::fs::read_to_string(other.join("log")).unwrap();
    assert_eq!(status.code(), Some(78), "{log}");
    assert!(log.contains(&node.sip[0].to_string()) && log.contains("another process has this port"), "{log}");
    std::fs::remove_dir_all(other).unwrap();
}

#[test]
fn a_wrong_configuration_names_the_key_and_the_fix() {
    let folder = folder();
    std::fs::write(folder.join("wrong.toml"), "[sip]\nlistne = []\n[node]\nshards = 1000\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_callgate"))
        .args(["serve", "--config", "wrong.toml"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(
        said.contains("`sip.listne`: unknown field") && said.contains("expected one of `listen`"),
        "{said}"
    );
    assert!(said.contains("`node.shards`: more than the 256"), "{said}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_demo_places_its_call_and_ends() {
    let folder = folder();
    let output = Command::new(env!("CARGO_BIN_EXE_callgate"))
        .args(["demo", "--once"])
        .current_dir(&folder)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("all three callbacks delivered"), "{said}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_unit_is_valid() {
    let folder = folder();
    let unit = include_str!("../../systemd/callgate.service")
        .replace("/usr/local/bin/callgate", env!("CARGO_BIN_EXE_callgate"));
    let path = folder.join("callgate.service");
    std::fs::write(&path, unit).unwrap();
    let output = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(&path)
        .output()
        .expect("systemd-analyze is there: apt-get install systemd");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
    std::fs::remove_dir_all(folder).unwrap();
}
