//! One resolver.
//!
//! - `resolver`: names to addresses, bounded, cached, one question at a time per name.
//!
//! It asks the system (getaddrinfo), so that `/etc/hosts`, nsswitch and the local cache mean here
//! what they mean to the operator's other tools. That gives no TTL, so answers are kept for a short
//! fixed time; records that getaddrinfo does not know (SRV, NAPTR) will need a resolver of its own.

mod resolver;

pub use resolver::{Config, LookupFn, Resolver};
