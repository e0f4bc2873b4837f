//! HUP: the configuration's part that applies without a restart, and the directory from scratch.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::follower::Follower;
use super::notify;
use super::shard::Command;
use super::start::Running;
use crate::api::{
    self, BoxFuture, Follower as _, GenerationNote, HttpTls, ReloadError, ReloadOptions, ReloadReport,
};
use crate::config::Config;
use crate::dns::Resolver;
use crate::net::{Edge, Tls};
use crate::outbound::Guard;
use crate::telemetry::log::Log;
use crate::webhook::Allowance;

/// What a reload of the configuration changes beside the log and the shards' limits.
pub struct Levers {
    /// `webhook.budget-ms`.
    pub allowance: Allowance,
    /// `webhook.allow-private-addresses`.
    pub guard: Guard,
    /// `[edge]`, but for its table and scanners.
    pub edge: Arc<Edge>,
    /// /etc/hosts and /etc/resolv.conf are read again.
    pub resolver: Resolver,
    /// The TLS of the listeners, where one speaks it.
    pub tls: Option<Tls>,
    /// The API's, where it speaks it.
    pub http_tls: Option<HttpTls>,
}

impl Levers {
    /// What every reload reads again, a check excepted: certificates, and who answers for names.
    fn read_again(resolver: &Resolver, tls: Option<&Tls>, http_tls: Option<&HttpTls>) {
        if let Err(error) = resolver.reload() {
            tracing::error!(%error, "the former name servers stay");
        }
        if let Some(Err(error)) = tls.map(Tls::reload) {
            tracing::error!(error = &error as &dyn std::error::Error, "the former certificates stay");
        }
        if let Some(Err(error)) = http_tls.map(HttpTls::reload) {
            tracing::error!(error = &error as &dyn std::error::Error, "the API's former certificate stays");
        }
    }
}

/// The follower as the API knows it: its reload reads certificates and name servers again too.
pub struct Reloading {
    /// Who keeps the directory in step.
    pub follower: Follower,
    /// See [`Levers`].
    pub resolver: Resolver,
    /// See [`Levers`].
    pub tls: Option<Tls>,
    /// See [`Levers`].
    pub http_tls: Option<HttpTls>,
}

impl api::Follower for Reloading {
    fn reload(&self, options: ReloadOptions) -> BoxFuture<'_, Result<ReloadReport, ReloadError>> {
        if !options.check_only {
            Levers::read_again(&self.resolver, self.tls.as_ref(), self.http_tls.as_ref());
        }
        api::Follower::reload(&self.follower, options)
    }

    fn wait(&self, generation: u64, limit: Duration) -> BoxFuture<'_, u64> {
        api::Follower::wait(&self.follower, generation, limit)
    }

    fn look(&self) {
        api::Follower::look(&self.follower);
    }

    fn history(&self) -> Vec<GenerationNote> {
        api::Follower::history(&self.follower)
    }
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
    let late = config.limits.overload_delay();
    running.shards.tell(|| Command::OverloadDelay(late)).await;
    running.levers.allowance.set(config.webhook.budget());
    running.levers.guard.set(config.webhook.allow_private_addresses.clone());
    running.levers.edge.set(&config.edge);
    let Levers { resolver, tls, http_tls, .. } = &running.levers;
    Levers::read_again(resolver, tls.as_ref(), http_tls.as_ref());
    tracing::info!(
        "configuration read again: [log], [limits], [edge], webhook.budget-ms and \
         webhook.allow-private-addresses and certificates apply now, names are asked anew, the rest at the next start"
    );
}
