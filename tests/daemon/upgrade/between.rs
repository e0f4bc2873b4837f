//! Not one datagram is lost between the last that the old process reads and the first that the new one does, whichever
//! shard has read it and whichever it is for.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Follower, begin, node_with, said};
use crate::{asked, loopback};

/// Questions a second: enough that some come in the moment in which the shards of the old process end.
const RATE: u64 = 20_000;
const UPGRADES: usize = 3;

#[test]
fn every_question_of_one_socket_is_answered_once_while_processes_follow_each_other() {
    let mut node = node_with(
        &["udp://127.0.0.1:0"],
        &[("CALLGATE__NODE__SHARDS", "3"), ("CALLGATE__EDGE__REFUSED_REQUESTS", "0")],
    );
    let router = node.sip[0];
    let socket = UdpSocket::bind(loopback()).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let local = socket.local_addr().unwrap();
    let (on, sent) = (AtomicBool::new(true), AtomicU64::new(0));
    let answered = std::thread::scope(|scope| {
        scope.spawn(|| {
            let began = Instant::now();
            for count in 0.. {
                if !on.load(Ordering::Relaxed) {
                    return;
                }
                socket.send_to(asked(router, local, count).as_bytes(), router).unwrap();
                sent.store(count + 1, Ordering::Relaxed);
                let due = began + Duration::from_micros(count * 1_000_000 / RATE);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        let heard = scope.spawn(|| heard(&socket));
        let mut followers: Vec<Follower> = Vec::new();
        for _ in 0..UPGRADES {
            let command = begin(&node.folder);
            let follower = Follower::of(&node);
            let output = command.wait_with_output().unwrap();
            assert!(output.status.success(), "{}{}", said(&output), node.log());
            match followers.last() {
                None => assert_eq!(node.ended(), Some(0), "{}", node.log()),
                Some(former) => former.ended(),
            }
            followers.push(follower);
        }
        std::thread::sleep(Duration::from_millis(100));
        on.store(false, Ordering::Relaxed);
        heard.join().unwrap()
    });
    let (sent, once) = (sent.load(Ordering::Relaxed), answered.iter().collect::<HashSet<_>>().len());
    let dropped = dropped([router.port(), local.port()]);
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
