//! Instructions (callgrind) and allocations of each hot path, beside those kept in `baseline.tsv`.
//!
//! This program does the work under callgrind twice, the second time with twice as much: the difference is the
//! work's alone, whatever start and set-up cost. `CALLGATE_BENCH_KEEP=1` makes the figures the new baseline.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::counting::allocations;
use crate::hot::{WORK, Work};
use crate::results::{Row, Section};

/// More instructions than the baseline by this share are a step back.
const TOLERATED: f64 = 0.02;

/// Counts all, and compares.
pub fn instructions(section: &mut Section) {
    let baseline = baseline();
    section
        .line("\nOne piece of work each, with glibc's allocator; baseline: `benches/report/baseline.tsv`.\n");
    section
        .line("| work | instructions | against the baseline | allocations | before |\n|---|---|---|---|---|");
    let (mut kept, mut grown) = (String::new(), Vec::new());
    for (name, work) in WORK {
        let Some(instructions) = counted(name) else {
            section.line("Not measured: valgrind is not installed (`apt-get install valgrind`).");
            return;
        };
        let allocated = allocated(work);
        let (text, before) = match baseline.get(name) {
            Some((before, allocations)) => {
                let change = instructions / before - 1.0;
                if change > TOLERATED || allocated > *allocations {
                    grown.push(name);
                }
                (format!("{:+.1} %", change * 100.0), format!("{allocations}"))
            }
            None => ("new".to_owned(), "–".to_owned()),
        };
        section.line(&format!("| {name} | {instructions:.0} | {text} | {allocated} | {before} |"));
        writeln!(kept, "{name}\t{instructions:.0}\t{allocated}").expect("a string takes all");
    }
    section.row(Row {
        what: "instructions and allocations of the hot paths, against the kept baseline".to_owned(),
        budget: format!("at most {:.0} % more, no allocation more", TOLERATED * 100.0),
        measured: if grown.is_empty() {
            "none grew".to_owned()
        } else {
            format!("grew: {}", grown.join("; "))
        },
        met: Some(grown.is_empty()),
        why: String::new(),
    });
    if std::env::var_os("CALLGATE_BENCH_KEEP").is_some() {
        fs::write(file(), kept).expect("written");
    }
}

/// Does a piece of work so often: what callgrind watches. `words`: how often, and its name.
pub fn run(words: &str) {
    let (times, name) = words.split_once(' ').expect("TIMES NAME");
    let (_, work) = WORK.iter().find(|(known, _)| *known == name).expect("a piece of work");
    let mut work = work();
    for _ in 0..times.parse::<u32>().expect("a count") {
        work();
    }
}

fn counted(name: &str) -> Option<f64> {
    const TIMES: u32 = 200;
    let [once, twice] = [TIMES, 2 * TIMES].map(|times| total(name, times));
    Some((twice? - once?) / f64::from(TIMES))
}

/// What callgrind collects over a whole run of this program.
fn total(name: &str, times: u32) -> Option<f64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("this program"))
        .env("CALLGATE_WORK", format!("{times} {name}"))
        .output()
        .ok()?;
    let told = String::from_utf8_lossy(&output.stderr);
    let line = told.lines().find(|line| line.contains("Collected :"));
    line?.rsplit(' ').next()?.parse().ok()
}

/// Allocations of one piece of work, when it has been done before.
fn allocated(work: Work) -> usize {
    const TIMES: usize = 100;
    let mut work = work();
    (0..TIMES).for_each(|_| work());
    let before = allocations();
    (0..TIMES).for_each(|_| work());
    (allocations() - before) / TIMES
}

fn baseline() -> BTreeMap<String, (f64, usize)> {
    let text = fs::read_to_string(file()).unwrap_or_default();
    let read = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, instructions, allocations] = fields[..] else { return None };
        Some((name.to_owned(), (instructions.parse().ok()?, allocations.parse().ok()?)))
    };
    text.lines().filter_map(read).collect()
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/report/baseline.tsv")
}
