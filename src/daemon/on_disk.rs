//! The last good directory on disk: written on the way of every load and step, and read by a start.
//!
//! A start with the store reads from there only what changed since; one without it routes with what there is.

use std::path::{Path, PathBuf};

use crate::routing::model::Delta;
use crate::routing::{Builder, Directory};
use crate::store::last_good::{self, Extent, KeptStep, LastGood, LastGoodError, Piece, Snapshot};
use crate::store::{BadRow, Changes, FrameRows, Mark, Step, Store, StoreError};
use crate::telemetry::health::Severity;
use crate::telemetry::{Health, chain};

/// The name of the matter when the disk refuses.
const MATTER: &str = "last-good";

/// What the disk has.
pub(super) struct OnDisk {
    pub(super) directory: Directory,
    mark: Mark,
    extent: Extent,
}

/// What a start goes on from.
pub(super) struct GoneOn {
    /// As the disk has it.
    pub(super) directory: Directory,
    /// The file, open for more steps, where it can be.
    pub(super) kept: Option<LastGood>,
    /// What changed since.
    pub(super) step: Option<Box<Step>>,
}

/// The directory on disk, and what changed in the store since; `None`: there is none, or it and the store do not meet.
///
/// # Errors
/// The store is away or refuses.
pub(super) async fn go_on(store: &Store, path: &Path, health: &Health) -> Result<Option<GoneOn>, StoreError> {
    let Some(OnDisk { directory, mark, extent }) = read_aside(store.clone(), path.to_owned()).await else {
        return Ok(None);
    };
    let step = match store.changes_since_kept(&mark).await? {
        Changes::None => None,
        Changes::Step(step) => Some(step),
        Changes::Everything(why) => {
            tracing::info!(why, "the directory on disk is not gone on from");
            return Ok(None);
        }
    };
    Ok(Some(GoneOn { directory, kept: noted(LastGood::reopen(path, extent), health), step }))
}

/// Reads the file on a thread of its own: with ten million numbers that takes seconds.
async fn read_aside(store: Store, path: PathBuf) -> Option<OnDisk> {
    match tokio::task::spawn_blocking(move || read(&store, &path)).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(error)) => {
            tracing::debug!(error = %chain(&error), "no directory on disk to go on from");
            None
        }
        Err(error) => {
            tracing::error!(%error, "nobody read the directory on disk");
            None
        }
    }
}

/// The directory kept on disk.
pub(super) fn read(store: &Store, path: &Path) -> Result<OnDisk, LastGoodError> {
    let mut bad = Vec::new();
    let mut builder = None;
    let mut newest: Option<(Directory, Mark)> = None;
    let extent = last_good::read(path, |piece| match piece {
        Piece::Frame(rows) => builder = Some(Builder::new(store.frame_of(&rows, &mut bad))),
        Piece::Numbers(numbers) => {
            if let Some(builder) = &mut builder {
                numbers.iter().for_each(|number| builder.add(number));
            }
        }
        Piece::End(mark) => newest = builder.take().map(|builder| (builder.build(mark.generation), mark)),
        Piece::Step(step) => {
            let KeptStep { mark, delta, frame } = *step;
            let frame = frame.map(|rows| store.frame_of(&rows, &mut bad));
            let delta = Delta { frame, ..delta };
            newest = newest.take().map(|(now, _)| (now.apply(&delta, mark.generation), mark));
        }
    })?;
    left_out(&bad);
    let (directory, mark) = newest.ok_or_else(|| LastGoodError::Damaged { path: path.to_owned() })?;
    Ok(OnDisk { directory, mark, extent })
}

/// Makes the written file last; waits for the disk elsewhere, so that this thread goes on.
pub(super) async fn finish(snapshot: Option<Snapshot>, mark: Mark, health: &Health) -> Option<LastGood> {
    let snapshot = snapshot?;
    let finished = tokio::task::spawn_blocking(move || snapshot.finish(&mark)).await;
    let kept = noted(finished.ok()?, health)?;
    health.clear(MATTER);
    Some(kept)
}

/// Appends a step to the file. A file that cannot take it is no longer good: it is left as it
/// stands, a valid older generation, until the next full load writes a new one.
pub(super) fn keep_step(
    kept: &mut Option<LastGood>,
    mark: &Mark,
    delta: &Delta,
    frame: Option<&FrameRows>,
    health: &Health,
) {
    if let Some(file) = kept
        && noted(file.step(mark, delta, frame), health).is_none()
    {
        *kept = None;
    }
}

/// Tells of rows that cannot be used.
pub(super) fn left_out(bad: &[BadRow]) {
    for row in bad {
        tracing::warn!(%row, "a row is left out");
    }
}

/// The last good directory is a net: the disk's refusal is told, and routing goes on.
pub(super) fn noted<T>(result: Result<T, LastGoodError>, health: &Health) -> Option<T> {
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
