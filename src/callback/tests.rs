//! The rules of delivery in virtual time: a world of receivers that answer as they are told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;

use super::config::Config;
use super::notice::{Notice, Receiver};
use super::outcomes::Dead;
use super::queue::{Queue, Try};
use super::receiver::{End, Result};
use crate::call::facts::CallFacts;
use crate::call::outcome::CallStatus;
use crate::call::record::Event;
use crate::ids::{AccountSid, CallSid};
use crate::routing::model::{Hook, Method, VoiceProfile};
use crate::time::Instant;

const FAIL: Result = Result::Failed { outage: false, retry_after: None };
const DOWN: Result = Result::Failed { outage: true, retry_after: None };

fn notice(url: &str, call: u128, sequence: u32, status: CallStatus) -> Notice {
    let hook = Hook { url: url.into(), method: Method::Post };
    let profile = Arc::new(VoiceProfile { status_callback: Some(hook), ..VoiceProfile::default() });
    let facts = Arc::new(CallFacts {
        profile,
        base_url: "https://a.example".into(),
        ..CallFacts::plain(CallSid(call))
    });
    let (event, at) = (Event { sequence, status }, SystemTime::UNIX_EPOCH);
    Notice {
        facts,
        seq: sequence,
        event,
        at,
        started: at,
        outbound: None,
        leg: None,
        terminal: None,
        tries: 0,
        form: None,
    }
}

fn status(sequence: u32, last: u32) -> CallStatus {
    match sequence {
        s if s == last => CallStatus::Completed,
        0 => CallStatus::Ringing,
        _ => CallStatus::InProgress,
    }
}

/// Runs a queue; every try takes a while and ends as the script says.
struct World {
    queue: Queue,
    now: Instant,
    takes: Duration,
    flying: Vec<(Instant, Try)>,
    /// Call, sequence, when, number.
    tried: Vec<(u128, u32, Duration, u32)>,
    delivered: Vec<(u128, u32)>,
    superseded: Vec<(u128, u32, Duration)>,
    dead: Vec<(u128, u32, Dead)>,
    most: HashMap<Receiver, usize>,
}

impl World {
    fn new(config: Config) -> Self {
        Self {
            queue: Queue::new(config, Box::new(|| 0.0)),
            now: Instant::ZERO,
            takes: Duration::from_millis(10),
            flying: Vec::new(),
            tried: Vec::new(),
            delivered: Vec::new(),
            superseded: Vec::new(),
            dead: Vec::new(),
            most: HashMap::new(),
        }
    }

    fn push(&mut self, notice: Notice) {
        self.queue.push(notice, self.now);
    }

    fn call(&mut self, url: &str, call: u128, events: u32) {
        for sequence in 0..events {
            self.push(notice(url, call, sequence, status(sequence, events - 1)));
        }
    }

    /// Lets everything happen that happens until `end`.
    fn run(&mut self, end: Duration, mut script: impl FnMut(&Try, Duration) -> Result) {
        let end = Instant::ZERO + end;
        loop {
            self.start();
            self.collect();
            let landing = self.flying.iter().map(|(at, _)| *at).min();
            let Some(next) = landing.into_iter().chain(self.queue.next()).min().filter(|at| *at <= end)
            else {
                self.now = self.now.max(end);
                return;
            };
            self.now = self.now.max(next);
            while let Some(at) = self.flying.iter().position(|(at, _)| *at <= self.now) {
                let (_, tried) = self.flying.remove(at);
                let result = script(&tried, self.now - Instant::ZERO);
                self.queue.finish(&tried, result, self.now);
                if result == Result::Taken {
                    self.delivered.push((tried.notice.call().0, tried.notice.event.sequence));
                }
                self.collect();
            }
        }
    }

    fn start(&mut self) {
        for tried in self.queue.start(self.now) {
            let call = tried.notice.call().0;
            assert!(!self.flying.iter().any(|(_, t)| t.notice.call().0 == call), "one at a time per call");
            let sequence = tried.notice.event.sequence;
            self.tried.push((call, sequence, self.now - Instant::ZERO, tried.number));
            self.flying.push((self.now + self.takes, tried));
        }
        let mut flying: HashMap<Receiver, usize> = HashMap::new();
        for (_, tried) in &self.flying {
            *flying.entry(tried.receiver.clone()).or_default() += 1;
        }
        for (receiver, count) in flying {
            let most = self.most.entry(receiver).or_default();
            *most = count.max(*most);
        }
    }

