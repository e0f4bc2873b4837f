//! The simulated world: the whole router in virtual time between telephones, applications and DNS that
//! are scripts of their own, over links that lose, double, delay and reorder. One seed is one world.
//!
//! `CALLGATE_SEEDS=1000 CALLGATE_FROM=3000 cargo test --test sim` lives so many worlds from a seed on,
//! `make proof` 20,000 of each kind, a thousand at a time, so that it can be stopped;
//! `CALLGATE_SEED=17` replays one and prints its transcript.
//!
//! `world`: time, events, the engines. `links`: datagrams and streams. `people`, `phone`, `proxy`,
//! `application`: who lives there. `operator`, `strays`, `dirty`: what comes from outside. `restart`: the
//! router dies and comes back. `nouns`: what a wide world dials. `states`: hang-ups at any moment. `evidence`,
//! `transcript`, `truths`: what was seen, and what must hold of it. `tamper`, `sabotage`: that each
//! truth can fail.

mod application;
mod dirty;
mod evidence;
mod links;
mod nouns;
mod operator;
mod people;
mod phone;
mod provision;
mod proxy;
mod restart;
mod rng;
mod sabotage;
mod states;
mod strays;
mod tamper;
mod text;
mod transcript;
mod truths;
mod world;

use std::collections::BTreeMap;
use std::time::Instant;

use callgate::call::record::Change;
use callgate::reason::Reason;
use world::{Options, run};

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// How many worlds a test lives: as told, the full count of `make proof`, or a few.
fn count(few: u64) -> u64 {
    let full = std::env::var_os("CALLGATE_PROOF").is_some();
    number("CALLGATE_SEEDS").unwrap_or(if full { 2_000 } else { few })
}

/// Lives worlds one after the other; the first few broken ones are told with their seeds.
fn live(test: &str, seeds: u64, options: &Options, truths: Option<&[&str]>) {
    let (one, from) = (number("CALLGATE_SEED"), number("CALLGATE_FROM").unwrap_or(0));
    let seeds = one.map_or(from..from + count(seeds), |seed| seed..seed + 1);
    let (began, count) = (Instant::now(), seeds.end - seeds.start);
    let (mut failures, mut by_truth) = (Vec::new(), BTreeMap::new());
    for seed in seeds {
        let evidence = run(seed, options);
        if one.is_some() {
            println!("{}", evidence.transcript());
        }
        let broken = truths::broken(&evidence, truths);
        for (name, _) in &broken {
            *by_truth.entry(*name).or_insert(0_u32) += 1;
        }
        if !broken.is_empty() {
            let list: Vec<String> = broken.iter().map(|(name, why)| format!("  {name}: {why}")).collect();
            let replay = format!("CALLGATE_SEED={seed} cargo test --test sim {test} -- --nocapture");
            failures.push(format!("seed {seed}: {replay}\n{}", list.join("\n")));
        }
    }
    println!("{test}: {count} worlds in {:.1} s", began.elapsed().as_secs_f32());
    let (broken, shown) = (failures.len(), failures.len().min(10));
    assert!(
        broken == 0,
        "{broken} of {count} worlds broke a truth: {by_truth:?}\n{}",
        failures[..shown].join("\n")
    );
}

#[test]
fn truths_hold_in_a_lossy_world() {
    live("truths_hold_in_a_lossy_world", 200, &Options::default(), None);
}

#[test]
fn truths_hold_on_a_clean_network() {
    let options = Options { loss: 0, doubled: 0, ..Options::default() };
    live("truths_hold_on_a_clean_network", 100, &options, None);
}

#[test]
fn truths_hold_over_three_shards() {
    live("truths_hold_over_three_shards", 100, &Options { shards: 3, ..Options::default() }, None);
}

/// Trunks of every kind, targets that challenge, redirect, or stand behind names with dead addresses.
#[test]
fn truths_hold_in_a_wide_world() {
    live("truths_hold_in_a_wide_world", 200, &Options { wide: true, ..Options::default() }, None);
}

#[test]
fn damaged_messages_break_nothing_in_a_wide_world() {
    let options = Options { dirty: 8, wide: true, ..Options::default() };
    live("damaged_messages_break_nothing_in_a_wide_world", 60, &options, Some(truths::DIRTY));
}

#[test]
fn damaged_messages_break_nothing_for_good() {
    let options = Options { dirty: 8, loss: 5, ..Options::default() };
    live("damaged_messages_break_nothing_for_good", 100, &options, Some(truths::DIRTY));
}

/// Whatever strangers throw at the router in between, the world goes on as if they were not there.
#[test]
fn strays_change_nothing() {
    for seed in 0..count(20).div_ceil(10).max(20) {
        let calm = run(seed, &Options { loss: 5, ..Options::default() });
        let noisy = run(seed, &Options { loss: 5, strays: true, ..Options::default() });
        assert!(!noisy.to_strangers.is_empty(), "seed {seed}: no stranger was heard");
        let (calm, noisy) = (calm.transcript(), noisy.transcript());
        let first = calm.lines().zip(noisy.lines()).find(|(calm, noisy)| calm != noisy);
        assert!(calm == noisy, "seed {seed}: strangers changed the world at {first:?}");
    }
}

/// Where nobody hangs up early and every target answers, every call is answered.
#[test]
fn plain_calls_are_answered() {
    let plain = Options { loss: 0, plain: true, mood: Some(phone::Mood::Answer), ..Options::default() };
    let wide = Options { wide: true, ..plain.clone() };
    for (seed, options) in (0..30).map(|seed| (seed, &plain)).chain((0..60).map(|seed| (seed, &wide))) {
        let evidence = run(seed, options);
        for call in truths::served(&evidence, "INVITE").iter().filter(|call| call.request.to_tag().is_empty())
        {
            let codes: Vec<u16> = call.finals().map(|(_, _, code)| *code).collect();
            assert!(
                codes.iter().all(|code| *code == 200) && !codes.is_empty(),
                "seed {seed}: {codes:?}\n{}",
                evidence.transcript()
            );
        }
    }
}

/// Where everybody vanishes once connected, calls end by themselves: by the session nobody refreshed,
/// or by the question nobody answered.
#[test]
fn calls_whose_both_ends_vanish_end() {
    let options = Options { vanish: 100, mood: Some(phone::Mood::Answer), ..Options::default() };
    let mut lost = 0;
    for seed in 0..count(30).min(200) {
        let evidence = run(seed, &options);
        let broken = truths::broken(&evidence, None);
        assert!(broken.is_empty(), "seed {seed}: {broken:?}");
        lost += evidence
            .records()
            .filter(|record| {
                let Change::Ended(terminal) = &record.change else { return false };
                let quiet = terminal.duration.as_secs() > 80;
                terminal.reason == Reason::PeerLost && quiet && record.event.is_some()
            })
            .count();
    }
    assert!(lost > 10, "only {lost} calls were lost by both sides");
}

#[test]
fn one_seed_is_one_world() {
    let first = run(7, &Options::default()).transcript();
    assert!(first.lines().count() > 50, "hardly anything happened:\n{first}");
    assert!(first == run(7, &Options::default()).transcript(), "the same seed gave two worlds");
    assert!(first != run(8, &Options::default()).transcript());
}
