//! Comma lists and `;name=value` parameters, with quotes and angle brackets understood.

use super::bytes::{is_token, quoted_len, trim, trim_start};

/// The elements of a comma list, trimmed, in order; empty ones are skipped. Commas inside quoted
/// strings and `<>` do not part (RFC 3261 7.3.1).
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    /// The elements of a header value, folds included.
    #[must_use]
    pub const fn new(value: &'a [u8]) -> Self {
        Self { rest: value }
    }

    /// The value behind the last element that was given, its comma gone.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let end = element_len(self.rest);
            let element = trim(&self.rest[..end]);
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    }
}

/// Whether no comma parts this, not even one with nothing behind it: a parameter can be added to it.
#[must_use]
pub fn is_one(text: &[u8]) -> bool {
    element_len(text) == text.len()
}

/// Where the first comma is that parts elements; an unended quote or bracket takes all.
fn element_len(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr3(b',', b'"', b'<', &text[at..]) {
        at += found;
        match text[at] {
            b',' => return at,
            b'"' => match quoted_len(&text[at..]) {
                Some(len) => at += len,
                None => return text.len(),
            },
            _ => match memchr::memchr(b'>', &text[at..]) {
                Some(len) => at += len,
                None => return text.len(),
            },
        }
    }
    text.len()
}

/// One parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    /// Its name as written.
    pub name: &'a [u8],
    /// What stands behind `=`, quotes included; `None` where there is no `=`.
    pub value: Option<&'a [u8]>,
}

/// The parameters of a header element or of a URI: `;a=b;c`, white space allowed around `;` and `=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a> {
    raw: &'a [u8],
}

impl<'a> Params<'a> {
    /// From the text that begins at the first `;` (or is empty).
    #[must_use]
    pub const fn new(raw: &'a [u8]) -> Self {
        Self { raw: trim(raw) }
    }

    /// As written, from the first `;` on.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.raw
    }

    /// The first parameter of this name, in any case.
    #[must_use]
    pub fn find(self, name: &str) -> Option<Param<'a>> {
        self.into_iter().find(|param| param.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The value of the first parameter of this name; `None` also where it has none.
    #[must_use]
    pub fn get(self, name: &str) -> Option<&'a [u8]> {
        self.find(name)?.value
    }

    /// Whether there is a parameter of this name, with or without a value.
    #[must_use]
    pub fn has(self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// Whether each parameter is a token, with a value that is not empty where there is a `=`, and
    /// nothing else stands between them.
    pub(super) fn are_sound(self) -> bool {
        if self.raw.is_empty() {
            return true;
        }
        if self.raw[0] != b';' {
            return false;
        }
        let mut walk = Walk { rest: self.raw };
        while let Some(param) = walk.any() {
            let name = !param.name.is_empty() && param.name.iter().all(|byte| is_token(*byte));
            if !name || !param.value.is_none_or(is_sound_value) {
                return false;
            }
        }
        true
    }
}

/// A token, a host (IPv6 in brackets too) or one whole quoted string.
fn is_sound_value(value: &[u8]) -> bool {
    match value {
        [] => false,
        [b'"', ..] => quoted_len(value) == Some(value.len()),
        _ => value.iter().all(|byte| !matches!(byte, 0..=b' ' | b'"' | b'<' | b'>' | b',' | 127)),
    }
}

impl<'a> IntoIterator for Params<'a> {
    type Item = Param<'a>;
    type IntoIter = Walk<'a>;

    fn into_iter(self) -> Walk<'a> {
        Walk { rest: self.raw }
    }
}

/// The walk over [`Params`]; empty parameters are skipped.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    /// The next parameter, also an empty one.
    fn any(&mut self) -> Option<Param<'a>> {
        let [b';', text @ ..] = self.rest else {
            return None;
        };
        let end = param_len(text);
        self.rest = &text[end..];
        let text = &text[..end];
        Some(match memchr::memchr(b'=', text) {
            Some(at) => Param { name: trim(&text[..at]), value: Some(trim(&text[at + 1..])) },
            None => Param { name: trim(text), value: None },
        })
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Param<'a>;

    fn next(&mut self) -> Option<Param<'a>> {
        loop {
            let param = self.any()?;
            if !param.name.is_empty() {
                return Some(param);
            }
        }
    }
}

/// Where the next `;` outside quotes is.
fn param_len(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b';', b'"', &text[at..]) {
        at += found;
        if text[at] == b';' {
            return at;
        }
        match quoted_len(&text[at..]) {
            Some(len) => at += len,
            None => return text.len(),
        }
    }
    text.len()
}

/// Splits `text` where its parameters begin: the first `;` outside quotes, white space before it
/// belonging to neither.
pub(super) fn split_params(text: &[u8]) -> (&[u8], Params<'_>) {
    let at = param_len(text);
    (trim(&text[..at]), Params::new(trim_start(&text[at..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_part_nothing() {
        let value = br#" "a, \"b" <sip:a,b@h> ;x="1,2",, sip:c@h , <sip:d@h;x=1>"#;
        let elements: Vec<_> = Elements::new(value).collect();
        assert_eq!(
            elements,
            [&br#""a, \"b" <sip:a,b@h> ;x="1,2""#[..], &b"sip:c@h"[..], &b"<sip:d@h;x=1>"[..]]
        );
    }

    #[test]
    fn params_bear_white_space_and_quotes() {
        let params = Params::new(b"; Tag = a ;lr; x = \"a;b\" ; y=");
        assert_eq!(params.get("tag"), Some(&b"a"[..]));
        assert_eq!(params.find("LR"), Some(Param { name: b"lr", value: None }));
        assert_eq!(params.get("x"), Some(&b"\"a;b\""[..]));
        assert_eq!(params.get("y"), Some(&b""[..]));
        assert!(!params.has("z"));
        assert!(!params.are_sound());
        assert!(Params::new(b";a=1 ; b=[::1];c=\"x y\"").are_sound());
        assert!(!Params::new(b";a;;b").are_sound());
        assert!(!Params::new(b";a=\"x").are_sound());
    }
}
