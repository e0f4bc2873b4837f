//! Routing at ten million numbers and ten thousand patterns, and the timer queue at a hundred thousand calls.
//!
//! Times are CPU of the thread, so that what else the machine does costs as little as may be; what is compared
//! takes turns. `CALLGATE_BENCH_NUMBERS` is how many.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Duration;

use callgate::routing::Directory;
use callgate::routing::table::{Key, Table};
use callgate::time::Instant;
use callgate::timers::Timers;

use crate::counting::allocations;
use crate::hot::whole_call::Line;
use crate::hot::{self, nth};
use crate::machine::{own_cpu, resident};
use crate::results::{Row, Section, median, number};

type Bare = HashMap<u64, u32, foldhash::fast::RandomState>;

/// Keys that are looked up, each as an INVITE has it.
struct Keys {
    texts: Vec<[u8; 12]>,
}

impl Keys {
    /// `count` of `size` numbers, in no order: each probe is cold.
    fn new(count: u64, size: u64, seed: u64) -> Self {
        let text = |n: u64| {
            let mut text = [b'+'; 12];
            text[1..].copy_from_slice(
                nth((n + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) % size).to_string().as_bytes(),
            );
            text
        };
        Self { texts: (0..count).map(text).collect() }
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        self.texts.iter().map(|text| std::str::from_utf8(text).expect("digits"))
    }
}

/// Nanoseconds of CPU for each key; every one must be found.
fn cold(keys: &Keys, is_there: impl Fn(&str) -> bool) -> f64 {
    let before = own_cpu();
    let found = keys.iter().filter(|key| is_there(black_box(key))).count();
    assert_eq!(found, keys.texts.len(), "every key is there");
    (own_cpu() - before) / keys.texts.len() as f64
}

/// With the number's row.
fn ours(directory: &Directory, keys: &Keys) -> f64 {
    cold(keys, |key| directory.numbers_of(key).count() == 1)
}

fn bare(map: &Bare, keys: &Keys) -> f64 {
    cold(keys, |key| key[1..].parse::<u64>().ok().and_then(|key| map.get(&key).copied()).is_some())
}

/// The table alone, which gives a row's number as the bare map does.
fn probed(table: &Table, keys: &Keys) -> f64 {
    cold(keys, |key| Key::of(key).and_then(|key| table.get(key)).is_some())
}

/// The exact table, cold.
pub fn exact(section: &mut Section) {
    let size = u64::from(number("CALLGATE_BENCH_NUMBERS", 10_000_000));
    let (profile, before) = (hot::profile(), resident(std::process::id()));
    let directory = hot::directory((0..size).map(|n| hot::number(n, &format!("+{}", nth(n)), &profile)));
    let each = (resident(std::process::id()) - before) / size as f64;
    let map: Bare = (0..size).map(|n| (nth(n), n as u32)).collect();
    let mut table = Table::default();
    for n in 0..size {
        table.insert(Key::of(&format!("+{}", nth(n))).expect("digits"), n as u32);
    }
    let keys: Vec<Keys> = (0..2).map(|seed| Keys::new(1_000_000, size, seed * 7_777_777)).collect();
    let counted = allocations();
    let there = keys[0].iter().filter(|key| directory.numbers_of(black_box(key)).next().is_some()).count();
    let allocated = allocations() - counted;
    assert_eq!(there, keys[0].texts.len(), "every key is there");
    let mut found: [Vec<f64>; 4] = Default::default();
    for _ in 0..7 {
        found[0].push(probed(&table, &keys[0]));
        found[1].push(bare(&map, &keys[0]));
        found[2].push(ours(&directory, &keys[0]));
        found[3].push(two(&directory, &keys));
    }
    let against = |one: usize, other: usize| {
        median(&found[one].iter().zip(&found[other]).map(|(one, other)| one / other).collect::<Vec<_>>())
    };
    let (ratio, two) = (against(0, 1), against(3, 2));
    let [table, map, ours, together] = found.map(|figures| median(&figures));
    section.line(&format!(
        "\n{size} numbers, a million cold probes: {table:.0} ns each, a bare hash map {map:.0} ns; with the number's row, which \
         is elsewhere in memory, {ours:.0} ns, by two threads at once {together:.0} ns."
    ));
    let what = |what: &str| format!("{what} at {size} numbers");
    row(
        section,
        what("one cold probe of the exact table, against a bare hash map"),
        "at most 1.2x",
        format!("{ratio:.2}x"),
        ratio <= 1.2,
    );
    row(section, what("allocations of a million look-ups"), "0", allocated.to_string(), allocated == 0);
    row(
        section,
        what("a probe with its row by two threads at once, against one"),
        "no slower (noise: 1.1x)",
        format!("{two:.2}x"),
        two <= 1.1,
    );
    row(
        section,
        what("resident memory per exact number"),
        "under 64 bytes",
        format!("{each:.1} bytes"),
        each < 64.0,
    );
}

