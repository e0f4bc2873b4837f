//! A writer's end of the journal: it encodes on its own thread and hands over bytes.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::entry::Entry;
use super::frame;
use super::shared::{Mark, Note, Shared, What};
use crate::call::record::{Change, Record};
use crate::ids::CallSid;

/// One writer's end: a shard's, or that of whoever knows what became of deliveries. What one pen
/// writes stays in its order.
pub struct Pen {
    shared: Arc<Shared>,
    mark: Arc<Mark>,
    given: u64,
    bytes: Vec<u8>,
    notes: Vec<Note>,
    /// An ask waits for something that is held.
    urgent: bool,
}

impl Pen {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, mark: Arc::default(), given: 0, bytes: Vec::new(), notes: Vec::new(), urgent: false }
    }

    /// Takes over `batch` in order, leaving it empty. Never waits and never drops.
    pub fn write(&mut self, batch: &mut Vec<Record>) {
        for record in batch.drain(..) {
            let micros = self.shared.origin + record.at.as_nanos() / 1000;
            // What is asked next waits for these.
            self.urgent |= matches!(record.change, Change::Admitted { .. } | Change::Dialled(_));
            self.add(&Entry::Record(record), micros);
        }
        self.flush();
    }

    /// Writes entries of other kinds, with the present wall time.
    pub fn note(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.hold(&entry);
        }
        self.flush();
    }

    /// Takes an entry, with the present wall time, and keeps it until the next [`Pen::flush`], or
    /// until something else is written or the pen is dropped.
    pub fn hold(&mut self, entry: &Entry) {
        self.add(entry, now());
    }

    fn add(&mut self, entry: &Entry, at: u64) {
        frame::append(&mut self.bytes, entry, at, self.shared.origin);
        self.notes.push(Note::of(entry));
        self.given += 1;
    }

    /// Hands over what is held.
    pub fn flush(&mut self) {
        if !self.notes.is_empty() {
            let urgent = std::mem::take(&mut self.urgent);
            self.shared.push(&mut self.bytes, &mut self.notes, Some((&self.mark, self.given)), urgent);
        }
    }

    /// How many of the entries given to this pen are written by now.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.mark.written.load(Ordering::Acquire)
    }

    /// The age of the oldest record, whoever's, that is not written.
    #[must_use]
    pub fn lag(&self) -> Duration {
        self.shared.lag()
    }

    /// Resolves when [`Pen::written`] may have grown since it last resolved.
    pub async fn grown(&self) {
        self.mark.grown.notified().await;
    }
}

impl Drop for Pen {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Note {
    pub(super) fn of(entry: &Entry) -> Self {
        let call = entry.call().unwrap_or(CallSid(0));
        let what = match entry {
            Entry::Record(record) => match &record.change {
                Change::Admitted { facts, .. } => What::Admitted {
                    told: facts.profile.status_callback.is_some(),
                    event: record.event.is_some(),
                },
                change => What::Record {
                    event: record.event.is_some(),
                    leg_event: record.leg_event().is_some(),
                    answered: matches!(change, Change::Answered { .. }),
                    ended: matches!(change, Change::Ended(_)),
                    leg: match change {
                        Change::Invited(leg) => i8::from(!leg.again),
                        // A leg whose place another took ends in a record of its own.
                        Change::LegEnded { .. } => -1,
                        _ => 0,
                    },
                    ahead: match change {
                        Change::Invited(leg) => Some(leg.ahead),
                        Change::Answered { .. } | Change::Transferred { .. } | Change::Dialled(_) => Some(0),
                        _ => None,
                    },
                },
            },
            Entry::Outcome(outcome) if outcome.fate.is_final() => What::Settled,
            Entry::Disabled { .. } | Entry::Enabled { .. } => What::Receiver,
            _ => What::Other,
        };
        Self { call, what }
    }
}

/// Wall time in microseconds.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
