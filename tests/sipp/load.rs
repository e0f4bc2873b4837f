//! Many calls at once: nothing fails, nothing overtakes, every callback once and in order; and the
//! same over a network that loses one datagram in ten.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use crate::app::{App, Request};
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
    let (router, app, callee) = (Router::start(), App::start(), free_port());
    let (calls, rate) = if std::env::var_os("CALLGATE_PROOF").is_some() { (500, 20) } else { (40, 10) };
    let callee_side = Relay::start(([127, 0, 0, 1], callee).into(), 10, 1);
    let caller_side = Relay::start(router.udp, 10, 2);
    router.number("1", &app.url(&format!("/dial/{}", callee_side.near.port())), &app.url("/status"));
    let seconds = calls / rate + 90;
    let callees = Sipp::new(&router, "callee").port(callee).calls(calls, rate).timeout(seconds).start();
    let callers = Sipp::new(&router, "caller")
        .dials("1")
        .toward(caller_side.near)
        .calls(calls, rate)
        .timeout(seconds)
        .start();
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        callers.success();
        callees.success();
    }));
    let lost = caller_side.dropped().len() + callee_side.dropped().len();
    println!("{lost} datagrams were dropped");
    assert!(lost > 0, "the relay drops");
    if ended.is_err() {
        let mut by_call: BTreeMap<(String, String, bool), usize> = BTreeMap::new();
        for dropped in caller_side.dropped().into_iter().chain(callee_side.dropped()) {
            *by_call.entry((dropped.call_id, dropped.what, dropped.inward)).or_default() += 1;
        }
        // Eleven copies of one message leave before its timer is exhausted; six is far from lawful.
        let lawful = by_call.values().any(|&count| count >= 7);
        assert!(lawful, "a call failed though no transaction exhausted its timer; dropped: {by_call:#?}");
    }
}
