//! Not one datagram is lost between the last that the old process reads and the first that the new one does, whichever
//! shard has read it and whichever it is for.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::time::Duration;

use super::{node_with, upgraded};
use crate::flood::Flood;
use crate::{asked, loopback};

/// Questions a second: enough that some come in the moment in which the shards of the old process end.
const RATE: f64 = 20_000.0;
/// Each of them is such a moment.
const UPGRADES: usize = 6;

#[test]
fn every_question_of_one_socket_is_answered_once_while_processes_follow_each_other() {
    let mut node = node_with(
        &["udp://127.0.0.1:0"],
        &[("CALLGATE__NODE__SHARDS", "3"), ("CALLGATE__EDGE__REFUSED_REQUESTS", "0")],
    );
    let router = node.sip[0];
    let socket = UdpSocket::bind(loopback()).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let local = socket.local_addr().unwrap();
    let flood = Flood::through(socket.try_clone().unwrap(), router, Some((RATE, 1)), move |from, count| {
        asked(router, from, count)
    });
    let hearing = std::thread::spawn(move || (heard(&socket), dropped([router.port(), local.port()])));
    let mut followers = Vec::new();
    for _ in 0..UPGRADES {
        upgraded(&mut node, &mut followers);
    }
    std::thread::sleep(Duration::from_millis(100));
    let sent = flood.end();
    let (answered, dropped) = hearing.join().unwrap();
    let once = answered.iter().collect::<HashSet<_>>().len();
    println!("{sent} questions, {} answers, {dropped} dropped for want of room", answered.len());
    assert_eq!(once, answered.len(), "{}", node.log());
    assert!(once as u64 > sent / 2, "{}", node.log());
    assert_eq!(once as u64 + dropped, sent, "{}", node.log());
}

/// Datagrams that the kernel dropped at sockets on these ports: a busy machine is no fault of an upgrade.
fn dropped(ports: [u16; 2]) -> u64 {
    let sockets = std::fs::read_to_string("/proc/net/udp").unwrap();
    let of = |line: &str| -> Option<u64> {
        let port = line.split_whitespace().nth(1)?.split_once(':')?.1;
        let port = u16::from_str_radix(port, 16).ok()?;
        ports.contains(&port).then(|| line.split_whitespace().last()?.parse().ok())?
    };
    sockets.lines().filter_map(of).sum()
}

/// The Call-IDs of all answers, until none comes for a while.
fn heard(socket: &UdpSocket) -> Vec<String> {
    let (mut buffer, mut heard) = ([0; 2_048], Vec::new());
    while let Ok(length) = socket.recv(&mut buffer) {
        let text = String::from_utf8_lossy(&buffer[..length]);
        assert!(text.starts_with("SIP/2.0 200"), "{text}");
        let call = text.lines().find(|line| line.starts_with("Call-ID:")).unwrap();
        heard.push(call.to_owned());
    }
    heard
}
