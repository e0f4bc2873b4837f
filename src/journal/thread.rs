//! The two threads: one writes what has gathered, one syncs what was written.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use super::entry::Entry;
use super::estate::Legacy;
use super::frame;
use super::pen::now;
use super::segment::{Allocate, Folder, HEADER, segment_path, segments};
use super::shared::{Mark, Note, Pending, Shared, What, Work, lock};
use super::track::Track;
use crate::ids::{AccountSid, CallSid};

/// How long the syncer gathers before a sync; with the sync itself it stays within 10 ms.
const GATHER: Duration = Duration::from_millis(7);

/// The writer's pace, from write to write. What comes alone is written at once. What comes thick shares a write and
/// a wake-up: what an ask waits for comes the shorter time after the write before it, what nobody waits for the longer,
/// and no record waits a millisecond.
const BREATH: Duration = Duration::from_micros(300);
const PACE: Duration = Duration::from_micros(700);

/// How often the writer looks after segments when nothing comes, and while the disk is full.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_millis(50);

/// With more segments than this, what still holds the oldest is moved to the newest.
const MANY_SEGMENTS: usize = 8;

pub(super) struct Writer {
    pub shared: Arc<Shared>,
    pub folder: Folder,
    pub file: Arc<File>,
    pub base: u64,
    /// Where the next frame goes, in the file.
    pub offset: u64,
    pub track: Track,
    /// Receivers that get nothing, each with its frame: every segment begins with them, so that they
    /// outlive the segment they were written in.
    pub disabled: BTreeMap<(AccountSid, Arc<str>), Vec<u8>>,
    /// The newest segment when it was last looked whether what holds the oldest can be moved.
    pub looked_at: u64,
    /// When it was last tried to get the reserve back.
    pub refilled: Instant,
    /// When it wrote last.
    pub wrote_at: Instant,
}

impl Writer {
    /// Until told to stop, with everything written.
    pub fn run(mut self) {
        let (mut bytes, mut notes, mut marks) = (Vec::new(), Vec::new(), Vec::new());
        if !self.carry_receivers() {
            tracing::error!("stopped on a disk that takes nothing");
        }
        loop {
            let stop = self.take(&mut bytes, &mut notes, &mut marks);
            if !notes.is_empty() {
                if self.write(&bytes, &notes) {
                    self.tell(&mut marks);
                } else {
                    tracing::error!(lost = notes.len(), "stopped on a disk that takes nothing");
                }
                marks.clear();
                bytes.clear();
                notes.clear();
            } else if stop {
                break;
            }
            self.look_after();
        }
        let mut unsynced = lock(&self.shared.unsynced);
        unsynced.stop = true;
        drop(unsynced);
        self.shared.sync_wake.notify_one();
    }

    /// Waits for something to write, and takes it.
    fn take(
        &mut self,
        bytes: &mut Vec<u8>,
        notes: &mut Vec<Note>,
        marks: &mut Vec<(Arc<Mark>, u64)>,
    ) -> bool {
        let mut pending = self.wait();
        pending.urgent = false;
        std::mem::swap(&mut pending.bytes, bytes);
        std::mem::swap(&mut pending.notes, notes);
        std::mem::swap(&mut pending.marks, marks);
        pending.since = None;
        let (stop, legacies) = (pending.stop, std::mem::take(&mut pending.legacies));
        drop(pending);
        for legacy in legacies {
            self.inherit(legacy);
        }
        stop
    }

