//! Texts that are no plain numbers (names, patterns, long digits), from their text to their first row.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;
use std::hash::BuildHasher;

const SHARDS: usize = 1024;

type Shard = HashMap<Arc<str>, u32, FixedState>;

/// Texts in shared shards; a change copies one.
#[derive(Clone, Debug)]
pub struct Side {
    shards: Vec<Arc<Shard>>,
}

impl Default for Side {
    fn default() -> Self {
        let empty = Arc::new(Shard::with_hasher(FixedState::default()));
        Self { shards: vec![empty; SHARDS] }
    }
}

impl Side {
    /// The text as stored and its row.
    #[must_use]
    pub fn get(&self, text: &str) -> Option<(&Arc<str>, u32)> {
        self.shards[shard_of(text)].get_key_value(text).map(|(text, row)| (text, *row))
    }

    /// Sets the row of `text`.
    pub fn insert(&mut self, text: Arc<str>, row: u32) {
        Arc::make_mut(&mut self.shards[shard_of(&text)]).insert(text, row);
    }

    /// Takes `text` out.
    pub fn remove(&mut self, text: &str) {
        if self.get(text).is_some() {
            Arc::make_mut(&mut self.shards[shard_of(text)]).remove(text);
        }
    }
}

fn shard_of(text: &str) -> usize {
    usize::try_from(FixedState::with_seed(1).hash_one(text) >> 54).unwrap_or(0)
}
