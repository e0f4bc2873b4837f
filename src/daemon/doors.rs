//! What calls and requests come in through: bound here, or taken over from the process before.

use tokio::net::{TcpListener, UnixListener};

use super::start::StartError;
use super::succession::Bequest;
use crate::api::bind_unix;
use crate::config::Config;
use crate::net::{Bound, ShardSockets, bind_all};

/// Listeners of SIP with their sockets by shard, the API's, the command line's.
type Doors = (Vec<Bound>, Vec<ShardSockets>, TcpListener, UnixListener);

pub(super) async fn bound_sockets(config: &Config) -> Result<Doors, StartError> {
    let (bound, sockets) = bind_sip(config)?;
    let http = bind_http(config).await?;
    let unix = bind_unix(&config.http.socket)
        .map_err(|source| StartError::Socket { path: config.http.socket.clone(), source })?;
    Ok((bound, sockets, http, unix))
}

pub(super) fn taken_sockets(config: &Config, bequest: Bequest) -> Result<Doors, StartError> {
    let listen = config.http.listen;
    let http = TcpListener::from_std(bequest.http).map_err(|source| StartError::Http { listen, source })?;
    let path = config.http.socket.clone();
    let unix = UnixListener::from_std(bequest.unix).map_err(|source| StartError::Socket { path, source })?;
    Ok((bequest.bound, bequest.sockets, http, unix))
}

fn bind_sip(config: &Config) -> Result<(Vec<Bound>, Vec<ShardSockets>), StartError> {
    let plans = config.sip.planned()?;
    let (bound, sockets) = bind_all(&plans, config.node.shard_count(), config.sip.receive_buffer)?;
    warn_of_buffers(&bound, config.sip.receive_buffer);
    Ok((bound, sockets))
}

async fn bind_http(config: &Config) -> Result<TcpListener, StartError> {
    let listen = config.http.listen;
    TcpListener::bind(listen).await.map_err(|source| StartError::Http { listen, source })
}

fn warn_of_buffers(bound: &[Bound], wanted: usize) {
    for one in bound {
        if let Some(granted) = one.receive_buffer.filter(|granted| *granted < wanted) {
            tracing::warn!(
                listener = one.plan.name,
                granted,
                wanted,
                "the kernel grants a smaller receive buffer: raise net.core.rmem_max, or bursts are lost"
            );
        }
    }
}