/// The mean of two threads at once.
fn two(directory: &Directory, keys: &[Keys]) -> f64 {
    std::thread::scope(|scope| {
        let both: Vec<_> = keys.iter().map(|keys| scope.spawn(|| ours(directory, keys))).collect();
        let each: Vec<f64> = both.into_iter().map(|one| one.join().expect("it looks up")).collect();
        each.iter().sum::<f64>() / each.len() as f64
    })
}

/// All forms through patterns.
pub fn patterns(section: &mut Section) {
    let profile = hot::profile();
    section.line("\nNanoseconds of CPU for all forms of a number that no pattern matches:\n\n| patterns | ns |\n|---|---|");
    let mut last = 0.0;
    for count in [1_u64, 10, 100, 1000, 10_000] {
        let directory = hot::directory((0..count).map(|n| hot::number(n, &hot::indexed(n), &profile)));
        last = decided(&directory);
        section.line(&format!("| {count} | {last:.0} |"));
    }
    let what = "lookup over all forms through 10,000 patterns".to_owned();
    row(section, what, "under 5 us", format!("{:.2} us", last / 1000.0), last < 5000.0);
    let mut found = Vec::new();
    for count in [1_u64, 500] {
        let texts = (0..count).map(|n| format!("[0-9]*{n}[0-9]*[a-f]"));
        let directory =
            hot::directory(texts.enumerate().map(|(n, text)| hot::number(n as u64, &text, &profile)));
        found.push(decided(&directory));
    }
    // 6508251255, +6508251255's E.164 and national readings: at least two forms are tried against every pattern.
    let each = (found[1] - found[0]) / 499.0 / 2.0;
    row(
        section,
        "an unindexable pattern, each form".to_owned(),
        "at most 150 ns",
        format!("{each:.0} ns"),
        each <= 150.0,
    );
}

fn decided(directory: &Directory) -> f64 {
    let times = 20_000;
    let each = || {
        let before = own_cpu();
        for _ in 0..times {
            black_box(hot::decided(directory, black_box("6508251255")));
        }
        (own_cpu() - before) / f64::from(times)
    };
    median(&[each(), each(), each()])
}

/// The timer queue, and the engine, with many calls in progress.
pub fn timers(section: &mut Section) {
    section.line("\nNanoseconds of CPU to start and cancel a timer among so many, and to start one and let it expire:\n\n| timers | start, cancel | start, expire |\n|---|---|---|");
    let mut found = Vec::new();
    for standing in [100_u32, 10_000, 100_000, 1_000_000] {
        let (cancel, expire) = queue(standing);
        section.line(&format!("| {standing} | {cancel:.0} | {expire:.0} |"));
        found.push((standing, cancel + expire));
    }
    section.line("\nMicroseconds inside the engine of a whole call among so many that stand (the median of 2,000):\n\n| calls in progress | us |\n|---|---|");
    let [few, many] = [100, 100_000].map(|standing| {
        let each = whole_call(standing);
        section.line(&format!("| {standing} | {each:.1} |"));
        each
    });
    // A standing call keeps a timer or two: the queue of 100,000 calls.
    let flat = found[2].1 / found[1].1;
    row(
        section,
        "timer queue at 100,000 timers against 10,000".to_owned(),
        "flat: at most 1.5x",
        format!("{flat:.2}x"),
        flat <= 1.5,
    );
    let flat = many / few;
    row(
        section,
        "a whole call inside the engine at 100,000 calls in progress against 100".to_owned(),
        "flat",
        format!("{flat:.2}x"),
        flat <= 1.5,
    );
}

fn queue(standing: u32) -> (f64, f64) {
    let mut timers: Timers<u32> = Timers::new();
    let mut now = Instant::from_millis(1);
    for nth in 0..standing {
        // As calls do: between a second and four hours.
        timers.start(now, Duration::from_millis(3_600_000 + u64::from(nth) * 7919 % 10_800_000), nth);
    }
    let times = 200_000;
    let before = own_cpu();
    for nth in 0..times {
        let id = timers.start(now, Duration::from_millis(500 + u64::from(nth) % 32_000), nth);
        black_box(timers.cancel(id));
    }
    let cancelled = (own_cpu() - before) / f64::from(times);
    let before = own_cpu();
    for nth in 0..times {
        timers.start(now, Duration::from_micros(5), nth);
        now += Duration::from_micros(10);
        assert!(timers.pop(now).is_some(), "one is due");
    }
    (cancelled, (own_cpu() - before) / f64::from(times))
}

fn whole_call(standing: u32) -> f64 {
    let mut line = Line::new(|| 0);
    (0..standing).for_each(|_| line.hold());
    line.rest(Duration::from_secs(64));
    let mut each = Vec::new();
    for _ in 0..2000 {
        line.forget();
        line.call();
        each.push(line.spent.as_secs_f64() * 1e6);
    }
    median(&each)
}

fn row(section: &mut Section, what: String, budget: &str, measured: String, met: bool) {
    section.row(Row { what, budget: budget.to_owned(), measured, met: Some(met), why: String::new() });
}