    fn collect(&mut self) {
        for end in self.queue.ended() {
            let name = |notice: &Arc<Notice>| (notice.call().0, notice.event.sequence);
            match end {
                End::Superseded(notice) => {
                    let (call, sequence) = name(&notice);
                    self.superseded.push((call, sequence, self.now - Instant::ZERO));
                }
                End::Dead(notice, why) => {
                    let (call, sequence) = name(&notice);
                    self.dead.push((call, sequence, why));
                }
            }
        }
    }
}

const HOUR: u64 = 3_600;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_schedule_is_kept_and_ends_in_a_dead_letter() {
    let mut world = World::new(Config::default());
    world.takes = Duration::ZERO;
    world.push(notice("/a", 1, 0, CallStatus::Completed));
    world.run(secs(100 * HOUR), |_, _| FAIL);
    let waits: Vec<_> = world.tried.windows(2).map(|pair| (pair[1].2 - pair[0].2).as_secs()).collect();
    let hours = |h: u64| h * HOUR;
    let rest = [hours(2), hours(5), hours(10), hours(14), hours(20), hours(24)];
    assert_eq!(waits, [&[5, 300, 1_800][..], &rest].concat());
    assert_eq!(world.tried.iter().map(|t| t.3).collect::<Vec<_>>(), (1..=10).collect::<Vec<_>>());
    assert_eq!(world.dead, [(1, 0, Dead::Exhausted)]);
    assert_eq!(world.queue.size(), (0, 0));
}

#[test]
fn jitter_only_ever_adds_and_a_tenth_at_most() {
    let mut world = World::new(Config::default());
    world.queue = Queue::new(Config::default(), Box::new(|| 1.0));
    world.takes = Duration::ZERO;
    world.push(notice("/a", 1, 0, CallStatus::Completed));
    world.run(secs(20), |_, _| FAIL);
    assert_eq!(world.tried[1].2, Duration::from_millis(5_500));
}

#[test]
fn events_of_a_call_leave_in_order_and_at_once() {
    let mut world = World::new(Config::default());
    world.call("/a", 1, 3);
    world.run(secs(1), |_, _| Result::Taken);
    assert_eq!(world.delivered, [(1, 0), (1, 1), (1, 2)]);
    assert_eq!(world.tried.last().unwrap().2, Duration::from_millis(20));
}

#[test]
fn a_later_event_waits_for_the_one_before_it() {
    let mut world = World::new(Config::default());
    world.push(notice("/a", 1, 0, CallStatus::Ringing));
    world.push(notice("/a", 1, 1, CallStatus::InProgress));
    world.run(secs(320), |tried, now| {
        if tried.notice.event.sequence == 0 && now < secs(300) { FAIL } else { Result::Taken }
    });
    assert_eq!(world.delivered, [(1, 0), (1, 1)]);
    assert_eq!(world.tried.iter().filter(|t| t.1 == 0).count(), 3);
    assert!(world.superseded.is_empty());
}

#[test]
fn before_a_terminal_event_the_others_get_two_more_tries_within_a_minute() {
    let mut world = World::new(Config::default());
    world.push(notice("/a", 1, 0, CallStatus::Ringing));
    world.run(secs(100), |_, _| FAIL);
    assert_eq!(world.tried.len(), 2, "at 0 and 5 s; the next would come after 5 minutes");
    world.push(notice("/a", 1, 1, CallStatus::InProgress));
    world.push(notice("/a", 1, 2, CallStatus::Completed));
    world.run(secs(200), |tried, _| if tried.notice.event.sequence == 2 { Result::Taken } else { FAIL });
    for sequence in [0, 1] {
        let tries = world.tried.iter().filter(|t| t.1 == sequence && t.2 >= secs(100)).count();
        assert_eq!(tries, 2, "event {sequence}");
    }
    let order: Vec<_> = world.superseded.iter().map(|s| (s.0, s.1)).collect();
    assert_eq!(order, [(1, 0), (1, 1)]);
    assert!(world.superseded.iter().all(|s| s.2 <= secs(160)));
    assert_eq!(world.delivered, [(1, 2)]);
    assert_eq!(world.dead, []);
}

