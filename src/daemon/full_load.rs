//! A directory from scratch: from the store, compared with the one that is live and written to
//! disk on the way.

use std::path::Path;
use std::sync::Arc;

use crate::api::ReloadReport;
use crate::daemon::on_disk::{left_out, noted};
use crate::routing::model::Number;
use crate::routing::{Builder, Directory};
use crate::store::last_good::Snapshot;
use crate::store::{BadRow, Mark, Store, StoreError};
use crate::telemetry::Health;

/// A directory that is not live yet.
pub(super) struct Built {
    pub(super) directory: Directory,
    /// What its generation is known by.
    pub(super) mark: Mark,
    /// The file being written, where one is.
    pub(super) snapshot: Option<Snapshot>,
    pub(super) report: ReloadReport,
}

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
    let directory = builder.build(load.mark.generation);
    let before = live.len() as u64;
    let report = ReloadReport {
        from: live.generation(),
        to: load.mark.generation,
        numbers_before: before,
        numbers_after: directory.len() as u64,
        added,
        removed: before.saturating_sub(read.saturating_sub(added)),
        changed,
        skipped: told(&load.bad, &directory),
        ..ReloadReport::default()
    };
    Ok(Built { directory, mark: load.mark, snapshot, report })
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
    left_out(bad);
    let rows = bad.iter().map(ToString::to_string);
    let patterns =
        directory.skipped().map(|skipped| format!("pattern {} is left out: {}", skipped.sid, skipped.why));
    rows.chain(patterns).take(SKIPPED_TOLD).collect()
}
