//! The journal as the rest of the house sees it.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::estate::gather;
use super::feed::{Feed, Known};
use super::pen::{Pen, now};
use super::replay::{Replay, Scan, Undelivered};
use super::segment::{Allocate, Disk, Folder, HEADER};
use super::shared::{Observer, Shared, lock};
use super::thread::{Writer, sync};
use crate::ids::{AccountSid, CallSid};

/// Where the journal is and how large its files are.
#[derive(Clone, Debug)]
pub struct Config {
    /// The directory, made where it is not there.
    pub path: PathBuf,
    /// The size of one segment in bytes.
    pub segment_size: u64,
    /// The room in bytes that is allocated at start, for the records of admitted calls when the
    /// disk is full.
    pub reserve: u64,
    /// What the wall clock showed at the engine's zero.
    pub origin: SystemTime,
}

impl Config {
    /// A journal in `path` with segments of 16 MiB and a reserve of 64 MiB.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, origin: SystemTime) -> Self {
        Self { path: path.into(), segment_size: 16 << 20, reserve: 64 << 20, origin }
    }
}

/// A journal that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The directory or a segment cannot be read.
    #[error("the journal cannot be read")]
    Read(#[source] io::Error),
    /// The first segment, or the reserve, cannot be allocated.
    #[error("the journal cannot be written: is there room on the disk?")]
    Write(#[source] io::Error),
    /// A thread cannot be started.
    #[error("the journal's thread cannot be started")]
    Thread(#[source] io::Error),
    /// Another version of callgate wrote it.
    #[error("the journal is of version {0}, which this callgate does not read; start the one that wrote it")]
    Version(u8),
}

/// The open journal. Dropping it stops its threads with everything written and synced.
pub struct Journal {
    pub(super) shared: Arc<Shared>,
    start: u64,
    known: HashMap<CallSid, Known, foldhash::fast::RandomState>,
    threads: Vec<JoinHandle<()>>,
}

impl Journal {
    /// Opens the journal, reads what is there, and starts writing a new segment.
    ///
    /// # Errors
    /// [`JournalError`]: it cannot be read, or there is no room for its reserve.
    pub fn open(config: &Config) -> Result<(Self, Replay), JournalError> {
        Self::open_on(config, Box::new(Disk))
    }

    /// Begins one beside another's, in a folder that is not there yet: at `start`, where [`Journal::beside`]
    /// of the other says.
    ///
    /// # Errors
    /// [`JournalError::Write`], [`JournalError::Thread`].
    pub fn begin(config: &Config, start: u64) -> Result<Self, JournalError> {
        let disk: Arc<dyn Allocate> = Arc::new(Disk);
        Self::start(config, &disk, &Scan::default(), start)
    }

    /// [`Journal::open`] on a disk of the caller's.
    ///
    /// # Errors
    /// As there.
    pub fn open_on(config: &Config, disk: Box<dyn Allocate>) -> Result<(Self, Replay), JournalError> {
        gather(&config.path).map_err(JournalError::Read)?;
        std::fs::create_dir_all(&config.path).map_err(JournalError::Write)?;
        let scan = Scan::of(&config.path, micros(config.origin))?;
        // A journal that was taken away begins behind every position it may have had.
        let start = if scan.segments.is_empty() { now() } else { scan.end };
        Ok((Self::start(config, &Arc::from(disk), &scan, start)?, scan.replay()))
    }

    fn start(
        config: &Config,
        disk: &Arc<dyn Allocate>,
        scan: &Scan,
        start: u64,
    ) -> Result<Self, JournalError> {
        let origin = micros(config.origin);
        let spares = u32::try_from(config.reserve.div_ceil(config.segment_size)).unwrap_or(u32::MAX);
        let folder = Folder::open(&config.path, config.segment_size, spares, Arc::clone(disk))
            .map_err(JournalError::Write)?;
        let (file, spare) = folder.create(start).map_err(JournalError::Write)?;
        let mut segments = scan.segments.clone();
        segments.push(start);
        let path = config.path.clone();
        let shared = Arc::new(Shared::new(path, origin, start + HEADER, segments, config.reserve));
        match folder.refill() {
            Ok(()) => {}
            // Short of room with a journal that is in use: what is admitted is kept, nothing is added.
            Err(_) if spare || !scan.segments.is_empty() => shared.disk_full.store(true, Ordering::Relaxed),
            Err(error) => return Err(JournalError::Write(error)),
        }
        let disabled = scan.disabled_frames(origin);
        let writer = Writer {
            shared: Arc::clone(&shared),
            folder,
            file: Arc::new(file),
            base: start,
            offset: HEADER,
            track: scan.track(),
            disabled,
            looked_at: u64::MAX,
            refilled: std::time::Instant::now(),
            wrote_at: std::time::Instant::now(),
        };
        let threads = start_threads(&shared, writer).map_err(JournalError::Thread)?;
        Ok(Self { shared, start, known: scan.known(), threads })
    }

    /// A writer's end; one per shard, and one for what becomes of deliveries.
    #[must_use]
    pub fn pen(&self) -> Pen {
        Pen::new(Arc::clone(&self.shared))
    }

    /// Follows everything written since this process started, also by another that it takes over from
    /// meanwhile.
    #[must_use]
    pub fn feed(&self) -> Feed {
        self.feed_from(self.start)
    }

    /// Follows from a position another feed had, or the oldest one there is.
    #[must_use]
    pub fn feed_from(&self, position: u64) -> Feed {
        Feed::new(Arc::clone(&self.shared), position, self.known.clone())
    }

    /// Reads what is there, from any thread.
    #[must_use]
    pub fn archive(&self) -> Archive {
        Archive(Arc::clone(&self.shared))
    }

    /// Lets `observer` hear how long writes and syncs take; the first one stays.
    pub fn observe(&self, observer: Observer) {
        self.shared.observer.get_or_init(|| observer);
    }

    /// What can be asked of the journal from any thread.
    #[must_use]
    pub fn gauge(&self) -> Gauge {
        Gauge(Arc::clone(&self.shared))
    }
}

/// Reads the files as they are, however long ago they were written.
#[derive(Clone)]
pub struct Archive(Arc<Shared>);

impl Archive {
    /// Follows everything there is, from the oldest segment on.
    #[must_use]
    pub fn feed(&self) -> Feed {
        Feed::new(Arc::clone(&self.0), 0, HashMap::default())
    }

    /// The oldest events of one receiver that nobody took yet, at most `limit`, those of one call in
    /// order. Reads every segment: for a thread that may wait.
    ///
    /// # Errors
    /// A segment cannot be read.
    pub fn undelivered(
        &self,
        account: AccountSid,
        url: &str,
        limit: usize,
    ) -> Result<Vec<Undelivered>, JournalError> {
        let mut undelivered = Scan::of(&self.0.folder(), self.0.origin)?.replay().undelivered;
        undelivered.retain(|event| {
            let facts = &event.known.facts;
            let of_leg = event.record.leg_event().map(|event| &event.leg.callback.hook);
            let hook = of_leg.or(facts.profile.status_callback.as_ref());
            facts.account == account && hook.is_some_and(|hook| *hook.url == *url)
        });
        undelivered.truncate(limit);
        Ok(undelivered)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        lock(&self.shared.pending).stop = true;
        self.shared.wake.notify_one();
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        }
    }
}

/// How the journal stands, to be asked and told from any thread.
#[derive(Clone)]
pub struct Gauge(Arc<Shared>);

impl Gauge {
    /// Whether no call is to be admitted: the disk is full and the reserve is for those that are, or the oldest unwritten record is over
    /// 250 ms old.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.0.is_full()
    }

    /// Whether the disk is full, and the reserve takes what is written: new calls too, as long as it has room for
    /// all of those that are admitted.
    #[must_use]
    pub fn is_on_reserve(&self) -> bool {
        self.0.on_reserve.load(Ordering::Relaxed)
    }

    /// The age of the oldest record that is not written.
    #[must_use]
    pub fn oldest_unwritten(&self) -> Duration {
        self.0.lag()
    }

    /// Everything before this position is in the store, which keeps the position with the rows.
    /// Segments go when nothing in them is needed.
    pub fn projected(&self, position: u64) {
        self.0.projected.fetch_max(position, Ordering::Relaxed);
    }

    /// What the records of admitted calls may still need, in bytes.
    #[must_use]
    pub fn reserved(&self) -> u64 {
        self.0.reserved.load(Ordering::Relaxed)
    }

    /// Entries written by this process.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.0.records.load(Ordering::Relaxed)
    }

    /// Bytes written by this process.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Writes and syncs that failed.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.0.failures.load(Ordering::Relaxed)
    }

    /// Segments on the disk.
    #[must_use]
    pub fn segments(&self) -> usize {
        lock(&self.0.segments).len()
    }

    /// The position behind everything written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.0.written.load(Ordering::Acquire)
    }

    /// The position behind everything that survives a power cut.
    #[must_use]
    pub fn synced(&self) -> u64 {
        self.0.synced.load(Ordering::Acquire)
    }
}

fn start_threads(shared: &Arc<Shared>, writer: Writer) -> io::Result<Vec<JoinHandle<()>>> {
    let disk = Arc::clone(&writer.folder.disk);
    let writing = std::thread::Builder::new().name("journal".into()).spawn(move || writer.run())?;
    let shared = Arc::clone(shared);
    let syncing =
        std::thread::Builder::new().name("journal-sync".into()).spawn(move || sync(&shared, &*disk))?;
    Ok(vec![writing, syncing])
}

fn micros(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}
