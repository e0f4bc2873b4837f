//! CPU per call: the same scenario through callgate, the floor and Kamailio, one after the other in each round.

use crate::line::{Line, Who};
use crate::pair::{Outcome, Size};
use crate::results::{Row, Section, median, number};
use crate::subject::Does;
use crate::tls::Tls;

/// What each of `who` costs, round by round, all of them in each.
fn rounds(
    who: &[Who],
    transport: &'static str,
    rate: u32,
    tls: &Tls,
    section: &mut Section,
) -> Vec<Vec<Outcome>> {
    let seconds = number("CALLGATE_BENCH_SECONDS", 10);
    let mut all: Vec<Vec<Outcome>> = who.iter().map(|_| Vec::new()).collect();
    // They stay from round to round: a daemon that has just begun still gets its memory from the system.
    let lines: Vec<Line> = who.iter().map(|one| Line::start(*one, transport, tls)).collect();
    for line in &lines {
        line.run(Size { rate, calls: rate });
    }
    for _ in 0..number("CALLGATE_BENCH_ROUNDS", 3).max(1) {
        for (line, outcomes) in lines.iter().zip(&mut all) {
            let outcome = line.run(Size { rate, calls: rate * seconds });
            let (cpu, threads) = (outcome.cpu, outcome.by_thread());
            println!(
                "  {transport} {rate}/s {}: {cpu:.0} us, {} failed, {} repeated; {threads}",
                line.who.name(),
                outcome.failed,
                outcome.repeated
            );
            outcomes.push(outcome);
        }
    }
    table(who, &all, transport, rate, section);
    all
}

fn table(who: &[Who], all: &[Vec<Outcome>], transport: &str, rate: u32, section: &mut Section) {
    let cpu = |outcomes: &[Outcome]| median(&outcomes.iter().map(|outcome| outcome.cpu).collect::<Vec<_>>());
    let ours = who.iter().position(|one| *one == Who::Callgate).map_or(f64::NAN, |at| cpu(&all[at]));
    section.line(&format!("\n{} at {rate} calls/s, CPU per call:\n", transport.to_uppercase()));
    section.line("| | us | callgate's part of it | failed | repeated | unheard |\n|---|---|---|---|---|---|");
    for (one, outcomes) in who.iter().zip(all) {
        let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
        section.line(&format!(
            "| {} | {:.0} | {:.2} | {} | {} | {} |",
            one.name(),
            cpu(outcomes),
            ours / cpu(outcomes),
            sum(|outcome| outcome.failed),
            sum(|outcome| outcome.repeated),
            sum(|outcome| outcome.unheard)
        ));
        section.bar(&format!("{} {rate} calls/s", transport.to_uppercase()), one.name(), cpu(outcomes));
    }
    if let Some(at) = who.iter().position(|one| *one == Who::Callgate) {
        section.line(&format!(
            "\ncallgate by thread, last round: {}.",
            all[at].last().map_or(String::new(), Outcome::by_thread)
        ));
    }
}

/// The median over rounds of one's CPU as a part of another's.
fn ratio(all: &[Vec<Outcome>], one: usize, other: usize) -> f64 {
    let each = all[one].iter().zip(&all[other]).map(|(one, other)| one.cpu / other.cpu);
    median(&each.collect::<Vec<_>>())
}

/// The full path over UDP beside the floor and all of Kamailio, at each rate.
pub fn full(section: &mut Section) {
    let tls = Tls::new();
    let who = [
        Who::Floor,
        Who::Callgate,
        Who::Kamailio(Does::Relay),
        Who::Kamailio(Does::Dialogs),
        Who::Kamailio(Does::Webhook),
    ];
    let rates = std::env::var("CALLGATE_BENCH_RATES").unwrap_or_else(|_| "500,2000".to_owned());
    for rate in rates.split(',').filter_map(|rate| rate.trim().parse().ok()) {
        let all = rounds(&who, "udp", rate, &tls, section);
        let profile = all[1].last().map_or(String::new(), Outcome::by_thread);
        for (other, most, budget) in
            [(0, 2.0, "at most 2.0x"), (4, 1.0 / 3.0, "at most a third"), (2, 1.0, "aim: less")]
        {
            let found = ratio(&all, 1, other);
            section.row(Row {
                what: format!("CPU per call, full path at {rate}/s, against: {}", who[other].name()),
                budget: budget.to_owned(),
                measured: format!("{found:.2}x"),
                met: Some(found <= most),
                why: format!("by thread, us a call: {profile}"),
            });
        }
        let lost: u64 = all[1].iter().map(|outcome| outcome.failed + outcome.unheard).sum();
        section.row(Row {
            what: format!("failed or disturbed calls, and unheard reports, of callgate at {rate}/s"),
            budget: "0".to_owned(),
            measured: lost.to_string(),
            met: Some(lost == 0),
            why: String::new(),
        });
    }
}

/// TCP and TLS, beside Kamailio.
pub fn streams(section: &mut Section) {
    let tls = Tls::new();
    let who = [Who::Callgate, Who::Kamailio(Does::Relay), Who::Kamailio(Does::Webhook)];
    for transport in ["tcp", "tls"] {
        let all = rounds(&who, transport, number("CALLGATE_BENCH_STREAM_RATE", 300), &tls, section);
        let found = ratio(&all, 0, 2);
        section.row(Row {
            what: format!(
                "CPU per call, full path over {}, against Kamailio doing the same",
                transport.to_uppercase()
            ),
            budget: "at most a third".to_owned(),
            measured: format!("{found:.2}x"),
            met: Some(found <= 1.0 / 3.0),
            why: String::new(),
        });
    }
}
