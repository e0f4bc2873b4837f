//! How Kazoo reads a number: three rules, the first that matches wins. ASCII digits only.

use std::sync::LazyLock;

use regex::Regex;

/// North America: area code and exchange begin with 2 to 9.
static NANP: LazyLock<Regex> = LazyLock::new(|| constant(r"^(?:\+?1)?([2-9][0-9]{2}[2-9][0-9]{6})$"));
/// What a caller there dials before a foreign number, and what the rest of the world dials. A prefix alone,
/// or with a few digits, is no number.
static ABROAD: LazyLock<Regex> = LazyLock::new(|| constant(r"^(?:011|00)([0-9]{5,})$"));
/// A country code that was written without its `+`.
static BARE: LazyLock<Regex> = LazyLock::new(|| constant(r"^[2-9][0-9]{7,}$"));
/// What may be stored through this dialect.
static STORABLE: LazyLock<Regex> =
    LazyLock::new(|| constant(r"^(?:\+?1)?[0-9]{10}$|^\+[2-9][0-9]{7,}$|^011[0-9]*$|^00[0-9]*$"));

pub(super) fn constant(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a constant expression")
}

/// The E.164 form, where one of the rules gives one; else the text as it is.
pub(super) fn normalize(text: &str) -> String {
    if text.starts_with('+') {
        return text.to_owned();
    }
    if let Some(national) = ten_digits(text) {
        return format!("+1{national}");
    }
    if let Some(found) = ABROAD.captures(text) {
        return format!("+{}", &found[1]);
    }
    if BARE.is_match(text) { format!("+{text}") } else { text.to_owned() }
}

/// The ten digits of a North American number.
pub(super) fn ten_digits(text: &str) -> Option<&str> {
    NANP.captures(text).and_then(|found| found.get(1)).map(|group| group.as_str())
}

/// Whether a normalized text may be stored: whether it could be a telephone number.
pub(super) fn is_reconcilable(text: &str) -> bool {
    STORABLE.is_match(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_become_e164_by_the_first_rule_that_matches() {
        for (given, expected) in [
            ("2125550123", "+12125550123"),
            ("12125550123", "+12125550123"),
            ("+12125550123", "+12125550123"),
            ("4123456789", "+14123456789"),
            ("4523456789", "+14523456789"),
            ("19005550123", "+19005550123"),
            ("18335550123", "+18335550123"),
            // The exchange begins with 1: no number of the plan, so a country code is read.
            ("2121550123", "+2121550123"),
            ("12121550123", "12121550123"),
            ("41234567", "+41234567"),
            ("33123456789", "+33123456789"),
            ("493012345678", "+493012345678"),
            ("442079460018", "+442079460018"),
            ("00442079460018", "+442079460018"),
            ("011442079460018", "+442079460018"),
            ("555123456", "+555123456"),
        ] {
            assert_eq!(normalize(given), expected, "{given}");
        }
    }

    #[test]
    fn what_no_rule_knows_stays_as_it_is() {
        for text in [
            "4123456",
            "02079460018",
            "0044",
            "0115",
            "011",
            "00",
            "44",
            "911",
            "0",
            "1",
            "1000000000",
            "11234567890",
            "1155550123",
            "15550123",
            "abc",
            "*97",
            "212-555-0123",
            "(212) 555-0123",
            "1 212 555 0123",
            "+1 212 555 0123",
            " 12125550123",
            "020 7946 0018",
            "+4523456789",
            "１２１２５５５０１２３",
            "",
        ] {
            assert_eq!(normalize(text), text);
        }
    }

    #[test]
    fn the_digits_of_a_north_american_number() {
        for text in ["+12125550123", "12125550123", "2125550123"] {
            assert_eq!(ten_digits(text), Some("2125550123"));
        }
        assert_eq!(ten_digits("+442079460018"), None);
    }

    #[test]
    fn what_may_be_stored() {
        for text in ["+12125550123", "+18005550123", "0123456789", "+41234567", "011", "00", "+33123456789"] {
            assert!(is_reconcilable(text), "{text}");
        }
        for text in
            ["*97", "+44 20 7946 0018", "+1234567890123", "1000", "911", "NOT a number", "+121255501+15", ""]
        {
            assert!(!is_reconcilable(text), "{text}");
        }
        assert!(is_reconcilable(&normalize("41234567")));
    }
}
