//! How long routing takes: exact look-ups among 10^3 to 10^6 numbers (10^7 with `CALLGATE_BENCH_BIG=1`),
//! a bare hash map beside them, and all forms through 1 to 10,000 patterns.

#[allow(dead_code, reason = "the other benches use the rest")]
#[path = "../hot/mod.rs"]
mod hot;

use std::collections::HashMap;
use std::hint::black_box;

use callgate::routing::model::Delta;
use criterion::{BenchmarkId, Criterion};

use hot::{decided, directory, indexed, nth, number, profile};

fn exact(criterion: &mut Criterion) {
    let big = std::env::var_os("CALLGATE_BENCH_BIG").is_some();
    let sizes = [1_000_u64, 100_000, 1_000_000].into_iter().chain(big.then_some(10_000_000));
    for size in sizes {
        let (profile, before) = (profile(), resident());
        let directory = directory((0..size).map(|n| number(n, &format!("+{}", nth(n)), &profile)));
        println!("{size} numbers: {:.1} bytes each", (resident() - before) / size as f64);
        let bare: HashMap<u64, u32, foldhash::fast::RandomState> =
            (0..size).map(|n| (nth(n), n as u32)).collect();
        let texts: Vec<String> = (0..4096).map(|n| format!("+{}", nth(n * 2_654_435_761 % size))).collect();
        let mut at = 0;
        let mut next = move || {
            at = (at + 1) % 4096;
            at
        };
        let mut group = criterion.benchmark_group("exact");
        group.bench_function(BenchmarkId::new("probe", size), |bencher| {
            bencher.iter(|| directory.numbers_of(black_box(&texts[next()])).count());
        });
        group.bench_function(BenchmarkId::new("bare map", size), |bencher| {
            bencher.iter(|| texts[next()][1..].parse::<u64>().ok().and_then(|key| bare.get(&key).copied()));
        });
        group.bench_function(BenchmarkId::new("decide", size), |bencher| {
            bencher.iter(|| decided(&directory, black_box(&texts[next()])));
        });
        let delta = Delta { written: vec![number(size + 1, "+4930123456", &profile)], ..Delta::default() };
        group.bench_function(BenchmarkId::new("delta of one", size), |bencher| {
            bencher.iter(|| directory.apply(black_box(&delta), 2));
        });
    }
}

fn patterns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("patterns");
    for count in [1_u64, 100, 10_000] {
        let profile = profile();
        let directory = directory((0..count).map(|n| number(n, &indexed(n), &profile)));
        group.bench_function(BenchmarkId::new("miss", count), |bencher| {
            bencher.iter(|| decided(&directory, black_box("#0000000000000#")));
        });
        group.bench_function(BenchmarkId::new("all forms", count), |bencher| {
            bencher.iter(|| decided(&directory, black_box("6508251255")));
        });
    }
    for count in [1_u64, 500] {
        let profile = profile();
        let text = |n| format!("[0-9]*{n}[0-9]{{30,40}}[a]?.*");
        let directory = directory((0..count).map(|n| number(n, &text(n), &profile)));
        group.bench_function(BenchmarkId::new("unindexable", count), |bencher| {
            bencher.iter(|| decided(&directory, black_box("6508251255")));
        });
    }
}

/// Resident bytes now, from `/proc`.
fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4096.0
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    exact(&mut criterion);
    patterns(&mut criterion);
    criterion.final_summary();
}
