//! The edge: strangers whose requests are refused again and again get no more answers for a while.
//!
//! What is known of a source costs one look into a table of fixed size, before anything of its
//! message is read. Sources that a trunk names are never banned, nor those we send requests to:
//! a datagram's source address can be forged. What came over a connection is told apart from what came in
//! datagrams for the same reason.
//!
//! - `config`: the `[edge]` section. `table`: what is remembered of sources, in a fixed room.

mod config;
mod table;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use self::table::{Blame, Table};
use super::connections::source;
use crate::telemetry::Seldom;
use crate::telemetry::metrics::EdgeMetrics;

pub use config::EdgeConfig;
pub use table::Cause;

/// Whether a trunk names this address among its sources.
pub type Known = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// How long whom we sent a request to is spared: longer than two looks whether an answered call's sides are there.
const VOUCHED: Duration = Duration::from_secs(3600);

/// A source that gets no answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// The address; of IPv6 the first of its /64.
    pub source: IpAddr,
    /// Whether what comes over its connections is dropped, or its datagrams.
    pub stream: bool,
    /// What it did.
    pub cause: Cause,
    /// Since when.
    pub since: SystemTime,
    /// How long it is still to last.
    pub left: Duration,
    /// Messages and connections that were dropped meanwhile.
    pub dropped: u64,
}

/// What all shards know of sources together.
pub struct Edge {
    origin: Instant,
    table: Table,
    allowance: Allowance,
    /// When the last ban ends, in nanoseconds; 0 while there is none: then nothing is looked up.
    last_end: AtomicU64,
    known: Known,
    metrics: EdgeMetrics,
}

/// What may be changed while it runs.
#[derive(Debug)]
struct Allowance {
    refused: AtomicU64,
    within: AtomicU64,
    ban: AtomicU64,
}

impl std::fmt::Debug for Edge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Edge").field("allowance", &self.allowance).finish_non_exhaustive()
    }
}

impl Edge {
    /// Nobody is banned yet. `known` says whom a trunk names.
    #[must_use]
    pub fn new(config: &EdgeConfig, known: Known, metrics: EdgeMetrics) -> Self {
        let zero = || AtomicU64::new(0);
        let edge = Self {
            origin: Instant::now(),
            table: Table::new(config.sources),
            allowance: Allowance { refused: zero(), within: zero(), ban: zero() },
            last_end: zero(),
            known,
            metrics,
        };
        edge.set(config);
        edge
    }

    /// What holds from now on; bans stay as long as they were to last, the table as large as it is.
    pub fn set(&self, config: &EdgeConfig) {
        self.allowance.refused.store(config.refused_requests.into(), Ordering::Relaxed);
        self.allowance.within.store(nanos(Duration::from_secs(config.within_seconds)), Ordering::Relaxed);
        self.allowance.ban.store(nanos(Duration::from_secs(config.ban_seconds)), Ordering::Relaxed);
    }

    /// Whether what comes from `ip` is to be dropped unread; counted where it is.
    #[must_use]
    pub fn refuses(&self, ip: IpAddr, stream: bool) -> bool {
        // While nobody is banned this costs not even a look at the clock.
        self.last_end.load(Ordering::Relaxed) != 0 && self.refuses_at(ip, stream, self.now())
    }

    fn refuses_at(&self, ip: IpAddr, stream: bool, now: u64) -> bool {
        let last_end = self.last_end.load(Ordering::Relaxed);
        if last_end <= now {
            // Where another ban came meanwhile it stays known.
            let order = Ordering::Relaxed;
            let _another = self.last_end.compare_exchange(last_end, 0, order, order).is_err();
            return false;
        }
        if !self.table.is_banned(source(ip), stream, now) {
            return false;
        }
        if (self.known)(ip) {
            // A trunk was made of it meanwhile.
            self.table.forgive(source(ip), Some(stream), now);
            return false;
        }
        self.metrics.dropped.inc();
        true
    }

    /// A request from `ip` was refused, or worse. Whom a trunk names is spared.
    pub fn blame(&self, ip: IpAddr, stream: bool, cause: Cause) {
        self.blame_at(ip, stream, cause, self.now());
    }

    fn blame_at(&self, ip: IpAddr, stream: bool, cause: Cause, now: u64) {
        let load = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let (most, within, ban) =
            (load(&self.allowance.refused), load(&self.allowance.within), load(&self.allowance.ban));
        if most == 0 || ban == 0 || (self.known)(ip) {
            return;
        }
        let share = if cause == Cause::Scanner { within } else { within / most };
        let until = now.saturating_add(ban);
        if self.table.blame(source(ip), stream, now, &Blame { cause, share, within, until }) {
            self.last_end.fetch_max(until, Ordering::Relaxed);
            self.metrics.bans.inc(cause.word());
            static LINE: Seldom = Seldom::new();
            if let Some(kept_back) = LINE.due() {
                let seconds = Duration::from_nanos(ban).as_secs();
                tracing::warn!(
                    source = %source(ip), cause = cause.word(), seconds, kept_back,
                    "a stranger gets no more answers for a while: `callgate bans list` shows whom, `callgate bans lift` ends it"
                );
            }
        }
    }

    /// We send requests to `ip`: it is not banned, whatever seems to come from it.
    pub fn vouch(&self, ip: IpAddr, stream: bool) {
        let now = self.now();
        self.table.vouch(source(ip), stream, now, now.saturating_add(nanos(VOUCHED)));
    }

