//! Calls of an earlier life of this node, from its journal to the shards that own them.

use std::time::Duration;

use crate::engine::door::Recovered;

/// What one call's probes take of the node's pace: two OPTIONS at 200 a second.
const PACE: Duration = Duration::from_millis(10);

/// Each shard's part, by the ids that the other sides know; the probes of answered calls leave one
/// after the other, whichever shard sends them.
#[must_use]
pub fn spread(unfinished: Vec<Recovered>, shards: usize) -> Vec<Vec<Recovered>> {
    let mut parts = vec![Vec::new(); shards.max(1)];
    let mut after = Duration::ZERO;
    for mut call in unfinished {
        if call.talk.is_some() {
            call.probe_after = after;
            after += PACE;
        }
        parts[usize::from(call.shard().0) % shards.max(1)].push(call);
    }
    parts
}
