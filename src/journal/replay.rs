//! The start: what the files say of calls that were under way, and of events nobody took.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::entry::{Entry, Fate};
use super::feed::Known;
use super::frame::{self, Framed};
use super::legs::Legs;
use super::open::JournalError;
use super::segment::{HEADER, check_header, segment_path, segments};
use super::track::{Pinned, Track};
use crate::call::facts::CallFacts;
use crate::call::record::{Change, Record};
use crate::call::recover::Recovered;
use crate::ids::{AccountSid, CallSid};

/// What was found.
#[derive(Debug, Default)]
pub struct Replay {
    /// Events that need delivering, oldest first, those of one call in order.
    pub undelivered: Vec<Undelivered>,
    /// URLs that get nothing, by account.
    pub disabled: Vec<(AccountSid, Arc<str>)>,
    /// Calls that have no end: whoever takes them over goes on with them, or ends them.
    pub unfinished: Vec<Recovered>,
    /// Entries read.
    pub entries: u64,
}

/// An event that nobody took yet.
#[derive(Clone, Debug)]
pub struct Undelivered {
    /// The call's constants, its begin and its last leg.
    pub known: Known,
    /// The record with the event.
    pub record: Record,
    /// Its wall time in microseconds.
    pub at: u64,
    /// Tries made.
    pub tries: u32,
    /// When the next is due, in milliseconds of wall time; `None`: at once.
    pub next: Option<u64>,
}

/// Everything that the files say.
#[derive(Default)]
pub(super) struct Scan {
    calls: HashMap<CallSid, Seen, foldhash::fast::RandomState>,
    disabled: HashSet<(AccountSid, Arc<str>)>,
    pub segments: Vec<u64>,
    /// How far each of them was read, in bytes.
    read: BTreeMap<u64, usize>,
    /// Behind the last entry.
    pub end: u64,
    entries: u64,
    /// Wall time of the last entry.
    last_at: u64,
}

/// One call.
#[derive(Default)]
struct Seen {
    segment: u64,
    last: u64,
    /// Some of it was written again.
    moved: bool,
    facts: Option<Arc<CallFacts>>,
    started: u64,
    legs: Legs,
    answered: Option<u64>,
    ended: bool,
    /// All records by number, while there is no end among them.
    records: BTreeMap<u32, Record>,
    /// Events without a final outcome.
    open: BTreeMap<Key, (Record, u64)>,
    settled: BTreeSet<Key>,
    tries: HashMap<Key, (u32, Option<u64>)>,
}

/// An event of a call: the leg where it is a leg's, and its sequence.
type Key = (Option<CallSid>, u32);

