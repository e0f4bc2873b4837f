//! Many calls at once: nothing fails, nothing overtakes, every callback once and in order; and the
//! same over a network that loses one datagram in ten.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::app::{App, Request};
use crate::patient;
use crate::phone::Phone;
use crate::relay::Relay;
use crate::router::Router;
use crate::sipp::{Sipp, free_port};

/// How many calls, and how many each second: small in a test run, the promised counts in a proof.
fn counts() -> (u32, u32) {
    if std::env::var_os("CALLGATE_PROOF").is_some() { (5_000, 200) } else { (200, 50) }
}

/// Waits for `expected` callbacks.
fn callbacks(app: &App, expected: usize) -> BTreeMap<String, Vec<Request>> {
    let until = Instant::now() + Duration::from_secs(30);
    while app.told().len() < expected && Instant::now() < until {
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(Duration::from_millis(300));
    let told = app.told();
    assert_eq!(told.len(), expected, "callbacks");
    let mut by_call: BTreeMap<String, Vec<Request>> = BTreeMap::new();
    for request in told {
        by_call.entry(request.get("CallSid").to_owned()).or_default().push(request);
    }
    by_call
}

fn run(tcp: bool) {
    let (router, app, callee) = (Router::start(), App::start(), free_port());
    let (calls, rate) = counts();
    let path = if tcp { format!("/dial/{callee}/tcp") } else { format!("/dial/{callee}") };
    router.number("1", &app.url(&path), &app.url("/status"));
    let seconds = calls / rate + 60;
    let pick =
        |sipp: Sipp<'_>| (if tcp { sipp.tcp() } else { sipp }).calls(calls, rate).timeout(seconds).start();
    let callees = pick(Sipp::new(&router, "callee").port(callee));
    thread::sleep(Duration::from_millis(200));
    let callers = pick(Sipp::new(&router, "caller").dials("1"));
    callers.success();
    callees.success();
    let by_call = callbacks(&app, calls as usize * 3);
    assert_eq!((by_call.len(), app.asked().len()), (calls as usize, calls as usize));
    for (call, told) in by_call {
        let statuses: Vec<&str> = told.iter().map(|one| one.get("CallStatus")).collect();
        assert_eq!(statuses, ["ringing", "in-progress", "completed"], "{call}");
    }
}

#[test]
fn many_calls_over_udp() {
    run(false);
}

#[test]
fn many_calls_over_tcp() {
    run(true);
}

#[test]
fn many_calls_over_a_network_that_loses_a_tenth() {
    let (router, app) = (Router::start(), App::start());
    let (calls, rate) = if std::env::var_os("CALLGATE_PROOF").is_some() { (500, 20) } else { (40, 10) };
    let callee = Phone::new(router.udp);
    let callee_side = Relay::start(([127, 0, 0, 1], callee.port()).into(), 10, 1);
    let caller_side = Relay::start(router.udp, 10, 2);
    // What is sent to a Contact goes through the relays too.
    let callee = callee.shown(callee_side.near.port());
    let caller = Phone::new(caller_side.near).shown(caller_side.out.port());
    router.number("1", &app.url(&format!("/dial/{}", callee_side.near.port())), &app.url("/status"));
    let stop = AtomicBool::new(false);
    let (called, answered) = thread::scope(|scope| {
        let callees = scope.spawn(|| patient::answer(&callee, &stop));
        let called = patient::call(&caller, caller_side.near, "1", calls, rate);
        stop.store(true, Ordering::Relaxed);
        (called, callees.join().expect("the callees"))
    });
    let (caller_lost, callee_lost) = (Lost::of(&caller_side), Lost::of(&callee_side));
    let (lost, heard) = (caller_lost.total + callee_lost.total, caller_side.heard() + callee_side.heard());
    println!("{lost} of {heard} datagrams were dropped for {calls} calls");
    assert!((heard / 20..heard / 5).contains(&lost), "the relays drop a tenth");
    let mut failed = Vec::new();
    for (number, (id, end)) in &called {
        let other = answered.get(number);
        let fine = end.is_ok() && other.is_some_and(|(_, end)| end.is_ok());
        let lawful = caller_lost.exhausted(id) || other.is_some_and(|(id, _)| callee_lost.exhausted(id));
        if !fine {
            println!("call {number}, excused by its drops: {lawful}: caller {end:?}, callee {other:?}");
        }
        if !(fine || lawful) {
            failed.push((
                number,
                caller_lost.by_call.get(id),
                other.map(|(id, _)| callee_lost.by_call.get(id)),
            ));
        }
    }
    assert!(
        failed.is_empty(),
        "failed though no transaction of theirs was exhausted: {failed:#?}\n{}",
        router.calls()
    );
    assert_eq!(answered.len(), called.len());
}

/// What a relay dropped, by Call-ID and then by what it was.
struct Lost {
    total: usize,
    by_call: BTreeMap<String, BTreeMap<(String, bool), usize>>,
}

impl Lost {
    fn of(relay: &Relay) -> Self {
        let dropped = relay.dropped();
        let mut lost = Self { total: dropped.len(), by_call: BTreeMap::new() };
        for one in dropped {
            let call = lost.by_call.entry(one.call_id).or_default();
            *call.entry((one.what, one.inward)).or_default() += 1;
        }
        lost
    }

    /// Whether so much of one transaction was lost that its timer, or the Dial's 20 s, may have
    /// run out: an INVITE leaves six times in 20 s, a 2xx with its ACK eight, a BYE eleven in 32 s.
    fn exhausted(&self, call_id: &str) -> bool {
        let Some(call) = self.by_call.get(call_id) else { return false };
        let count = |names: [&str; 2]| -> usize {
            call.iter().filter(|((what, _), _)| names.contains(&what.as_str())).map(|(_, count)| count).sum()
        };
        count(["INVITE", "100 INVITE"]) >= 6
            || count(["200 INVITE", "ACK"]) >= 8
            || count(["BYE", "200 BYE"]) >= 11
    }
}
