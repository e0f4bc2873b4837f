//! The delay that each adds to set-up, apart from webhook and target, at half of callgate's highest rate.

use std::time::Duration;

use crate::app::App;
use crate::callgate::{Setup, provision};
use crate::free_port::free_port;
use crate::line::Who;
use crate::machine::Quota;
use crate::probe::{Callee, call};
use crate::rate::share;
use crate::results::{Row, Section, kept, number};
use crate::subject::{Does, floor, kamailio};

/// The percentiles of each, under the quota of `rate`.
pub fn added(section: &mut Section) {
    // What `rate` found when it last ran; else a guess that any machine holds.
    let highest = kept("rate").and_then(|kept| kept["values"]["highest"].as_f64()).unwrap_or(300.0);
    let rate = number("CALLGATE_BENCH_DELAY_RATE", highest as u32 / 2).max(10);
    let calls = number("CALLGATE_BENCH_DELAY_CALLS", 10_000);
    let quota = Quota::new(share());
    section.line(&format!(
        "\nFrom INVITE to 200, less the time the question was at the application, {calls} calls at {rate}/s, {}:\n\n\
         | | p50 ms | p99 ms | p99.9 ms | unanswered |\n|---|---|---|---|---|",
        quota.as_ref().map_or("without a quota".to_owned(), |_| format!("each with {:.0} % of one core", share() * 100.0))
    ));
    let all = [Who::Floor, Who::Callgate, Who::Kamailio(Does::Relay), Who::Kamailio(Does::Webhook)];
    let found = all.map(|who| {
        let (delays, lost) = delays(who, calls, rate, quota.as_ref());
        let at = |part: f64| {
            delays.get(((delays.len() as f64 * part) as usize).min(delays.len().saturating_sub(1)))
        };
        let [p50, p99, p999] =
            [0.5, 0.99, 0.999].map(|part| at(part).map_or(f64::NAN, |delay| delay.as_secs_f64() * 1000.0));
        section.line(&format!("| {} | {p50:.2} | {p99:.2} | {p999:.2} | {lost} |", who.name()));
        p99
    });
    section.row(Row {
        what: format!("added set-up delay at half load ({rate}/s), p99"),
        budget: format!("at most the floor's {:.2} + 2 ms", found[0]),
        measured: format!("{:.2} ms", found[1]),
        met: Some(found[1] <= found[0] + 2.0),
        why: String::new(),
    });
}

/// The delays, sorted, and how many calls were not answered.
fn delays(who: Who, calls: u32, rate: u32, quota: Option<&Quota>) -> (Vec<Duration>, usize) {
    let (app, callee) = (App::start(), Callee::start());
    app.note();
    let subject = match who {
        Who::Floor => {
            let near = free_port();
            floor(&format!("{near} {} {}", callee.port, app.port), near)
        }
        Who::Callgate => {
            let subject = Setup::default().start(30);
            provision(&subject, "call", &app.url(&format!("/dial/{}", callee.port)), &app.url("/status"));
            subject
        }
        Who::Kamailio(does) => kamailio(does, &callee.port.to_string(), app.port, None),
    };
    call(subject.udp, rate, rate);
    if let Some(quota) = quota {
        quota.hold(subject.pid());
    }
    let told = call(subject.udp, calls, rate);
    let own = |(id, delay): (&String, &Duration)| delay.saturating_sub(app.noted(id).unwrap_or_default());
    let mut delays: Vec<Duration> = told.delays.iter().map(own).collect();
    delays.sort_unstable();
    (delays, told.lost)
}
