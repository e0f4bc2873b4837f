//! What calls wait for comes before what only reports of them: while messages wait, callbacks and the store
//! get their part in small slices.
//!
//! A lower priority alone does not see to that: where the host holds all threads together to a part of its
//! CPUs (a container's limit), *control* on one CPU uses up what the shards on the others need.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A message that had waited for so long shows that there is more to do than can be done.
const LONG: Duration = Duration::from_millis(50);
/// So long after it the shards come first: one that does not get the CPU at all tells nothing.
const AFTER: Duration = Duration::from_millis(200);
/// How long whoever gives way stands aside at most, and how often it looks.
const ASIDE: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_millis(5);

/// Who gives way to whom.
#[derive(Clone, Debug)]
pub struct Yielding {
    origin: Instant,
    /// Until when the shards come first, in microseconds since `origin`.
    until: Arc<AtomicU64>,
}

impl Default for Yielding {
    /// Nothing waits.
    fn default() -> Self {
        Self { origin: Instant::now(), until: Arc::default() }
    }
}

impl Yielding {
    /// A message had waited so long before a shard saw it.
    pub fn waited(&self, wait: Duration) {
        if wait > LONG {
            self.until.store(micros(self.origin.elapsed() + AFTER), Ordering::Relaxed);
        }
    }

    /// Whether messages wait.
    fn is_late(&self) -> bool {
        self.until.load(Ordering::Relaxed) > micros(self.origin.elapsed())
    }

    /// Stands aside while messages wait, though not for long. True: they still do, and what follows had better be
    /// little.
    pub async fn give_way(&self) -> bool {
        let began = Instant::now();
        while self.is_late() {
            if began.elapsed() >= ASIDE {
                return true;
            }
            tokio::time::sleep(LOOK).await;
        }
        false
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_reports_stands_aside_while_messages_wait_and_never_for_good() {
        let yielding = Yielding::default();
        let took = async || {
            let began = Instant::now();
            (yielding.give_way().await, began.elapsed())
        };
        yielding.waited(LONG);
        let (late, waited) = took().await;
        assert!(!late && waited < LOOK, "what waits no longer than that is no overload");
        yielding.waited(LONG * 2);
        let (late, waited) = took().await;
        assert!(late && waited >= ASIDE, "{waited:?}");
        tokio::time::sleep(AFTER).await;
        assert!(!took().await.0);
    }
}