    /// Until there is something to write and it is time to, or there is something else to do.
    fn wait(&self) -> MutexGuard<'_, Pending> {
        let mut pending = lock(&self.shared.pending);
        let patience = if self.is_short() { RETRY } else { HOUSEKEEPING };
        let until = Instant::now() + patience;
        while !pending.stop && pending.legacies.is_empty() {
            let now = Instant::now();
            let pause = if pending.urgent { BREATH } else { PACE };
            // Behind a write nothing but what is urgent wakes it, and that not at once.
            let is_behind_one = now < self.wrote_at + pause;
            if !is_behind_one && (!pending.notes.is_empty() || now >= until) {
                break;
            }
            let rest = if is_behind_one { self.wrote_at + pause } else { until } - now;
            (pending.asleep, pending.gathering) = (!pending.urgent, is_behind_one);
            let woken;
            (pending, woken) = match self.shared.wake.wait_timeout(pending, rest) {
                Ok((pending, timeout)) => (pending, !timeout.timed_out()),
                Err(poisoned) => (poisoned.into_inner().0, true),
            };
            (pending.asleep, pending.gathering) = (false, false);
            // By somebody who has nothing to write: it is to look up.
            if woken && pending.notes.is_empty() {
                break;
            }
        }
        pending
    }

    /// Takes over what another process left.
    fn inherit(&mut self, legacy: Legacy) {
        for (call, pinned) in legacy.pins {
            self.track.pin(call, pinned);
        }
        for (call, events) in legacy.owed {
            self.track.owe(call, events);
        }
        self.disabled.extend(legacy.disabled);
        let Some((home, others)) = legacy.home else { return };
        let moved = self.persist("the journal's folder cannot be left", |writer| {
            writer.move_to(&home)?;
            let mut segments = lock(&writer.shared.segments);
            segments.extend(&others);
            segments.sort_unstable();
            segments.dedup();
            Ok(())
        });
        if moved && legacy.behind > self.base + self.offset {
            self.offset = legacy.behind - self.base;
            if !self.roll() {
                tracing::error!("stopped on a disk that takes nothing");
            }
            // What the other wrote stands before this.
            self.shared.written.fetch_max(self.base + self.offset, Ordering::AcqRel);
            self.shared.grown.notify_waiters();
        }
    }

    /// All segments stand in `home` from here on, those already begun too; the former folder goes.
    fn move_to(&mut self, home: &Path) -> io::Result<()> {
        let former = self.folder.path.clone();
        if former == home {
            return Ok(());
        }
        for base in segments(&former)? {
            match std::fs::hard_link(segment_path(&former, base), segment_path(home, base)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        File::open(home)?.sync_all()?;
        home.clone_into(&mut self.folder.path);
        home.clone_into(&mut lock(&self.shared.path));
        std::fs::remove_dir_all(former)
    }

    /// Writes whole frames, as many at once as fit, and begins new segments in between. Comes back
    /// only when everything is written, or with false when the process stops on a disk that takes
    /// nothing.
    fn write(&mut self, bytes: &[u8], notes: &[Note]) -> bool {
        let mut notes = notes.iter();
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.folder.size.saturating_sub(self.offset);
            let (mut fits, start) = (0, self.base + self.offset);
            while let Some(frame) = frame_len(&rest[fits..]).filter(|len| (fits + len) as u64 <= room) {
                let bytes = &rest[fits..fits + frame];
                fits += frame;
                if let Some(note) = notes.next() {
                    if note.what == What::Receiver {
                        self.receiver(bytes);
                    }
                    self.track.note(*note, self.base, start + fits as u64);
                }
            }
            let done = if fits > 0 { self.append(&rest[..fits]) } else { self.roll() };
            if !done {
                return false;
            }
            rest = &rest[fits..];
        }
        true
    }

    fn append(&mut self, bytes: &[u8]) -> bool {
        let (file, offset, began) = (Arc::clone(&self.file), self.offset, Instant::now());
        if !self.persist("journal write failed", |_| file.write_all_at(bytes, offset)) {
            return false;
        }
        self.shared.took(Work::Write, began);
        self.shared.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        self.wrote_at = Instant::now();
        self.offset += bytes.len() as u64;
        let end = self.base + self.offset;
        self.shared.written.store(end, Ordering::Release);
        let mut unsynced = lock(&self.shared.unsynced);
        match unsynced.files.last_mut() {
            Some((last, until)) if Arc::ptr_eq(last, &self.file) => *until = end,
            _ => unsynced.files.push((Arc::clone(&self.file), end)),
        }
        let asleep = std::mem::take(&mut unsynced.asleep);
        drop(unsynced);
        if asleep {
            self.shared.sync_wake.notify_one();
        }
        true
    }

    /// Keeps book of a receiver that was disabled or enabled.
    fn receiver(&mut self, frame: &[u8]) {
        match frame::read(frame, self.shared.origin).map(|framed| framed.entry) {
            Some(Entry::Disabled { account, url }) => {
                let mut carried = Vec::new();
                frame::carry(&mut carried, frame);
                self.disabled.insert((account, url), carried);
            }
            Some(Entry::Enabled { account, url }) => drop(self.disabled.remove(&(account, url))),
            _ => {}
        }
    }

    /// Begins the next segment.
    fn roll(&mut self) -> bool {
        self.begin_segment() && self.carry_receivers()
    }

    fn carry_receivers(&mut self) -> bool {
        let disabled = self.disabled.values().flatten().copied().collect::<Vec<u8>>();
        disabled.is_empty() || self.append(&disabled)
    }

    fn begin_segment(&mut self) -> bool {
        self.persist("no room for the next segment of the journal", |writer| {
            let end = writer.base + writer.offset;
            let (file, spare) = writer.folder.create(end)?;
            (writer.file, writer.base, writer.offset) = (Arc::new(file), end, HEADER);
            if spare {
                writer.watch_reserve();
                writer.shared.on_reserve.store(true, Ordering::Relaxed);
                tracing::error!("the disk is full: the journal goes on in its reserve");
            }
            lock(&writer.shared.segments).push(end);
            Ok(())
        })
    }

    /// Tries until it is done. Meanwhile no call is admitted, and what comes is kept.
    fn persist(&mut self, what: &str, mut attempt: impl FnMut(&mut Self) -> io::Result<()>) -> bool {
        let mut failed = false;
        while let Err(error) = attempt(self) {
            if !failed {
                tracing::error!(%error, "{what}; no call is admitted until it succeeds");
            }
            failed = true;
            self.shared.failures.fetch_add(1, Ordering::Relaxed);
            self.shared.disk_full.store(true, Ordering::Relaxed);
            if lock(&self.shared.pending).stop {
                return false;
            }
            std::thread::sleep(RETRY);
        }
        true
    }

    /// Says what is written.
    fn tell(&self, marks: &mut Vec<(Arc<Mark>, u64)>) {
        let pending = lock(&self.shared.pending);
        self.shared
            .oldest
            .store(pending.since.map_or(0, |since| self.shared.scale(since)), Ordering::Relaxed);
        drop(pending);
        for (mark, count) in marks.drain(..) {
            let before = mark.written.swap(count, Ordering::Release);
            self.shared.records.fetch_add(count - before, Ordering::Relaxed);
            mark.grown.notify_one();
        }
        self.shared.grown.notify_waiters();
    }

    /// Lets go of segments nobody needs, and gets back the reserve when there is room again.
    fn look_after(&mut self) {
        self.write_unsynced_again();
        self.track.projected(self.shared.projected.load(Ordering::Relaxed));
        self.shared.reserved.store(self.track.reserved(), Ordering::Relaxed);
        if self.say_done() {
            self.retire();
        }
        if !self.is_short() {
            return;
        }
        self.watch_reserve();
        if self.refilled.elapsed() < RETRY {
            return;
        }
        self.refilled = Instant::now();
        if self.folder.refill().is_ok() {
            tracing::warn!("the journal has room again");
            self.shared.disk_full.store(false, Ordering::Relaxed);
            self.shared.on_reserve.store(false, Ordering::Relaxed);
        }
    }

    /// Whether the disk is full, with or without a reserve to go on in.
    fn is_short(&self) -> bool {
        self.shared.disk_full.load(Ordering::Relaxed) || self.shared.on_reserve.load(Ordering::Relaxed)
    }

    /// Admits no more calls once what is left of the reserve is for those that are admitted; one segment more is kept
    /// for what comes before that is seen. It stays so until there is room again.
    fn watch_reserve(&self) {
        let left = self.folder.spare_bytes() + self.folder.size.saturating_sub(self.offset);
        if self.track.reserved() + self.folder.size > left {
            self.shared.disk_full.store(true, Ordering::Relaxed);
        }
    }

    /// Says of calls that were moved that they are done: what was written again may outlast the
    /// segments with their ends, and would look like calls without one. False: not yet.
    fn say_done(&mut self) -> bool {
        let calls = self.track.take_done();
        if calls.is_empty() {
            return true;
        }
        let (mut bytes, mut frame) = (Vec::new(), Vec::new());
        for call in &calls {
            frame.clear();
            frame::append(&mut frame, &Entry::Done { call: *call }, now(), self.shared.origin);
            frame::carry(&mut bytes, &frame);
        }
        let done = self.write_again(&bytes, calls.len());
        if !done {
            self.track.still_done(calls);
        }
        done
    }

    /// Writes frames that no feed gives, and syncs them.
    fn write_again(&mut self, bytes: &[u8], count: usize) -> bool {
        let notes = vec![Note { call: CallSid(0), what: What::Other }; count];
        if !self.write(bytes, &notes) {
            return false;
        }
        let synced = self.folder.disk.sync(&self.file);
        if let Err(error) = &synced {
            tracing::error!(%error, "journal sync failed");
            lock(&self.shared.unsynced).failed = true;
        }
        synced.is_ok()
    }

    /// A sync failed. What the kernel could not keep it may have forgotten, and the next sync of the same
    /// file would say nothing of it: all that is not synced is written again, in a new segment.
    fn write_unsynced_again(&mut self) {
        if !lock(&self.shared.unsynced).failed || self.folder.probe().is_err() {
            return;
        }
        lock(&self.shared.unsynced).failed = false;
        let from = self.shared.synced.load(Ordering::Acquire);
        let segments = lock(&self.shared.segments).clone();
        let first = segments.partition_point(|base| *base <= from).saturating_sub(1);
        let (mut carried, mut count) = (Vec::new(), 0);
        for base in &segments[first..] {
            let bytes = match std::fs::read(self.folder.segment_path(*base)) {
                Ok(bytes) => bytes,
                Err(error) => {
                    tracing::error!(%error, "what was not synced cannot be read; a power cut may lose it");
                    continue;
                }
            };
            let begin = usize::try_from(from.saturating_sub(*base).max(HEADER)).unwrap_or(usize::MAX);
            let mut rest = bytes.get(begin..).unwrap_or_default();
            while let Some(frame) = frame::first(rest) {
                rest = &rest[frame.len()..];
                frame::carry(&mut carried, frame);
                count += 1;
                let entry = frame::read(frame, self.shared.origin).map(|framed| framed.entry);
                if let Some(call) = entry.and_then(|entry| entry.call()) {
                    self.track.moved(call);
                }
            }
        }
        if !self.begin_segment() {
            return;
        }
        let again = self.base;
        let notes = vec![Note { call: CallSid(0), what: What::Other }; count];
        if self.carry_receivers() && self.write(&carried, &notes) {
            lock(&self.shared.unsynced).again = Some(again);
        }
    }

    fn retire(&mut self) {
        loop {
            let segments = lock(&self.shared.segments).clone();
            let [oldest, next, ..] = segments[..] else { return };
            if self.shared.projected.load(Ordering::Relaxed) < next {
                return;
            }
            let is_held = self.track.oldest().is_some_and(|base| base <= oldest);
            if is_held && (segments.len() <= MANY_SEGMENTS || !self.move_on(oldest, next)) {
                return;
            }
            if let Err(error) = self.folder.remove(oldest) {
                tracing::error!(%error, "a segment of the journal cannot be removed");
                self.shared.failures.fetch_add(1, Ordering::Relaxed);
                return;
            }
            lock(&self.shared.segments).retain(|base| *base != oldest);
        }
    }

    /// Writes again, in the newest segment, what the oldest holds of calls that are not done, if
    /// that is little: one call of many hours does not keep the disk full of those around it.
    fn move_on(&mut self, oldest: u64, next: u64) -> bool {
        if self.looked_at == self.base {
            return false;
        }
        self.looked_at = self.base;
        let Ok(bytes) = std::fs::read(self.folder.segment_path(oldest)) else { return false };
        let (mut carried, mut count) = (Vec::new(), 0);
        let mut rest = bytes.get(HEADER as usize..).unwrap_or_default();
        while let Some(frame) = frame::first(rest) {
            rest = &rest[frame.len()..];
            let entry = frame::read(frame, self.shared.origin).map(|framed| framed.entry);
            // A trace is in the store by now, and nobody else reads it.
            let entry = entry.filter(|entry| !matches!(entry, Entry::Trace { .. }));
            if entry.and_then(|entry| entry.call()).is_some_and(|call| self.track.holds(call)) {
                frame::carry(&mut carried, frame);
                count += 1;
            }
        }
        if carried.len() as u64 > self.folder.size / 4 {
            return false;
        }
        if !self.write_again(&carried, count) {
            return false;
        }
        // What the segments in between hold of these calls is still needed.
        self.track.advance(oldest, next);
        self.track.oldest().is_none_or(|base| base > oldest)
    }
}

