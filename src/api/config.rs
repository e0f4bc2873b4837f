//! `[http]`: where the API listens and what it bears. `[inventory]`: which numbers may be had. `[kazoo]`: what its dialect bears.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

/// `[http]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpConfig {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// The certificate of the API with its chain, PEM; with it and its key the API speaks TLS.
    pub tls_certificate: PathBuf,
    /// Its private key, PEM.
    pub tls_key: PathBuf,
    /// Whether the API may listen beyond loopback without TLS: where a proxy before it speaks TLS.
    pub allow_plain: bool,
    /// The Unix socket of the command line; root and the daemon's own user may use it without token.
    pub socket: PathBuf,
    /// Requests worked on at once; more get 503.
    pub max_requests: usize,
    /// Connections open at once; more wait in the kernel's queue.
    pub max_connections: usize,
    /// Bytes of a request's body; more get 413.
    pub max_body_bytes: usize,
    /// How long a client may take to send its request's head, its body, or to take the next part of
    /// an answer, in milliseconds.
    pub client_timeout_ms: u64,
}

/// `[inventory]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct InventoryConfig {
    /// Whether customers get provider numbers out of the inventory only; otherwise a number that nobody has is
    /// created as asked. SIP numbers, patterns and what operators create are free of it.
    pub strict: bool,
}

/// `[kazoo]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct KazooConfig {
    /// How many numbers an account may activate one by one within 24 hours on this node; more get 429.
    pub activations_per_day: u32,
    /// The carriers an administrator may name for a number, beside local, inventory, mdn and other.
    pub carriers: Vec<String>,
}

impl Default for KazooConfig {
    fn default() -> Self {
        Self { activations_per_day: 100, carriers: Vec::new() }
    }
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            tls_certificate: PathBuf::new(),
            tls_key: PathBuf::new(),
            allow_plain: false,
            socket: PathBuf::from("data/callgate.sock"),
            max_requests: 64,
            max_connections: 512,
            max_body_bytes: 1 << 20,
            client_timeout_ms: 10_000,
        }
    }
}

impl HttpConfig {
    /// Whether a certificate and a key are given.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        [&self.tls_certificate, &self.tls_key].iter().all(|file| !file.as_os_str().is_empty())
    }

    /// `client-timeout-ms` as a duration.
    #[must_use]
    pub const fn client_timeout(&self) -> Duration {
        Duration::from_millis(self.client_timeout_ms)
    }
}
