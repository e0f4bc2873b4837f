//! CPU per call, callgate's full path beside the floor, in one run.
//!
//! The full path: sipp, callgate, sipp, with webhook, three callbacks and journal. The floor: a bare
//! relay of the same datagrams that makes as many keep-alive HTTP requests and reads nothing of either.
//! `CALLGATE_BENCH_RATES=500,2000` and `CALLGATE_BENCH_SECONDS=10` shape the run.

#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/sipp/app.rs"]
mod app;
mod relay;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/sipp/router.rs"]
mod router;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/sipp/sipp.rs"]
mod sipp;

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
    let seconds: u32 =
        std::env::var("CALLGATE_BENCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let rates = std::env::var("CALLGATE_BENCH_RATES").unwrap_or_else(|_| "500,2000".to_owned());
    println!(
        "{:>9} {:>12} {:>12} {:>7}   (CPU microseconds per call)",
        "calls/s", "callgate", "floor", "ratio"
    );
    for rate in rates.split(',').filter_map(|rate| rate.trim().parse().ok()) {
        let (full, floor) = (full_path(rate, rate * seconds), floor(rate, rate * seconds));
        println!("{rate:>9} {full:>12.0} {floor:>12.0} {:>7.2}", full / floor);
    }
}

/// callgate's CPU per call.
fn full_path(rate: u32, calls: u32) -> f64 {
    let (router, app, callee) = (Router::launch("", 0), App::start(), free_port());
    router.number("1", &app.url(&format!("/dial/{callee}")), &app.url("/status"));
    measure(&router, router.pid(), callee, router.udp, calls, rate, || {
        let until = Instant::now() + Duration::from_secs(30);
        while app.told().len() < 3 * calls as usize && Instant::now() < until {
            thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(app.told().len(), 3 * calls as usize, "callbacks");
    })
}

/// The floor's. An idle router lends its folder.
fn floor(rate: u32, calls: u32) -> f64 {
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
        thread::sleep(Duration::from_secs(1));
        assert_eq!(app.requests().len(), 4 * calls as usize, "requests");
    });
    child.stop();
    cpu
}

fn measure(
    router: &Router,
    pid: u32,
    callee: u16,
    near: std::net::SocketAddr,
    calls: u32,
    rate: u32,
    settled: impl FnOnce(),
) -> f64 {
    let timeout = calls / rate + 60;
    let callees = Sipp::new(router, "callee").port(callee).calls(calls, rate).timeout(timeout).start();
    thread::sleep(Duration::from_millis(300));
    let before = cpu_of(pid);
    let callers =
        Sipp::new(router, "caller").dials("1").toward(near).calls(calls, rate).timeout(timeout).start();
    callers.success();
    callees.success();
    settled();
    (cpu_of(pid) - before) / f64::from(calls)
}

/// User and system time of a process with all its threads and ended children, in microseconds.
fn cpu_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    // The fields after the name in parentheses: the state is the third of the file.
    let rest = stat.rsplit_once(')').expect("a name").1;
    let ticks: u64 =
        rest.split_whitespace().skip(11).take(4).filter_map(|field| field.parse::<u64>().ok()).sum();
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
