//! Peers behind NAT: when the address a peer names for itself is none for us.

use std::net::{IpAddr, SocketAddr};

use crate::sip::Uri;

/// `nat = "auto"`: whether in-dialog requests go to the source flow instead of the Contact: without
/// Record-Route, where the Contact's host is a private address, or another one than the source. A
/// host name is believed.
#[must_use]
pub fn goes_to_source(contact: &Uri<'_>, source: SocketAddr, has_record_route: bool) -> bool {
    !has_record_route && contact.ip().is_some_and(|ip| ip != source.ip() || is_private(ip))
}

/// Addresses that are somebody's own (RFC 1918, RFC 6598, RFC 3927, RFC 4193, RFC 4291).
const fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contact_that_is_not_the_source_is_not_followed_unless_a_proxy_records_itself() {
        let source: SocketAddr = "198.51.100.7:5060".parse().unwrap();
        let auto = |contact: &str, recorded| {
            goes_to_source(&Uri::parse(contact.as_bytes()).unwrap(), source, recorded)
        };
        assert!(auto("sip:a@10.0.0.5:5060", false));
        assert!(!auto("sip:a@10.0.0.5:5060", true));
        assert!(!auto("sip:a@198.51.100.7:5080", false));
        assert!(!auto("sip:a@pbx.example", false));
        let inside: SocketAddr = "10.0.0.5:40000".parse().unwrap();
        assert!(goes_to_source(&Uri::parse(b"sip:a@10.0.0.5:5060").unwrap(), inside, false));
    }
}
