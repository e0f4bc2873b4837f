//! One resolver, for SIP targets and for the HTTP client.
//!
//! - `config`: the `[dns]` section.
//! - `resolver`: names to addresses; /etc/hosts, the name servers, a cache by TTL.
//! - `locate`: where a SIP URI's host is to be reached (RFC 3263): NAPTR, SRV, then addresses.
//! - `order`: which of several records comes first.
//!
//! It asks name servers itself, as getaddrinfo knows neither SRV nor NAPTR nor TTLs: /etc/hosts and
//! /etc/resolv.conf are read at start and at a reload, other sources of nsswitch are not.

mod config;
mod locate;
mod order;
mod resolver;

pub use config::{BadServer, DnsConfig};
pub use resolver::{LookupFn, Resolver, Setup};
