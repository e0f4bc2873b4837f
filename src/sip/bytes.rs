//! The alphabet of RFC 3261 section 25.1, and the few cuts everything else is made with.

use std::borrow::Cow;

/// White space as header values may hold it: space, tab, and the CR and LF of a fold.
pub(super) const fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// A character of `token`.
pub(super) const fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric()
            || matches!(b, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        byte += 1;
    }
    table
};

/// Whether all of `text` is one token.
pub(super) fn token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| is_token(*byte))
}

/// The text without white space (folds included) at its ends.
#[must_use]
pub const fn trim(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_lws(*first)
    {
        text = rest;
    }
    while let [rest @ .., last] = text
        && is_lws(*last)
    {
        text = rest;
    }
    text
}

/// The text without white space at its start.
pub(super) const fn trim_start(mut text: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = text
        && is_lws(*first)
    {
        text = rest;
    }
    text
}

/// A decimal number of any length (leading zeros included) that is at most `max`.
pub(super) fn number(text: &[u8], max: u32) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    let mut value = 0_u64;
    for byte in text {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u64::from(byte - b'0');
        if value > u64::from(max) {
            return None;
        }
    }
    u32::try_from(value).ok()
}

/// The value on one line: each fold (CRLF and white space) becomes one space, RFC 3261 7.3.1.
/// Copies only where there is a fold.
#[must_use]
pub fn unfold(value: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'\r', b'\n', value).is_none() {
        return Cow::Borrowed(value);
    }
    let mut line = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        line.extend_from_slice(&rest[..at]);
        line.push(b' ');
        rest = trim_start(&rest[at..]);
    }
    line.extend_from_slice(rest);
    Cow::Owned(line)
}

/// A quoted string without its quotes and escapes; any other text as it is. Copies only where there
/// is an escape.
#[must_use]
pub fn unquote(text: &[u8]) -> Cow<'_, [u8]> {
    let [b'"', inner @ .., b'"'] = text else {
        return Cow::Borrowed(text);
    };
    if memchr::memchr(b'\\', inner).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => plain.extend(bytes.next()),
            other => plain.push(*other),
        }
    }
    Cow::Owned(plain)
}

/// How long the quoted string is that `text` begins with, quotes included; `None` when it does not
/// end.
pub(super) fn quoted_len(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Whether a datagram is no message but a keep-alive: CRLFs, NULs, or STUN (RFC 5626 3.5, RFC 5389).
/// An empty one counts.
#[must_use]
pub fn is_keep_alive(datagram: &[u8]) -> bool {
    let stun = datagram.len() >= 20 && datagram[0] < 4 && datagram[4..8] == [0x21, 0x12, 0xa4, 0x42];
    stun || datagram.iter().all(|byte| matches!(byte, 0 | b'\r' | b'\n' | b' ' | b'\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_become_one_space() {
        assert_eq!(unfold(b"a\r\n  b\r\n\tc").as_ref(), b"a b c");
        assert!(matches!(unfold(b"plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn quotes_and_escapes_go() {
        assert_eq!(unquote(br#""a \"b\" \\""#).as_ref(), br#"a "b" \"#);
        assert_eq!(unquote(b"\"\"").as_ref(), b"");
        assert_eq!(unquote(b"\"").as_ref(), b"\"");
        assert_eq!(quoted_len(br#""a\"b" c"#), Some(6));
        assert_eq!(quoted_len(br#""a\""#), None);
        assert_eq!(quoted_len(br#""a\"#), None);
    }

    #[test]
    fn numbers_keep_their_bounds() {
        assert_eq!(number(b"0068", 255), Some(68));
        assert_eq!(number(b"256", 255), None);
        assert_eq!(number(b"99999999999999999999999999", u32::MAX), None);
        assert_eq!(number(b"-1", 255), None);
        assert_eq!(number(b"", 255), None);
    }

    #[test]
    fn keep_alives_are_no_messages() {
        assert!(is_keep_alive(b"\r\n\r\n"));
        assert!(is_keep_alive(&[0, 0, 0, 0]));
        assert!(is_keep_alive(b""));
        assert!(is_keep_alive(b"\x00\x01\x00\x00\x21\x12\xa4\x42aaaaaaaaaaaa"));
        assert!(!is_keep_alive(b"OPTIONS"));
    }
}
