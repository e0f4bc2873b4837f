//! One call's undelivered events, in order: only the first is ever tried.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::config::Config;
use super::notice::Notice;
use crate::time::Instant;

/// Tries an event gets once it holds up a terminal one.
const LAST_TRIES: u32 = 2;

#[derive(Debug, Default)]
pub(super) struct Line {
    events: VecDeque<Pending>,
    pub(super) in_flight: bool,
    /// When the first is due; meaningless while it is in flight.
    pub(super) due: Instant,
    /// When what stands before the terminal event is given up.
    pub(super) closing: Option<Instant>,
}

#[derive(Debug)]
struct Pending {
    notice: Arc<Notice>,
    tries: u32,
    /// Tries left before it is superseded, once a terminal event waits behind it.
    left: Option<u32>,
}

/// What follows a failed try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Again(Duration),
    Superseded,
    Exhausted,
}

impl Line {
    /// Adds an event in its place; false when it is here already.
    pub(super) fn insert(&mut self, notice: Arc<Notice>, now: Instant, config: &Config) -> bool {
        let sequence = notice.event.sequence;
        let at = self.events.partition_point(|p| p.notice.event.sequence < sequence);
        if self.events.get(at).is_some_and(|p| p.notice.event.sequence == sequence) {
            return false;
        }
        if at == 0 && !self.in_flight {
            self.due = now;
        }
        // The one in flight stays first, whatever an odd replay brings.
        let at = if self.in_flight { at.max(1) } else { at };
        let terminal = notice.event.status.is_terminal();
        let left = self.closing.map(|_| LAST_TRIES).filter(|_| !terminal);
        self.events.insert(at, Pending { tries: notice.tries, notice, left });
        if terminal && self.events.len() > 1 {
            self.close(now, config);
        }
        true
    }

    fn close(&mut self, now: Instant, config: &Config) {
        self.closing = Some(now + config.closing);
        for (at, pending) in self.events.iter_mut().enumerate() {
            if !pending.notice.event.status.is_terminal() {
                pending.left = Some(LAST_TRIES + u32::from(at == 0 && self.in_flight));
            }
        }
        if !self.in_flight {
            self.due = now;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn first(&self) -> Option<&Arc<Notice>> {
        self.events.front().map(|pending| &pending.notice)
    }

    /// The number of the try that begins now, from 1.
    pub(super) fn number(&self) -> u32 {
        self.events.front().map_or(1, |pending| pending.tries + 1)
    }

    /// Takes the first away; what stands behind it is due at once.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Arc<Notice>> {
        let pending = self.events.pop_front()?;
        self.due = now;
        if self.events.front().is_none_or(|next| next.notice.event.status.is_terminal()) {
            self.closing = None;
        }
        Some(pending.notice)
    }

    /// The first one's try failed: when is the next?
    pub(super) fn failed(&mut self, now: Instant, jitter: f64, config: &Config) -> Next {
        let closing = self.closing;
        let Some(pending) = self.events.front_mut() else { return Next::Exhausted };
        pending.tries += 1;
        if let (Some(left), Some(closing)) = (&mut pending.left, closing) {
            *left = left.saturating_sub(1);
            if *left == 0 || now >= closing {
                return Next::Superseded;
            }
            return Next::Again(config.closing_gap);
        }
        match config.schedule.get(pending.tries as usize) {
            Some(wait) => Next::Again(wait.mul_f64(1.0 + jitter * f64::from(config.jitter_percent) / 100.0)),
            None => Next::Exhausted,
        }
    }
}