/// A file from this byte on.
fn read_from(path: &Path, from: usize) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(from as u64))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Scan {
    /// Reads all segments. A torn end of one ends that one.
    pub fn of(folder: &Path, origin: u64) -> Result<Self, JournalError> {
        let mut scan = Self::default();
        scan.go_on(folder, origin)?;
        Ok(scan)
    }

    /// Reads what was written since; all of it, where a segment was retired meanwhile.
    pub fn go_on(&mut self, folder: &Path, origin: u64) -> Result<(), JournalError> {
        let there = segments(folder).map_err(JournalError::Read)?;
        if !self.segments.iter().all(|base| there.contains(base)) {
            *self = Self::default();
        }
        self.segments = there;
        for base in self.segments.clone() {
            let from = self.read.get(&base).copied().unwrap_or(0);
            match read_from(&segment_path(folder, base), from) {
                Ok(bytes) => self.segment(base, from, &bytes, origin)?,
                // Retired meanwhile: nothing in it was needed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(JournalError::Read(error)),
            }
        }
        Ok(())
    }

    /// Takes what stands in a segment from there on.
    fn segment(&mut self, base: u64, from: usize, bytes: &[u8], origin: u64) -> Result<(), JournalError> {
        let mut at = from;
        if from == 0 {
            let is_ours = check_header(bytes).map_err(JournalError::Version)?;
            self.end = self.end.max(base + HEADER);
            if !is_ours {
                return Ok(());
            }
            at = HEADER as usize;
        }
        while let Some(frame) = bytes.get(at - from..).and_then(frame::first) {
            let framed = frame::read(frame, origin)
                .ok_or_else(|| JournalError::Read(io::Error::other("an entry cannot be understood")))?;
            at += frame.len();
            self.end = self.end.max(base + at as u64);
            self.take(framed, base);
        }
        self.read.insert(base, at);
        Ok(())
    }

    fn take(&mut self, framed: Framed, segment: u64) {
        self.entries += 1;
        self.last_at = self.last_at.max(framed.at);
        let (end, carried) = (self.end, framed.carried);
        match framed.entry {
            Entry::Record(record) => {
                // A begin may stand behind what follows from it, carried; of a call whose begin is
                // not there at all nothing is needed.
                let call = self.call(record.call, segment);
                call.last = end;
                call.moved |= carried;
                call.take(record, framed.at);
            }
            Entry::Outcome(outcome) => {
                let call = self.call(outcome.call, segment);
                call.last = end;
                let key = (outcome.leg, outcome.sequence);
                if outcome.fate.is_final() {
                    call.open.remove(&key);
                    call.settled.insert(key);
                } else if let Fate::Failed(next) = outcome.fate {
                    let tries = call.tries.entry(key).or_default();
                    if outcome.attempt >= tries.0 {
                        *tries = (outcome.attempt, next);
                    }
                }
            }
            Entry::Disabled { account, url } => {
                self.disabled.insert((account, url));
            }
            Entry::Enabled { account, url } => {
                self.disabled.remove(&(account, url));
            }
            Entry::Done { call } => drop(self.calls.remove(&call)),
            Entry::Trace { .. } => {}
        }
    }

    fn call(&mut self, call: CallSid, segment: u64) -> &mut Seen {
        self.calls.entry(call).or_insert_with(|| Seen { segment, ..Seen::default() })
    }

    /// What the feeds have to know of calls that began before them.
    pub fn known(&self) -> HashMap<CallSid, Known, foldhash::fast::RandomState> {
        self.calls.iter().filter_map(|(call, seen)| Some((*call, seen.known()?))).collect()
    }

    /// The book of segments as it stands.
    pub fn track(&self) -> Track {
        let mut track = Track::default();
        for (call, pinned) in self.pins() {
            track.pin(call, pinned);
        }
        track
    }

    /// Every call as that book has it.
    pub fn pins(&self) -> impl Iterator<Item = (CallSid, Pinned)> {
        self.calls.iter().filter_map(|(call, seen)| {
            let told = seen.facts.as_ref()?.profile.status_callback.is_some();
            let counts = seen.open.keys().filter(|(leg, _)| told || leg.is_some()).count();
            let unsettled = u32::try_from(counts).unwrap_or(u32::MAX);
            let (segment, last, ended) = (seen.segment, seen.last, seen.ended);
            let (answered, moved) = (seen.answered.is_some(), seen.moved);
            // Of those that were still to be invited nobody knows any more.
            let (legs, ahead) = (seen.legs.live(), 0);
            Some((*call, Pinned { segment, unsettled, told, answered, ended, legs, ahead, last, moved }))
        })
    }

    /// Receivers that get nothing, each with a frame that says so again.
    pub fn disabled_frames(&self, origin: u64) -> BTreeMap<(AccountSid, Arc<str>), Vec<u8>> {
        let framed = |(account, url): &(AccountSid, Arc<str>)| {
            let (mut first, mut carried) = (Vec::new(), Vec::new());
            let entry = Entry::Disabled { account: *account, url: Arc::clone(url) };
            frame::append(&mut first, &entry, self.last_at, origin);
            frame::carry(&mut carried, &first);
            ((*account, Arc::clone(url)), carried)
        };
        self.disabled.iter().map(framed).collect()
    }

    /// What the rooms above are told.
    pub fn replay(&self) -> Replay {
        let mut undelivered: Vec<_> = self.calls.values().flat_map(Seen::undelivered).collect();
        undelivered.sort_by_key(|event| (event.at, event.record.call, event.record.seq));
        let mut unfinished: Vec<_> = self.calls.values().filter_map(Seen::unfinished).collect();
        unfinished.sort_by_key(|call| call.facts.call);
        let disabled = self.disabled.iter().cloned().collect();
        Replay { undelivered, disabled, unfinished, entries: self.entries }
    }
}

impl Seen {
    fn take(&mut self, record: Record, at: u64) {
        self.legs.take(&record);
        match &record.change {
            Change::Admitted { facts, .. } => {
                self.facts = Some(Arc::clone(facts));
                self.started = at;
            }
            Change::Answered { .. } => self.answered = Some(at),
            Change::Ended(_) => {
                self.ended = true;
                self.records.clear();
            }
            _ => {}
        }
        if !self.ended {
            self.records.insert(record.seq, record.clone());
        }
        if let Some(event) = record.event {
            let key = (None, event.sequence);
            if !self.settled.contains(&key) {
                self.open.insert(key, (record, at));
            }
        } else if let Some(event) = record.leg_event() {
            let key = (Some(event.leg.leg), event.sequence());
            if !self.settled.contains(&key) {
                self.open.insert(key, (record, at));
            }
        }
    }

    fn unfinished(&self) -> Option<Recovered> {
        Recovered::of(self.records.values())
    }

    fn known(&self) -> Option<Known> {
        let facts = Arc::clone(self.facts.as_ref()?);
        Some(Known { facts, started: self.started, outbound: self.legs.current() })
    }

    fn undelivered(&self) -> Vec<Undelivered> {
        let Some(known) = self.known() else { return Vec::new() };
        let told = known.facts.profile.status_callback.is_some();
        let heard = self.open.iter().filter(|((leg, _), _)| told || leg.is_some());
        let open = heard.map(|(key, (record, at))| {
            let (tries, next) = self.tries.get(key).copied().unwrap_or_default();
            Undelivered { known: known.clone(), record: record.clone(), at: *at, tries, next }
        });
        open.collect()
    }
}
