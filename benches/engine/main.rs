//! One whole call through the engine in memory: time, and under callgrind instructions.
//!
//! `valgrind --tool=callgrind --toggle-collect='callgate::engine::core::Engine::handle' BINARY --calls 200`
//! counts what the engine alone executes.

#[path = "../../tests/engine/whole_call.rs"]
mod whole_call;

use std::time::Duration;

use criterion::Criterion;
use whole_call::Line;

/// Calls between two rests, in which the transactions of those before end.
const CALLS: u64 = 100;
const REST: Duration = Duration::from_secs(64);

fn main() {
    let mut words = std::env::args().skip_while(|word| word != "--calls").skip(1);
    if let Some(calls) = words.next() {
        let calls = calls.parse().expect("a count");
        println!("{:?} per call", calls_of(calls) / u32::try_from(calls).expect("few"));
        return;
    }
    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("engine/a whole call", |bencher| bencher.iter_custom(calls_of));
    criterion.final_summary();
}

/// The time `calls` calls take inside the engine.
fn calls_of(calls: u64) -> Duration {
    let mut line = Line::new(|| 0);
    for call in 0..calls {
        line.call();
        if call % CALLS == CALLS - 1 {
            line.rest(REST);
        }
    }
    line.rest(REST);
    line.spent
}
