//! A long run at a third of what a shard can do: no call fails, every callback comes, and memory does not grow
//! with the calls that were.
//!
//! `CALLGATE_SOAK_SECONDS` and `CALLGATE_SOAK_RATE` (calls a second) shape the run.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::router::Router;
use crate::sipp::{Sipp, free_port};

/// Requests of one call: the question, and ringing, in-progress, completed.
const REQUESTS: usize = 4;

const MIB: f64 = 1_048_576.0;

/// What a short run may grow by all in all. What is bounded (the store's page caches, the last calls' traces) takes some
/// 20,000 calls to fill: before that only calls that stay whole are seen.
const SHORT: f64 = 32.0 * MIB;

fn setting(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().map_or(default, |value| value.parse().expect(name))
}

#[test]
fn memory_does_not_grow_with_the_calls_that_were() {
    let proof = std::env::var_os("CALLGATE_PROOF").is_some();
    let seconds = setting("CALLGATE_SOAK_SECONDS", if proof { 3_600 } else { 75 });
    let rate = setting("CALLGATE_SOAK_RATE", if proof { 600 } else { 60 });
    // What is kept of a call that has ended goes after 64*T1: a short run waits less for that.
    let quick = if proof { "" } else { "t1-ms = 50" };
    let (router, app, callee) = (Router::launch(quick, 0), App::forgetful(), free_port());
    router.number("1", &app.url(&format!("/dial/{callee}")), &app.url("/status"));
    let calls = rate * seconds;
    let pick = |sipp: Sipp<'_>| sipp.calls(calls, rate).timeout(seconds + 120).start();
    let callees = pick(Sipp::new(&router, "callee").port(callee));
    thread::sleep(Duration::from_millis(200));
    let callers = pick(Sipp::new(&router, "caller").dials("1"));
    let points = watch(&router, &app, Duration::from_secs(u64::from(seconds)));
    let at = |part: usize| points[(points.len() - 1) * part / 10];
    let way: Vec<String> =
        (0..=10).map(at).map(|(calls, bytes)| format!("{calls}: {:.1}", bytes / MIB)).collect();
    println!("MiB resident by calls: {}", way.join(", "));
    // The first third fills what is bounded: tables, buffers, the last calls' traces.
    let warm = &points[points.len() / 3..];
    let (slope, error) = regression(warm);
    let (first, last) = (warm[0], warm[warm.len() - 1]);
    println!(
        "{} calls at {rate}/s in {seconds} s; after the first {:.0} calls {slope:.3} bytes per call (standard error {error:.3}), \
         from {:.2} to {:.2} MiB",
        last.0,
        first.0,
        first.1 / MIB,
        last.1 / MIB
    );
    callers.success();
    callees.success();
    let until = Instant::now() + Duration::from_secs(60);
    while app.count() < calls as usize * REQUESTS && Instant::now() < until {
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(app.count(), calls as usize * REQUESTS, "questions and callbacks");
    let grown = slope * (last.0 - first.0);
    assert!(if proof { slope <= 1.0 } else { grown <= SHORT }, "{slope} bytes per call, {grown} in all");
}

/// Calls so far and resident bytes, second by second.
fn watch(router: &Router, app: &App, time: Duration) -> Vec<(f64, f64)> {
    let began = Instant::now();
    let mut points = Vec::new();
    while began.elapsed() < time {
        thread::sleep(Duration::from_secs(1));
        points.push(((app.count() / REQUESTS) as f64, resident(router.pid())));
    }
    points
}

/// Resident memory that is no file's, in bytes.
fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("a line of memory");
    let kib: f64 = line.split_whitespace().nth(1).expect("a number").parse().expect("one");
    kib * 1024.0
}

/// The slope of a line through the points by least squares, and its standard error.
fn regression(points: &[(f64, f64)]) -> (f64, f64) {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let slope = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread;
    let rest: f64 = points.iter().map(|point| (point.1 - y - slope * (point.0 - x)).powi(2)).sum();
    (slope, (rest / (count - 2.0) / spread).sqrt())
}

#[test]
fn a_leak_is_seen() {
    let noise = |at: u32| f64::from(at * 7_919 % 13) * 4_096.0;
    let points = |leak: f64| -> Vec<_> {
        (0..2_400).map(|at| (f64::from(at) * 600.0, 3e7 + noise(at) + f64::from(at) * 600.0 * leak)).collect()
    };
    assert!(regression(&points(0.0)).0 < 0.5);
    assert!(regression(&points(2.0)).0 > 1.5);
}
