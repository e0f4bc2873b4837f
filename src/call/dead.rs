//! Targets that did not answer lately: tried last for a while, never given up (RFC 3263 4.3).

use std::collections::VecDeque;
use std::time::Duration;

use foldhash::fast::FixedState;

use crate::call::desk::Map;
use crate::flow::Destination;
use crate::time::Instant;

/// Most targets remembered; beyond it the newest is not, and is simply tried again.
const MOST: usize = 4096;

/// What is remembered, each until its moment.
#[derive(Debug)]
pub struct Dead {
    until: Map<Destination, Instant>,
}

impl Dead {
    /// Remembers nothing yet.
    #[must_use]
    pub const fn new(hasher: FixedState) -> Self {
        Self { until: Map::with_hasher(hasher) }
    }

    /// A target was silent, unreachable or answered 503.
    pub fn note(&mut self, now: Instant, target: Destination, lasts: Duration) {
        if lasts.is_zero() {
            return;
        }
        if self.until.len() >= MOST {
            self.until.retain(|_, until| *until > now);
        }
        if self.until.len() < MOST {
            self.until.insert(target, now + lasts);
        }
    }

    /// A target answered.
    pub fn forget(&mut self, target: &Destination) {
        if !self.until.is_empty() {
            self.until.remove(target);
        }
    }

    /// Whether a target is spared for now.
    #[must_use]
    pub fn has(&self, now: Instant, target: &Destination) -> bool {
        self.until.get(target).is_some_and(|until| *until > now)
    }

    /// The same targets, those that are spared behind the others.
    #[must_use]
    pub fn last(&self, now: Instant, targets: Vec<Destination>) -> VecDeque<Destination> {
        let (dead, alive): (Vec<_>, Vec<_>) = targets.into_iter().partition(|target| self.has(now, target));
        alive.into_iter().chain(dead).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::Transport;

    #[test]
    fn a_dead_target_comes_last_until_its_time_is_over_or_it_answers() {
        let target = |port| Destination { transport: Transport::Udp, address: ([192, 0, 2, 1], port).into() };
        let mut dead = Dead::new(FixedState::with_seed(1));
        let (now, lasts) = (Instant::from_millis(1000), Duration::from_secs(30));
        dead.note(now, target(1), lasts);
        dead.note(now, target(3), Duration::ZERO);
        let order = |dead: &Dead, now| {
            let order = dead.last(now, vec![target(1), target(2), target(3)]);
            order.iter().map(|target| target.address.port()).collect::<Vec<_>>()
        };
        assert_eq!(order(&dead, now), [2, 3, 1]);
        assert_eq!(order(&dead, now + lasts), [1, 2, 3]);
        dead.forget(&target(1));
        assert_eq!(order(&dead, now), [1, 2, 3]);
    }
}