    /// All bans, those that end last first.
    #[must_use]
    pub fn bans(&self) -> Vec<Ban> {
        self.bans_at(self.now())
    }

    fn bans_at(&self, now: u64) -> Vec<Ban> {
        let wall = SystemTime::now();
        let ban = |slot: table::Banned| Ban {
            source: slot.source,
            stream: slot.stream,
            cause: slot.cause,
            since: wall - Duration::from_nanos(now.saturating_sub(slot.since)),
            left: Duration::from_nanos(slot.until.saturating_sub(now)),
            dropped: slot.dropped,
        };
        let mut bans: Vec<Ban> = self.table.banned(now).into_iter().map(ban).collect();
        bans.sort_by(|a, b| (b.left, a.source, a.stream).cmp(&(a.left, b.source, b.stream)));
        bans
    }

    /// How many bans there are; zero costs nothing.
    #[must_use]
    pub fn count(&self) -> usize {
        let now = self.now();
        if self.last_end.load(Ordering::Relaxed) <= now { 0 } else { self.table.banned(now).len() }
    }

    /// Ends the bans of a source; how many there were.
    pub fn lift(&self, ip: IpAddr) -> usize {
        self.table.forgive(source(ip), None, self.now())
    }

    fn now(&self) -> u64 {
        nanos(self.origin.elapsed())
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Metrics;

    const SECOND: u64 = 1_000_000_000;

    fn edge(known: &'static str) -> (Edge, EdgeMetrics) {
        let metrics = Metrics::new().edge.clone();
        let known: Known = Arc::new(move |ip| ip.to_string() == known);
        let config = EdgeConfig { refused_requests: 5, within_seconds: 60, ..EdgeConfig::default() };
        (Edge::new(&config, known, metrics.clone()), metrics)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_stranger_that_is_refused_too_often_is_dropped_unread_until_the_ban_is_over() {
        let (edge, metrics) = edge("192.0.2.1");
        let (bad, good) = (ip("198.51.100.7"), ip("198.51.100.8"));
        for tries in 0..5 {
            assert!(!edge.refuses_at(bad, false, SECOND), "{tries}");
            edge.blame_at(bad, false, Cause::Refused, SECOND);
        }
        assert!(!edge.refuses_at(bad, false, SECOND), "what is allowed is allowed");
        edge.blame_at(bad, false, Cause::Refused, SECOND);
        assert!(edge.refuses_at(bad, false, SECOND));
        assert!(!edge.refuses_at(bad, true, SECOND), "a forged datagram closes no connection");
        assert!(!edge.refuses_at(good, false, SECOND));
        assert!(edge.refuses_at(bad, false, 300 * SECOND));
        assert!(!edge.refuses_at(bad, false, 301 * SECOND), "300 seconds are over");
        assert_eq!((metrics.bans.get("refused"), metrics.dropped.get()), (1, 2));
    }

    #[test]
    fn refusals_now_and_then_are_borne_and_scanners_are_not() {
        let (edge, _) = edge("192.0.2.1");
        for minute in 1..100 {
            for _ in 0..4 {
                edge.blame_at(ip("198.51.100.7"), false, Cause::Refused, minute * 60 * SECOND);
            }
            assert!(!edge.refuses_at(ip("198.51.100.7"), false, minute * 60 * SECOND));
        }
        edge.blame_at(ip("2001:db8::1"), false, Cause::Scanner, SECOND);
        edge.blame_at(ip("2001:db8::1"), false, Cause::Scanner, SECOND);
        assert!(edge.refuses_at(ip("2001:db8::ffff"), false, SECOND), "a /64 is one source");
        assert_eq!(edge.bans_at(SECOND)[0].cause, Cause::Scanner);
    }

    #[test]
    fn trunks_and_whom_we_send_requests_to_are_never_banned() {
        let (edge, _) = edge("192.0.2.1");
        edge.vouch(ip("192.0.2.2"), false);
        let now = edge.now();
        for source in ["192.0.2.1", "192.0.2.2"] {
            for _ in 0..1_000 {
                edge.blame_at(ip(source), false, Cause::Scanner, now);
            }
            assert!(!edge.refuses_at(ip(source), false, now), "{source}");
        }
        let (later, source) = (now + nanos(VOUCHED), ip("192.0.2.2"));
        for _ in 0..6 {
            edge.blame_at(source, false, Cause::Refused, later);
        }
        assert!(edge.refuses_at(source, false, later), "nobody is vouched for for ever");
        edge.vouch(source, false);
        assert!(!edge.refuses_at(source, false, later), "a request of ours lets its answers in");
    }

    #[test]
    fn a_ban_is_listed_and_lifted() {
        let (edge, _) = edge("192.0.2.1");
        let now = edge.now();
        for _ in 0..6 {
            edge.blame_at(ip("198.51.100.7"), true, Cause::Unreadable, now);
        }
        assert!(edge.refuses_at(ip("198.51.100.7"), true, now));
        let bans = edge.bans_at(now);
        assert_eq!((bans.len(), bans[0].stream, bans[0].dropped), (1, true, 1));
        assert_eq!(edge.lift(ip("198.51.100.7")), 1);
        assert!(!edge.refuses_at(ip("198.51.100.7"), true, now) && edge.bans_at(now).is_empty());
        assert_eq!(edge.lift(ip("198.51.100.7")), 0);
    }
}
