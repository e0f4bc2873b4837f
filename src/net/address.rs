//! How a listener is written: `udp://0.0.0.0:5060`, `tcp://[::]:5060`, `tls://0.0.0.0:5061`.

use std::net::SocketAddr;
use std::str::FromStr;

use crate::flow::Transport;

/// A transport with the address to bind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenerSpec {
    /// How.
    pub transport: Transport,
    /// Where; port 0 takes a free one.
    pub bind: SocketAddr,
}

/// A text that is no listener.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no listener: write `udp://ADDRESS:PORT`, `tcp://…` or `tls://…`, IPv6 as `[::1]` ({why})"
)]
pub struct BadListener {
    text: String,
    why: &'static str,
}

impl FromStr for ListenerSpec {
    type Err = BadListener;

    fn from_str(text: &str) -> Result<Self, BadListener> {
        let bad = |why| BadListener { text: text.to_owned(), why };
        let (scheme, address) = text.split_once("://").ok_or_else(|| bad("no `://`"))?;
        let transport = match scheme {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "tls" => Transport::Tls,
            _ => return Err(bad("unknown transport")),
        };
        let bind = address.parse().map_err(|_| bad("no IP address with port"))?;
        Ok(Self { transport, bind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_and_transports_are_read() {
        let spec: ListenerSpec = "udp://0.0.0.0:5060".parse().unwrap();
        assert_eq!(spec, ListenerSpec { transport: Transport::Udp, bind: "0.0.0.0:5060".parse().unwrap() });
        let spec: ListenerSpec = "tcp://[::1]:0".parse().unwrap();
        assert_eq!(spec.transport, Transport::Tcp);
        assert!(spec.bind.is_ipv6());
    }

    #[test]
    fn a_wrong_one_says_what_is_wrong() {
        for (text, why) in [
            ("0.0.0.0:5060", "no `://`"),
            ("sctp://0.0.0.0:1", "unknown transport"),
            ("udp://localhost:5060", "no IP address with port"),
            ("udp://1.2.3.4", "no IP address with port"),
        ] {
            let message = text.parse::<ListenerSpec>().unwrap_err().to_string();
            assert!(message.contains(why) && message.contains(text), "{message}");
        }
    }
}
