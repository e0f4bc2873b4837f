//! Reading on: whoever follows the journal reads the files, so one that lags loses nothing.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::entry::Entry;
use super::frame;
use super::legs::Legs;
use super::segment::{HEADER, segment_path};
use super::shared::{Shared, lock};
use crate::call::facts::CallFacts;
use crate::call::record::{Change, Record};
use crate::ids::CallSid;

/// What is read at once.
const CHUNK: usize = 256 << 10;

/// What is known of a call beside its record.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its constants.
    pub facts: Arc<CallFacts>,
    /// When it began, in microseconds of wall time.
    pub started: u64,
    /// Its connected B leg, or the last one that rings or rang.
    pub outbound: Option<CallSid>,
}

/// One written entry.
#[derive(Clone, Debug)]
pub struct Fed {
    /// Behind it: the position to read on from.
    pub position: u64,
    /// Its wall time in microseconds.
    pub at: u64,
    /// Another process wrote it: its events are that one's to tell of.
    pub foreign: bool,
    /// The entry.
    pub entry: Entry,
    /// What is known of its call; `None` for one that is over and done.
    pub known: Option<Known>,
}

/// Gives the constants of a call that lives in this process.
pub type Held = Box<dyn Fn(CallSid) -> Option<Arc<CallFacts>> + Send>;

/// A call that has no end yet.
struct Followed {
    known: Known,
    legs: Legs,
}

impl From<Known> for Followed {
    fn from(known: Known) -> Self {
        Self { known, legs: Legs::default() }
    }
}

/// Follows the written journal from a position.
pub struct Feed {
    shared: Arc<Shared>,
    position: u64,
    /// The open segment and its length.
    open: Option<(u64, File, u64)>,
    buffer: Vec<u8>,
    calls: HashMap<CallSid, Followed, foldhash::fast::RandomState>,
    held: Option<Held>,
}

impl Feed {
    pub(super) fn new(
        shared: Arc<Shared>,
        position: u64,
        known: HashMap<CallSid, Known, foldhash::fast::RandomState>,
    ) -> Self {
        let calls = known.into_iter().map(|(call, known)| (call, known.into())).collect();
        Self { shared, position, open: None, buffer: Vec::new(), calls, held: None }
    }

    /// From now on the constants of calls that `held` has are its own: a decoded copy of each would stay here as
    /// long as its call lives.
    #[must_use]
    pub fn sharing(mut self, held: Held) -> Self {
        self.held = Some(held);
        self
    }

    /// Where it stands: everything before was given.
    #[must_use]
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes are written that were not given yet.
    #[must_use]
    pub fn lag(&self) -> u64 {
        self.shared.written.load(Ordering::Acquire).saturating_sub(self.position)
    }

    /// Adds the next entries in order to `fed`, at least one, at most `limit`, and says how many; waits
    /// until there are any. Dropping the future loses nothing.
    ///
    /// # Errors
    /// A segment cannot be read; the next call tries again.
    pub async fn next(&mut self, limit: usize, fed: &mut Vec<Fed>) -> io::Result<usize> {
        let shared = Arc::clone(&self.shared);
        loop {
            let grown = shared.grown.notified();
            tokio::pin!(grown);
            // Registered before looking, so that no growth goes unheard.
            grown.as_mut().enable();
            let count = self.read(limit, fed)?;
            if count > 0 {
                return Ok(count);
            }
            grown.await;
        }
    }

    /// The next entries, if there are any, without waiting.
    ///
    /// # Errors
    /// As [`Feed::next`].
    pub fn read(&mut self, limit: usize, fed: &mut Vec<Fed>) -> io::Result<usize> {
        let before = fed.len();
        let limit = limit.saturating_add(before);
        while fed.len() == before {
            let written = self.shared.written.load(Ordering::Acquire);
            if self.position >= written {
                break;
            }
            let (base, end) = self.segment(written);
            self.position = self.position.max(base + HEADER);
            if self.position >= end || !self.decode(base, end, limit, fed)? {
                // The rest of a segment whose end was torn, or nothing: on to the next.
                if end >= written {
                    break;
                }
                self.position = end;
            }
        }
        Ok(fed.len() - before)
    }

