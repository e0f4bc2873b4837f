//! A directory from scratch: from the store, compared with the one that is live and written to
//! disk on the way; or from disk, when the store is away.

use std::path::Path;
use std::sync::Arc;

use crate::api::ReloadReport;
use crate::routing::model::{Delta, Number};
use crate::routing::{Builder, Directory};
use crate::store::last_good::{self, KeptStep, LastGood, LastGoodError, Piece, Snapshot};
use crate::store::{BadRow, FrameRows, Store, StoreError};
use crate::telemetry::health::Severity;
use crate::telemetry::{Health, chain};

/// The file of the last good directory, open for steps.
pub(super) type Kept = LastGood;

/// A directory that is not live yet.
pub(super) struct Built {
    pub(super) directory: Directory,
    /// The file being written, where one is.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) report: ReloadReport,
}

/// The name of the matter when the disk refuses.
const MATTER: &str = "last-good";
/// Rows told one by one in a report.
const SKIPPED_TOLD: usize = 100;

/// Builds the store's newest generation; a copy goes to `keep`.
pub(super) async fn build(
    store: &Store,
    live: &Arc<Directory>,
    keep: Option<&Path>,
    health: &Health,
) -> Result<Built, StoreError> {
    let mut load = store.load().await?;
    let mut snapshot = keep.and_then(|path| noted(Snapshot::begin(path, &load.kept), health));
    let mut builder = Builder::after(std::mem::take(&mut load.frame), Arc::clone(live));
    let (mut added, mut changed) = (0, 0);
    let read = load
        .numbers(|number| {
            match compare(live, &number) {
                Compared::New => added += 1,
                Compared::Other => changed += 1,
                Compared::Same => {}
            }
            builder.add(&number);
            if let Some(file) = &mut snapshot
                && noted(file.number(&number), health).is_none()
            {
                snapshot = None;
            }
        })
        .await?;
    let directory = builder.build(load.generation);
    let before = live.len() as u64;
    let report = ReloadReport {
        from: live.generation(),
        to: load.generation,
        numbers_before: before,
        numbers_after: directory.len() as u64,
        added,
        removed: before.saturating_sub(read.saturating_sub(added)),
        changed,
        skipped: told(&load.bad, &directory),
        ..ReloadReport::default()
    };
    Ok(Built { directory, snapshot, report })
}

/// Makes the written file last; waits for the disk elsewhere, so that this thread goes on.
pub(super) async fn finish(snapshot: Option<Snapshot>, generation: u64, health: &Health) -> Option<Kept> {
    let snapshot = snapshot?;
    let finished = tokio::task::spawn_blocking(move || snapshot.finish(generation)).await;
    let kept = noted(finished.ok()?, health)?;
    health.clear(MATTER);
    Some(kept)
}

/// Appends a step to the file. A file that cannot take it is no longer good: it is left as it
/// stands, a valid older generation, until the next full load writes a new one.
pub(super) fn keep_step(
    kept: &mut Option<Kept>,
    generation: u64,
    delta: &Delta,
    frame: Option<&FrameRows>,
    health: &Health,
) {
    if let Some(file) = kept
        && noted(file.step(generation, delta, frame), health).is_none()
    {
        *kept = None;
    }
}

/// The directory kept on disk.
pub(super) fn last_good(store: &Store, path: &Path) -> Result<Directory, LastGoodError> {
    let mut bad = Vec::new();
    let mut builder = None;
    let mut directory: Option<Directory> = None;
    last_good::read(path, |piece| match piece {
        Piece::Frame(rows) => builder = Some(Builder::new(store.frame_of(&rows, &mut bad))),
        Piece::Numbers(numbers) => {
            if let Some(builder) = &mut builder {
                numbers.iter().for_each(|number| builder.add(number));
            }
        }
        Piece::End(generation) => directory = builder.take().map(|builder| builder.build(generation)),
        Piece::Step(step) => {
            let KeptStep { generation, delta, frame } = *step;
            let frame = frame.map(|rows| store.frame_of(&rows, &mut bad));
            directory = directory.take().map(|now| now.apply(&Delta { frame, ..delta }, generation));
        }
    })?;
    for row in &bad {
        tracing::warn!(%row, "a row is left out");
    }
    directory.ok_or_else(|| LastGoodError::Damaged { path: path.to_owned() })
}

enum Compared {
    New,
    Same,
    Other,
}

fn compare(live: &Directory, number: &Number) -> Compared {
    let Some(view) = live.number(&number.text, number.organization) else { return Compared::New };
    let same = view.sid() == number.sid
        && view.account().map(|account| account.sid) == Some(number.account)
        && view.is_sip() == number.is_sip
        && view.in_service() == number.in_service
        && *view.profile() == number.profile;
    if same { Compared::Same } else { Compared::Other }
}

fn told(bad: &[BadRow], directory: &Directory) -> Vec<String> {
    for row in bad {
        tracing::warn!(%row, "a row is left out");
    }
    let rows = bad.iter().map(ToString::to_string);
    let patterns =
        directory.skipped().map(|skipped| format!("pattern {} is left out: {}", skipped.sid, skipped.why));
    rows.chain(patterns).take(SKIPPED_TOLD).collect()
}

/// The last good directory is a net: the disk's refusal is told, and routing goes on.
fn noted<T>(result: Result<T, LastGoodError>, health: &Health) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            health.raise(
                MATTER,
                Severity::Degraded,
                format!(
                    "{}: a start without the database would route with an older directory or none",
                    chain(&error)
                ),
            );
            None
        }
    }
}
