//! Overload, told by how long messages wait before the engine sees them (as CoDel does): while all of them
//! wait longer than they should, fewer new calls are admitted, and the sources that place the most give up
//! the most. What a quiet source places is served.

use std::time::Duration;

use crate::call::desk::Map;
use crate::ids::TrunkSid;
use crate::time::Instant;

/// How often the limit is thought over.
const INTERVAL: Duration = Duration::from_millis(100);
/// How long an interval lasts at most that has too few looks.
const LONGEST: Duration = Duration::from_millis(500);
/// Intervals in a row that must be bad before anything is limited, and looks in each of them.
const BAD: (u32, u32) = (2, 3);
/// So much shorter waits are from one interval to the next where enough is given up.
const EASING: Duration = Duration::from_millis(10);
/// So long after the limit was lowered it is not lowered again.
const SEEN: Duration = Duration::from_millis(300);
/// So many times what can be carried are a flood.
const FLOOD: f64 = 1.5;
/// Calls a second that are admitted whatever happens.
const LEAST: f64 = 10.0;

/// What this engine knows of its load.
#[derive(Debug)]
pub(super) struct Pressure {
    /// Longer than this nothing should wait; zero: never mind.
    target: Duration,
    /// When the interval began.
    since: Instant,
    /// The shortest wait in it, and how many were told.
    shortest: Duration,
    looks: u32,
    /// The wait that was told last.
    latest: Duration,
    /// How long records wait to be written.
    behind: Duration,
    bad: u32,
    /// The shortest wait in the bad interval before.
    before: Duration,
    admitted: u32,
    /// Calls a second that are admitted of all sources together; `None`: all that come.
    limit: Option<f64>,
    /// Of all sources, over about a second: the limit does not fall below half of what could be carried, else
    /// answering what is refused leaves room for nothing.
    carried: Carried,
    /// Until then the last lowering of the limit cannot be seen.
    settled: Instant,
    /// Calls a second that one source may place while there is a limit, and that sources place on average.
    share: f64,
    mean: f64,
    /// Calls a second that came lately, at most: a host that stalls sees few, and then all at once.
    offered: f64,
    sources: Map<Option<TrunkSid>, Source>,
}

/// Whoever places calls: a trunk, or all sources without one.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Source {
    /// New calls in this interval, and those of them that were admitted.
    came: u32,
    admitted: u32,
    /// New calls a second, over about the last one.
    rate: f64,
    /// Of it, over about two seconds: that is not what is too much.
    carried: Carried,
    /// What it may still place of its share.
    left: f64,
    filled: Instant,
}

/// Calls a second that are admitted, and the most of it while nothing waited too long: so many can be carried.
#[derive(Clone, Copy, Debug, Default)]
struct Carried {
    admitting: f64,
    most: f64,
}

impl Carried {
    /// An interval is over in which so many a second were admitted. `pace`: how much of a second's worth of news
    /// is taken; `kept`: how much of the most is left after a second.
    fn turn(&mut self, admitted: f64, seconds: f64, pace: f64, kept: f64, late: bool) {
        self.admitting += (admitted - self.admitting) * (seconds * pace).min(1.0);
        self.most *= kept.powf(seconds.min(60.0));
        if !late {
            self.most = self.most.max(self.admitting);
        }
    }
}

impl Pressure {
    pub fn new(target: Duration, sources: Map<Option<TrunkSid>, Source>) -> Self {
        Self {
            target,
            since: Instant::ZERO,
            shortest: Duration::MAX,
            looks: 0,
            latest: Duration::ZERO,
            behind: Duration::ZERO,
            bad: 0,
            before: Duration::ZERO,
            admitted: 0,
            limit: None,
            carried: Carried::default(),
            settled: Instant::ZERO,
            share: f64::INFINITY,
            mean: 0.0,
            offered: 0.0,
            sources,
        }
    }

    /// From here on; a limit there is ends with zero.
    pub fn set_target(&mut self, target: Duration) {
        self.target = target;
        if target.is_zero() {
            (self.limit, self.share, self.bad) = (None, f64::INFINITY, 0);
        }
    }

    /// A message had waited so long when the engine got it.
    pub fn waited(&mut self, now: Instant, wait: Duration) {
        self.turn(now);
        self.shortest = self.shortest.min(wait.max(self.behind));
        self.looks += 1;
        self.latest = wait;
    }

    /// So long records wait to be written, and with them what calls ask for: no call begins sooner than that.
    pub const fn set_behind(&mut self, lag: Duration) {
        self.behind = lag;
    }

    /// Whether the message that is looked at has waited for `t1` and longer, where that matters.
    pub fn is_late(&self, t1: Duration) -> bool {
        !self.target.is_zero() && self.latest >= t1
    }

