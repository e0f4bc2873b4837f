//! Single steps of the start.

use std::sync::Arc;

use tokio::sync::watch;

use super::StartError;
use crate::call::mint::ShardKey;
use crate::config::Config;
use crate::daemon::clock::Clock;
use crate::daemon::first::{FirstStart, FirstStartError};
use crate::daemon::front::Front;
use crate::daemon::settings::journal_config;
use crate::daemon::succession::Bequest;
use crate::daemon::takeover::spread;
use crate::engine::door::Recovered;
use crate::engine::virtual_shard;
use crate::journal::{Journal, JournalError, Replay};
use crate::net::Owner;
use crate::store::{SecretError, Store, random_id};
use crate::telemetry::Metrics;

/// The journal of the configuration with what it holds, or one beside another process's.
pub(super) fn open_journal(
    config: &Config,
    clock: &Clock,
    bequest: Option<&Bequest>,
    front: &Front,
) -> Result<(Journal, Replay), JournalError> {
    let mut settings = journal_config(config, clock);
    let Some(bequest) = bequest else { return front.run(move || Journal::open(&settings)) };
    let (folder, start) = &bequest.journal;
    folder.clone_into(&mut settings.path);
    let start = *start;
    Ok((front.run(move || Journal::begin(&settings, start))?, Replay::default()))
}

/// Opens and migrates the store, and completes a first start; true when that is done. A store that
/// is away stops nothing: the follower does the same once it answers.
pub(super) async fn open_store(config: &Config, first: &FirstStart) -> Result<(Store, bool), StartError> {
    let store = Store::open(config.store.opening(&config.secrets))?;
    let prepared = match store.migrate().await {
        Ok(applied) => {
            for name in applied {
                tracing::info!(name, "migration applied");
            }
            first.complete(&store).await
        }
        Err(error) => Err(error.into()),
    };
    match prepared {
        Ok(()) => Ok((store, true)),
        Err(FirstStartError::Store(error)) if error.is_unavailable() => {
            tracing::warn!(%error, "the store is away");
            Ok((store, false))
        }
        Err(error) => Err(error.into()),
    }
}

/// What the shards take over, and a line about it.
pub(super) fn taken_over(replay: &mut Replay, shards: usize, metrics: &Metrics) -> Vec<Vec<Recovered>> {
    let unfinished = std::mem::take(&mut replay.unfinished);
    let (calls, undelivered) = (unfinished.len(), replay.undelivered.len());
    if calls > 0 || undelivered > 0 {
        let answered = unfinished.iter().filter(|call| call.talk.is_some()).count();
        tracing::info!(answered, unanswered = calls - answered, undelivered, "the journal was replayed");
    }
    metrics.calls.recovered.inc_by(calls as u64);
    spread(unfinished, shards)
}

/// Which shard a raw message belongs to.
pub(super) fn owner(shards: usize, key: ShardKey) -> Owner {
    Arc::new(move |bytes| virtual_shard(bytes, &key).map(|owner| usize::from(owner.0) % shards.max(1)))
}

pub(super) fn seed() -> Result<[u8; 32], SecretError> {
    let mut seed = [0; 32];
    seed[..16].copy_from_slice(&random_id()?.to_be_bytes());
    seed[16..].copy_from_slice(&random_id()?.to_be_bytes());
    Ok(seed)
}

/// Until it is this process's turn. Whoever would say so is gone only with the process.
pub(super) async fn turned(turn: &mut watch::Receiver<bool>) {
    if turn.wait_for(|turn| *turn).await.is_err() && !*turn.borrow() {
        std::future::pending::<()>().await;
    }
}
