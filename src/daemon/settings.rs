//! What the configuration means to each room.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use super::clock::Clock;
use super::follow::FollowConfig;
use super::listeners::{BadAdvertise, for_engine};
use crate::call::config::{EngineConfig, Timers, UnknownSource};
use crate::call::mint::ShardKey;
use crate::config::Config;
use crate::dns::Resolver;
use crate::journal;
use crate::net::{Bound, ConnectionLimits, FollowWord, SourceWord, StreamLimits};
use crate::outbound::{self, AllowPrivate, Client, SetupError, Urls};
use crate::routing::model::Follow;

pub(super) fn follow_config(config: &Config, from_disk: bool) -> FollowConfig {
    FollowConfig {
        last_good: config.node.data_dir.join("last-good"),
        from_disk,
        shrink_guard: config.store.shrink_guard,
        change_log: jiff::SignedDuration::from_hours(i64::from(config.store.change_log_hours)),
    }
}

pub(super) fn journal_config(config: &Config, clock: &Clock) -> journal::Config {
    journal::Config {
        segment_size: config.journal.segment_bytes,
        reserve: config.journal.reserve_bytes,
        ..journal::Config::new(&config.journal.directory, clock.origin_wall())
    }
}

pub(super) fn engine_config(
    config: &Config,
    bound: &[Bound],
    clock: &Clock,
    shard_key: ShardKey,
    shards: usize,
) -> Result<EngineConfig, BadAdvertise> {
    let sip = &config.sip;
    let unknown_source = match sip.unknown_source {
        SourceWord::Reject => UnknownSource::Reject,
        SourceWord::Drop => UnknownSource::Drop,
        SourceWord::DefaultOrganization => UnknownSource::DefaultOrganization,
    };
    let follow_redirects = match sip.follow_redirects {
        FollowWord::No => Follow::No,
        FollowWord::Known => Follow::Known,
        FollowWord::Any => Follow::Any,
    };
    Ok(EngineConfig {
        listeners: for_engine(bound)?,
        unknown_source,
        scanners: config
            .edge
            .scanners
            .iter()
            .map(|part| part.to_ascii_lowercase().into_bytes().into())
            .collect(),
        follow_redirects,
        timers: Timers { t1: Duration::from_millis(sip.t1_ms), ..Timers::default() },
        first_response: Duration::from_millis(sip.first_response_ms),
        dead_target: Duration::from_secs(sip.dead_target_seconds),
        check_interval: Duration::from_secs(sip.gateway_check_seconds),
        check_thresholds: (sip.gateway_down_after, sip.gateway_up_after),
        own_addresses: own_addresses(),
        liveness: Duration::from_secs(sip.liveness_seconds),
        session_expires: sip.session_expires_seconds,
        max_calls: config.limits.per_shard(shards),
        overload_delay: config.limits.overload_delay(),
        udp_size_limit: sip.udp_size_limit,
        epoch: clock.origin_wall().duration_since(UNIX_EPOCH).unwrap_or_default(),
        shard_key,
        ..EngineConfig::default()
    })
}

/// The addresses that this host has toward the rest of the world, as the kernel would choose them.
fn own_addresses() -> Vec<IpAddr> {
    let chosen = |bind: &str, toward: &str| {
        let socket = std::net::UdpSocket::bind(bind).ok()?;
        // Nothing is sent: the kernel looks the way up and names the address it would leave from.
        socket.connect(toward).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    let families = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")];
    families.into_iter().filter_map(|(bind, toward)| chosen(bind, toward)).collect()
}

pub(super) fn stream_limits(config: &Config) -> StreamLimits {
    let sip = &config.sip;
    StreamLimits {
        idle: Duration::from_secs(sip.tcp_idle_seconds),
        message: Duration::from_millis(sip.tcp_message_ms),
        connect: Duration::from_millis(sip.tcp_connect_ms),
        connect_large: Duration::from_millis(sip.tcp_connect_large_ms),
        large: sip.udp_size_limit,
        handshake: Duration::from_millis(sip.tls_handshake_ms),
    }
}

pub(super) fn connection_limits(config: &Config) -> ConnectionLimits {
    let sip = &config.sip;
    ConnectionLimits {
        most: sip.tcp_connections,
        per_source: sip.tcp_connections_per_source,
        write_queue: sip.tcp_write_queue,
    }
}

/// Operators name these URLs, and most are of the inside.
pub(super) fn providers_client(config: &Config, resolver: &Resolver) -> Result<Client, SetupError> {
    let limits = outbound::Config {
        allow_private: AllowPrivate::All,
        body_limit: 1 << 20,
        ..config.webhook.outbound()
    };
    Client::new(limits, resolver.lookup_fn(), Arc::new(Urls::default()))
}
