//! Peers behind NAT: when the address a peer names for itself is none for us.

use std::net::SocketAddr;

use crate::sip::Uri;

/// `nat = "auto"`: whether in-dialog requests go to the source flow instead of the Contact: without
/// Record-Route, where the Contact's host is an address other than the source.
///
/// A private address is no sign by itself: one that came from a public source differs from it, and
/// one that is the source is reachable, possibly at another port (a stream's source port is of no
/// use once the connection is gone). A host name is believed.
#[must_use]
pub fn goes_to_source(contact: &Uri<'_>, source: SocketAddr, has_record_route: bool) -> bool {
    !has_record_route && contact.ip().is_some_and(|ip| ip != source.ip())
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
    }
}