#[test]
fn a_try_in_flight_when_the_call_ends_is_not_one_of_the_two() {
    let mut world = World::new(Config::default());
    world.takes = secs(4);
    world.push(notice("/a", 1, 0, CallStatus::Ringing));
    world.run(secs(1), |_, _| FAIL);
    world.push(notice("/a", 1, 1, CallStatus::Completed));
    world.run(secs(100), |tried, _| if tried.notice.event.sequence == 1 { Result::Taken } else { FAIL });
    assert_eq!(world.tried.iter().filter(|t| t.1 == 0).count(), 3);
    assert_eq!(world.delivered, [(1, 1)]);
}

#[test]
fn a_terminal_event_waits_a_minute_at_most_for_a_receiver_that_hangs() {
    let mut world = World::new(Config::default());
    world.takes = secs(15);
    world.call("/a", 1, 3);
    world.run(secs(400), |tried, _| if tried.notice.event.sequence == 2 { Result::Taken } else { DOWN });
    let terminal = world.tried.iter().find(|t| t.1 == 2).unwrap();
    assert!(terminal.2 <= secs(60 + 15), "{:?}", terminal.2);
    assert_eq!(world.delivered, [(1, 2)]);
    assert_eq!(world.superseded.len(), 2);
}

#[test]
fn retry_after_pauses_the_receiver_and_no_other() {
    let mut world = World::new(Config::default());
    world.call("/slow", 1, 1);
    let busy = Result::Failed { outage: false, retry_after: Some(secs(3_600)) };
    world.run(secs(10), |_, _| busy);
    world.call("/slow", 2, 1);
    world.call("/other", 3, 1);
    world.run(secs(3_599), |_, _| Result::Taken);
    assert_eq!(world.delivered, [(3, 0)]);
    world.run(secs(3_700), |_, _| Result::Taken);
    assert_eq!(world.delivered.len(), 3);
    assert!(world.tried.iter().filter(|t| t.0 != 3).skip(1).all(|t| t.2 >= secs(3_600)));
}

#[test]
fn gone_disables_the_url_for_the_account_until_it_is_enabled() {
    let mut world = World::new(Config::default());
    world.call("/gone", 1, 2);
    world.call("/gone", 2, 1);
    world.call("/other", 3, 1);
    world.run(secs(10), |tried, _| if tried.notice.call().0 == 1 { Result::Gone } else { Result::Taken });
    assert!(world.dead.contains(&(1, 0, Dead::Disabled)) && world.dead.contains(&(1, 1, Dead::Disabled)));
    world.call("/gone", 4, 1);
    world.run(secs(20), |_, _| Result::Taken);
    assert!(world.dead.contains(&(4, 0, Dead::Disabled)));
    assert!(world.delivered.contains(&(3, 0)), "another URL is not touched");
    world.queue.enable(&Receiver { account: AccountSid(1), url: "/gone".into() });
    world.call("/gone", 5, 1);
    world.run(secs(30), |_, _| Result::Taken);
    assert!(world.delivered.contains(&(5, 0)));
}

#[test]
fn a_slow_receiver_delays_no_other() {
    let mut world = World::new(Config::default());
    for call in 0..200 {
        world.call("/slow", call, 3);
    }
    world.takes = secs(5);
    world.run(secs(4), |_, _| Result::Taken);
    world.takes = Duration::from_millis(10);
    world.call("/quick", 1_000, 3);
    world.run(Duration::from_millis(4_100), |_, _| Result::Taken);
    assert_eq!(world.delivered, [(1_000, 0), (1_000, 1), (1_000, 2)]);
    assert!(world.most.values().all(|most| *most <= 32), "{:?}", world.most);
}