    /// One more call of `source` wants to begin: whether it may.
    pub fn admits(&mut self, now: Instant, source: Option<TrunkSid>) -> bool {
        self.turn(now);
        let of = self.sources.entry(source).or_default();
        of.came += 1;
        // Who places less than most keeps what it always placed: the others are what is too much.
        let usual = if of.rate < self.mean { of.carried.most * 1.25 } else { 0.0 };
        let share = self.share.max(usual);
        // Where there is no limit yet, or one that is too high still: what is refused soon is not sent again, and of
        // what came while nobody looked not all begins at once.
        let flooded = self.offered > self.carried.most * FLOOD && of.rate >= self.mean;
        let waits = self.latest.max(self.behind) > self.target && !self.target.is_zero();
        if waits && (flooded || of.rate > share) {
            return false;
        }
        if self.share.is_finite() {
            // Two calls at once are nobody's flood, nor is what came while nobody looked.
            let most = (share / 10.0).max(usual).max(2.0);
            // By when they came: what a stalled host gets at once was not placed at once.
            let came = now - self.latest;
            of.left = (of.left + came.since(of.filled).as_secs_f64() * share).min(most);
            of.filled = of.filled.max(came);
            if of.left < 1.0 {
                return false;
            }
            of.left -= 1.0;
        }
        of.admitted += 1;
        self.admitted += 1;
        true
    }

    /// Calls a second that are admitted; `None`: all that come.
    #[cfg(test)]
    pub const fn limit(&self) -> Option<f64> {
        self.limit
    }

    /// Ends the intervals that are over. In a quiet time nobody looks: what is long over counts once.
    fn turn(&mut self, now: Instant) {
        let passed = now.since(self.since);
        // A host that is slow enough looks seldom: then its intervals are longer.
        if passed < INTERVAL || (self.looks < BAD.1 && passed < LONGEST) {
            return;
        }
        self.since = now;
        let seconds = passed.as_secs_f64();
        let late = self.is_bad();
        for source in self.sources.values_mut() {
            source.turn(seconds, late);
        }
        self.sources.retain(|_, source| source.rate > 0.01 || source.carried.most > 0.01);
        let offered: f64 = self.sources.values().map(|source| source.rate).sum();
        self.mean = offered / self.sources.len().max(1) as f64;
        self.offered = offered.max(self.offered * 0.25_f64.powf(seconds));
        let admitted = f64::from(self.admitted) / seconds;
        if !self.target.is_zero() {
            self.think(admitted, offered, passed);
        }
        (self.shortest, self.looks, self.admitted) = (Duration::MAX, 0, 0);
        self.share = self.limit.map_or(f64::INFINITY, |limit| self.fair(limit));
    }

    /// Whether everything waited too long in the interval.
    fn is_bad(&self) -> bool {
        self.looks >= BAD.1 && self.shortest > self.target
    }

    fn think(&mut self, admitted: f64, offered: f64, passed: Duration) {
        let late = self.is_bad();
        self.bad = if late { self.bad + 1 } else { 0 };
        // What was given up already may be enough: then everything waits less from look to look.
        let before = self.before;
        let easing = late && self.shortest + EASING < before;
        self.before = if late { self.shortest } else { Duration::ZERO };
        // Forgotten within minutes, and within seconds while everything waits.
        let kept = if late { 0.95 } else { 0.995 };
        self.carried.turn(admitted, passed.as_secs_f64(), 1.0, kept, late);
        if self.bad >= BAD.0 && !easing && self.since >= self.settled {
            // What is admitted beyond the capacity waits: waits that grow by a second in a second tell of
            // twice as much as can be carried.
            let growth = (self.shortest.as_secs_f64() - before.as_secs_f64()) / passed.as_secs_f64();
            let admitted = self.limit.unwrap_or(f64::INFINITY).min(admitted.max(offered));
            // How much too much the first calls of a flood are is not known, what a limit let in is.
            let most = if self.limit.is_some() { 0.5 } else { 9.0 };
            // A part less, so that what waits already is worked off.
            let part = if self.shortest > self.target * 4 { 0.7 } else { 0.9 };
            let lower = admitted / (1.0 + growth.clamp(0.0, most)) * part;
            self.limit = Some(lower.max(self.carried.most * 0.5).max(LEAST));
            // What comes of it is seen when some of what waits now has been looked at.
            self.settled = self.since + self.shortest.min(SEEN);
        } else if let Some(limit) = self.limit.filter(|_| !late) {
            // So much more in a second, most where hardly anything waits; where it binds nobody any more it goes.
            let pace: f64 = if self.shortest < self.target / 2 { 1.5 } else { 1.2 };
            let grown = limit * pace.powf(passed.as_secs_f64().min(2.0)) + 1.0;
            self.limit = (grown < offered * 2.0 && offered > self.carried.most).then_some(grown);
        }
    }

    /// The share of one source so that all together place `limit`: who places less than it keeps what it
    /// has, the others part the rest evenly.
    fn fair(&self, limit: f64) -> f64 {
        let mut rates: Vec<f64> = self.sources.values().map(|source| source.rate).collect();
        rates.sort_by(f64::total_cmp);
        let (mut left, mut waiting) = (limit, rates.len());
        for rate in rates {
            let even = left / waiting as f64;
            if rate > even {
                return even;
            }
            left -= rate;
            waiting -= 1;
        }
        f64::INFINITY
    }
}

impl Source {
    /// An interval is over. What was usual counts for little after some seconds in which everything waits: it may be
    /// the host that has become slower.
    fn turn(&mut self, seconds: f64, late: bool) {
        let fresh = f64::from(self.came) / seconds;
        self.rate += (fresh - self.rate) * (seconds * 2.0).min(1.0);
        let kept = if late { 0.8 } else { 0.98 };
        self.carried.turn(f64::from(self.admitted) / seconds, seconds, 0.5, kept, late);
        (self.came, self.admitted) = (0, 0);
    }
}

#[cfg(test)]
mod tests;
