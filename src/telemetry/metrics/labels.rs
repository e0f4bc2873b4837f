//! Label sets, and counters that exist for each value from the start.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::reason::Reason;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TrunkLabel {
    trunk: String,
}

/// Trunks that are told apart; those beyond are counted together.
const MOST_TRUNKS: usize = 1_000;

/// Whose name stands for the trunks beyond [`MOST_TRUNKS`].
const OTHERS: &str = "(others)";

/// One counter per trunk, by its name; there from its first call on. Renamed and removed trunks stay until
/// the process ends, so the first thousand names have one each.
#[derive(Clone, Debug)]
pub struct ByTrunk {
    family: Family<TrunkLabel, Counter>,
    known: Arc<AtomicUsize>,
}

impl ByTrunk {
    pub(super) fn new(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::<TrunkLabel, Counter>::default();
        registry.register(name, help, family.clone());
        Self { family, known: Arc::default() }
    }

    /// One more of the trunk `name`.
    pub fn inc(&self, name: &str) {
        let label = TrunkLabel { trunk: name.to_owned() };
        if let Some(counter) = self.family.get(&label) {
            counter.inc();
            return;
        }
        let beyond = self.known.fetch_add(1, Ordering::Relaxed) >= MOST_TRUNKS;
        let label = if beyond { TrunkLabel { trunk: OTHERS.to_owned() } } else { label };
        self.family.get_or_create(&label).inc();
    }
}

/// One counter per reason code, all there at zero from the start; counting takes no lock.
#[derive(Clone, Debug)]
pub struct ByReason(Vec<Counter>);

impl ByReason {
    pub(super) fn new(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::<ReasonLabel, Counter>::default();
        registry.register(name, help, family.clone());
        let of = |reason: &Reason| family.get_or_create_owned(&ReasonLabel { reason: reason.code() });
        Self(Reason::ALL.iter().map(of).collect())
    }

    /// One more of `reason`.
    pub fn inc(&self, reason: Reason) -> u64 {
        self.0[reason as usize].inc()
    }

    /// How many of `reason` there were.
    #[must_use]
    pub fn get(&self, reason: Reason) -> u64 {
        self.0[reason as usize].get()
    }
}

/// One counter per word of a fixed list (label `outcome`), all there at zero from the start.
#[derive(Clone, Debug)]
pub struct ByWord(Vec<(&'static str, Counter)>);

impl ByWord {
    pub(super) fn new(registry: &mut Registry, name: &str, help: &str, words: &[&'static str]) -> Self {
        let family = Family::<OutcomeLabel, Counter>::default();
        registry.register(name, help, family.clone());
        let of = |word: &&'static str| (*word, family.get_or_create_owned(&OutcomeLabel { outcome: word }));
        Self(words.iter().map(of).collect())
    }

    /// One more of `word`; a word that is not on the list counts as the list's last.
    pub fn inc(&self, word: &str) {
        self.add(word, 1);
    }

    /// `count` more of `word`; a word that is not on the list counts as the list's last.
    pub fn add(&self, word: &str, count: u64) {
        if let Some((_, counter)) = self.0.iter().find(|(known, _)| *known == word).or(self.0.last()) {
            counter.inc_by(count);
        }
    }

    /// How many of `word` there were; 0 for a word that is not on the list.
    #[must_use]
    pub fn get(&self, word: &str) -> u64 {
        self.0.iter().find(|(known, _)| *known == word).map_or(0, |(_, counter)| counter.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_end_make_no_metrics_without_end() {
        let mut registry = Registry::default();
        let by_trunk = ByTrunk::new(&mut registry, "calls", "Calls");
        for count in 0..3 * MOST_TRUNKS {
            by_trunk.inc(&format!("trunk {count}"));
            by_trunk.inc("trunk 0");
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert_eq!(text.lines().filter(|line| !line.starts_with('#')).count(), MOST_TRUNKS + 1);
        assert!(
            text.contains(&format!("calls_total{{trunk=\"trunk 0\"}} {}", 3 * MOST_TRUNKS + 1)),
            "{text}"
        );
        assert!(text.contains(&format!("calls_total{{trunk=\"{OTHERS}\"}} {}", 2 * MOST_TRUNKS)));
    }
}
