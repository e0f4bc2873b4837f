//! The one place where the engine's scale meets the clock on the wall.

use std::time::{Duration, SystemTime};

use crate::time::Instant;

/// The scale begins so long before the process: what happened in an earlier life, an answer whose
/// call goes on, has its place on it too.
const EARLIER: Duration = Duration::from_secs(366 * 24 * 3600);

/// Maps between the engine's [`Instant`], the monotonic clock and wall time. Taken once per process:
/// a wall clock that is set later moves no timer and reorders no record.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// The process began, `before` after the scale's zero.
    origin: std::time::Instant,
    before: Duration,
    wall: SystemTime,
}

impl Clock {
    /// The clock of a process that begins now.
    #[must_use]
    pub fn start() -> Self {
        let now = SystemTime::now();
        let wall = now.checked_sub(EARLIER).unwrap_or(SystemTime::UNIX_EPOCH);
        Self { origin: std::time::Instant::now(), before: now.duration_since(wall).unwrap_or_default(), wall }
    }

    /// The present moment on the engine's scale.
    #[must_use]
    pub fn now(&self) -> Instant {
        let since_zero = self.before + self.origin.elapsed();
        Instant::from_nanos(u64::try_from(since_zero.as_nanos()).unwrap_or(u64::MAX))
    }

    /// What a runtime's timer takes for `at`.
    #[must_use]
    pub fn timer(&self, at: Instant) -> tokio::time::Instant {
        let after = Duration::from_nanos(at.as_nanos()).saturating_sub(self.before);
        tokio::time::Instant::from_std(self.origin + after)
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
        let now = clock.now();
        let later = now + Duration::from_millis(1500);
        assert_eq!(clock.timer(later) - clock.timer(now), Duration::from_millis(1500));
        assert!(clock.now() <= clock.now());
        // A year ago has its place too; what is due before the process is due at once.
        assert!(now.since(Instant::ZERO) >= EARLIER && clock.timer(Instant::ZERO) <= clock.timer(now));
    }
}
