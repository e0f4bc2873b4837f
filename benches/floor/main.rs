//! CPU per call, callgate's full path beside the floor, in one run.
//!
//! The full path: sipp, callgate, sipp, with webhook, three callbacks and journal. The floor: a bare
//! relay of the same datagrams that makes as many keep-alive HTTP requests and reads nothing of either.
//! The two alternate, so that what else the machine does meets both; the median of the rounds counts.
//! `CALLGATE_BENCH_RATES=500,2000`, `CALLGATE_BENCH_SECONDS=10` and `CALLGATE_BENCH_ROUNDS=3` shape the run.

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/sipp/app.rs"]
mod app;
#[path = "../../tests/sipp/free_port.rs"]
mod free_port;
mod relay;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/sipp/router.rs"]
mod router;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/sipp/sipp.rs"]
mod sipp;

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use app::App;
use router::Router;
use sipp::{Sipp, free_port};

fn main() {
    if let Ok(words) = std::env::var("CALLGATE_FLOOR") {
        relay::run(&words);
        return;
    }
    let number =
        |name: &str, default| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (seconds, rounds) = (number("CALLGATE_BENCH_SECONDS", 10), number("CALLGATE_BENCH_ROUNDS", 3).max(1));
    let rates = std::env::var("CALLGATE_BENCH_RATES").unwrap_or_else(|_| "500,2000".to_owned());
    println!("CPU microseconds per call; each round measures both, one after the other");
    println!("{:>9} {:>12} {:>12} {:>7}   of callgate, by thread", "calls/s", "callgate", "floor", "ratio");
    for rate in rates.split(',').filter_map(|rate| rate.trim().parse().ok()) {
        let mut ratios = Vec::new();
        for _ in 0..rounds {
            let (floor, full) = (floor(rate, rate * seconds), full_path(rate, rate * seconds));
            let ratio = full.total / floor.total;
            println!(
                "{rate:>9} {:>12.0} {:>12.0} {ratio:>7.2}   {}",
                full.total,
                floor.total,
                full.by_thread()
            );
            ratios.push(ratio);
        }
        ratios.sort_unstable_by(f64::total_cmp);
        println!("{rate:>9} {:>12} {:>12} {:>7.2}", "", "median", ratios[ratios.len() / 2]);
    }
}

/// callgate's CPU per call.
fn full_path(rate: u32, calls: u32) -> Spent {
    let (router, app, callee) = (Router::launch("", 0), App::start(), free_port());
    router.number("1", &app.url(&format!("/dial/{callee}")), &app.url("/status"));
    measure(&router, router.pid(), callee, router.udp, calls, rate, || {
        settle(&app, 4 * calls as usize);
        // The store has the last batch, and the transactions are over.
        thread::sleep(Duration::from_millis(500));
    })
}

/// The floor's. An idle router lends its folder.
fn floor(rate: u32, calls: u32) -> Spent {
    let (router, app, callee) = (Router::launch("", 0), App::start(), free_port());
    let near = free_port();
    let words = format!("{near} {callee} {}", app.port);
    let mut child = Floor(
        Command::new(std::env::current_exe().expect("this program"))
            .env("CALLGATE_FLOOR", words)
            .stdin(Stdio::null())
            .spawn()
            .expect("the floor starts"),
    );
    let pid = child.0.id();
    let cpu = measure(&router, pid, callee, ([127, 0, 0, 1], near).into(), calls, rate, || {
        settle(&app, 4 * calls as usize);
    });
    child.stop();
    cpu
}

/// Waits until the application was asked and told everything, without copying what it heard.
fn settle(app: &App, expected: usize) {
    let until = Instant::now() + Duration::from_secs(30);
    while app.count() < expected && Instant::now() < until {
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(app.count(), expected, "requests");
}

fn measure(
    router: &Router,
    pid: u32,
    callee: u16,
    near: std::net::SocketAddr,
    calls: u32,
    rate: u32,
    settled: impl FnOnce(),
) -> Spent {
    let timeout = calls / rate + 60;
    let callees = Sipp::new(router, "callee").port(callee).calls(calls, rate).timeout(timeout).start();
    thread::sleep(Duration::from_millis(300));
    let (before, threads) = (cpu_of(pid), cpu_of_threads(pid));
    let callers =
        Sipp::new(router, "caller").dials("1").toward(near).calls(calls, rate).timeout(timeout).start();
    callers.success();
    callees.success();
    settled();
    let calls = f64::from(calls);
    let mut spent = Spent { total: (cpu_of(pid) - before) / calls, threads: BTreeMap::new() };
    for (name, cpu) in cpu_of_threads(pid) {
        let cpu = (cpu - threads.get(&name).copied().unwrap_or_default()) / calls;
        spent.threads.insert(name, cpu);
    }
    spent
}

/// Microseconds of CPU per call.
struct Spent {
    total: f64,
    threads: BTreeMap<String, f64>,
}

impl Spent {
    fn by_thread(&self) -> String {
        let mut threads: Vec<_> = self.threads.iter().filter(|(_, cpu)| **cpu >= 1.0).collect();
        threads.sort_unstable_by(|one, other| other.1.total_cmp(one.1));
        let words: Vec<String> = threads.iter().map(|(name, cpu)| format!("{name} {cpu:.0}")).collect();
        words.join(", ")
    }
}

/// The same by the names of its threads, for those that live.
fn cpu_of_threads(pid: u32) -> BTreeMap<String, f64> {
    let mut threads = BTreeMap::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").flatten() {
        // One that ended meanwhile is in the process's own sum.
        let Ok(stat) = std::fs::read_to_string(thread.path().join("stat")) else { continue };
        let name = stat.split(['(', ')']).nth(1).unwrap_or_default().to_owned();
        *threads.entry(name).or_default() += ticks(&stat, 2);
    }
    threads
}

/// User and system time of a process with all its threads and ended children, in microseconds.
fn cpu_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    ticks(&stat, 4)
}

/// The first of user, system, children's user and children's system time of a `stat` line.
fn ticks(stat: &str, fields: usize) -> f64 {
    // The fields after the name in parentheses: the state is the third of the file.
    let rest = stat.rsplit_once(')').expect("a name").1;
    let ticks: u64 =
        rest.split_whitespace().skip(11).take(fields).filter_map(|field| field.parse::<u64>().ok()).sum();
    // Linux counts 100 ticks a second for user space whatever its own clock.
    ticks as f64 * 10_000.0
}

struct Floor(Child);

impl Floor {
    fn stop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("the floor could not be stopped: {error}");
        }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        self.stop();
    }
}
