//! The engine itself.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::call::generator::Generator;
use crate::engine::config::EngineConfig;
use crate::engine::door::{Counter, Input, Output};
use crate::time::Instant;

/// The protocol core of one shard: deterministic, no socket, no clock.
///
/// `handle` one input, then `poll` until [`Output::Wait`]; the moment it names comes back as
/// [`Input::Timeout`].
#[derive(Debug)]
pub struct Engine {
    config: Arc<EngineConfig>,
    generator: Generator,
    counts: VecDeque<Counter>,
}

/// How much the engine remembers: all zero when all is quiet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Footprint {
    /// Calls, ended ones that still absorb retransmissions included.
    pub calls: usize,
    /// Transactions of both kinds.
    pub transactions: usize,
    /// Timers that are set.
    pub timers: usize,
    /// Dialogs, early ones included.
    pub dialogs: usize,
    /// Asks without an answer.
    pub asks: usize,
}

impl Engine {
    /// An engine with nothing in it; the same seed and inputs give the same outputs. Until its
    /// first directory it answers new calls 503.
    #[must_use]
    pub fn new(config: Arc<EngineConfig>, seed: [u8; 32]) -> Self {
        Self { config, generator: Generator::new(seed), counts: VecDeque::new() }
    }

    /// Takes in what happened at `now`; moments must not run backwards.
    pub fn handle(&mut self, now: Instant, input: Input<'_>) {
        if let Input::Received { .. } = input {
            self.counts.push_back(Counter::Unreadable);
        }
        let _unused = (now, &self.config, &mut self.generator);
    }

    /// The next thing to do.
    pub fn poll(&mut self) -> Output<'_> {
        self.counts.pop_front().map_or(Output::Wait(None), Output::Count)
    }

    /// How much is remembered now.
    #[must_use]
    pub fn footprint(&self) -> Footprint {
        Footprint::default()
    }
}
