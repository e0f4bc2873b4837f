//! Label sets, and counters that exist for each value from the start.

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

/// One counter per trunk, by its name; there from its first call on.
#[derive(Clone, Debug)]
pub struct ByTrunk(Family<TrunkLabel, Counter>);

impl ByTrunk {
    pub(super) fn new(registry: &mut Registry, name: &str, help: &str) -> Self {
        let family = Family::<TrunkLabel, Counter>::default();
        registry.register(name, help, family.clone());
        Self(family)
    }

    /// One more of the trunk `name`.
    pub fn inc(&self, name: &str) {
        self.0.get_or_create(&TrunkLabel { trunk: name.to_owned() }).inc();
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
