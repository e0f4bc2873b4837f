//! The highest rate without a failed call, callgate and Kamailio under one quota in one run; and the tester's own ceiling.

use crate::free_port::free_port;
use crate::line::{Line, Who};
use crate::machine::Quota;
use crate::pair::Size;
use crate::results::{Row, Section, number};
use crate::sipp::{Counted, Side};
use crate::subject::Does;
use crate::tls::Tls;

/// The share of one core that each subject gets.
/// As large as leaves the tester six times what the fastest of them manages.
pub fn share() -> f64 {
    f64::from(number("CALLGATE_BENCH_QUOTA_PERCENT", 50)) / 100.0
}

/// Finds the rates.
pub fn highest(section: &mut Section) {
    let Some(quota) = Quota::new(share()) else {
        section.line("Not measured: no CPU quota can be set here (it takes root and a writable cgroup).");
        return;
    };
    let tls = Tls::new();
    let calls = number("CALLGATE_BENCH_CALLS", 50_000);
    let ceiling = ceiling();
    section.line(&format!(
        "\nEach under a quota of {:.0} % of one core (cgroup, periods of 100 ms), {calls} calls at the last step; the sipp pair alone, \
         without a quota: {ceiling} calls/s.\n\n| | calls/s without a failed call | tester's ceiling over it |\n|---|---|---|",
        share() * 100.0
    ));
    let found = [Who::Callgate, Who::Kamailio(Does::Webhook), Who::Kamailio(Does::Relay)].map(|who| {
        let rate = search(who, calls, &quota, &tls);
        section.line(&format!(
            "| {} | {rate} | {:.1} |",
            who.name(),
            f64::from(ceiling) / f64::from(rate.max(1))
        ));
        rate
    });
    section.value("highest", f64::from(found[0]));
    let ratio = f64::from(found[0]) / f64::from(found[1].max(1));
    let enough = f64::from(ceiling) >= 6.0 * f64::from(found[0]);
    section.row(Row {
        what: format!(
            "highest rate without a failed call over {calls} calls, against Kamailio doing the same"
        ),
        budget: "3x".to_owned(),
        measured: format!("{} against {}/s: {ratio:.1}x", found[0], found[1]),
        met: Some(ratio >= 3.0),
        why: "what a call costs at such rates, by thread: `full`; what of it is a library's: `parts`"
            .to_owned(),
    });
    section.row(Row {
        what: "the tester's own ceiling over callgate's rate".to_owned(),
        budget: "at least 6x".to_owned(),
        measured: format!("{:.1}x", f64::from(ceiling) / f64::from(found[0].max(1))),
        met: Some(enough),
        why: "lower the quota: CALLGATE_BENCH_QUOTA_PERCENT".to_owned(),
    });
}

/// The highest rate at which `calls` calls go through: short steps up, by a half and then by an eighth, then the whole
/// count, down while it fails.
fn search(who: Who, calls: u32, quota: &Quota, tls: &Tls) -> u32 {
    let mut rate = 60;
    for step in [12, 9] {
        while holds(who, rate * step / 8, rate * step / 8 * 5, quota, tls) {
            rate = rate * step / 8;
        }
    }
    while rate > 20 && !holds(who, rate, calls, quota, tls) {
        rate = rate * 9 / 10;
    }
    rate
}

fn holds(who: Who, rate: u32, calls: u32, quota: &Quota, tls: &Tls) -> bool {
    let line = Line::start(who, "udp", tls);
    quota.hold(line.subject.pid());
    let outcome = line.run(Size { rate, calls });
    let (failed, repeated, unheard) = (outcome.failed, outcome.repeated, outcome.unheard);
    println!(
        "  {} at {rate}/s, {calls} calls: {failed} failed, {repeated} repeated, {unheard} unheard",
        who.name()
    );
    // What must be sent again was late by 500 ms: one in a thousand is the tester's, more is no rate that holds.
    failed == 0 && unheard == 0 && repeated * 1000 <= u64::from(calls)
}

/// What the two sipps manage between themselves.
fn ceiling() -> u32 {
    let mut rate = 1000;
    while rate < 20_000 && direct(rate * 5 / 4) {
        rate = rate * 5 / 4;
    }
    rate
}

fn direct(rate: u32) -> bool {
    let folder = crate::subject::folder();
    let (callee, caller) = (free_port(), free_port());
    let side = |scenario, own, other| {
        let remote = ([127, 0, 0, 1], other).into();
        Side { calls: rate * 4, rate, ..Side::new(scenario, own, remote) }
    };
    let (callee, caller) = (side("callee", callee, caller), side("caller", caller, callee));
    let called = callee.start(&folder);
    std::thread::sleep(std::time::Duration::from_millis(200));
    let began = std::time::Instant::now();
    let counted = caller.start(&folder).end();
    let took = began.elapsed().as_secs_f64();
    let answered = if counted.failed == 0 && counted.ended { called.end() } else { Counted::default() };
    if let Err(error) = std::fs::remove_dir_all(&folder) {
        eprintln!("{} stays: {error}", folder.display());
    }
    // A sipp that cannot keep up takes longer, without a failure.
    let kept_up = took < 5.5;
    println!(
        "  sipp to sipp at {rate}/s: {} failed, {} repeated, {took:.1} s",
        counted.failed, counted.repeated
    );
    counted.failed == 0
        && counted.repeated * 100 <= u64::from(rate)
        && answered.good == u64::from(rate) * 4
        && kept_up
}
