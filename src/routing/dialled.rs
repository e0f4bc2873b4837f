//! The dialled string: out of a URI's user part, percent-escapes decoded once, parameters cut,
//! visual separators taken away, the trunk's rules applied.

use super::model::{NumberProfile, NumberRule};
use super::text::Text;

/// A URI's scheme, as far as routing cares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scheme {
    /// `sip:` or `sips:`.
    #[default]
    Sip,
    /// `tel:` (RFC 3966).
    Tel,
    /// `urn:` (RFC 5031).
    Urn,
}

/// A URI's parts as they stand in the message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Address<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// What stands before `@`, escapes and `;` parameters included (without a password). For `tel:`
    /// and `urn:` everything after the scheme.
    pub user: &'a [u8],
    /// The host without port; empty for `tel:` and `urn:`.
    pub host: &'a [u8],
}

impl Address<'_> {
    /// Whether this asks for an emergency service (`urn:service:sos`, RFC 5031 4.2).
    #[must_use]
    pub fn is_emergency_service(&self) -> bool {
        const SOS: &[u8] = b"service:sos";
        let named = self.user.get(..SOS.len()).is_some_and(|start| start.eq_ignore_ascii_case(SOS));
        let whole = matches!(self.user.get(SOS.len()), None | Some(b'.' | b';' | b'@'));
        self.scheme == Scheme::Urn && named && whole
    }
}

/// What was dialled, in the spellings the forms begin with.
#[derive(Clone, Copy, Debug)]
pub struct Dialled {
    /// As written: decoded, parameters cut.
    pub raw: Text,
    /// Without visual separators, and after the trunk's rules.
    pub number: Text,
    /// Whether a rule changed it.
    pub rewritten: bool,
    /// `phone-context` where it is a global one (`+1650`): the number's own prefix (RFC 3966 5.1.5).
    pub context: Option<Text>,
}

impl Dialled {
    /// Reads a user part; `None` when nothing is left, it cannot be decoded, or a control character
    /// was hidden in an escape: no number has one, and nobody behind routing need expect a CR.
    #[must_use]
    pub fn read(user: &[u8]) -> Option<Self> {
        let end = user.iter().position(|&byte| byte == b';').unwrap_or(user.len());
        let (name, parameters) = user.split_at(end);
        let raw = decode(name)?;
        if raw.is_empty() || raw.chars().any(char::is_control) {
            return None;
        }
        let number = if is_telephone(&raw) { raw.without(is_separator) } else { raw };
        let number = if number.is_empty() { raw } else { number };
        Some(Self { raw, number, rewritten: false, context: global_context(parameters) })
    }

    /// Applies the trunk's rules in order. Short codes stay as they are.
    #[must_use]
    pub fn rewrite(mut self, profile: &NumberProfile) -> Self {
        if is_short_code(&self.number, profile) {
            return self;
        }
        for rule in &profile.rules {
            if let Some(number) = apply(rule, &self.number) {
                self.number = number;
                self.rewritten = true;
            }
        }
        self
    }
}

/// Whether `number` gets no derived form: `112`, N11, what holds `*` or `#`, and the trunk's list.
#[must_use]
pub fn is_short_code(number: &str, profile: &NumberProfile) -> bool {
    let n11 = matches!(number.as_bytes(), [b'2'..=b'9', b'1', b'1']);
    n11 || number == "112"
        || number.contains(['*', '#'])
        || profile.short_codes.iter().any(|code| code == number)
}

/// Whether `rule` applies to `number`, and what it becomes.
fn apply(rule: &NumberRule, number: &Text) -> Option<Text> {
    let length = number.len();
    let long_enough = rule.min_length == 0 || length >= usize::from(rule.min_length);
    let short_enough = rule.max_length == 0 || length <= usize::from(rule.max_length);
    if !(number.starts_with(&rule.prefix) && long_enough && short_enough) {
        return None;
    }
    let rest = number.get(usize::from(rule.strip)..)?;
    Text::join(&rule.prepend, rest)
}

