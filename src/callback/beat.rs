//! The beat that whoever gathers on one thread shares: what each of them does then costs all of them one wake-up.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// A wake-up for each event would cost as much as all else that is done for it.
const EVERY: Duration = Duration::from_millis(10);

/// Ten milliseconds, and ten again.
#[derive(Clone, Copy, Debug)]
pub struct Beat(Instant);

impl Default for Beat {
    /// The first is ten milliseconds from now.
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Beat {
    /// Until the next.
    pub async fn next(self) {
        sleep_until(self.0 + behind(self.0.elapsed())).await;
    }
}

/// The first beat behind a moment.
fn behind(moment: Duration) -> Duration {
    let beats = moment.as_millis() / EVERY.as_millis() + 1;
    EVERY.saturating_mul(u32::try_from(beats).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_wait_since_different_moments_go_on_together() {
        let next = |millis: u64| behind(Duration::from_millis(millis)).as_millis();
        assert_eq!([0, 1, 9, 10, 19, 86_400_000].map(next), [10, 10, 10, 20, 20, 86_400_010]);
    }
}
