//! CSeq and RAck.

use super::bytes::{is_lws, number, token, trim};
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

#[cfg(test)]
mod tests {
    use super::*;

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
