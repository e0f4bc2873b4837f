//! This build beside others of callgate, in the same rounds: whether a change is one.
//! `CALLGATE_BENCH_AGAINST=/path/to/callgate,/path/to/another make bench SECTIONS=against`.

use std::path::PathBuf;

use crate::callgate::Setup;
use crate::line::Line;
use crate::path::rates;
use crate::results::Section;
use crate::rounds::{by_thread, cpu, lost, ratio, rounds};

/// The full path over UDP through each of them.
pub fn others(section: &mut Section) {
    let Ok(others) = std::env::var("CALLGATE_BENCH_AGAINST") else {
        section.line("Not measured: CALLGATE_BENCH_AGAINST names no other build.");
        return;
    };
    let others: Vec<PathBuf> = others.split(',').map(PathBuf::from).collect();
    for rate in rates() {
        let builds = std::iter::once(None).chain(others.iter().cloned().map(Some));
        let lines: Vec<Line> =
            builds.map(|binary| Line::with_store(Setup { binary, ..Setup::default() }, 30)).collect();
        let all = rounds("against", &lines, rate);
        section.line(&format!("\nBuilds at {rate} calls/s, CPU per call:\n"));
        section.line("| | us | this one's part of it | lost | by thread |\n|---|---|---|---|---|");
        let names = std::iter::once("this one".to_owned())
            .chain(others.iter().map(|path| path.display().to_string()));
        for (at, name) in names.enumerate() {
            section.line(&format!(
                "| {name} | {:.0} | {:.2} | {} | {} |",
                cpu(&all[at]),
                ratio(&all, 0, at),
                lost(&all[at]),
                by_thread(&all[at])
            ));
        }
    }
}
