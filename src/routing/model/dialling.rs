//! Where an account's documents may lead: what stands against toll fraud.

use crate::e164::country_code;

/// What an account may dial. Nothing said: anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DialPolicy {
    /// Hosts of `<Sip>` targets: `example.com` itself, `*.example.com` what lies below it.
    pub domains: Vec<String>,
    /// What numbers of `<Number>` begin with, in E.164.
    pub prefixes: Vec<String>,
    /// Country codes of such numbers; a number is allowed by a prefix or by a country.
    pub countries: Vec<String>,
    /// Targets a minute; `None`: no limit.
    pub per_minute: Option<u32>,
}

/// A part of a policy that could never match anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undialable<'a> {
    /// What it belongs to: `dial_domains`, `dial_prefixes` or `dial_countries`.
    pub list: &'static str,
    /// As it was written.
    pub text: &'a str,
    /// What it should be, in words.
    pub expected: &'static str,
}

impl DialPolicy {
    /// The first part that could never match: a slip that would forbid what was meant to be allowed.
    #[must_use]
    pub fn mistake(&self) -> Option<Undialable<'_>> {
        fn first<'a>(
            (list, texts, expected): (&'static str, &'a [String], &'static str),
            is_sound: impl Fn(&str) -> bool,
        ) -> Option<Undialable<'a>> {
            let text = texts.iter().find(|text| !is_sound(text))?;
            Some(Undialable { list, text, expected })
        }
        let is_code = |text: &str| {
            let bare = text.strip_prefix('+').unwrap_or(text);
            is_number(text) && country_code(bare.as_bytes()) == Some(bare.len())
        };
        first(("dial_prefixes", &self.prefixes, "E.164, as +4420"), is_number)
            .or_else(|| first(("dial_countries", &self.countries, "calling codes, as 44"), is_code))
            .or_else(|| {
                let expected = "example.com, *.example.com or 192.0.2.1";
                first(("dial_domains", &self.domains, expected), is_host)
            })
    }

    /// Whether a target at this host may be dialled.
    #[must_use]
    pub fn allows_host(&self, host: &[u8]) -> bool {
        let host = host.strip_suffix(b".").unwrap_or(host);
        let host = host.strip_prefix(b"[").and_then(|host| host.strip_suffix(b"]")).unwrap_or(host);
        let is_it = |domain: &String| match domain.strip_prefix('*') {
            // The dot stays: `*.example.com` is not `badexample.com`.
            Some(tail) => host
                .len()
                .checked_sub(tail.len())
                .is_some_and(|at| at > 0 && host[at..].eq_ignore_ascii_case(tail.as_bytes())),
            None => host.eq_ignore_ascii_case(domain.as_bytes()),
        };
        self.domains.is_empty() || self.domains.iter().any(is_it)
    }

    /// Whether a number may be dialled. It is read as E.164, with `+`, `00` or `011` before it or nothing:
    /// a gateway could read any digits so, and what is no such number is not allowed where something is said.
    #[must_use]
    pub fn allows_number(&self, number: &str) -> bool {
        if self.prefixes.is_empty() && self.countries.is_empty() {
            return true;
        }
        let Some(digits) = international(number) else { return false };
        let begins = |prefix: &String| digits.starts_with(prefix.trim_start_matches('+'));
        let country = country_code(digits.as_bytes()).map(|length| &digits[..length]);
        let lies_in = |code: &String| country == Some(code.trim_start_matches('+'));
        self.prefixes.iter().any(begins) || self.countries.iter().any(lies_in)
    }
}

/// Digits, with or without `+`.
fn is_number(text: &str) -> bool {
    let bare = text.strip_prefix('+').unwrap_or(text);
    !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit())
}

/// A host, or `*.` and what all hosts below it end with.
fn is_host(text: &str) -> bool {
    let bare = text.strip_prefix("*.").unwrap_or(text);
    !bare.is_empty()
        && !bare.bytes().any(|byte| byte.is_ascii_whitespace() || matches!(byte, b'*' | b'@' | b'/'))
}

/// The digits behind the international prefix; `None`: no telephone number.
fn international(number: &str) -> Option<String> {
    let bare: String = number.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')')).collect();
    let digits = ["+", "00", "011"].iter().find_map(|prefix| bare.strip_prefix(prefix)).unwrap_or(&bare);
    let sound = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    sound.then(|| digits.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_could_never_match_is_a_mistake() {
        let sound = DialPolicy {
            domains: texts(&["example.com", "*.example.com", "[2001:db8::1]"]),
            prefixes: texts(&["+4420", "1650"]),
            countries: texts(&["44", "+1"]),
            per_minute: None,
        };
        assert_eq!(sound.mistake(), None);
        for (countries, prefixes, domains, list) in [
            (&["GB"][..], &[][..], &[][..], "dial_countries"),
            (&["4420"], &[], &[], "dial_countries"),
            (&[], &["44x"], &[], "dial_prefixes"),
            (&[], &[], &["sip:example.com/"], "dial_domains"),
        ] {
            let wrong = DialPolicy {
                domains: texts(domains),
                prefixes: texts(prefixes),
                countries: texts(countries),
                per_minute: None,
            };
            assert_eq!(wrong.mistake().unwrap().list, list);
        }
    }

    #[test]
    fn nothing_said_allows_anything() {
        let open = DialPolicy::default();
        assert!(open.allows_host(b"anywhere.example") && open.allows_number("premium*1"));
    }

    #[test]
    fn a_number_is_allowed_by_prefix_or_country_however_it_is_spelled() {
        let policy = DialPolicy {
            prefixes: texts(&["+1650", "4989"]),
            countries: texts(&["44", "+7"]),
            ..DialPolicy::default()
        };
        for number in
            ["+16508251255", "1 (650) 825-1255", "004420123", "+44.20.123", "01179991234567", "498912"]
        {
            assert!(policy.allows_number(number), "{number}");
        }
        for number in [
            "+12125551234",
            "+493012345",
            "+8821234567",
            "8821234567",
            "6508251255",
            "900441234",
            "",
            "+",
            "+44;phone-context=x",
            "44x",
            "+44#1",
            "*44",
        ] {
            assert!(!policy.allows_number(number), "{number}");
        }
    }

    #[test]
    fn a_host_is_the_whole_name_or_below_a_star() {
        let policy = DialPolicy {
            domains: texts(&["example.com", "*.phones.test", "192.0.2.1", "2001:db8::1"]),
            ..DialPolicy::default()
        };
        for host in ["example.com", "EXAMPLE.com.", "a.b.phones.TEST", "192.0.2.1", "[2001:DB8::1]"] {
            assert!(policy.allows_host(host.as_bytes()), "{host}");
        }
        for host in ["a.example.com", "badexample.com", "phones.test", ".phones.test", "192.0.2.11", ""] {
            assert!(!policy.allows_host(host.as_bytes()), "{host}");
        }
    }
}
