//! `[store]` and `[secrets]`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::store::open::StoreConfig;

/// `[store]`: where numbers, accounts and the projection of the journal are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct StoreSection {
    /// `sqlite://PATH` (the projection is kept beside it, in `…-calls.db`) or `postgres://…`.
    pub url: String,
    /// Connections to each database.
    pub connections: u32,
    /// A reload that would drop more than this share of the numbers, in percent, needs `--force`.
    pub shrink_guard: u32,
    /// Hours the change log reaches back: so far generations can be compared and rolled back, and a router that was
    /// away longer loads everything. A number that was changed or removed takes about a kilobyte of it, any other
    /// row its own size, one that was added 150 bytes.
    pub change_log_hours: u32,
}

impl Default for StoreSection {
    fn default() -> Self {
        Self {
            url: "sqlite://data/callgate.db".to_owned(),
            connections: 8,
            shrink_guard: 20,
            change_log_hours: 168,
        }
    }
}

/// `[retention]`: how long what happened is remembered. What is pending is never forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RetentionSection {
    /// Days that a finished call is remembered, with its events; 0: for ever.
    pub calls_days: u32,
    /// Days that a delivered callback is remembered, with its tries; 0: as long as its call.
    pub delivered_days: u32,
    /// Days that a dead letter or superseded event is kept for a replay; 0: as long as its call.
    pub dead_letters_days: u32,
    /// Days that the trace of a call is kept; 0: as long as its call.
    pub traces_days: u32,
    /// Days that a notification is kept; 0: for ever.
    pub notifications_days: u32,
}

impl Default for RetentionSection {
    fn default() -> Self {
        Self {
            calls_days: 90,
            delivered_days: 7,
            dead_letters_days: 30,
            traces_days: 3,
            notifications_days: 30,
        }
    }
}

/// `[secrets]`: what seals tokens and webhook secrets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SecretsSection {
    /// Made at first start, 0600. Without it no token in the store can be read: keep a copy.
    pub key_file: PathBuf,
}

impl Default for SecretsSection {
    fn default() -> Self {
        Self { key_file: PathBuf::from("data/callgate.key") }
    }
}

impl StoreSection {
    /// What [`crate::store::Store::open`] takes.
    #[must_use]
    pub fn opening(&self, secrets: &SecretsSection) -> StoreConfig {
        StoreConfig {
            url: self.url.clone(),
            key_file: secrets.key_file.clone(),
            connections: self.connections.max(2),
        }
    }
}