fn frame_len(bytes: &[u8]) -> Option<usize> {
    let len = u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?);
    Some(frame::HEAD + len as usize)
}

/// Syncs what is written, until told to stop.
pub(super) fn sync(shared: &Shared, disk: &dyn Allocate) {
    // From a failed sync until what it was for stands elsewhere, no sync says anything.
    let mut broken = false;
    loop {
        let mut unsynced = lock(&shared.unsynced);
        while unsynced.files.is_empty() && !unsynced.stop {
            unsynced.asleep = true;
            unsynced = shared.sync_wake.wait(unsynced).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        unsynced.asleep = false;
        let stop = unsynced.stop;
        drop(unsynced);
        if !stop {
            std::thread::sleep(GATHER);
        }
        let files = std::mem::take(&mut lock(&shared.unsynced).files);
        if files.is_empty() && stop {
            return;
        }
        for (file, until) in files {
            broken = sync_one(shared, disk, &file, until, broken);
        }
        shared.grown.notify_waiters();
    }
}

/// Syncs one file up to `until`; whether the journal is broken then.
fn sync_one(shared: &Shared, disk: &dyn Allocate, file: &File, until: u64, broken: bool) -> bool {
    let began = Instant::now();
    match disk.sync(file) {
        Ok(()) => {
            shared.took(Work::Sync, began);
            let again = lock(&shared.unsynced).again;
            if broken && again.is_none_or(|again| until <= again) {
                return true;
            }
            shared.synced.store(until, Ordering::Release);
            shared.sick.store(false, Ordering::Relaxed);
            false
        }
        // It is never said to be synced, and nothing is admitted until it stands elsewhere.
        Err(error) => {
            tracing::error!(%error, "journal sync failed; what was not synced is written again");
            shared.failures.fetch_add(1, Ordering::Relaxed);
            shared.sick.store(true, Ordering::Relaxed);
            let mut unsynced = lock(&shared.unsynced);
            (unsynced.failed, unsynced.again) = (true, None);
            drop(unsynced);
            shared.wake.notify_one();
            true
        }
    }
}
