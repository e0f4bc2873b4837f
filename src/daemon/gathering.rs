//! What the one reader of the journal has gathered for the store.
//!
//! The journal is read once, for the callbacks and for the store: the pump shows every entry to both.
//! Of a store that is down for long the rows would grow without end; past a limit they are dropped, and
//! the projection reads the journal's files by itself, as after a start, until it has caught up.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::call_rows::{Body, Rows};
use crate::callback::Notice;
use crate::ids::InstanceSid;
use crate::journal::Fed;
use crate::store::calls::Batch;

/// Entries whose rows wait in memory at most: two thirds of a second of 2,000 calls/s.
const MOST: usize = 16_384;

/// Rows between whoever reads the journal and whoever writes them into the store.
pub struct Gathering {
    shelf: Mutex<Shelf>,
    grown: Notify,
}

struct Shelf {
    rows: Rows,
    /// Up to where the rows have the journal; `None`: the projection reads it by itself.
    taken: Option<u64>,
    entries: usize,
    /// The wall time of the oldest of them, in microseconds.
    oldest: u64,
}

/// A batch on its way to the store.
pub struct Gathered {
    /// Its rows.
    pub batch: Batch,
    /// Up to where they have the journal.
    pub position: u64,
    /// The wall time of its oldest entry, in microseconds.
    pub oldest: u64,
    /// How many records it has.
    pub records: u64,
}

impl Gathering {
    /// For the rows of `node`; nobody gathers yet.
    #[must_use]
    pub fn new(node: InstanceSid, body: Body) -> Self {
        let shelf = Shelf { rows: Rows::new(node, body), taken: None, entries: 0, oldest: u64::MAX };
        Self { shelf: Mutex::new(shelf), grown: Notify::new() }
    }

    /// Empties `fed`, all that the journal has between two positions, each with what its receiver is told
    /// where that is made already.
    pub fn show(&self, from: u64, fed: &mut Vec<Fed>, notices: &[Option<Notice>], to: u64) {
        let mut shelf = self.lock();
        match shelf.taken {
            Some(taken) if taken >= from => {
                let notices = notices.iter().map(Option::as_ref).chain(std::iter::repeat(None));
                for (one, notice) in fed.drain(..).zip(notices).filter(|(one, _)| one.position > taken) {
                    shelf.take(one, notice, true);
                }
                shelf.taken = Some(taken.max(to));
            }
            _ => {
                shelf.taken = None;
                fed.clear();
            }
        }
        if shelf.entries > MOST {
            tracing::warn!("the store lags: what it does not have is read from the journal's files again");
            shelf.give_up();
        }
        drop(shelf);
        self.grown.notify_one();
    }

    /// Takes one entry in that the projection has read by itself.
    pub(super) fn read(&self, one: Fed, wanted: bool) {
        self.lock().take(one, None, wanted);
    }

    /// From here on whoever reads the journal shows it: everything up to `position` is taken in.
    pub(super) fn follow(&self, position: u64) {
        self.lock().taken = Some(position);
    }

    /// Waits until there is anything; false: nobody gathers any more.
    pub(super) async fn grown(&self) -> bool {
        loop {
            {
                let shelf = self.lock();
                if shelf.taken.is_none() || shelf.entries > 0 {
                    return shelf.taken.is_some();
                }
            }
            self.grown.notified().await;
        }
    }

    /// All rows there are, up to `position` where the projection reads by itself; `None`: what there was
    /// is given up.
    pub(super) fn finish(&self, position: Option<u64>) -> Option<Gathered> {
        let mut shelf = self.lock();
        let position = position.or(shelf.taken)?;
        let (batch, records) = shelf.rows.finish();
        shelf.entries = 0;
        Some(Gathered { batch, position, oldest: std::mem::replace(&mut shelf.oldest, u64::MAX), records })
    }

    /// Entries whose rows wait.
    pub(super) fn entries(&self) -> usize {
        self.lock().entries
    }

    /// Begins anew, for whoever reads the journal from its oldest segment.
    pub(super) fn clear(&self) {
        self.lock().give_up();
    }

    fn lock(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn take(&mut self, one: Fed, notice: Option<&Notice>, wanted: bool) {
        if wanted {
            self.oldest = self.oldest.min(one.at);
            self.entries += 1;
        }
        self.rows.take(one, notice, wanted);
    }

    fn give_up(&mut self) {
        self.rows.clear();
        (self.taken, self.entries, self.oldest) = (None, 0, u64::MAX);
    }
}
