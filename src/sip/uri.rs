//! URIs: `sip:`, `sips:`, `tel:`, and any other as it stands (RFC 3261 19.1, RFC 3966).

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use super::bytes::number;
use super::list::Params;

/// What stands before the first colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme<'a> {
    /// `sip:`
    Sip,
    /// `sips:`
    Sips,
    /// `tel:`
    Tel,
    /// Any other, as written.
    Other(&'a [u8]),
}

/// A URI in its parts, each as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The whole.
    pub raw: &'a [u8],
    /// Its scheme.
    pub scheme: Scheme<'a>,
    /// The user part as written, its own parameters included; for `tel:` the number. `None` where
    /// there is no `@`.
    pub user: Option<&'a [u8]>,
    /// The password as written.
    pub password: Option<&'a [u8]>,
    /// The host as written, an IPv6 address in its brackets; empty for `tel:` and other schemes.
    pub host: &'a [u8],
    /// The port.
    pub port: Option<u16>,
    /// From the first `;` behind the host (`tel:`: behind the number).
    pub params: Params<'a>,
    /// What stands behind `?`; for other schemes than the three known all behind the colon.
    pub headers: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Reads a URI without its angle brackets. `None`: it is none, or a sip URI without a sound host.
    #[must_use]
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        // Without an early end, so that it costs a few vector instructions.
        if raw.iter().fold(false, |found, byte| found | matches!(byte, 0..=b' ' | b'<' | b'>' | b'"' | 127)) {
            return None;
        }
        let colon = memchr::memchr(b':', raw)?;
        let (scheme, rest) = (scheme(&raw[..colon])?, &raw[colon + 1..]);
        match scheme {
            Scheme::Sip | Scheme::Sips => parse_sip(raw, scheme, rest),
            Scheme::Tel => parse_tel(raw, rest),
            Scheme::Other(_) => Some(Self { headers: rest, ..empty(raw, scheme) }),
        }
    }

    /// Whether it is `sip:` or `sips:`.
    #[must_use]
    pub const fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }

    /// The host as an address, where it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        host_ip(self.host)
    }

    /// The user part with its percent-escapes decoded once; empty where there is none. What is no
    /// escape stays as written.
    #[must_use]
    pub fn decoded_user(&self) -> Cow<'a, [u8]> {
        self.user.map_or(Cow::Borrowed(&[]), decode)
    }

    /// Whether `lr` says that the next hop is a loose router (RFC 3261 19.1.1).
    #[must_use]
    pub fn is_loose(&self) -> bool {
        self.params.has("lr")
    }

    /// The value of `transport`.
    #[must_use]
    pub fn transport(&self) -> Option<&'a [u8]> {
        self.params.get("transport")
    }
}

fn scheme(text: &[u8]) -> Option<Scheme<'_>> {
    let sound = text.first()?.is_ascii_alphabetic()
        && text.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    Some(match text {
        _ if !sound => return None,
        _ if text.eq_ignore_ascii_case(b"sip") => Scheme::Sip,
        _ if text.eq_ignore_ascii_case(b"sips") => Scheme::Sips,
        _ if text.eq_ignore_ascii_case(b"tel") => Scheme::Tel,
        _ => Scheme::Other(text),
    })
}

fn empty<'a>(raw: &'a [u8], scheme: Scheme<'a>) -> Uri<'a> {
    Uri {
        raw,
        scheme,
        user: None,
        password: None,
        host: &[],
        port: None,
        params: Params::new(&[]),
        headers: &[],
    }
}

fn parse_sip<'a>(raw: &'a [u8], scheme: Scheme<'a>, rest: &'a [u8]) -> Option<Uri<'a>> {
    // `;` and `?` may stand in a user part, so the first `@` is looked for before anything else.
    let (user, password, rest) = match memchr::memchr(b'@', rest) {
        Some(at) => {
            let info = &rest[..at];
            let (user, password) = match memchr::memchr(b':', info) {
                Some(colon) => (&info[..colon], Some(&info[colon + 1..])),
                None => (info, None),
            };
            (Some(user), password, &rest[at + 1..])
        }
        None => (None, None, rest),
    };
    let end = memchr::memchr2(b';', b'?', rest).unwrap_or(rest.len());
    let (host, port) = split_host_port(&rest[..end])?;
    let tail = &rest[end..];
    let question = memchr::memchr(b'?', tail).unwrap_or(tail.len());
    let headers = tail.get(question + 1..).unwrap_or_default();
    Some(Uri { raw, scheme, user, password, host, port, params: Params::new(&tail[..question]), headers })
}

fn parse_tel<'a>(raw: &'a [u8], rest: &'a [u8]) -> Option<Uri<'a>> {
    let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
    if end == 0 {
        return None;
    }
    Some(Uri { user: Some(&rest[..end]), params: Params::new(&rest[end..]), ..empty(raw, Scheme::Tel) })
}

