//! `kill -9` of one of both processes at every point of an upgrade under calls: whoever is left goes on, else the
//! next start does, and every call has exactly one end.
//!
//! A round for each point and process; `CALLGATE_KILLS` says how many more at any moment, `CALLGATE_SEED` when.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use callgate::cli::demo::wire::Wire;

use super::{Follower, NUMBERS, begin, node_with, said};
use crate::killed::{call_on, faults, setting};
use crate::node::{Node, PATIENCE};
use crate::receiver::Receiver;
use crate::{caller, loopback, target};

/// What the log says when an upgrade has come to each point, in order.
const POINTS: [&[&str]; 6] = [
    &["starting /"],
    &["has loaded its directory"],
    &["takes new calls"],
    &["is unanswered"],
    &["is open here any more", "transactions are open"],
    &["of the former process go on"],
];

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Old,
    New,
}

/// The lost are given up after 64 times this.
const SETTINGS: [(&str, &str); 2] = [("CALLGATE__SIP__T1_MS", "50"), ("CALLGATE__NODE__SHARDS", "2")];

/// Callers that go on until the end, whoever serves them.
struct Callers {
    stop: Arc<AtomicBool>,
    whole: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

impl Callers {
    fn start(router: SocketAddr) -> Self {
        let (stop, whole) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let threads = [NUMBERS[0], NUMBERS[1], NUMBERS[0], NUMBERS[2]].into_iter().map(|number| {
            let (stop, whole) = (stop.clone(), whole.clone());
            std::thread::spawn(move || call_on(number, router, &stop, &whole))
        });
        Self { threads: threads.collect(), stop, whole }
    }

    /// Until some more calls went well.
    fn go_on(&self, node: &Node) {
        let before = self.whole.load(Ordering::SeqCst);
        node.until("calls that go well", |_| self.whole.load(Ordering::SeqCst) > before + 3);
    }

    /// Whether the new process serves them. One that had not loaded yet cannot go on alone, and ends a moment later.
    fn served_by(&self, follower: &Follower) -> bool {
        let (before, until) = (self.whole.load(Ordering::SeqCst), Instant::now() + PATIENCE);
        while follower.lives() && self.whole.load(Ordering::SeqCst) <= before + 3 && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        follower.lives()
    }

    fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// One upgrade in which the victim is killed `after` the log says `point`; who went on.
fn round(victim: Victim, point: &[&str], after: Duration) -> &'static str {
    let receiver = Receiver::start(&[(NUMBERS[0], target()), (NUMBERS[1], target())]);
    let mut node = node_with(&["udp://127.0.0.1:0"], &SETTINGS);
    let router = node.sip[0];
    node.provision(NUMBERS[0], receiver.at);
    for number in &NUMBERS[1..] {
        node.number_of(number, receiver.at);
    }
    let callers = Callers::start(router);
    callers.go_on(&node);
    let command = begin(&node.folder);
    let follower = Follower::of(&node);
    node.until(point[0], |node| {
        let log = node.log();
        point.iter().any(|point| log.contains(point))
    });
    std::thread::sleep(after);
    match victim {
        Victim::Old => {
            node.child.kill().unwrap();
            node.child.wait().unwrap();
        }
        Victim::New => follower.kill(),
    }
    let told = said(&command.wait_with_output().unwrap());
    let went_on = if callers.served_by(&follower) {
        "the new process"
    } else if victim == Victim::New && told.contains("the daemon goes on as it was") {
        "the old process"
    } else {
        node.child.kill().unwrap();
        node.child.wait().unwrap();
        node = Node::start_in(node.keep(), &[&format!("udp://{router}")], &SETTINGS);
        "the next start"
    };
    callers.go_on(&node);
    callers.end();
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let mut dialog = phone.call(router, NUMBERS[0], PATIENCE).unwrap();
    assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200, "{told}{}", node.log());
    let until = Instant::now() + PATIENCE;
    while !faults(&receiver.heard()).is_empty() {
        assert!(
            Instant::now() < until,
            "{victim:?} killed {after:?} after {point:?}, {went_on} went on: {:?} {told}{}",
            faults(&receiver.heard()),
            node.log()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    went_on
}

#[test]
fn killed_at_any_point_of_an_upgrade_whoever_is_left_goes_on_and_no_call_has_no_end_or_two() {
    for victim in [Victim::Old, Victim::New] {
        for point in POINTS {
            let went_on = round(victim, point, Duration::ZERO);
            println!("{victim:?} killed when {point:?}: {went_on} goes on");
        }
    }
    let mut seed = setting("CALLGATE_SEED", u64::from(std::process::id()));
    for _ in 0..setting("CALLGATE_KILLS", 0) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let victim = if seed.is_multiple_of(2) { Victim::Old } else { Victim::New };
        let after = Duration::from_micros(seed / 2 % 600_000);
        println!("{victim:?} killed after {after:?}: {} goes on", round(victim, POINTS[0], after));
    }
}
