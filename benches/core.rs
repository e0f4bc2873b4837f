//! The hot paths, timed: reading and printing messages, a transaction, look-ups, patterns, RCML, a whole call.

#[allow(dead_code, reason = "the other benches use the rest")]
mod hot;

use criterion::{Criterion, criterion_group, criterion_main};

fn core(criterion: &mut Criterion) {
    for (name, set_up) in hot::WORK {
        let mut work = set_up();
        criterion.bench_function(name, |bencher| bencher.iter(&mut work));
    }
}

criterion_group!(benches, core);
criterion_main!(benches);
