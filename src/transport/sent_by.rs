//! How Via and Contact name a listener toward one peer (RFC 3261, 18.1.1; RFC 3581, 3).

use std::net::{IpAddr, SocketAddr};

use crate::flow::Transport;
use crate::sip::{Name, Writer};

/// A host and port a peer can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SentBy<'a> {
    host: Host<'a>,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Host<'a> {
    Text(&'a str),
    Address(IpAddr),
}

impl<'a> SentBy<'a> {
    /// What a listener is called toward a peer: what it advertises, unless the peer is in one of the
    /// listener's local networks (`is_local`); else where it is bound; else, bound to all addresses,
    /// the local address of the flow. `None`: nothing is known that a peer could reach.
    #[must_use]
    pub fn new(
        bind: SocketAddr,
        advertise: Option<(&'a str, u16)>,
        is_local: bool,
        local: IpAddr,
    ) -> Option<Self> {
        let own = [bind.ip(), local].into_iter().find(|ip| !ip.is_unspecified());
        match (advertise, own) {
            (Some((host, port)), own) if !is_local || own.is_none() => {
                Some(Self { host: Host::Text(host), port })
            }
            (_, Some(ip)) => Some(Self { host: Host::Address(ip), port: bind.port() }),
            _ => None,
        }
    }

    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Writes `host:port`, IPv6 in brackets.
    pub fn write(&self, writer: &mut Writer<'_>) {
        self.write_host(writer);
        writer.bytes(b":").number(u64::from(self.port));
    }

    /// Writes the host alone, IPv6 in brackets.
    pub fn write_host(&self, writer: &mut Writer<'_>) {
        match self.host {
            Host::Text(text) if text.contains(':') && !text.starts_with('[') => {
                writer.bytes(b"[").bytes(text.as_bytes()).bytes(b"]");
            }
            Host::Text(text) => {
                writer.bytes(text.as_bytes());
            }
            Host::Address(ip) => {
                writer.host(ip);
            }
        }
    }

    /// Writes the Via line of a request of ours, asking for `rport`.
    pub fn write_via(&self, writer: &mut Writer<'_>, transport: Transport, branch: &[u8]) {
        writer.begin(Name::Via).bytes(b"SIP/2.0/").bytes(transport.via_token().as_bytes()).bytes(b" ");
        self.write(writer);
        writer.bytes(b";branch=").bytes(branch).bytes(b";rport").end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn via(bind: &str, advertise: Option<(&str, u16)>, is_local: bool, local: &str) -> Option<String> {
        let mut out = Vec::new();
        SentBy::new(bind.parse().unwrap(), advertise, is_local, local.parse().unwrap())?.write_via(
            &mut Writer::append(&mut out),
            Transport::Udp,
            b"z9hG4bK1",
        );
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn peers_outside_see_what_is_advertised_and_local_ones_the_real_address() {
        let advertise = Some(("sip.example", 5060));
        let outside = via("10.0.0.1:5062", advertise, false, "10.0.0.1").unwrap();
        assert_eq!(outside, "Via: SIP/2.0/UDP sip.example:5060;branch=z9hG4bK1;rport\r\n");
        let inside = via("10.0.0.1:5062", advertise, true, "10.0.0.1").unwrap();
        assert_eq!(inside, "Via: SIP/2.0/UDP 10.0.0.1:5062;branch=z9hG4bK1;rport\r\n");
    }

    #[test]
    fn no_peer_ever_sees_an_unspecified_address() {
        assert!(via("0.0.0.0:5060", None, false, "192.0.2.1").unwrap().contains(" 192.0.2.1:5060;"));
        assert!(via("[::]:5060", None, false, "2001:db8::1").unwrap().contains(" [2001:db8::1]:5060;"));
        assert!(via("0.0.0.0:5060", Some(("h", 1)), true, "0.0.0.0").unwrap().contains(" h:1;"));
        assert_eq!(via("0.0.0.0:5060", None, false, "0.0.0.0"), None);
    }
}