/// `host[:port]`, IPv6 in brackets; white space around the colon is the caller's matter.
pub(super) fn split_host_port(text: &[u8]) -> Option<(&[u8], Option<u16>)> {
    let host_len = match text.first()? {
        b'[' => {
            let end = memchr::memchr(b']', text)?;
            let inner = &text[1..end];
            if !inner.iter().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.'))
                || !inner.contains(&b':')
            {
                return None;
            }
            end + 1
        }
        _ => memchr::memchr(b':', text).unwrap_or(text.len()),
    };
    let (host, rest) = text.split_at(host_len);
    if host.is_empty() || (host[0] != b'[' && !host.iter().all(|b| is_host(*b))) {
        return None;
    }
    match rest {
        [] => Some((host, None)),
        [b':', digits @ ..] => {
            let port = number(digits, u32::from(u16::MAX))?;
            Some((host, u16::try_from(port).ok()))
        }
        _ => None,
    }
}

/// Host names as they are met: underscores are no hostname of RFC 3261, but common.
const fn is_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// The address a host is, with or without brackets; three colons in a row, which the grammar of
/// RFC 3261 allows by a slip (RFC 5118 4.10), are read as two.
pub(super) fn host_ip(host: &[u8]) -> Option<IpAddr> {
    let inner = match host {
        [b'[', inner @ .., b']'] => inner,
        _ => host,
    };
    let text = std::str::from_utf8(inner).ok()?;
    if let Ok(ip) = text.parse() {
        return Some(ip);
    }
    if !text.contains(":::") {
        return None;
    }
    text.replacen(":::", "::", 1).parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'%', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        match (first, escape(rest)) {
            (b'%', Some(byte)) => {
                plain.push(byte);
                rest = &rest[3..];
            }
            _ => {
                plain.push(*first);
                rest = tail;
            }
        }
    }
    Cow::Owned(plain)
}

fn escape(text: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [b'%', high, low, ..] = text else {
        return None;
    };
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_sip_uri() {
        let uri = Uri::parse(b"sips:a;b%23:pw@[2001:db8::1]:5061;transport=tcp;lr?X=1&Y=2").unwrap();
        assert_eq!(uri.scheme, Scheme::Sips);
        assert_eq!(uri.user, Some(&b"a;b%23"[..]));
        assert_eq!(uri.decoded_user().as_ref(), b"a;b#");
        assert_eq!(uri.password, Some(&b"pw"[..]));
        assert_eq!(uri.host, b"[2001:db8::1]");
        assert_eq!(uri.ip(), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(uri.port, Some(5061));
        assert_eq!(uri.transport(), Some(&b"tcp"[..]));
        assert!(uri.is_loose());
        assert_eq!(uri.headers, b"X=1&Y=2");
    }

    #[test]
    fn telephone_numbers_keep_their_plus() {
        let uri = Uri::parse(b"tel:+1-201-555-0123;npdi;rn=+1-202-544-5000").unwrap();
        assert_eq!(uri.user, Some(&b"+1-201-555-0123"[..]));
        assert!(uri.params.has("npdi"));
        assert_eq!(uri.params.get("rn"), Some(&b"+1-202-544-5000"[..]));
    }

    #[test]
    fn a_user_part_may_hold_nearly_anything() {
        let uri = Uri::parse(b"sip:user;par=u%40example.net@example.com").unwrap();
        assert_eq!(uri.user, Some(&b"user;par=u%40example.net"[..]));
        assert_eq!(uri.decoded_user().as_ref(), b"user;par=u@example.net");
        assert_eq!(Uri::parse(b"sip:*72#@h").unwrap().user, Some(&b"*72#"[..]));
        assert_eq!(Uri::parse(b"sip:a%2@h").unwrap().decoded_user().as_ref(), b"a%2");
    }

    #[test]
    fn what_is_no_uri() {
        for bad in [
            "sip:2001:db8::10",
            "sip:",
            "sip:a@",
            "sip:a@h:",
            "sip:a@h:65536",
            "sip:a@[::1",
            "sip:a@[x]",
            "<sip:a@h>",
            "sip:a b@h",
            "tel:",
            "nocolon",
            "1sip:a@h",
        ] {
            assert_eq!(Uri::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Uri::parse(b"urn:service:sos").unwrap().scheme, Scheme::Other(b"urn"));
    }

    #[test]
    fn addresses_in_their_spellings() {
        assert_eq!(host_ip(b"[2001:db8:::192.0.2.1]"), Some("2001:db8::192.0.2.1".parse().unwrap()));
        assert_eq!(host_ip(b"2001:db8::9:255"), Some("2001:db8::9:255".parse().unwrap()));
        assert_eq!(host_ip(b"example.com"), None);
    }
}
