//! CPU per call: the same scenario through callgate, the floor and Kamailio, one after the other in each round.

use crate::line::{Line, Who};
use crate::pair::Outcome;
use crate::results::{Row, Section, number};
use crate::rounds::{by_thread, cpu, lost, ratio, rounds};
use crate::subject::Does;
use crate::tls::Tls;

/// What each of `who` costs over one transport, in a table.
fn costs(
    who: &[Who],
    transport: &'static str,
    rate: u32,
    tls: &Tls,
    section: &mut Section,
) -> Vec<Vec<Outcome>> {
    let lines: Vec<Line> = who.iter().map(|one| Line::start(*one, transport, tls)).collect();
    let all = rounds(transport, &lines, rate);
    table(who, &all, transport, rate, section);
    all
}

fn table(who: &[Who], all: &[Vec<Outcome>], transport: &str, rate: u32, section: &mut Section) {
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
        section.line(&format!("\ncallgate by thread, last round: {}.", by_thread(&all[at])));
    }
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
    for rate in rates() {
        let all = costs(&who, "udp", rate, &tls, section);
        let profile = by_thread(&all[1]);
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
        let lost = lost(&all[1]);
        section.row(Row {
            what: format!("failed or disturbed calls, and unheard reports, of callgate at {rate}/s"),
            budget: "0".to_owned(),
            measured: lost.to_string(),
            met: Some(lost == 0),
            why: String::new(),
        });
    }
}

/// Calls each second at which the full path is measured.
pub fn rates() -> Vec<u32> {
    let rates = std::env::var("CALLGATE_BENCH_RATES").unwrap_or_else(|_| "500,2000".to_owned());
    rates.split(',').filter_map(|rate| rate.trim().parse().ok()).collect()
}

/// TCP and TLS, beside Kamailio.
pub fn streams(section: &mut Section) {
    let tls = Tls::new();
    let who = [Who::Callgate, Who::Kamailio(Does::Relay), Who::Kamailio(Does::Webhook)];
    for transport in ["tcp", "tls"] {
        let all = costs(&who, transport, number("CALLGATE_BENCH_STREAM_RATE", 300), &tls, section);
        let found = ratio(&all, 0, 2);
        section.row(Row {
            what: format!(
                "CPU per call, full path over {}, against Kamailio doing the same",
                transport.to_uppercase()
            ),
            budget: "at most a third".to_owned(),
            measured: format!("{found:.2}x"),
            met: Some(found <= 1.0 / 3.0),
            why: format!("by thread, us a call: {}", by_thread(&all[0])),
        });
    }
}
