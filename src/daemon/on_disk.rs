//! The last good directory on disk: written on the way of every load and step, and read by a start.
//!
//! A start with the store reads from there only what changed since; one without it routes with what there is.

use std::path::{Path, PathBuf};

use crate::routing::model::Delta;
use crate::routing::{Builder, Directory};
use crate::store::last_good::{self, Extent, KeptStep, LastGood, LastGoodError, Piece, Snapshot};
use crate::store::{Changes, FrameRows, Mark, Step, Store, StoreError};
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

/// A directory that is as new as the store.
pub(super) struct GoneOn {
    pub(super) directory: Directory,
    /// The file, open for more steps, where it can be.
    pub(super) kept: Option<LastGood>,
    /// Rows written and removed by what changed since.
    pub(super) rows: (u64, u64),
}

/// The directory on disk with what changed in the store since; `None`: there is none, or it and the store do not meet.
///
/// # Errors
/// The store is away or refuses.
pub(super) async fn go_on(store: &Store, path: &Path, health: &Health) -> Result<Option<GoneOn>, StoreError> {
    let Some(found) = read_aside(store.clone(), path.to_owned()).await else { return Ok(None) };
    let step = match store.changes_since_kept(&found.mark).await? {
        Changes::None => None,
        Changes::Step(step) => Some(step),
        Changes::Everything(why) => {
            tracing::info!(why, "the directory on disk is not gone on from");
            return Ok(None);
        }
    };
    let mut kept = noted(LastGood::reopen(path, found.extent), health);
    let mut gone_on = GoneOn { directory: found.directory, kept: None, rows: (0, 0) };
    if let Some(step) = step {
        let Step { mark, delta, kept: frame, bad } = *step;
        for row in &bad {
            tracing::warn!(%row, "a row is left out");
        }
        gone_on.rows = (delta.written.len() as u64, delta.removed.len() as u64);
        gone_on.directory = gone_on.directory.apply(&delta, mark.generation);
        keep_step(&mut kept, &mark, &delta, frame.as_ref(), health);
    }
    Ok(Some(GoneOn { kept, ..gone_on }))
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
    for row in &bad {
        tracing::warn!(%row, "a row is left out");
    }
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
