//! The HTTP API and the Unix socket of the command line.
//!
//! - `service/`: the one place that validates and writes. Dialects are thin over it:
//!   `restcomm/`: Restcomm's; `kazoo/`: Kazoo's, `/v2`; `wazo/`: Wazo's; `admin/`: callgate's own, `/admin/v1`.
//! - `router`: all routes. `ops`: metrics and health. `openapi`: the API's own form.
//! - `server`: the listeners; `tls`: their certificate. `patient`: a stream that gives up on slow readers. `gate`: the limit of
//!   requests at once. `buckets`: limits by time. `body`: bodies with their limits. `auth`: who asks. `reply`, `error`: answers.
//! - `config`: `[http]`. `handles`: what the daemon wires in. `state`: what handlers reach.

mod admin;
mod auth;
mod body;
mod buckets;
mod config;
mod error;
mod gate;
mod handles;
mod kazoo;
pub mod openapi;
mod ops;
mod patient;
mod reply;
mod restcomm;
mod router;
mod server;
pub mod service;
mod state;
mod tls;
mod wazo;

pub use admin::number_fields;
pub use config::{HttpConfig, InventoryConfig, KazooConfig};
pub use error::ApiError;
pub use handles::{
    BanNote, Bans, BoxFuture, CallControl, Follower, GenerationNote, Handles, Receivers, ReloadError,
    ReloadOptions, ReloadReport, SentAgain, Upgrade, UpgradeNote, UpgradeRefused, UpgradeState,
};
pub use router::router;
pub use server::{Peer, bind_unix, serve_tcp, serve_tls, serve_unix};
pub use service::Service;
pub use state::Api;
pub use tls::{HttpTls, HttpTlsError};
