//! Via (RFC 3261 20.42, RFC 3581).

use std::net::IpAddr;

use super::bytes::{number, token, trim, trim_start};
use super::list::{Params, split_params};
use super::uri::{host_ip, split_host_port};

/// One hop, each part as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// The whole element.
    pub raw: &'a [u8],
    /// `UDP`, `TCP`, `TLS` or another.
    pub transport: &'a [u8],
    /// The host of sent-by, an IPv6 address in its brackets.
    pub host: &'a [u8],
    /// The port of sent-by.
    pub port: Option<u16>,
    /// Its parameters.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one element. White space may stand around each slash and the colon.
    #[must_use]
    pub fn parse(element: &'a [u8]) -> Option<Self> {
        let raw = trim(element);
        let (head, params) = split_params(raw);
        if !params.are_sound() {
            return None;
        }
        let (name, rest) = head.split_at(memchr::memchr(b'/', head)?);
        let rest = &rest[1..];
        let (version, rest) = rest.split_at(memchr::memchr(b'/', rest)?);
        if !trim(name).eq_ignore_ascii_case(b"SIP") || !token(trim(version)) {
            return None;
        }
        let rest = trim_start(&rest[1..]);
        let gap = rest.iter().position(|byte| super::bytes::is_lws(*byte))?;
        let (transport, sent_by) = rest.split_at(gap);
        let (host, port) = sent_by_parts(trim(sent_by))?;
        token(transport).then_some(Self { raw, transport, host, port, params })
    }

    /// The `branch` parameter.
    #[must_use]
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.get("branch").filter(|branch| !branch.is_empty())
    }

    /// Whether `rport` is there, and its value where one is (RFC 3581).
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        let param = self.params.find("rport")?;
        let port = param.value.and_then(|text| number(text, u32::from(u16::MAX)));
        Some(port.and_then(|port| u16::try_from(port).ok()))
    }

    /// The address of `received`, with or without brackets (RFC 5118 4.5).
    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        host_ip(self.params.get("received")?)
    }

    /// The `maddr` parameter.
    #[must_use]
    pub fn maddr(&self) -> Option<&'a [u8]> {
        self.params.get("maddr")
    }

    /// The host of sent-by as an address, where it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        host_ip(self.host)
    }
}

fn sent_by_parts(text: &[u8]) -> Option<(&[u8], Option<u16>)> {
    if let Some(parts) = split_host_port(text) {
        return Some(parts);
    }
    // The rare `host : port`.
    let colon = memchr::memrchr(b':', text)?;
    let (host, None) = split_host_port(trim(&text[..colon]))? else {
        return None;
    };
    let port = number(trim(&text[colon + 1..]), u32::from(u16::MAX))?;
    Some((host, u16::try_from(port).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_wherever_it_may_stand() {
        let via = Via::parse(b"SIP  / 2.0\r\n /UDP\r\n    192.0.2.2 : 5070 ;branch=390skdjuw").unwrap();
        assert_eq!((via.transport, via.host, via.port), (&b"UDP"[..], &b"192.0.2.2"[..], Some(5070)));
        assert_eq!(via.branch(), Some(&b"390skdjuw"[..]));
    }

    #[test]
    fn rport_and_received() {
        let via = Via::parse(
            b"SIP/2.0/UDP [2001:db8::9:1]:5060;received=[2001:db8::9:255];rport;branch=z9hG4bKas3",
        )
        .unwrap();
        assert_eq!(via.received(), Some("2001:db8::9:255".parse().unwrap()));
        assert_eq!(via.rport(), Some(None));
        assert_eq!(Via::parse(b"SIP/2.0/UDP h;rport=9").unwrap().rport(), Some(Some(9)));
        assert_eq!(Via::parse(b"SIP/2.0/UDP h").unwrap().rport(), None);
    }

    #[test]
    fn what_is_no_via() {
        for bad in [
            "SIP/2.0/UDP 192.0.2.15;;",
            "SIP/2.0 h",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ;branch=1",
            "HTTP/2.0/UDP h",
            "",
        ] {
            assert_eq!(Via::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
