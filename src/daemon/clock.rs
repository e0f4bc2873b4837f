//! The one place where the engine's scale meets the clock on the wall.

use std::time::{Duration, SystemTime};

use crate::time::Instant;

/// Maps between the engine's [`Instant`], the monotonic clock and wall time. Taken once per process:
/// a wall clock that is set later moves no timer and reorders no record.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
    wall: SystemTime,
}

impl Clock {
    /// The scale begins now.
    #[must_use]
    pub fn start() -> Self {
        Self { origin: std::time::Instant::now(), wall: SystemTime::now() }
    }

    /// The present moment on the engine's scale.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::from_nanos(u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// What a runtime's timer takes for `at`.
    #[must_use]
    pub fn timer(&self, at: Instant) -> tokio::time::Instant {
        tokio::time::Instant::from_std(self.origin + Duration::from_nanos(at.as_nanos()))
    }

    /// What the wall clock showed when the scale began.
    #[must_use]
    pub fn origin_wall(&self) -> SystemTime {
        self.wall
    }

    /// What the wall clock shows at `at`.
    #[must_use]
    pub fn wall(&self, at: Instant) -> SystemTime {
        self.wall + Duration::from_nanos(at.as_nanos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_scales_agree() {
        let clock = Clock::start();
        let at = Instant::from_millis(1500);
        assert_eq!(clock.wall(at), clock.origin_wall() + Duration::from_millis(1500));
        assert_eq!(clock.timer(at) - clock.timer(Instant::ZERO), Duration::from_millis(1500));
        assert!(clock.now() <= clock.now());
    }
}
