//! CPU per call in redirect mode without callbacks, beside its own floor.

use crate::app::App;
use crate::callgate::{Setup, provision};
use crate::free_port::free_port;
use crate::line::Who;
use crate::pair::{Outcome, Pair, Size};
use crate::results::{Row, Section, median, number};
use crate::sipp::Side;
use crate::subject::{Subject, floor};

/// Redirect mode without callbacks, beside its own floor.
pub fn all(section: &mut Section) {
    let seconds = number("CALLGATE_BENCH_SECONDS", 10);
    section.line("\nRedirect mode without callbacks, CPU per call:\n\n| calls/s | callgate us | floor us | ratio |\n|---|---|---|---|");
    for rate in [500, 2000] {
        let size = Size { rate, calls: rate * seconds };
        let lines = [Line::start(Who::Callgate), Line::start(Who::Floor)];
        for line in &lines {
            line.run(Size { calls: rate, ..size });
        }
        let mut found: [Vec<f64>; 2] = Default::default();
        let mut profile = String::new();
        for _ in 0..number("CALLGATE_BENCH_ROUNDS", 3).max(1) {
            let [ours, floor] = lines.each_ref().map(|line| line.run(size));
            profile = ours.by_thread();
            found[0].push(ours.cpu);
            found[1].push(floor.cpu);
        }
        let ratio =
            median(&found[0].iter().zip(&found[1]).map(|(ours, floor)| ours / floor).collect::<Vec<_>>());
        let [ours, floor] = found.map(|figures| median(&figures));
        section.line(&format!("| {rate} | {ours:.0} | {floor:.0} | {ratio:.2} |"));
        section.bar("redirect mode", &format!("callgate {rate}/s"), ours);
        section.bar("redirect mode", &format!("floor {rate}/s"), floor);
        section.row(Row {
            what: format!("CPU per call, redirect mode at {rate}/s, against its floor"),
            budget: "at most 2.5x".to_owned(),
            measured: format!("{ratio:.2}x"),
            met: Some(ratio <= 2.5),
            why: format!("by thread, us a call: {profile}"),
        });
    }
}

/// Who is measured, with its application.
struct Line {
    who: Who,
    subject: Subject,
    app: App,
}

impl Line {
    fn start(who: Who) -> Self {
        let app = App::start();
        let subject = match who {
            Who::Callgate => {
                let subject = Setup::default().start(30);
                provision(&subject, "redirect", &app.url("/dial/5999"), "");
                subject
            }
            _ => {
                let near = free_port();
                floor(&format!("redirect {near} {}", app.port), near)
            }
        };
        Self { who, subject, app }
    }

    fn run(&self, size: Size) -> Outcome {
        let caller = Side {
            scenario: "redirected",
            transport: "u1",
            port: free_port(),
            remote: self.subject.udp,
            calls: 1,
            rate: 1,
            number: "1",
            ring: 100,
            talk: [0; 2],
            contact: None,
        };
        let heard = if self.who == Who::Callgate { (1, 0) } else { (0, 1) };
        let outcome = Pair { subject: &self.subject, app: &self.app, callee: None, caller, heard }.run(size);
        assert!(outcome.failed == 0 && outcome.unheard == 0, "calls failed in redirect mode");
        println!(
            "  redirect {}/s {}: {:.0} us; {}",
            size.rate,
            self.who.name(),
            outcome.cpu,
            outcome.by_thread()
        );
        outcome
    }
}
