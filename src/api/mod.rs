//! The HTTP API and the Unix socket of the command line.
//!
//! - `config`: `[http]`. `handles`: what the daemon wires in. `error`: refusals as clients read them.

mod config;
mod error;
mod handles;

pub use config::HttpConfig;
pub use error::ApiError;
pub use handles::{BoxFuture, Follower, GenerationNote, Handles, ReloadError, ReloadOptions, ReloadReport};
