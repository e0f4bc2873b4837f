//! Whether this node is ready, and what is degraded.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// How much a matter says against this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Calls are routed, something lags or is missing: `/ready` answers 200 and says what.
    Degraded,
    /// New calls are not served: `/ready` answers 503.
    NotReady,
}

/// One matter that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matter {
    /// Its short name, the same over its life: `store`, `journal`, `directory`, `drain`.
    pub name: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What is wrong and what helps, in a sentence.
    pub sentence: String,
}

/// What is wrong right now, by matter. Shared by all who find out and by `/ready`.
#[derive(Debug, Default)]
pub struct Health {
    matters: Mutex<BTreeMap<&'static str, (Severity, String)>>,
}

impl Health {
    /// A node with nothing wrong.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that `name` is wrong, or is wrong in another way than before. Logged when it is new.
    pub fn raise(&self, name: &'static str, severity: Severity, sentence: impl Into<String>) {
        let sentence = sentence.into();
        let before = self.lock().insert(name, (severity, sentence.clone()));
        if before.is_none_or(|(was, _)| was != severity) {
            tracing::warn!(matter = name, ?severity, "{sentence}");
        }
    }

    /// Says that `name` is well again. Nothing happens when it was.
    pub fn clear(&self, name: &'static str) {
        if self.lock().remove(name).is_some() {
            tracing::info!(matter = name, "well again");
        }
    }

    /// Whether new calls are served.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.lock().values().all(|(severity, _)| *severity == Severity::Degraded)
    }

    /// Everything wrong, by name.
    #[must_use]
    pub fn matters(&self) -> Vec<Matter> {
        let lock = self.lock();
        lock.iter()
            .map(|(name, (severity, sentence))| Matter {
                name,
                severity: *severity,
                sentence: sentence.clone(),
            })
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, (Severity, String)>> {
        // Nothing between lock and unlock can panic half-way, so a poisoned map is still whole.
        self.matters.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_degraded_node_is_ready_and_a_draining_one_is_not() {
        let health = Health::new();
        assert!(health.is_ready());
        health.raise("store", Severity::Degraded, "the store does not answer");
        assert!(health.is_ready());
        health.raise("drain", Severity::NotReady, "shutting down");
        assert!(!health.is_ready());
        assert_eq!(health.matters().iter().map(|m| m.name).collect::<Vec<_>>(), ["drain", "store"]);
        health.clear("drain");
        health.clear("store");
        assert!(health.is_ready() && health.matters().is_empty());
    }
}
