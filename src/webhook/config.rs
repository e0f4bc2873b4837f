//! `[webhook]`: the keys this folder owns.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;

use crate::outbound::{self, AllowPrivate};

/// `[webhook]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Milliseconds for the primary URL, its repetition and the fallback together.
    pub budget_ms: u64,
    /// Whether URLs may lead to private addresses: false, true or a list of prefixes.
    pub allow_private_addresses: AllowPrivate,
    /// Most milliseconds for one connection, TLS included.
    pub connect_timeout_ms: u64,
    /// A PEM file of certificates trusted beside the system's.
    pub ca_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            budget_ms: 5_000,
            allow_private_addresses: AllowPrivate::default(),
            connect_timeout_ms: 2_000,
            ca_file: None,
        }
    }
}

/// A budget that may change while questions are asked; clones share it.
#[derive(Clone, Debug)]
pub struct Allowance(Arc<AtomicU64>);

impl From<Duration> for Allowance {
    fn from(budget: Duration) -> Self {
        let allowance = Self(Arc::default());
        allowance.set(budget);
        allowance
    }
}

impl Allowance {
    /// What a question that begins now may take, in whole milliseconds.
    #[must_use]
    pub fn get(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    /// What questions from here on may take.
    pub fn set(&self, budget: Duration) {
        self.0.store(u64::try_from(budget.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Config {
    /// The budget.
    #[must_use]
    pub fn budget(&self) -> Duration {
        Duration::from_millis(self.budget_ms)
    }

    /// What the HTTP client takes from here; callbacks share it.
    #[must_use]
    pub fn outbound(&self) -> outbound::Config {
        outbound::Config {
            allow_private: self.allow_private_addresses.clone(),
            connect_timeout: Duration::from_millis(self.connect_timeout_ms),
            ca_file: self.ca_file.clone(),
            ..outbound::Config::default()
        }
    }
}
