//! Which addresses requests may go to. Asked at connect time with the address that is dialled, so
//! that no notation, no redirect and no second DNS answer gets around it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, PoisonError, RwLock};

use super::config::AllowPrivate;
use crate::routing::model::Prefix;

/// The rule that is in force; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    allow: Arc<RwLock<AllowPrivate>>,
}

impl Guard {
    /// A guard with these exceptions.
    #[must_use]
    pub fn new(allow: AllowPrivate) -> Self {
        Self { allow: Arc::new(RwLock::new(allow)) }
    }

    /// Other exceptions from here on. Connections that are open stay so until they have been idle.
    pub fn set(&self, allow: AllowPrivate) {
        *self.allow.write().unwrap_or_else(PoisonError::into_inner) = allow;
    }

    /// Whether a request may go to this address.
    #[must_use]
    pub fn allows(&self, address: IpAddr) -> bool {
        match &*self.allow.read().unwrap_or_else(PoisonError::into_inner) {
            AllowPrivate::All => true,
            AllowPrivate::None => is_public(address),
            AllowPrivate::Within(list) => {
                is_public(address) || list.iter().any(|prefix| within(prefix, address))
            }
        }
    }
}

/// Networks of the IANA special-purpose registries that are not globally reachable, IPv4.
const SPECIAL_V4: &[(Ipv4Addr, u8)] = &[
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The same within 2000::/3, outside of which nothing is global unicast.
const SPECIAL_V6: &[(Ipv6Addr, u8)] = &[
    // IETF protocol assignments: Teredo (which embeds an IPv4 address), benchmarking, ORCHID.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    // 6to4 leads to whatever IPv4 address it embeds.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !SPECIAL_V4.iter().any(|(net, length)| v4_within(*net, *length, v4)),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => {
                v6.segments()[0] & 0xe000 == 0x2000
                    && !SPECIAL_V6.iter().any(|(net, length)| v6_within(*net, *length, v6))
            }
        },
    }
}

/// The IPv4 address an IPv6 one leads to: IPv4-mapped (RFC 4291) and NAT64 (RFC 6052).
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let nat64 = v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    v6.to_ipv4_mapped().or_else(|| {
        let [.., a, b, c, d] = v6.octets();
        nat64.then_some(Ipv4Addr::new(a, b, c, d))
    })
}

fn within(prefix: &Prefix, address: IpAddr) -> bool {
    match (prefix.address, address) {
        (IpAddr::V4(net), IpAddr::V4(v4)) => v4_within(net, prefix.length, v4),
        (IpAddr::V4(net), IpAddr::V6(v6)) => {
            v6.to_ipv4_mapped().is_some_and(|v4| v4_within(net, prefix.length, v4))
        }
        (IpAddr::V6(net), IpAddr::V6(v6)) => v6_within(net, prefix.length, v6),
        (IpAddr::V6(_), IpAddr::V4(_)) => false,
    }
}

fn v4_within(net: Ipv4Addr, length: u8, address: Ipv4Addr) -> bool {
    let shift = 32 - u32::from(length.min(32));
    let cut = |a: Ipv4Addr| a.to_bits().checked_shr(shift).unwrap_or(0);
    cut(net) == cut(address)
}

fn v6_within(net: Ipv6Addr, length: u8, address: Ipv6Addr) -> bool {
    let shift = 128 - u32::from(length.min(128));
    let cut = |a: Ipv6Addr| a.to_bits().checked_shr(shift).unwrap_or(0);
    cut(net) == cut(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap_or_else(|_| panic!("{text} is an address"))
    }

    #[test]
    fn private_addresses_are_refused_in_every_family() {
        let guard = Guard::default();
        let refused = [
            "127.0.0.1",
            "127.0.0.254",
            "0.0.0.0",
            "0.1.2.3",
            "10.254.0.0",
            "172.16.10.65",
            "172.31.255.255",
            "192.168.10.65",
            "169.254.45.1",
            "169.254.169.254",
            "100.100.0.0",
            "224.1.2.3",
            "233.252.0.16",
            "255.255.255.255",
            "192.0.0.0",
            "192.0.2.255",
            "198.51.100.65",
            "203.0.113.6",
            "192.88.99.3",
            "198.18.0.0",
            "198.19.255.255",
            "240.240.240.240",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:7f00:1",
            "::127.0.0.1",
            "::ffff:0.0.0.1",
            "fe80::dead:beef",
            "febf:ffff::1",
            "fc00::1",
            "fdee:3a45:9057::1",
            "fd7a:115c:a1e0::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "3fff::1",
            "2002:7f00:1::",
            "2002:c0a8:1::1",
            "64:ff9b::7f00:1",
            "64:ff9b::c0a8:0",
            "64:ff9b:1::1",
            "2001::1",
            "2001:20::1",
            "100::1",
            "5f00::1",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
        ];
        for text in refused {
            assert!(!guard.allows(ip(text)), "{text} is private");
        }
    }

    #[test]
    fn public_addresses_pass() {
        let guard = Guard::default();
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "223.255.255.1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(guard.allows(ip(text)), "{text} is public");
        }
    }

    #[test]
    fn a_list_opens_its_prefixes_and_nothing_else() {
        let list =
            vec![Prefix { address: ip("127.0.0.0"), length: 8 }, Prefix { address: ip("fd00::"), length: 8 }];
        let guard = Guard::new(AllowPrivate::Within(list));
        for text in ["127.0.0.1", "::ffff:127.0.0.1", "fd12::1", "8.8.8.8"] {
            assert!(guard.allows(ip(text)), "{text} is allowed");
        }
        for text in ["10.0.0.1", "169.254.169.254", "::1", "fc00::1"] {
            assert!(!guard.allows(ip(text)), "{text} is not in the list");
        }
        assert!(Guard::new(AllowPrivate::All).allows(ip("169.254.169.254")));
        let (guard, clone) = (guard.clone(), guard);
        clone.set(AllowPrivate::None);
        assert!(!guard.allows(ip("10.1.2.3")), "clones share the rule");
    }
}