#[test]
fn a_receiver_that_is_down_is_tried_by_one_at_a_time_and_drains_when_it_is_back() {
    let mut world = World::new(Config::default());
    for call in 0..300 {
        world.push(notice("/a", call, 0, CallStatus::Completed));
    }
    world.takes = secs(15);
    world.run(secs(600), |_, _| DOWN);
    let late = world.tried.iter().filter(|t| t.2 > secs(60)).count();
    assert!(late <= 40, "{late} tries in nine minutes of silence");
    world.takes = Duration::from_millis(10);
    world.run(secs(620), |_, _| Result::Taken);
    assert!(world.delivered.len() >= 260, "{}", world.delivered.len());
    world.run(secs(4_000), |_, _| Result::Taken);
    assert_eq!((world.delivered.len(), world.dead.len()), (300, 0));
}

/// 50 events a second for a receiver that does not answer for ten minutes, beside one that does. What has
/// no room waits in the journal, which gives the oldest that nobody took.
#[test]
fn ten_minutes_of_silence_at_50_events_a_second() {
    const SILENT: u64 = 600;
    let mut world = World::new(Config::default());
    let calls = |second: u64| (u128::from(second) * 17)..(u128::from(second) * 17 + 17);
    let own = |call: u128| call < 1_000_000;
    let (mut second, mut slowest) = (0, Duration::ZERO);
    loop {
        if second < SILENT {
            for call in calls(second) {
                world.call("/down", call, 3);
            }
            world.call("/up", 1_000_000 + u128::from(second), 3);
        }
        let begun = world.now - Instant::ZERO;
        let known = world.delivered.len();
        second += 1;
        let down = second <= SILENT;
        world.run(secs(second), |tried, _| match &*tried.receiver.url {
            "/down" if down => DOWN,
            _ => Result::Taken,
        });
        let other =
            world.tried.iter().rev().take_while(|tried| tried.2 >= begun).filter(|tried| !own(tried.0));
        slowest = other.map(|tried| tried.2 - begun).chain([slowest]).max().unwrap();
        let is_dry = world.delivered.len() == known && world.queue.size() == (0, 0);
        if second > SILENT && is_dry {
            break;
        }
        assert!(second < 3 * HOUR, "{:?} are left", world.queue.size());
        refill(&mut world, &calls, second.min(SILENT));
    }
    let all = u128::from(SILENT) * 17;
    let ends = world.delivered.iter().filter(|(call, sequence)| own(*call) && *sequence == 2).count();
    assert_eq!(ends as u128, all, "every terminal event");
    let mut seen: Vec<_> = world.delivered.iter().copied().filter(|(call, _)| own(*call)).collect();
    seen.extend(world.superseded.iter().map(|(call, sequence, _)| (*call, *sequence)));
    seen.sort_unstable();
    seen.dedup();
    assert_eq!((seen.len() as u128, world.dead.len()), (all * 3, 0), "each earlier one too, or superseded");
    assert!(slowest < secs(1), "another receiver waited {slowest:?}");
    println!("{all} calls: {} superseded, done after {second} s", world.superseded.len());
}

/// The backlog: the events of calls so far that nobody took and nobody gave up, the oldest first.
fn refill(world: &mut World, calls: &dyn Fn(u64) -> std::ops::Range<u128>, seconds: u64) {
    for (receiver, room) in world.queue.thirsty() {
        let ended = world.superseded.iter().map(|(call, sequence, _)| (*call, *sequence));
        let done: std::collections::HashSet<_> = world.delivered.iter().copied().chain(ended).collect();
        let open = (0..seconds).flat_map(calls).flat_map(|call| (0..3).map(move |s| (call, s)));
        let open = open.filter(|key| !done.contains(key)).take(room);
        let notices = open.map(|(call, s)| notice("/down", call, s, status(s, 2))).collect();
        world.queue.refill(&receiver, notices, world.now);
    }
}

