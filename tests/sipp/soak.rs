//! A long run at a third of what a shard can do: no call fails, every callback comes, and memory does not grow
//! with the calls that were.
//!
//! What counts is how high memory stands nine tenths of the time, in the last third of the run and in the one before.
//! The allocator gives pages back and takes them again, 15 MiB of them for minutes: a line through all points then rises
//! or falls by several bytes a call though no call left any. It is shown beside.
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
    let (slope, line) = (growth(warm), through_all(warm));
    let (first, last) = (warm[0], warm[warm.len() - 1]);
    println!(
        "{} calls at {rate}/s in {seconds} s; after the first {:.0} calls {slope:.3} bytes per call ({line:.3} by a line through \
         all points), from {:.2} to {:.2} MiB",
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

/// Bytes per call from the first half of the points to the second, by where memory stands below nine tenths of the time:
/// neither a dip nor a moment's peak counts.
fn growth(points: &[(f64, f64)]) -> f64 {
    let (before, after) = points.split_at(points.len() / 2);
    let calls = after[0].0 - before[0].0;
    (mostly_below(after) - mostly_below(before)) / calls
}

fn mostly_below(points: &[(f64, f64)]) -> f64 {
    let mut bytes: Vec<f64> = points.iter().map(|point| point.1).collect();
    bytes.sort_by(f64::total_cmp);
    bytes[bytes.len() * 9 / 10]
}

/// The slope of a line through the points by least squares.
fn through_all(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum::<f64>() / spread
}

/// 40 minutes of 600 calls a second that leak so many bytes each, while memory dips by 15 MiB for ten minutes and stands
/// 20 MiB higher for one.
fn imagined(leak: f64) -> Vec<(f64, f64)> {
    let noise = |at: u32| f64::from(at * 7_919 % 1_301) * 2_048.0;
    let dip = |at: u32| if (200..800).contains(&at) { 15.0 * MIB } else { 0.0 };
    let peak = |at: u32| if (2_300..2_360).contains(&at) { 20.0 * MIB } else { 0.0 };
    let bytes = |at: u32| 2e8 - noise(at) - dip(at) + peak(at) + f64::from(at) * 600.0 * leak;
    (0..2_400).map(|at| (f64::from(at) * 600.0, bytes(at))).collect()
}

#[test]
fn a_leak_is_seen_and_neither_a_dip_nor_a_peak_is_one() {
    for leak in [0.0, 0.5, 1.5, 3.0] {
        let slope = growth(&imagined(leak));
        assert!((slope - leak).abs() < 0.6, "{leak}: {slope}");
    }
    assert!(through_all(&imagined(0.0)) > 5.0);
}
