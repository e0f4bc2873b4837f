//! A bound on lines of the log that strangers can cause.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// At most one line in this time.
const EVERY: Duration = Duration::from_secs(10);

/// Lets one line through in ten seconds and counts the rest: a flood of bad connections must not
/// become a flood of lines. Made to be a `static` beside the line it guards.
#[derive(Debug, Default)]
pub struct Seldom {
    /// Milliseconds since the first use of any of them when a line is due again; 0: now.
    due: AtomicU64,
    kept_back: AtomicU64,
}

impl Seldom {
    /// One whose first line is due.
    #[must_use]
    pub const fn new() -> Self {
        Self { due: AtomicU64::new(0), kept_back: AtomicU64::new(0) }
    }

    /// `Some` when a line is due, with how many were kept back since the last.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        static ORIGIN: OnceLock<Instant> = OnceLock::new();
        self.due_at(ORIGIN.get_or_init(Instant::now).elapsed())
    }

    fn due_at(&self, now: Duration) -> Option<u64> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let due = self.due.load(Ordering::Relaxed);
        let taken = millis(now) >= due
            && self
                .due
                .compare_exchange(due, millis(now + EVERY), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if taken {
            return Some(self.kept_back.swap(0, Ordering::Relaxed));
        }
        self.kept_back.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_ten_seconds_says_how_many_were_kept_back() {
        let (seldom, second) = (Seldom::new(), Duration::from_secs);
        assert_eq!(seldom.due_at(second(0)), Some(0));
        for _ in 0..1_000 {
            assert_eq!(seldom.due_at(second(9)), None);
        }
        assert_eq!(seldom.due_at(second(10)), Some(1_000));
        assert_eq!(seldom.due_at(second(11)), None);
    }
}
