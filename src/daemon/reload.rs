//! HUP: the configuration's part that applies without a restart, and the directory from scratch.

use std::path::Path;

use super::notify;
use super::shard::Command;
use super::start::Running;
use crate::api::{Follower as _, ReloadOptions};
use crate::config::Config;
use crate::dns::Resolver;
use crate::outbound::Guard;
use crate::telemetry::log::Log;
use crate::webhook::Allowance;

/// What a reload of the configuration changes beside the log and the shards' limits.
pub struct Levers {
    /// `webhook.budget-ms`.
    pub allowance: Allowance,
    /// `webhook.allow-private-addresses`.
    pub guard: Guard,
    /// /etc/hosts and /etc/resolv.conf are read again.
    pub resolver: Resolver,
}

/// Reads the configuration again, applies what can be applied, and builds the directory anew.
pub async fn reload(config_file: Option<&Path>, log: &Log, running: &Running) {
    notify::reloading();
    match Config::load(config_file, std::env::vars()) {
        Ok(config) => apply(&config, log, running).await,
        Err(error) => tracing::error!(%error, "the configuration stays as it was"),
    }
    match running.follower.reload(ReloadOptions::default()).await {
        Ok(report) => tracing::info!(generation = report.to, numbers = report.numbers_after, "reloaded"),
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the directory stays as it was");
        }
    }
    notify::tell(&[sd_notify::NotifyState::Ready]);
}

async fn apply(config: &Config, log: &Log, running: &Running) {
    if let Err(error) = log.apply(&config.log) {
        tracing::error!(%error, "the former log level stays");
    }
    let most = config.limits.per_shard(running.shards.count());
    running.shards.tell(|| Command::MaxCalls(most)).await;
    running.levers.allowance.set(config.webhook.budget());
    running.levers.guard.set(config.webhook.allow_private_addresses.clone());
    if let Err(error) = running.levers.resolver.reload() {
        tracing::error!(%error, "the former name servers stay");
    }
    tracing::info!(
        "configuration read again: [log], [limits], webhook.budget-ms and \
         webhook.allow-private-addresses apply now, names are asked anew, the rest at the next start"
    );
}
