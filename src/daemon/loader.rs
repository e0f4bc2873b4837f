//! The thread that loads everything anew: it has the CPU only where nobody else wants it.
//!
//! Ten million numbers are seconds of work for two threads, this one and SQLite's, which it starts. Calls, callbacks
//! and the API are not to notice. A nice value does not see to that: who has just run and is woken again waits for
//! the kernel's next tick, however nice the one that runs, unless that is idle by its policy (sched(7), SCHED_IDLE).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::Builder;

use tokio::sync::oneshot;

use super::front::come_last;
use super::full_load::{Built, build};
use crate::routing::Directory;
use crate::store::{Store, StoreError};
use crate::telemetry::Health;

/// Builds the store's newest generation on a thread and a connection of its own; a copy goes to `keep`. Dropping the
/// future ends it.
pub(super) async fn load(
    store: &Store,
    live: &Arc<Directory>,
    keep: Option<PathBuf>,
    health: &Arc<Health>,
) -> Result<Built, StoreError> {
    let (mut answer, built) = oneshot::channel();
    let (store, live, health) = (store.apart(), live.clone(), health.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(StoreError::Thread)?;
    let work = move || {
        // Until there is a directory every call waits for this one.
        if live.generation() > 0 {
            come_last();
        }
        let outcome = runtime.block_on(async {
            tokio::select! {
                built = built_apart(&store, &live, keep.as_deref(), &health) => Some(built),
                () = answer.closed() => None,
            }
        });
        if let Some(built) = outcome
            && answer.send(built).is_err()
        {
            tracing::debug!("nobody waits for what was loaded");
        }
    };
    Builder::new().name("loader".into()).spawn(work).map_err(StoreError::Thread)?;
    built.await.expect("the loader does not panic")
}

async fn built_apart(
    store: &Store,
    live: &Arc<Directory>,
    keep: Option<&Path>,
    health: &Health,
) -> Result<Built, StoreError> {
    let built = build(store, live, keep, health).await;
    store.close_directory().await;
    built
}
