//! `kill -9` of the real binary, again and again, while calls are made: every call that was admitted
//! has exactly one terminal event, in order, and none is lost; what is said inside an answered call
//! after the restart is passed on.
//!
//! `CALLGATE_KILLS` says how often, `CALLGATE_SEED` when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use callgate::cli::demo::phone::{Phone, PhoneError};
use callgate::cli::demo::wire::Wire;

use crate::node::{Node, PATIENCE};
use crate::receiver::{Heard, Receiver};
use crate::{caller, loopback, target};

/// Two are answered, each by a target of its own; the third is rejected by the application.
const NUMBERS: [&str; 3] = ["+16508250001", "+16508250002", "+16508250003"];

pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |value| value.parse().expect(name))
}

/// An address of the router's own, so that nobody takes its port while it is away.
const ROUTER: &str = "udp://127.0.0.9:0";

/// The lost are given up after 64 times this.
const T1: (&str, &str) = ("CALLGATE__SIP__T1_MS", "50");

/// The same address again.
fn there(router: SocketAddr) -> String {
    format!("udp://{router}")
}

#[test]
fn killed_again_and_again_no_call_loses_its_end_and_none_ends_twice() {
    let kills = setting("CALLGATE_KILLS", 5);
    let mut seed = setting("CALLGATE_SEED", u64::from(std::process::id()));
    println!("{kills} kills, seed {seed}");
    let receiver = Receiver::start(&[(NUMBERS[0], target()), (NUMBERS[1], target())]);
    let mut node = Node::start(&[ROUTER], &[T1]);
    let listen = there(node.sip[0]);
    node.provision(NUMBERS[0], receiver.at);
    for number in &NUMBERS[1..] {
        node.number_of(number, receiver.at);
    }
    let router = node.sip[0];
    let (stop, finished) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    // Six of them make some 50 calls a second.
    let callers = [NUMBERS, NUMBERS].concat().into_iter().map(|number| {
        let (stop, finished) = (stop.clone(), finished.clone());
        std::thread::spawn(move || call_on(number, router, &stop, &finished))
    });
    let callers: Vec<_> = callers.collect();
    let (mut first, mut up) = (Vec::new(), Duration::ZERO);
    for _ in 0..kills {
        let begun = Instant::now();
        // xorshift: when, within half a second, is all the chance there is.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let asked = receiver.counts().0;
        let end = Instant::now() + PATIENCE;
        while receiver.counts().0 < asked + 3 {
            assert!(Instant::now() < end, "no calls: {}", node.log());
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_micros(seed % 500_000));
        let folder = node.kill();
        up += begun.elapsed();
        let (told, began) = (receiver.counts().1, Instant::now());
        node = Node::start_in(folder, &[&listen], &[T1]);
        while receiver.counts().1 == told {
            assert!(began.elapsed() < PATIENCE, "nobody is told of anything: {}", node.log());
            std::thread::sleep(Duration::from_millis(1));
        }
        first.push(began.elapsed());
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
    println!("{:.0} calls/s while it was up", calls.len() as f64 / up.as_secs_f64());
    first.sort();
    let (median, slowest) = (first[first.len() / 2], first[first.len() - 1]);
    println!("from the start to the first callback: {median:?} in the middle, {slowest:?} at most");
    // Each of the six has one call under way and at most one that has just ended, of three events each.
    let told = heard.iter().filter(|heard| !heard.voice);
    let events: BTreeSet<_> = told.clone().map(|heard| (&heard.call, heard.sequence)).collect();
    let again = told.count() - events.len();
    println!("{again} callbacks came twice, {:.1} per kill", again as f64 / kills as f64);
    assert!(again as u64 <= kills * 36, "{again} callbacks came twice");
    // With few rounds this runs beside much else.
    let is_proof = kills >= 100 && !cfg!(debug_assertions);
    let limit = if is_proof { Duration::from_secs(2) } else { PATIENCE };
    assert!(slowest <= limit, "{slowest:?} to the first callback");
    assert!(calls.len() as u64 > 3 * kills && finished.load(Ordering::SeqCst) > 0);
}

#[test]
fn an_answered_call_survives_kill_9_and_its_bye_is_passed_on() {
    let (told, hung_up) = std::sync::mpsc::channel();
    let mut target = Phone::new(Wire::udp(loopback()).unwrap(), "demo", Box::new(|_| {}));
    let receiver = Receiver::start(&[(NUMBERS[0], target.local().unwrap())]);
    std::thread::spawn(move || told.send(target.answer(Duration::ZERO, PATIENCE * 3).unwrap()));
    let node = Node::start(&[ROUTER], &[]);
    let router = node.sip[0];
    node.provision(NUMBERS[0], receiver.at);
    let mut phone = caller(Wire::udp(loopback()).unwrap());
    let mut dialog = phone.call(router, NUMBERS[0], PATIENCE).unwrap();
    let call = receiver.asked().remove(0);
    node.until("the answer", |_| receiver.statuses(&call).len() == 2);
    let node = Node::start_in(node.kill(), &[&there(router)], &[]);
    let live = node.ask("GET /admin/v1/calls", "text/plain", "");
    assert!(live.body.contains(&call), "{live:?}");
    assert_eq!(phone.hang_up(&mut dialog, PATIENCE).unwrap(), 200);
    assert!(hung_up.recv_timeout(PATIENCE).unwrap(), "the target hears of it: {}", node.log());
    // What was delivered in the moment of the end is delivered again, in its order.
    let once = || {
        let mut told: Vec<String> = Vec::new();
        for status in receiver.statuses(&call) {
            if !told.contains(&status) {
                told.push(status);
            }
        }
        told
    };
    node.until("the end", |_| once() == ["ringing", "in-progress", "completed"]);
}

#[test]
fn a_caller_left_unanswered_by_kill_9_hears_500_after_the_restart() {
    // An application that takes the question and never answers.
    let application = TcpListener::bind(loopback()).unwrap();
    let node = Node::start(&[ROUTER], &[]);
    let router = node.sip[0];
    node.provision(NUMBERS[0], application.local_addr().unwrap());
    let calling =
        std::thread::spawn(move || caller(Wire::udp(loopback()).unwrap()).call(router, NUMBERS[0], PATIENCE));
    let _asked = application.accept().unwrap();
    let _node = Node::start_in(node.kill(), &[&there(router)], &[]);
    let refused = calling.join().unwrap();
    assert!(matches!(refused, Err(PhoneError::Refused(500, _))), "{refused:?}");
}

/// Calls until it is told to stop; a router that dies under a call is silent for a second.
pub fn call_on(number: &str, router: SocketAddr, stop: &AtomicBool, finished: &AtomicUsize) {
    let patience = Duration::from_secs(1);
    while !stop.load(Ordering::SeqCst) {
        let mut phone = caller(Wire::udp(loopback()).unwrap());
        if let Ok(mut dialog) = phone.call(router, number, patience)
            && matches!(phone.hang_up(&mut dialog, patience), Ok(200))
        {
            finished.fetch_add(1, Ordering::SeqCst);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What is wrong with what the application heard, call by call.
pub fn faults(heard: &[Heard]) -> Vec<String> {
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