#[test]
fn what_finds_no_room_waits_in_the_backlog_and_keeps_its_order() {
    let config = Config { in_memory: 10, ..Config::default() };
    let mut world = World::new(config);
    for call in 0..20 {
        world.call("/a", call, 2);
    }
    assert_eq!(world.queue.size(), (10, 30));
    assert!(world.queue.thirsty().is_empty(), "no room yet");
    world.run(secs(1), |_, _| Result::Taken);
    assert_eq!(world.delivered.len(), 10);
    let mut next = 5;
    while let [(receiver, room)] = world.queue.thirsty().as_slice() {
        // The backlog gives the oldest, some of which were given before.
        let list = (next..20).flat_map(|call| (0..2).map(move |s| notice("/a", call, s, status(s, 1))));
        world.queue.refill(receiver, list.take(*room).collect(), world.now);
        next += 5;
        let until = world.now - Instant::ZERO + secs(1);
        world.run(until, |_, _| Result::Taken);
    }
    assert_eq!(world.queue.size(), (0, 0));
    assert_eq!(world.delivered.len(), 40);
}

#[test]
fn an_event_that_comes_twice_is_sent_once() {
    let mut world = World::new(Config::default());
    world.call("/a", 1, 2);
    world.call("/a", 1, 2);
    world.run(secs(1), |_, _| Result::Taken);
    assert_eq!(world.delivered, [(1, 0), (1, 1)]);
}

#[test]
fn tries_before_a_restart_count() {
    let mut world = World::new(Config::default());
    world.push(Notice { tries: 9, ..notice("/a", 1, 0, CallStatus::Completed) });
    world.run(secs(10), |_, _| FAIL);
    assert_eq!(world.tried, [(1, 0, Duration::ZERO, 10)]);
    assert_eq!(world.dead, [(1, 0, Dead::Exhausted)]);
}

/// How each try ends, drawn from a seed: the same question gives the same answer.
fn fate(seed: u64, tried: &Try, now: Duration) -> Result {
    let mut x = seed ^ (tried.notice.call().0 as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^= u64::from(tried.notice.event.sequence) << 32 ^ (now.as_millis() as u64);
    x = (x ^ (x >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    match (x >> 40) % 8 {
        0..=2 => FAIL,
        3 => DOWN,
        4 => Result::Failed { outage: false, retry_after: Some(secs((x >> 50) % 40)) },
        _ => Result::Taken,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever receivers do and whenever events come: each event ends exactly once; per call they
    /// end in order; only what stands before a terminal event is superseded; nothing is left.
    #[test]
    fn every_event_ends_once_and_in_order(
        seed: u64,
        calls in prop::collection::vec((0..3_usize, 1..4_u32, 0..400_u64, 0..200_u64), 1..30),
        takes in 1..5_000_u64,
    ) {
        let mut world = World::new(Config::default());
        world.takes = Duration::from_millis(takes);
        let mut events: Vec<_> = calls.iter().enumerate().flat_map(|(call, (url, events, from, gap))| {
            let (url, events, from, gap) = (["/a", "/b", "/c"][*url], *events, *from, *gap);
            (0..events).map(move |s| {
                (secs(from + gap * u64::from(s)), notice(url, call as u128, s, status(s, events - 1)))
            })
        }).collect();
        events.sort_by_key(|(at, _)| *at);
        for (at, notice) in events {
            world.run(at, |tried, now| fate(seed, tried, now));
            world.push(notice);
        }
        world.run(secs(90 * HOUR), |tried, now| fate(seed, tried, now));
        prop_assert_eq!(world.queue.size(), (0, 0));
        let mut ends: HashMap<u128, Vec<u32>> = HashMap::new();
        let superseded = world.superseded.iter().map(|s| (s.0, s.1));
        let dead = world.dead.iter().map(|d| (d.0, d.1));
        for (call, sequence) in world.delivered.iter().copied().chain(superseded).chain(dead) {
            ends.entry(call).or_default().push(sequence);
        }
        for (call, (_, events, _, _)) in calls.iter().enumerate() {
            let mut ended = ends.remove(&(call as u128)).unwrap_or_default();
            ended.sort_unstable();
            prop_assert_eq!(&ended, &(0..*events).collect::<Vec<_>>(), "call {}", call);
            let mine = |t: &&(u128, u32, Duration, u32)| t.0 == call as u128;
            let tried: Vec<_> = world.tried.iter().filter(mine).map(|t| t.1).collect();
            prop_assert!(tried.is_sorted(), "call {} tried {:?}", call, tried);
            prop_assert!(!world.superseded.iter().any(|s| s.0 == call as u128 && s.1 == events - 1));
        }
    }
}
