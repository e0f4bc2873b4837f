//! The thread that loads everything anew: it has the CPU only where nobody else wants it.
//!
//! Ten million numbers are seconds of work for two threads, this one and SQLite's, which it starts. Calls, callbacks
//! and the API are not to notice. A nice value does not see to that: who has just run and is woken again waits for
//! the kernel's next tick, however nice the one that runs, unless that is idle by its policy (sched(7), SCHED_IDLE).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::Builder;

use thread_priority::{
    NormalThreadSchedulePolicy, ThreadPriority, ThreadSchedulePolicy, set_thread_priority_and_policy,
    thread_native_id,
};
use tokio::sync::oneshot;

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
    let work = move || {
        // Until there is a directory every call waits for this one.
        if live.generation() > 0 {
            come_last();
        }
        let outcome = alone(async {
            tokio::select! {
                built = built_apart(&store, &live, keep.as_deref(), &health) => Some(built),
                () = answer.closed() => None,
            }
        });
        let outcome =
            outcome.map_err(StoreError::Thread).transpose().map(|built| built.and_then(|built| built));
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

/// What a future comes to that has this thread to itself.
fn alone<T>(future: impl Future<Output = T>) -> io::Result<T> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(future))
}

/// This thread, and what it starts from here on, has the CPU where nobody else wants it.
fn come_last() {
    let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
    if let Err(error) = set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle) {
        tracing::warn!(?error, "a full load gets as much of the CPU as callbacks");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The policy of this thread: the 41st field of proc_pid_stat(5), 5 is SCHED_IDLE.
    fn policy() -> u32 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        fields.split_whitespace().nth(38).unwrap().parse().unwrap()
    }

    #[test]
    fn what_a_loader_starts_comes_last_with_it() {
        let policies = std::thread::spawn(|| {
            let before = policy();
            come_last();
            (before, policy(), std::thread::spawn(policy).join().unwrap())
        });
        assert_eq!(policies.join().unwrap(), (0, 5, 5));
    }
}
