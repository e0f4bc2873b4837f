//! What the journal's threads have in common with those who write and read.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant as Clock};

use tokio::sync::Notify;

use super::estate::Legacy;
use super::feed::Known;
use crate::ids::CallSid;

/// The oldest unwritten record may be this old before no call is admitted. Long before that, whoever places more
/// than its share is refused.
const MOST_LAG: Duration = Duration::from_secs(1);

/// So much may wait to be written before no call is admitted. Records of admitted calls are taken
/// beyond it.
const MOST_PENDING: usize = 16 << 20;

pub(super) struct Shared {
    /// Where the segments are.
    pub path: Mutex<PathBuf>,
    /// What is known of calls that began in another's journal.
    pub known: Mutex<HashMap<CallSid, Known, foldhash::fast::RandomState>>,
    /// Segments that another process wrote while this one did.
    pub foreign: Mutex<Vec<u64>>,
    pub pending: Mutex<Pending>,
    /// Something is pending, or the writer should look up.
    pub wake: Condvar,
    /// Everything before this position is in the files.
    pub written: AtomicU64,
    /// Everything before this position is on the disk.
    pub synced: AtomicU64,
    /// Everything before this position is in the store.
    pub projected: AtomicU64,
    /// Segments that can be read, oldest first.
    pub segments: Mutex<Vec<u64>>,
    /// Something was written.
    pub grown: Notify,
    /// Nothing more can be allocated, and what is left of the reserve is for the calls that are admitted.
    pub disk_full: AtomicBool,
    /// The next segment could not be allocated, and one of the reserve serves.
    pub on_reserve: AtomicBool,
    /// The disk did not keep what it was given.
    pub sick: AtomicBool,
    /// What the syncer has to sync.
    pub unsynced: Mutex<Unsynced>,
    pub sync_wake: Condvar,
    /// Microseconds of the oldest unwritten record on `started`'s scale, plus one; 0: none.
    pub oldest: AtomicU64,
    pub started: Clock,
    /// Wall time, in microseconds, of the engine's zero.
    pub origin: u64,
    /// What the records of admitted calls may still need, in bytes.
    pub reserved: AtomicU64,
    /// What is allocated for them.
    pub reserve: u64,
    pub records: AtomicU64,
    pub bytes: AtomicU64,
    pub failures: AtomicU64,
    pub observer: OnceLock<Observer>,
}

/// What takes the journal its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A batch on its way to the kernel.
    Write,
    /// A sync to the disk.
    Sync,
}

/// Hears how long each piece of work took, on the journal's own threads.
pub type Observer = Box<dyn Fn(Work, Duration) + Send + Sync>;

/// What waits to be written.
#[derive(Default)]
pub(super) struct Pending {
    pub bytes: Vec<u8>,
    pub notes: Vec<Note>,
    pub marks: Vec<(Arc<Mark>, u64)>,
    /// Taken over before the frames that came with it.
    pub legacies: Vec<Legacy>,
    pub since: Option<Clock>,
    /// The writer waits to be woken. Waking costs a system call, also when nobody sleeps.
    pub asleep: bool,
    /// It waits for nothing but what is urgent.
    pub gathering: bool,
    /// Somebody waits for something of it to be written.
    pub urgent: bool,
    pub stop: bool,
}

/// How far one pen's records are written.
#[derive(Default)]
pub(super) struct Mark {
    pub written: AtomicU64,
    pub grown: Notify,
}

/// What the writer has to know of one frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Note {
    pub call: CallSid,
    pub what: What,
}

/// See [`Note`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The call began; whether anybody is told of it, and whether this record carries an event.
    Admitted { told: bool, event: bool },
    /// A record: whether it carries an event of the call or of a leg, and how far it brings its call.
    /// `leg`: one more is under way, or one less; `ahead`: so many may still be invited.
    Record { event: bool, leg_event: bool, answered: bool, ended: bool, leg: i8, ahead: Option<u16> },
    /// An event needs no more tries.
    Settled,
    /// A receiver gets nothing more, or everything again.
    Receiver,
    /// Nothing to keep book of.
    Other,
}

#[derive(Default)]
pub(super) struct Unsynced {
    /// A sync failed: what it was for is to be written again.
    pub failed: bool,
    /// Everything that is not synced stands again from this position on.
    pub again: Option<u64>,
    /// Files with the position they are written up to.
    pub files: Vec<(Arc<File>, u64)>,
    /// The syncer waits to be woken.
    pub asleep: bool,
    pub stop: bool,
}

impl Shared {
    pub fn new(path: PathBuf, origin: u64, position: u64, segments: Vec<u64>, reserve: u64) -> Self {
        Self {
            path: Mutex::new(path),
            known: Mutex::default(),
            foreign: Mutex::default(),
            pending: Mutex::default(),
            wake: Condvar::new(),
            written: AtomicU64::new(position),
            synced: AtomicU64::new(position),
            projected: AtomicU64::new(0),
            segments: Mutex::new(segments),
            grown: Notify::new(),
            disk_full: AtomicBool::new(false),
            on_reserve: AtomicBool::new(false),
            sick: AtomicBool::new(false),
            unsynced: Mutex::default(),
            sync_wake: Condvar::new(),
            oldest: AtomicU64::new(0),
            started: Clock::now(),
            origin,
            reserved: AtomicU64::new(0),
            reserve,
            records: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            observer: OnceLock::new(),
            failures: AtomicU64::new(0),
        }
    }

    /// Hands over frames, with a note for each.
    pub fn push(
        &self,
        bytes: &mut Vec<u8>,
        notes: &mut Vec<Note>,
        mark: Option<(&Arc<Mark>, u64)>,
        urgent: bool,
    ) {
        let mut pending = lock(&self.pending);
        if pending.since.is_none() {
            let now = Clock::now();
            pending.since = Some(now);
            if self.oldest.load(Ordering::Relaxed) == 0 {
                self.oldest.store(self.scale(now), Ordering::Relaxed);
            }
        }
        pending.bytes.append(bytes);
        pending.notes.append(notes);
        pending.marks.extend(mark.map(|(mark, count)| (Arc::clone(mark), count)));
        pending.urgent |= urgent;
        // One that gathers is asleep for what is urgent alone.
        let woken = pending.asleep && (urgent || !pending.gathering);
        pending.asleep &= !woken;
        drop(pending);
        if woken {
            self.wake.notify_one();
        }
    }

    /// Tells whoever observes how long `work` took since `began`.
    pub fn took(&self, work: Work, began: Clock) {
        if let Some(observer) = self.observer.get() {
            observer(work, began.elapsed());
        }
    }

    pub fn scale(&self, at: Clock) -> u64 {
        u64::try_from(at.duration_since(self.started).as_micros()).unwrap_or(u64::MAX - 1) + 1
    }

    /// The age of the oldest record that is not written.
    pub fn lag(&self) -> Duration {
        match self.oldest.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            oldest => Duration::from_micros(self.scale(Clock::now()).saturating_sub(oldest)),
        }
    }

    pub fn is_full(&self) -> bool {
        self.disk_full.load(Ordering::Relaxed)
            || self.sick.load(Ordering::Relaxed)
            || self.reserved.load(Ordering::Relaxed) > self.reserve
            || self.lag() > MOST_LAG
            || lock(&self.pending).bytes.len() > MOST_PENDING
    }
}

/// A lock whose holder panicked is taken all the same: what it guards is whole after each step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
