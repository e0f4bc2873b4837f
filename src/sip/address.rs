//! `From`, `To`, `Contact`, `Route` and their like: a URI with a display name and parameters.

use std::borrow::Cow;

use super::bytes::{quoted_len, trim, trim_start, unquote};
use super::list::{Params, split_params};
use super::uri::Uri;

/// A `name-addr` or `addr-spec` with its parameters (RFC 3261 20.10), each as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The whole element.
    pub raw: &'a [u8],
    /// The display name as written, quotes included; empty where there is none.
    pub display: &'a [u8],
    /// The URI as written, without `<>`; `*` in a Contact that removes all.
    pub uri: &'a [u8],
    /// The header parameters. Without `<>` all parameters are the header's (RFC 3261 20).
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one element of a header. `None`: a quote or bracket does not end, there is no URI, or
    /// something else stands behind it.
    #[must_use]
    pub fn parse(element: &'a [u8]) -> Option<Self> {
        let raw = trim(element);
        let display_len = match raw.first()? {
            b'"' => quoted_len(raw)?,
            _ => 0,
        };
        let open = match memchr::memchr(b'<', &raw[display_len..]) {
            Some(at) => display_len + at,
            None if display_len == 0 => return Self::without_brackets(raw),
            None => return None,
        };
        let display = trim(&raw[..open]);
        let between = trim(&raw[display_len..open]);
        let sound_display = if display_len > 0 { between.is_empty() } else { is_display(between) };
        if !sound_display {
            // A `<` that belongs to a parameter of an addr-spec is no bracket of ours.
            return None;
        }
        let close = open + memchr::memchr(b'>', &raw[open..])?;
        let uri = trim(&raw[open + 1..close]);
        let params = trim_start(&raw[close + 1..]);
        let sound = !uri.is_empty() && (params.is_empty() || params[0] == b';');
        sound.then_some(Self { raw, display, uri, params: Params::new(params) })
    }

    fn without_brackets(raw: &'a [u8]) -> Option<Self> {
        let (uri, params) = split_params(raw);
        let sound =
            !uri.is_empty() && !uri.iter().any(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b'"' | b','));
        sound.then_some(Self { raw, display: &[], uri, params })
    }

    /// The URI in its parts.
    #[must_use]
    pub fn parsed_uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.uri)
    }

    /// The `tag` parameter.
    #[must_use]
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.get("tag")
    }

    /// The display name without quotes and escapes.
    #[must_use]
    pub fn display_text(&self) -> Cow<'a, [u8]> {
        unquote(self.display)
    }
}

/// Words as they are met before `<`: tokens by the grammar, but unquoted commas and dots are common
/// (RFC 4475 3.1.2.15), and in a list they part elements before this is asked.
fn is_display(text: &[u8]) -> bool {
    !text.iter().any(|b| matches!(b, b'"' | b';' | b'>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_uri_and_tag() {
        let from = NameAddr::parse(br#" "J. \"Ro<sen" <sip:j@h;x=1> ; tag = abc;y"#).unwrap();
        assert_eq!(from.display_text().as_ref(), br#"J. "Ro<sen"#);
        assert_eq!(from.uri, b"sip:j@h;x=1");
        assert_eq!(from.tag(), Some(&b"abc"[..]));
        assert!(from.params.has("y"));
    }

    #[test]
    fn without_brackets_parameters_are_the_headers() {
        let from = NameAddr::parse(b"sip:a@h;tag=1").unwrap();
        assert_eq!((from.uri, from.tag()), (&b"sip:a@h"[..], Some(&b"1"[..])));
        assert_eq!(NameAddr::parse(b"caller<sip:a@h>").unwrap().display, b"caller");
        assert_eq!(NameAddr::parse(b"*").unwrap().uri, b"*");
    }

    #[test]
    fn what_is_no_address() {
        for bad in ["", "\"a <sip:a@h>", "\"a\"", "<sip:a@h", "<>", "a b", "<sip:a@h> x", "\"a\" b <sip:a@h>"]
        {
            assert_eq!(NameAddr::parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
