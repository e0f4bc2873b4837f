//! CPU per call in redirect mode without callbacks, beside its own floor.

use crate::line::{Line, Who};
use crate::results::{Row, Section};
use crate::rounds::{by_thread, cpu, lost, ratio, rounds};

/// Redirect mode without callbacks, beside its own floor.
pub fn all(section: &mut Section) {
    section.line("\nRedirect mode without callbacks, CPU per call:\n\n| calls/s | callgate us | floor us | ratio |\n|---|---|---|---|");
    for rate in [500, 2000] {
        let all = rounds("redirect", &[Who::Callgate, Who::Floor].map(Line::redirected), rate);
        assert!(all.iter().all(|outcomes| lost(outcomes) == 0), "calls failed in redirect mode");
        let (ours, floor, ratio) = (cpu(&all[0]), cpu(&all[1]), ratio(&all, 0, 1));
        section.line(&format!("| {rate} | {ours:.0} | {floor:.0} | {ratio:.2} |"));
        section.bar("redirect mode", &format!("callgate {rate}/s"), ours);
        section.bar("redirect mode", &format!("floor {rate}/s"), floor);
        section.row(Row {
            what: format!("CPU per call, redirect mode at {rate}/s, against its floor"),
            budget: "at most 2.5x".to_owned(),
            measured: format!("{ratio:.2}x"),
            met: Some(ratio <= 2.5),
            why: format!("by thread, us a call: {}", by_thread(&all[0])),
        });
    }
}
