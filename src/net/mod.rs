//! Sockets: UDP, TCP and TLS, from bytes to flows and back.
//!
//! A shard owns a UDP socket per datagram listener, an accept loop per stream listener, and the
//! stream connections that came of it. Nothing here reads SIP beyond framing.
//!
//! - `config`: the `[sip]` section. `address`: how a listener is written. `listener`: binding them all.
//! - `udp`: datagrams, with the address that received. `keepalive`: what is no message.
//! - `stream`: one connection's life. `outbox`: what waits to be written.
//! - `tls`: what encrypts a stream, and whose certificate is believed.
//! - `edge`: who has been refused too often, and is dropped unread.
//! - `hosts`: the names of those who must prove them.
//! - `line`, `passage`: to another process of this node, which takes the sockets over.
//! - `connections`: all of them, for whoever sends, and the way into the shards.

mod address;
mod config;
mod connections;
mod edge;
mod hosts;
mod keepalive;
mod line;
mod listener;
mod outbox;
mod passage;
mod stream;
#[cfg(test)]
mod tests;
mod tls;
mod udp;

pub use address::{BadListener, ListenerSpec};
pub use config::{CertificateTable, FollowWord, ListenerTable, Planned, SipConfig, SourceWord};
pub use connections::{Arrival, ConnectionLimits, Connections, Delivery, Owner};
pub use edge::{Ban, Cause, Edge, EdgeConfig, Known};
pub use keepalive::is_keepalive;
pub use line::Line;
pub use listener::{BindError, Bound, ShardSockets, bind_all, granted_buffer};
pub use passage::{Passage, bring, is_elsewhere};
pub use stream::{Dirty, StreamLimits, Streams};
pub use tls::{OwnFiles, Tls, TlsError, TlsFiles};
pub use udp::{MAX_DATAGRAM, UdpPort};
