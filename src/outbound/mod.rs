//! HTTP to customers: one pooled client, guarded, signed.
//!
//! - `config`: limits and which private addresses are allowed. `guard`: which addresses those are.
//! - `target`: a stored URL read into what is dialled, sent and signed. `targets`: those read already.
//!   `params`: what is told about a call, in order. `sign`: the two signatures. `request`: all of it as one HTTP request.
//! - `connect`: names to guarded connections. `stream`: their bytes, counted. `pool`: idle ones.
//! - `client`: one request with its deadline, its retry and its limits. `urls`: what is known per
//!   URL: requests in flight, circuit breaker. `provider`: carriers, names, places, addresses: JSON over the client.
//!   `failure`: what can go wrong.

mod client;
mod config;
mod connect;
mod failure;
mod guard;
mod params;
mod pool;
mod provider;
mod request;
mod sign;
mod stream;
mod target;
mod targets;
mod urls;

pub use client::{Client, Response, SetupError};
pub use config::{AllowPrivate, Config};
pub use connect::{Lookup, LookupFuture};
pub use failure::Failure;
pub use guard::Guard;
pub(crate) use params::seconds_up;
pub use params::{Params, rfc2822, sms_params, voice_params};
pub use provider::{Provider, ProviderError, Providers, ProvidersConfig};
pub use request::{Identity, Request};
pub use sign::{standard_signature, twilio_signature};
pub use target::{BadUrl, Target, without_secrets};
pub use targets::Targets;
pub use urls::Urls;
