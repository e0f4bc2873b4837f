//! The `[node]`, `[limits]` and `[journal]` sections.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// This process.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NodeConfig {
    /// Threads that carry calls; 0 takes one less than the machine has processors, at least one.
    pub shards: usize,
    /// Where this node keeps what is its own: its identity, the last good directory, first credentials.
    pub data_dir: PathBuf,
    /// On TERM, how long unanswered calls and open transactions may take to finish, in seconds.
    pub drain_seconds: u64,
    /// On `callgate upgrade`, how long the calls that are unanswered then may take to be answered or to end, in
    /// seconds; meanwhile new ones are the new process's.
    pub upgrade_seconds: u64,
    /// Written as JSON with the bound addresses once calls are taken; empty for none.
    pub ready_file: PathBuf,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            shards: 0,
            data_dir: "data".into(),
            drain_seconds: 40,
            upgrade_seconds: 180,
            ready_file: PathBuf::new(),
        }
    }
}

impl NodeConfig {
    /// `shards` with 0 resolved for this machine.
    #[must_use]
    pub fn shard_count(&self) -> usize {
        match self.shards {
            0 => std::thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1)),
            given => given,
        }
    }
}

/// What this node takes upon itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LimitsConfig {
    /// Most unanswered calls at once on the whole node; beyond, new INVITEs get 503.
    pub unanswered_calls: usize,
    /// While every message waits longer than this many milliseconds before it is looked at, fewer new calls are
    /// admitted: those of the noisiest trunks get 503. 0: never.
    pub overload_delay_ms: u64,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { unanswered_calls: 100_000, overload_delay_ms: 100 }
    }
}

impl LimitsConfig {
    /// See [`LimitsConfig::overload_delay_ms`].
    #[must_use]
    pub const fn overload_delay(&self) -> Duration {
        Duration::from_millis(self.overload_delay_ms)
    }

    /// The share of each of `shards` shards.
    #[must_use]
    pub fn per_shard(&self, shards: usize) -> usize {
        self.unanswered_calls.div_ceil(shards.max(1))
    }
}

/// The call journal of this node.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct JournalSection {
    /// Its folder, on a disk of this node; never shared between nodes.
    pub directory: PathBuf,
    /// The size of one of its files, in bytes.
    pub segment_bytes: u64,
    /// Allocated at start, in bytes, so that admitted calls end properly on a full disk.
    pub reserve_bytes: u64,
}

impl Default for JournalSection {
    fn default() -> Self {
        Self { directory: "data/journal".into(), segment_bytes: 16 << 20, reserve_bytes: 64 << 20 }
    }
}
