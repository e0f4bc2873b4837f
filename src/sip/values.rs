//! CSeq, RAck and Session-Expires.

use super::bytes::{is_lws, number, token, trim};
use super::list::Params;
use super::method::Method;

/// The greatest CSeq number (RFC 3261 8.1.1.5).
const MAX_CSEQ: u32 = (1 << 31) - 1;

/// CSeq: a number and a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CSeq<'a> {
    /// Below 2^31.
    pub number: u32,
    /// Of the request.
    pub method: Method<'a>,
}

impl<'a> CSeq<'a> {
    /// Reads a header value. `None`: not a number below 2^31 and a method.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let value = trim(value);
        let gap = value.iter().position(|byte| is_lws(*byte))?;
        let method = trim(&value[gap..]);
        let number = number(&value[..gap], MAX_CSEQ)?;
        token(method).then_some(Self { number, method: Method::new(method) })
    }
}

/// RAck: which reliable provisional a PRACK acknowledges (RFC 3262 7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RAck<'a> {
    /// The response's RSeq.
    pub rseq: u32,
    /// The response's CSeq.
    pub cseq: CSeq<'a>,
}

impl<'a> RAck<'a> {
    /// Reads a header value.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let value = trim(value);
        let gap = value.iter().position(|byte| is_lws(*byte))?;
        Some(Self { rseq: number(&value[..gap], u32::MAX)?, cseq: CSeq::parse(&value[gap..])? })
    }
}

/// Who refreshes a session: the client or the server of the request that says so (RFC 4028 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refresher {
    /// Whoever sent the request.
    Uac,
    /// Whoever answered it.
    Uas,
}

impl Refresher {
    /// As it is written.
    #[must_use]
    pub const fn as_bytes(self) -> &'static [u8] {
        match self {
            Self::Uac => b"uac",
            Self::Uas => b"uas",
        }
    }
}

/// Session-Expires: how long a session lasts without a refresh (RFC 4028 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionExpires {
    /// In seconds.
    pub interval: u32,
    /// Who refreshes it, where that is said.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Reads a header value. `None`: it begins with no number.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let interval = number(trim(&value[..end]), u32::MAX)?;
        let refresher = match Params::new(&value[end..]).get("refresher") {
            Some(who) if who.eq_ignore_ascii_case(b"uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case(b"uas") => Some(Refresher::Uas),
            _ => None,
        };
        Some(Self { interval, refresher })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_an_interval_and_perhaps_a_refresher() {
        let read = |text: &'static str| SessionExpires::parse(text.as_bytes());
        let is = |interval, refresher| Some(SessionExpires { interval, refresher });
        assert_eq!(read("1800"), is(1800, None));
        assert_eq!(read(" 90 ; refresher=UAS;x=y"), is(90, Some(Refresher::Uas)));
        assert_eq!(read("90;refresher=other"), is(90, None));
        assert_eq!(read(";refresher=uac"), None);
    }

    #[test]
    fn numbers_have_bounds() {
        let cseq = CSeq::parse(b"0009\r\n  INVITE").unwrap();
        assert_eq!((cseq.number, cseq.method), (9, Method::Invite));
        assert!(CSeq::parse(b"2147483648 INVITE").is_none());
        assert!(CSeq::parse(b"1 INVITE x").is_none());
        assert!(CSeq::parse(b"INVITE").is_none());
        assert_eq!(RAck::parse(b"776656 1 INVITE").unwrap().rseq, 776_656);
    }
}
