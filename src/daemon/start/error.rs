//! Why a start ends.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::api::HttpTlsError;
use crate::daemon::first::FirstStartError;
use crate::daemon::listeners::BadAdvertise;
use crate::daemon::shards::ShardError;
use crate::daemon::succession::SuccessionError;
use crate::dns::BadServer;
use crate::journal::JournalError;
use crate::net::{BadListener, BindError, TlsError};
use crate::outbound::SetupError;
use crate::store::{SecretError, StoreError};

/// Why callgate did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory.
    #[error("the data directory `{}` cannot be made (node.data-dir)", path.display())]
    DataDir {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Identity or first credentials.
    #[error("first start")]
    First(#[from] FirstStartError),
    /// The store's configuration or key file, or a schema newer than this program.
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    /// No randomness.
    #[error("the system gives no randomness")]
    Random(#[from] SecretError),
    /// A name server.
    #[error("dns.servers")]
    Dns(#[from] BadServer),
    /// The HTTP client.
    #[error("the HTTP client cannot be made")]
    Client(#[from] SetupError),
    /// A listener's words.
    #[error("sip.listener")]
    Advertise(#[from] BadAdvertise),
    /// A certificate, a key or a CA.
    #[error("TLS cannot be spoken")]
    Tls(#[from] TlsError),
    /// The API's certificate.
    #[error("the API cannot speak TLS")]
    HttpTls(#[from] HttpTlsError),
    /// A port.
    #[error("SIP cannot be served")]
    Bind(#[from] BindError),
    /// A listener's address.
    #[error("sip.listen")]
    Listener(#[from] BadListener),
    /// The journal.
    #[error("the journal cannot be used (journal.directory)")]
    Journal(#[from] JournalError),
    /// The API's port.
    #[error("the API cannot listen on {listen} (http.listen); is another process there?")]
    Http {
        /// Where.
        listen: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The command line's socket.
    #[error("the command line's socket `{}` cannot be bound (http.socket)", path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A thread.
    #[error("a shard did not start")]
    Shard(#[from] ShardError),
    /// The process before this one.
    #[error("the former process cannot be followed")]
    Succession(#[from] SuccessionError),
    /// The sockets, for an upgrade one day.
    #[error("the sockets cannot be kept for an upgrade")]
    Copies(#[source] std::io::Error),
}
