//! The one door of the core: Input -> Engine -> Output.
//!
//! - `door`: the types that pass through it. `config`: what the engine is born with.
//! - `core`: the engine itself. `arrival`: what a message is. `admit`: a new INVITE becomes a call.
//!   `source`: the trunk it comes from. `message`: a MESSAGE becomes a question. `inbound`: either as routing reads it.
//!   `facts`: what applications are told of it. `provision`: the directory as calls see it.
//!   `recover`: calls of an earlier life.
//!   `claim`: whose a message is, while two processes share the sockets.
//!   `challenge`: trunks that must prove themselves.
//!   `pressure`: how late everything is. `overload`: who is refused then.
//!   `watch`: are the gateways there?
//! - `shard`: which shard a message belongs to.

pub use crate::call::config;
mod admit;
mod arrival;
mod challenge;
mod claim;
mod core;
pub mod door;
mod facts;
mod inbound;
mod message;
mod overload;
mod pressure;
mod provision;
mod recover;
mod shard;
mod source;
mod watch;

pub use self::core::{Engine, Footprint};
pub use self::shard::virtual_shard;