/// Percent-escapes decoded, once (RFC 3261 25.1).
fn decode(bytes: &[u8]) -> Option<Text> {
    let mut decoded = [0_u8; super::text::MAX_TEXT];
    let mut length = 0;
    let mut at = 0;
    while at < bytes.len() {
        let (byte, width) = match bytes[at] {
            b'%' => (hex(*bytes.get(at + 1)?)? << 4 | hex(*bytes.get(at + 2)?)?, 3),
            byte => (byte, 1),
        };
        *decoded.get_mut(length)? = byte;
        length += 1;
        at += width;
    }
    Text::new(&decoded[..length])
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Only keys and separators, with a digit among them.
fn is_telephone(text: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'*' | b'#') || is_separator(byte);
    text.bytes().all(known) && text.bytes().any(|byte| byte.is_ascii_digit())
}

/// The visual separators of RFC 3966 3, and the space that some senders escape.
const fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b'.' | b'(' | b')' | b' ')
}

fn global_context(parameters: &[u8]) -> Option<Text> {
    parameters
        .split(|&byte| byte == b';')
        .find_map(|parameter| {
            let (name, value) = parameter.split_at_checked(14)?;
            name.eq_ignore_ascii_case(b"phone-context=").then_some(value)
        })
        .and_then(decode)
        .filter(|context| context.starts_with('+') && context[1..].bytes().any(|byte| byte.is_ascii_digit()))
        .map(|context| context.without(is_separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(user: &str) -> String {
        Dialled::read(user.as_bytes()).expect("readable").number.to_string()
    }

    #[test]
    fn escapes_are_decoded_once() {
        assert_eq!(number("%2A77%23"), "*77#");
        assert_eq!(number("*77#"), "*77#");
        assert_eq!(number("%2523"), "%23");
        assert!(Dialled::read(b"%2").is_none());
        assert!(Dialled::read(b"%ff").is_none());
        assert!(Dialled::read(b"").is_none());
        assert!(Dialled::read(b"1%0d%0aX-Evil").is_none(), "no line can be smuggled in");
        assert!(Dialled::read(b"1%00").is_none());
    }

    #[test]
    fn parameters_and_separators_go() {
        assert_eq!(number("+1-650-825.1255;npdi;rn=+16505550000"), "+16508251255");
        assert_eq!(number("(650)%20825-1255"), "6508251255");
        assert_eq!(number("alice-bob"), "alice-bob");
        assert_eq!(Dialled::read(b"825-1255").expect("readable").raw.to_string(), "825-1255");
    }

    #[test]
    fn a_global_context_is_kept() {
        let dialled = Dialled::read(b"8251255;phone-context=+1-650").expect("readable");
        assert_eq!(dialled.context.expect("there").to_string(), "+1650");
        assert!(Dialled::read(b"1;phone-context=example.com").expect("readable").context.is_none());
    }

    #[test]
    fn rules_apply_in_order_but_never_to_short_codes() {
        let profile = NumberProfile {
            rules: vec![
                NumberRule { prefix: "9".into(), strip: 1, min_length: 4, ..NumberRule::default() },
                NumberRule { prefix: "650".into(), prepend: "+1".into(), ..NumberRule::default() },
            ],
            ..NumberProfile::default()
        };
        let rewrite =
            |user: &[u8]| Dialled::read(user).expect("readable").rewrite(&profile).number.to_string();
        assert_eq!(rewrite(b"96508251255"), "+16508251255");
        assert_eq!(rewrite(b"911"), "911");
    }

    #[test]
    fn sos_is_an_emergency_service() {
        let urn = |user| Address { scheme: Scheme::Urn, user, host: b"" }.is_emergency_service();
        assert!(urn(b"service:sos") && urn(b"SERVICE:SOS.police"));
        assert!(!urn(b"service:sosial") && !urn(b"service:counseling"));
    }
}