    /// The segment that holds the position, or the first behind it, and where it ends.
    fn segment(&self, written: u64) -> (u64, u64) {
        let segments = lock(&self.shared.segments);
        let after = segments.partition_point(|base| *base <= self.position);
        let at = after.saturating_sub(1);
        let end = segments.get(at + 1).copied().unwrap_or(written);
        (segments.get(at).copied().unwrap_or(self.position), end.min(written))
    }

    /// Reads frames from the position on; false when there is no whole one.
    fn decode(&mut self, base: u64, end: u64, limit: usize, fed: &mut Vec<Fed>) -> io::Result<bool> {
        let there = self.length_of(base)?.saturating_sub(self.position - base);
        let len = usize::try_from((end - self.position).min(there)).unwrap_or(CHUNK);
        let foreign = lock(&self.shared.foreign).contains(&base);
        let mut size = len.min(CHUNK);
        loop {
            self.load(base, size)?;
            let buffer = std::mem::take(&mut self.buffer);
            let mut rest = buffer.as_slice();
            let begun = self.position;
            while fed.len() < limit
                && let Some(frame) = frame::first(rest)
            {
                rest = &rest[frame.len()..];
                self.position += frame.len() as u64;
                fed.extend(self.give(frame, foreign));
            }
            self.buffer = buffer;
            if self.position > begun {
                return Ok(true);
            }
            if size >= len {
                return Ok(false);
            }
            // One entry longer than a chunk.
            size = len.min(size * 4);
        }
    }

    /// Opens the segment at `base` where it is not open, and says how long its file is.
    fn length_of(&mut self, base: u64) -> io::Result<u64> {
        if let Some((_, _, length)) = self.open.as_ref().filter(|(open, ..)| *open == base) {
            return Ok(*length);
        }
        let open = || File::open(segment_path(&self.shared.folder(), base));
        // Once more where it was put elsewhere in this moment.
        let file = open().or_else(|_| open())?;
        let length = file.metadata()?.len();
        self.open = Some((base, file, length));
        Ok(length)
    }

    fn load(&mut self, base: u64, size: usize) -> io::Result<()> {
        self.buffer.resize(size, 0);
        match &self.open {
            Some((_, file, _)) => file.read_exact_at(&mut self.buffer, self.position - base),
            None => Ok(()),
        }
    }

    fn give(&mut self, frame: &[u8], foreign: bool) -> Option<Fed> {
        // Every frame was written by this version, or refused at start.
        let framed = frame::read(frame, self.shared.origin)?;
        if framed.carried {
            self.carried(framed.entry, framed.at);
            return None;
        }
        let (at, position) = (framed.at, self.position);
        let call = framed.entry.call();
        let mut over = false;
        if let Entry::Record(record) = &framed.entry {
            self.meet(record.call);
            match &record.change {
                Change::Admitted { facts, .. } => {
                    let held = self.held.as_ref().and_then(|held| held(record.call));
                    let facts = held.unwrap_or_else(|| Arc::clone(facts));
                    let known = Known { facts, started: at, outbound: None };
                    self.calls.insert(record.call, known.into());
                }
                Change::Invited(_) | Change::LegEnded { .. } | Change::Transferred { .. } => {
                    if let Some(Followed { known, legs }) = self.calls.get_mut(&record.call) {
                        legs.take(record);
                        known.outbound = legs.current().or(known.outbound);
                    }
                }
                Change::Ended(_) => over = true,
                _ => {}
            }
        }
        let known = match call {
            Some(call) if over => self.calls.remove(&call).map(|followed| followed.known),
            Some(call) => self.calls.get(&call).map(|followed| followed.known.clone()),
            None => None,
        };
        Some(Fed { position, at, foreign, entry: framed.entry, known })
    }

    /// A call that began in another's journal is known from its first record here on. What becomes of its
    /// deliveries after its end does not bring it back: nobody would let go of it again.
    fn meet(&mut self, call: CallSid) {
        if !self.calls.contains_key(&call)
            && let Some(known) = lock(&self.shared.known).get(&call)
        {
            self.calls.insert(call, known.clone().into());
        }
    }

    /// Of a call whose first record has gone with its segment only this says what it is.
    fn carried(&mut self, entry: Entry, at: u64) {
        match entry {
            Entry::Record(Record { call, change: Change::Admitted { facts, .. }, .. }) => {
                let known = Known { facts, started: at, outbound: None };
                self.calls.entry(call).or_insert_with(|| known.into());
            }
            Entry::Done { call } => {
                self.calls.remove(&call);
            }
            _ => {}
        }
    }
}
