//! Five times what callgate can carry, offered for a minute.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::caller::{Kind, Stream, Tally};
use crate::world::{GOOD, HOLD, NOISY, RINGS, World, plain};
use crate::{full, turn};

/// What one run shows, and what it is to show at least.
struct Shown {
    capacity: f64,
    /// Calls a second that came to their proper end while too many were offered.
    goodput: f64,
    /// Requests inside dialogs, ACKs and CANCELs: how many there were, and how many failed.
    inside: (u64, u64),
    /// Calls placed two seconds after the end of it and later: how many, and how many were not served.
    after: (usize, usize),
    /// Resident memory before and half a minute after it, in KiB.
    resident: (u64, u64),
}

#[test]
fn at_five_times_the_capacity_four_fifths_are_served_and_dialogs_go_on() {
    let _turn = turn();
    let Some(world) = World::start(&["udp://127.0.0.1:0"], &[]) else { return };
    let Some(capacity) = world.capacity() else { return };
    let six = capacity * 6.0;
    assert!(world.tester_does(six), "the tester itself does not do six times {capacity:.0} calls/s");
    println!("capacity {capacity:.0} calls/s; the tester alone does {six:.0} calls/s and more, each whole");
    // Transactions of the calls so far are over.
    let settle = Duration::from_secs(if full() { 40 } else { 1 });
    std::thread::sleep(settle);
    let before = world.resident();

    let streams = streams(capacity);
    let (from, until) = (streams[0].from, streams[0].until);
    let acknowledged = || {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (load(&world.callee.seen.answered), load(&world.callee.seen.acknowledged))
    };
    let known = acknowledged();
    let (spent, began) = (world.cpu(), Instant::now());
    let tallies = world.caller.run(world.router(), &streams);
    let used = (world.cpu() - spent) * 100.0 / began.elapsed().as_secs_f64();
    let named =
        ["noisy", "good", "emergency of good", "emergency of noisy", "cancelled", "standing", "after"];
    for (name, tally) in named.iter().zip(&tallies) {
        println!("  {}", line(name, tally));
    }
    std::thread::sleep(settle);

    let seconds = (until - from).as_secs_f64();
    let whole: u32 = tallies[..5].iter().map(|tally| tally.whole).sum();
    let (answered, acknowledged) = acknowledged();
    let (answered, acknowledged) = (answered - known.0, acknowledged - known.1);
    let asked: u64 = tallies.iter().map(|tally| u64::from(tally.inside)).sum();
    let fine: u64 = tallies.iter().map(|tally| u64::from(tally.inside_fine)).sum();
    let later = until + Duration::from_secs(2);
    let after = &tallies[6];
    let late = after.unserved.iter().filter(|placed| **placed >= later).count();
    let placed = ((streams[6].until - later).as_secs_f64() * streams[6].rate) as usize;
    let shown = Shown {
        capacity,
        goodput: f64::from(whole) / seconds,
        inside: (asked + answered, asked - fine + answered - acknowledged),
        after: (placed, late),
        resident: (before, world.resident()),
    };
    println!("  the target answered {answered} calls, {acknowledged} of them were acknowledged");
    shown.print(f64::from(tallies[0].placed) / seconds, used);
    shown.check();

    for (at, served) in tallies[1..4].iter().enumerate() {
        // A few seconds hold hardly more than the moment in which there is too much; emergencies pass at once.
        let least = if full() || at > 0 { served.placed } else { served.placed / 2 };
        assert!(served.whole >= least, "the quiet one and emergencies are served: {:?}", served.others);
    }
    let retry_after: u32 = tallies.iter().map(|tally| tally.retry_after).sum();
    assert_eq!(retry_after, 0, "RFC 7339 5.10.2");
    assert!(tallies[0].refused > 0, "somebody is refused");
    // Of those admitted before the flood was noticed some find their target too late (500).
    let others: u32 = tallies[0].others.values().sum();
    assert!(others * 100 <= tallies[0].placed, "and by little but 503: {:?}", tallies[0].others);
    world.node.until("the end of every call", |_| world.application.ends().1 == 0);
    let (calls, _, twice) = world.application.ends();
    println!("  {calls} calls were asked about, each with one terminal event");
    assert_eq!(twice, 0);
}

/// Calls that stand; then for a while five times what can be carried; then less than can be carried.
fn streams(capacity: f64) -> Vec<Stream> {
    let seconds = |count: u64| Duration::from_secs(count);
    let (from, until) = if full() { (seconds(3), seconds(63)) } else { (seconds(2), seconds(7)) };
    let end = until + seconds(if full() { 12 } else { 5 });
    let few = if full() { 20.0 } else { 4.0 };
    let of = |stream: Stream, number: &str, kind: Kind| Stream { number: number.to_owned(), kind, ..stream };
    vec![
        plain(NOISY, capacity * 5.0 - few - 4.0, from, until),
        plain(GOOD, few, from, until),
        of(plain(GOOD, 2.0, from, until), "112", Kind::Plain),
        of(plain(NOISY, 1.0, from, until), "911", Kind::Plain),
        Stream { hold: HOLD / 2, ..of(plain(GOOD, 1.0, from, until), RINGS, Kind::Cancelled) },
        Stream {
            hold: end - from,
            kind: Kind::Talkative,
            ..plain(GOOD, few, Duration::ZERO, from - seconds(1))
        },
        plain(NOISY, capacity * 0.75, until, end),
    ]
}

fn line(name: &str, tally: &Tally) -> String {
    let waits = |waits: &[Duration]| {
        let [half, most] = [0.5, 0.99].map(|part| Tally::percentile(waits, part).as_millis());
        format!("p50 {half} ms, p99 {most} ms")
    };
    format!(
        "{name}: {} placed, {} answered, {} whole ({}), {} of {} inside fine, {} refused 503 ({}), others {:?}, \
         {} INVITEs repeated",
        tally.placed,
        tally.answered,
        tally.whole,
        waits(&tally.answers),
        tally.inside_fine,
        tally.inside,
        tally.refused,
        waits(&tally.refusals),
        tally.others,
        tally.repeated
    )
}

impl Shown {
    fn print(&self, offered: f64, used: f64) {
        let (asked, failed) = self.inside;
        println!(
            "offered {offered:.0} calls/s, {:.1} times the capacity; goodput {:.0} calls/s, {:.0} % of it; \
             {used:.1} % of a CPU",
            offered / self.capacity,
            self.goodput,
            self.goodput * 100.0 / self.capacity
        );
        println!("inside dialogs: {failed} of {asked} failed, {:.3} %", failed as f64 * 100.0 / asked as f64);
        println!("from two seconds after it on: {} of {} not served", self.after.1, self.after.0);
        let (before, after) = self.resident;
        println!("resident: {before} KiB before, {after} KiB after");
    }

    /// The full promise in the full count; beside other tests and in a few seconds only its shape.
    fn check(&self) {
        let (goodput, failures) = if full() { (0.8, 0.001) } else { (0.25, 0.01) };
        assert!(self.goodput >= self.capacity * goodput, "goodput");
        assert!(self.inside.1 as f64 <= self.inside.0 as f64 * failures, "inside dialogs");
        if full() {
            assert_eq!(self.after.1, 0, "it has recovered within two seconds");
            assert!(self.resident.1 as f64 <= self.resident.0 as f64 * 1.1, "memory comes back");
        } else {
            assert!(self.after.1 < self.after.0, "it recovers");
        }
    }
}
