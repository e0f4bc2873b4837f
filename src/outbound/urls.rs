//! What is known per URL, shared by all threads: requests in flight and the circuit breaker.
//!
//! An entry exists only while requests are in flight or failures are remembered.

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;

use super::failure::Failure;

/// Failures in a row that open the breaker.
const THRESHOLD: u32 = 10;
/// How long it stays open first; doubles up to [`OPEN_MOST`].
const OPEN_FIRST: Duration = Duration::from_secs(1);
const OPEN_MOST: Duration = Duration::from_secs(30);
/// Entries beyond which remembered failures of quiet URLs are forgotten.
const REMEMBERED: usize = 10_000;

/// The table.
#[derive(Debug, Default)]
pub struct Urls {
    map: DashMap<Arc<str>, State, foldhash::fast::RandomState>,
}

#[derive(Debug, Default)]
struct State {
    in_flight: usize,
    failures: u32,
    open_until: Option<Instant>,
    probing: bool,
}

impl Urls {
    /// URLs whose breaker is open, with their failures in a row.
    #[must_use]
    pub fn open(&self) -> Vec<(Arc<str>, u32)> {
        let open = self.map.iter().filter(|entry| entry.open_until.is_some());
        open.map(|entry| (entry.key().clone(), entry.failures)).collect()
    }

    /// Takes one place in flight.
    pub(super) fn enter(
        self: &Arc<Self>,
        key: &Arc<str>,
        limit: usize,
        breaker: bool,
        now: Instant,
    ) -> Result<Permit, Failure> {
        if self.map.len() > REMEMBERED {
            self.forget(now);
        }
        let mut state = self.map.entry(key.clone()).or_default();
        if state.in_flight >= limit {
            return Err(Failure::Overloaded);
        }
        let probe = match state.open_until {
            Some(until) if breaker && (now < until || state.probing) => return Err(Failure::Open),
            Some(_) => breaker,
            None => false,
        };
        state.probing |= probe;
        state.in_flight += 1;
        drop(state);
        Ok(Permit { urls: self.clone(), key: key.clone(), probe, outage: None })
    }

    fn forget(&self, now: Instant) {
        self.map.retain(|_, state| state.in_flight > 0 || state.open_until.is_some_and(|until| until > now));
    }
}

/// One place in flight; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    urls: Arc<Urls>,
    key: Arc<str>,
    probe: bool,
    outage: Option<(bool, Instant)>,
}

impl Permit {
    /// Tells the breaker how it went; an aborted request says nothing.
    pub(super) fn settle(mut self, outage: bool, now: Instant) {
        self.outage = Some((outage, now));
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let quiet = {
            let Some(mut state) = self.urls.map.get_mut(&self.key) else { return };
            state.in_flight = state.in_flight.saturating_sub(1);
            state.probing &= !self.probe;
            match self.outage {
                Some((true, now)) => {
                    let opened = state.fail(now);
                    if opened {
                        tracing::warn!(
                            url = &*self.key,
                            failures = state.failures,
                            "the breaker of a URL opened"
                        );
                    }
                }
                Some((false, _)) => (state.failures, state.open_until) = (0, None),
                None => {}
            }
            state.is_quiet()
        };
        if quiet {
            self.urls.map.remove_if(&self.key, |_, state| state.is_quiet());
        }
    }
}

impl State {
    /// True: the breaker opened with this failure.
    fn fail(&mut self, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= THRESHOLD {
            let doublings = (self.failures - THRESHOLD).min(5);
            self.open_until = Some(now + (OPEN_FIRST * (1 << doublings)).min(OPEN_MOST));
        }
        self.failures == THRESHOLD
    }

    fn is_quiet(&self) -> bool {
        self.in_flight == 0 && self.failures == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        urls: Arc<Urls>,
        key: Arc<str>,
        now: Instant,
    }

    impl World {
        fn new() -> Self {
            Self { urls: Arc::default(), key: Arc::from("http://a/"), now: Instant::now() }
        }

        fn enter(&self, limit: usize, breaker: bool) -> Result<Permit, Failure> {
            self.urls.enter(&self.key, limit, breaker, self.now)
        }

        fn fail(&self, times: u32) {
            for _ in 0..times {
                self.enter(256, true).expect("not open").settle(true, self.now);
            }
        }

        fn is_open(&self) -> bool {
            matches!(self.enter(256, true), Err(Failure::Open))
        }
    }

    #[test]
    fn a_url_takes_so_many_at_once_and_then_is_overloaded() {
        let world = World::new();
        let held: Vec<_> = (0..3).map(|_| world.enter(3, true).expect("room")).collect();
        assert!(matches!(world.enter(3, true), Err(Failure::Overloaded)));
        assert!(world.urls.enter(&Arc::from("http://b/"), 3, true, world.now).is_ok(), "another URL");
        drop(held);
        assert!(world.urls.map.is_empty(), "nothing in flight, nothing remembered");
    }

    #[test]
    fn the_breaker_opens_after_failures_in_a_row_and_lets_one_probe_through() {
        let mut world = World::new();
        world.fail(THRESHOLD);
        assert!(world.is_open());
        assert_eq!(world.urls.open().len(), 1);
        assert!(world.enter(256, false).is_ok(), "callbacks have their own pace");
        world.now += OPEN_FIRST;
        let probe = world.enter(256, true).expect("one probe");
        assert!(world.is_open(), "only one");
        probe.settle(false, world.now);
        assert!(!world.is_open());
        assert!(world.urls.open().is_empty());
    }

    #[test]
    fn a_failed_probe_doubles_the_wait_and_an_aborted_one_frees_the_place() {
        let mut world = World::new();
        world.fail(THRESHOLD);
        world.now += OPEN_FIRST;
        drop(world.enter(256, true).expect("a probe that is aborted"));
        world.fail(1);
        world.now += OPEN_FIRST;
        assert!(world.is_open(), "two seconds now");
        world.now += OPEN_FIRST;
        assert!(!world.is_open());
    }
}
