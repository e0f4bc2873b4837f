//! `[webhook]`: the keys this folder owns.

use std::path::PathBuf;
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
