//! The bench that tells the truth: `make bench`, or one section of it by name.
//!
//! - `machine`: what the scheduler says a process tree spent. `subject`, `callgate`: who is measured.
//! - `app`, `sipp`, `free_port`, `tls`, `pair`: who calls through it, and one measured run.
//! - `line`, `rounds`: who is measured, and several side by side. `path`, `redirect`: CPU per call, by transport and mode;
//!   `parts`: of a request alone. `against`: of other builds.
//! - `rate`, `delay`, `probe`: the highest rate under a quota, and what is added to set-up at half of it. `flat`, `load`,
//!   `postgres`, `numbers`, `journal`: what calls in progress, ten million numbers, reloads and the disk cost.
//! - `lookup`, `count`: the core alone, by CPU time, by instructions and allocations.
//! - `results`, `report`, `plot`: what is kept, and the page it makes: `target/bench/report.md`.

mod against;
mod app;
mod callgate;
mod count;
#[path = "../../tests/engine/counting.rs"]
mod counting;
mod delay;
mod flat;
#[path = "../../tests/sipp/free_port.rs"]
mod free_port;
#[allow(dead_code, reason = "the other benches use the rest")]
#[path = "../hot/mod.rs"]
mod hot;
mod journal;
mod line;
mod load;
mod lookup;
mod machine;
mod numbers;
mod pair;
mod parts;
mod path;
mod plot;
mod postgres;
mod probe;
mod rate;
mod redirect;
#[path = "../floor/relay.rs"]
mod relay;
mod report;
mod results;
mod rounds;
#[allow(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/store/servers.rs"]
mod servers;
#[path = "../../tests/sipp/side.rs"]
mod sipp;
mod subject;
mod tls;

use results::Section;

/// Measures, and says what it found.
type Measure = fn(&mut Section);

/// The sections by name, in the report's order, with what each measures.
const SECTIONS: [(&str, Measure); 16] = [
    ("full", path::full),
    ("redirect", redirect::all),
    ("parts", parts::requests),
    ("streams", path::streams),
    ("rate", rate::highest),
    ("delay", delay::added),
    ("journal", journal::all),
    ("calls", flat::by_calls),
    ("numbers", flat::by_numbers),
    ("load", load::sqlite),
    ("postgres", postgres::all),
    ("exact", lookup::exact),
    ("patterns", lookup::patterns),
    ("timers", lookup::timers),
    ("count", count::instructions),
    ("against", against::others),
];

fn main() {
    if let Ok(words) = std::env::var("CALLGATE_FLOOR") {
        relay::run(&words);
        return;
    }
    if let Ok(words) = std::env::var("CALLGATE_WORK") {
        count::run(&words);
        return;
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    if let Some(unknown) = words.iter().find(|word| !SECTIONS.iter().any(|(name, _)| name == word)) {
        let names: Vec<&str> = SECTIONS.iter().map(|(name, _)| *name).collect();
        eprintln!("{unknown} is no section: {}", names.join(", "));
        std::process::exit(64);
    }
    for (name, run) in SECTIONS {
        if words.is_empty() || words.iter().any(|word| word == name) {
            println!("== {name}");
            let mut section = Section::default();
            run(&mut section);
            section.keep(name);
        }
    }
    report::write(&SECTIONS.map(|(name, _)| name));
}
