//! `kill -9` of the real binary, again and again, while calls are made: every call that was admitted
//! has exactly one terminal event, in order, and none is lost.
//!
//! `CALLGATE_KILLS` says how often, `CALLGATE_SEED` when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use callgate::cli::demo::wire::Wire;

use crate::node::{Node, PATIENCE};
use crate::receiver::{Heard, Receiver};
use crate::{caller, loopback, target};

/// Two are answered, each by a target of its own; the third is rejected by the application.
const NUMBERS: [&str; 3] = ["+16508250001", "+16508250002", "+16508250003"];

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |value| value.parse().expect(name))
}

#[test]
fn killed_again_and_again_no_call_loses_its_end_and_none_ends_twice() {
    let kills = setting("CALLGATE_KILLS", 5);
    let mut seed = setting("CALLGATE_SEED", u64::from(std::process::id()));
    println!("{kills} kills, seed {seed}");
    let receiver = Receiver::start(&[(NUMBERS[0], target()), (NUMBERS[1], target())]);
    let listen = ["udp://127.0.0.1:0"];
    let mut node = Node::start(&listen, &[]);
    node.provision(NUMBERS[0], receiver.at);
    for number in &NUMBERS[1..] {
        node.number_of(number, receiver.at);
    }
    let router = Arc::new(Mutex::new(node.sip[0]));
    let (stop, finished) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let callers = NUMBERS.map(|number| {
        let (router, stop, finished) = (router.clone(), stop.clone(), finished.clone());
        std::thread::spawn(move || call_on(number, &router, &stop, &finished))
    });
    for _ in 0..kills {
        // xorshift: when, within half a second, is all the chance there is.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let asked = receiver.asked().len();
        let end = Instant::now() + PATIENCE;
        while receiver.asked().len() < asked + 3 {
            assert!(Instant::now() < end, "no calls: {}", node.log());
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_micros(seed % 500_000));
        node = Node::start_in(node.kill(), &listen, &[]);
        *router.lock().unwrap() = node.sip[0];
    }
    stop.store(true, Ordering::SeqCst);
    for caller in callers {
        caller.join().unwrap();
    }
    let end = Instant::now() + PATIENCE;
    let mut wrong = faults(&receiver.heard());
    while !wrong.is_empty() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
        wrong = faults(&receiver.heard());
    }
    assert_eq!(wrong, [""; 0], "{}", node.log());
    // Nothing more comes: an end that was told is not told again as another.
    std::thread::sleep(Duration::from_millis(500));
    let heard = receiver.heard();
    assert_eq!(faults(&heard), [""; 0]);
    let calls: BTreeSet<&str> = heard.iter().map(|heard| heard.call.as_str()).collect();
    let cut = heard.iter().filter(|heard| heard.status == "failed").count();
    println!("{} calls, {} of them whole, {cut} cut off", calls.len(), finished.load(Ordering::SeqCst));
    assert!(calls.len() as u64 > 3 * kills && finished.load(Ordering::SeqCst) > 0);
}

/// Calls until it is told to stop; a router that dies under a call is silent for a second.
fn call_on(number: &str, router: &Mutex<SocketAddr>, stop: &AtomicBool, finished: &AtomicUsize) {
    let patience = Duration::from_secs(1);
    while !stop.load(Ordering::SeqCst) {
        let at = *router.lock().unwrap();
        let mut phone = caller(Wire::udp(loopback()).unwrap());
        if let Ok(mut dialog) = phone.call(at, number, patience)
            && matches!(phone.hang_up(&mut dialog, patience), Ok(200))
        {
            finished.fetch_add(1, Ordering::SeqCst);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What is wrong with what the application heard, call by call.
fn faults(heard: &[Heard]) -> Vec<String> {
    let mut calls: BTreeMap<&str, Vec<&Heard>> = BTreeMap::new();
    for one in heard {
        let events = calls.entry(&one.call).or_default();
        // An event that comes once more is the same event; its number says so.
        if !one.voice
            && !events.iter().any(|event| event.sequence == one.sequence && event.status == one.status)
        {
            events.push(one);
        }
    }
    let wrong = calls.iter().filter(|(_, events)| {
        let ends = events.iter().filter(|event| is_end(&event.status)).count();
        let in_order = events.iter().zip(0..).all(|(event, at)| event.sequence == at);
        ends != 1 || !in_order || !events.last().is_some_and(|last| is_end(&last.status))
    });
    let told = |events: &[&Heard]| {
        events
            .iter()
            .map(|event| format!("{} {}", event.sequence, event.status))
            .collect::<Vec<_>>()
            .join(", ")
    };
    wrong.map(|(call, events)| format!("{call}: {}", told(events))).collect()
}

fn is_end(status: &str) -> bool {
    !matches!(status, "ringing" | "in-progress")
}
