//! What can go wrong between a URL and its answer.

use std::io;
use std::net::IpAddr;

use crate::reason::Reason;

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The host name has no address, or DNS did not answer in time.
    #[error("the host name cannot be resolved")]
    Unresolved(#[source] io::Error),
    /// Every address of the host is private.
    #[error("address {0} is private: allow it with webhook.allow-private-addresses")]
    Refused(IpAddr),
    /// No connection.
    #[error("no connection")]
    Connect(#[source] io::Error),
    /// The TLS handshake failed: an untrusted certificate, another name, an old version.
    #[error("the TLS handshake failed")]
    Tls(#[source] io::Error),
    /// The deadline passed.
    #[error("no whole answer in time")]
    Timeout,
    /// A kept connection turned out to be closed, before any octet of an answer.
    #[error("the kept connection was closed")]
    Stale(#[source] hyper::Error),
    /// The answer is no HTTP, or ended early.
    #[error("the answer is broken or incomplete")]
    Broken(#[source] hyper::Error),
    /// The head of the answer, or what is sent around the body, passed its limit.
    #[error("the answer's head is too large")]
    TooLarge,
    /// The URL has as many requests in flight as it may.
    #[error("too many requests to this URL are in flight")]
    Overloaded,
    /// The breaker is open: the last requests to this URL all failed.
    #[error("not asked: the last requests to this URL failed")]
    Open,
}

impl Failure {
    /// The reason code that users see.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Refused(_) => Reason::WebhookAddressRefused,
            Self::Timeout => Reason::WebhookTimeout,
            Self::TooLarge => Reason::WebhookTooLarge,
            Self::Overloaded => Reason::WebhookOverloaded,
            Self::Unresolved(_)
            | Self::Connect(_)
            | Self::Tls(_)
            | Self::Stale(_)
            | Self::Broken(_)
            | Self::Open => Reason::WebhookUnreachable,
        }
    }

    /// Whether the request cannot have been acted on, so that one repetition is harmless.
    #[must_use]
    pub(super) const fn may_repeat(&self) -> bool {
        matches!(self, Self::Connect(_) | Self::Stale(_))
    }

    /// Whether the other end is to blame in a way that the breaker counts.
    pub(super) const fn is_outage(&self) -> bool {
        matches!(self, Self::Unresolved(_) | Self::Connect(_) | Self::Tls(_) | Self::Timeout)
    }
}
