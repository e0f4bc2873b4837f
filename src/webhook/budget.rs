//! Who gets how much of the time.

use std::time::Duration;

/// No question takes longer, whatever its URLs say.
pub(super) const MOST: Duration = Duration::from_secs(15);

/// The shares of one question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    /// Most for the primary URL, its repetition included.
    pub(super) primary: Duration,
    /// Most for both together.
    pub(super) total: Duration,
}

impl Budget {
    /// With a fallback the primary gets 60 % of the budget. A URL's own `#tt=` replaces its share and
    /// raises the total by as much, up to 15 s.
    pub(super) fn split(
        budget: Duration,
        primary: Option<Duration>,
        fallback: Option<Option<Duration>>,
    ) -> Self {
        let Some(fallback) = fallback else {
            let total = primary.unwrap_or(budget).min(MOST);
            return Self { primary: total, total };
        };
        let first = budget * 6 / 10;
        let shares = (primary.unwrap_or(first), fallback.unwrap_or(budget - first));
        let total = (shares.0 + shares.1).max(budget).min(MOST);
        Self { primary: shares.0.min(total), total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn the_primary_gets_all_of_it_or_60_percent() {
        let split = |primary, fallback| Budget::split(ms(5_000), primary, fallback);
        assert_eq!(split(None, None), Budget { primary: ms(5_000), total: ms(5_000) });
        assert_eq!(split(None, Some(None)), Budget { primary: ms(3_000), total: ms(5_000) });
        assert_eq!(split(Some(ms(8_000)), None), Budget { primary: ms(8_000), total: ms(8_000) });
        assert_eq!(split(Some(ms(8_000)), Some(None)), Budget { primary: ms(8_000), total: ms(10_000) });
        assert_eq!(split(None, Some(Some(ms(9_000)))), Budget { primary: ms(3_000), total: ms(12_000) });
        assert_eq!(
            split(Some(ms(15_000)), Some(Some(ms(15_000)))),
            Budget { primary: ms(15_000), total: ms(15_000) }
        );
        assert_eq!(split(Some(ms(500)), Some(None)), Budget { primary: ms(500), total: ms(5_000) });
    }
}
