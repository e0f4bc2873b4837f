//! The `[dns]` section.

use std::net::{IpAddr, SocketAddr};

use serde::Deserialize;

/// Whom names are asked of, and how long their answers are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct DnsConfig {
    /// The name servers, as `ADDRESS` or `ADDRESS:PORT`; empty: those of /etc/resolv.conf.
    pub servers: Vec<String>,
    /// Most milliseconds until a name is located, all questions about it together.
    pub timeout_ms: u64,
    /// Answers kept at most, each no longer than its TTL; 0 keeps none.
    pub cache_size: u64,
    /// Most seconds that an answer is kept, whatever its TTL says.
    pub most_seconds: u64,
    /// Most seconds that "no such name" is kept.
    pub negative_seconds: u64,
}

impl Default for DnsConfig {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout_ms: 2000,
            cache_size: 10_000,
            most_seconds: 3600,
            negative_seconds: 30,
        }
    }
}

/// A text that names no server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no name server: write `ADDRESS` or `ADDRESS:PORT`, IPv6 with a port as `[::1]:53`")]
pub struct BadServer(String);

impl DnsConfig {
    /// The configured servers; empty: the system's.
    ///
    /// # Errors
    /// The first that is no address.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>, BadServer> {
        let parse = |text: &String| {
            let bare = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, 53));
            bare.or_else(|_| text.parse()).map_err(|_| BadServer(text.clone()))
        };
        self.servers.iter().map(parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_addresses_with_or_without_a_port() {
        let with = |server: &str| DnsConfig { servers: vec![server.into()], ..DnsConfig::default() };
        assert_eq!(with("192.0.2.1").addresses().unwrap(), ["192.0.2.1:53".parse().unwrap()]);
        assert_eq!(with("[::1]:5353").addresses().unwrap(), ["[::1]:5353".parse().unwrap()]);
        assert_eq!(with("::1").addresses().unwrap(), ["[::1]:53".parse().unwrap()]);
        assert!(with("dns.example").addresses().unwrap_err().to_string().contains("dns.example"));
    }
}
