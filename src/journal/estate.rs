//! What one process leaves another, while both run or after one of them has ended.
//!
//! Two processes that share a node's calls for a while have one space of positions: who comes later
//! begins its segments, in a folder below the other's, far behind all that the other may still
//! write. So the segments of both, in the order of their positions, read as one journal at any moment;
//! whoever stays puts them into one folder, and a start after a crash of both does the same.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::open::{Journal, JournalError};
use super::replay::{Replay, Scan};
use super::segment::{segment_path, segments};
use super::shared::{Shared, lock};
use super::track::Pinned;
use crate::ids::{AccountSid, CallSid};

/// How far behind the end of one journal another begins beside it: more than is written in months.
const APART: u64 = 1 << 40;

/// The folders of those who began beside a journal, below its own.
const BESIDE: &str = "beside-";

/// What another's journal holds.
pub struct Estate {
    pub(super) scan: Scan,
}

/// What the writer takes over.
#[derive(Default)]
pub(super) struct Legacy {
    /// Calls that began in the other journal.
    pub pins: Vec<(CallSid, Pinned)>,
    /// Events of calls that were pinned before, which the other did not settle.
    pub owed: Vec<(CallSid, u32)>,
    /// Receivers that get nothing, each with its frame.
    pub disabled: BTreeMap<(AccountSid, Arc<str>), Vec<u8>>,
    /// Where all segments stand from here on, and those of the other.
    pub home: Option<(PathBuf, Vec<u64>)>,
    /// The next segment begins here at the earliest.
    pub behind: u64,
}

impl Estate {
    /// What the process that wrote into this folder left, the segments below it apart.
    ///
    /// # Errors
    /// The folder cannot be read, or another version wrote it.
    pub fn read(folder: &Path, journal: &Journal) -> Result<Self, JournalError> {
        Ok(Self { scan: Scan::of(folder, journal.shared.origin)? })
    }

    /// Reads what was written since: little, so that nobody waits for it who was read before.
    ///
    /// # Errors
    /// As [`Estate::read`].
    pub fn go_on(&mut self, folder: &Path, journal: &Journal) -> Result<(), JournalError> {
        self.scan.go_on(folder, journal.shared.origin)
    }

    /// What is to be gone on with.
    #[must_use]
    pub fn replay(&self) -> Replay {
        self.scan.replay()
    }
}

impl Journal {
    /// The folder of one who begins beside this journal now, and the position to begin at.
    #[must_use]
    pub fn beside(&self) -> (PathBuf, u64) {
        let start = lock(&self.shared.segments).last().copied().unwrap_or_default() + APART;
        (self.shared.folder().join(format!("{BESIDE}{start:x}")), start)
    }

    /// Knows calls whose records stand in the other's journal, so that what is written of them here is
    /// kept and fed as theirs. Before any of it is written.
    pub fn adopt(&self, estate: &Estate, calls: &HashSet<CallSid>) {
        self.know(estate, calls);
        let pins = estate.scan.pins().filter(|(call, _)| calls.contains(call));
        // Its events are the other's to deliver, as long as it is there.
        let pins = pins.map(|(call, pinned)| (call, Pinned { unsettled: 0, ..pinned })).collect();
        self.bequeath(Legacy { pins, ..Legacy::default() });
    }

    /// Takes the whole of an estate over whose process has ended; of the calls in `adopted` only what is
    /// owed. All segments stand in `home` from then on, those of the estate already. Feeds that
    /// follow this process do not give what stands in those.
    pub fn merge(&self, estate: &Estate, home: &Path, adopted: &HashSet<CallSid>) {
        let others: HashSet<CallSid> =
            estate.scan.pins().map(|(call, _)| call).filter(|call| !adopted.contains(call)).collect();
        self.know(estate, &others);
        let (owed, pins): (Vec<_>, Vec<_>) = estate.scan.pins().partition(|(call, _)| adopted.contains(call));
        let owed = owed.into_iter().map(|(call, pinned)| (call, pinned.unsettled)).collect();
        let disabled = estate.scan.disabled_frames(self.shared.origin);
        let segments = estate.scan.segments.clone();
        lock(&self.shared.foreign).extend(&segments);
        let behind = estate.scan.end;
        self.bequeath(Legacy { pins, owed, disabled, home: Some((home.to_owned(), segments)), behind });
    }

    /// Whether an estate that was merged stands among the segments.
    #[must_use]
    pub fn has(&self, estate: &Estate) -> bool {
        let segments = lock(&self.shared.segments);
        estate.scan.segments.iter().all(|base| segments.binary_search(base).is_ok())
    }

    fn know(&self, estate: &Estate, calls: &HashSet<CallSid>) {
        let known = estate.scan.known().into_iter().filter(|(call, _)| calls.contains(call));
        lock(&self.shared.known).extend(known);
    }

    fn bequeath(&self, legacy: Legacy) {
        let mut pending = lock(&self.shared.pending);
        pending.legacies.push(legacy);
        pending.asleep = false;
        drop(pending);
        self.shared.wake.notify_one();
    }
}

/// Puts the segments that stand in folders below `folder` into it, and takes those folders away.
///
/// # Errors
/// The disk refuses.
pub fn gather(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let beside = entry?;
        if !beside.file_name().to_str().is_some_and(|name| name.starts_with(BESIDE)) {
            continue;
        }
        for base in segments(&beside.path())? {
            fs::rename(segment_path(&beside.path(), base), segment_path(folder, base))?;
        }
        fs::remove_dir_all(beside.path())?;
    }
    fs::File::open(folder)?.sync_all()
}

impl Shared {
    /// Where the segments are.
    pub fn folder(&self) -> PathBuf {
        lock(&self.path).clone()
    }
}
