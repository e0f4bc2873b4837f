//! Parameters as Restcomm's clients send them: form-encoded, names case-sensitive, unknown ones
//! ignored but named in a warning with the nearest name.

use crate::api::error::ApiError;

/// The most warnings of one answer: they travel in a header.
const WARNINGS: usize = 16;

/// The parameters of one request.
#[derive(Debug, Default)]
pub(crate) struct Params {
    values: Vec<(&'static str, String)>,
    /// What was ignored, in words.
    pub(crate) warnings: Vec<String>,
}

impl Params {
    /// Reads a query or a form-encoded body. Of a repeated parameter the first counts.
    pub(crate) fn parse(encoded: &[u8], known: &[&'static str]) -> Self {
        let (mut params, mut more) = (Self::default(), 0);
        for (name, value) in form_urlencoded::parse(encoded) {
            match known.iter().find(|known| **known == name) {
                Some(name) if params.get(name).is_none() => params.values.push((name, value.into_owned())),
                _ if params.warnings.len() == WARNINGS => more += 1,
                Some(name) => {
                    params.warnings.push(format!("{name} is given more than once: the first one counts"));
                }
                None => params.warnings.push(ignored(&name, known)),
            }
        }
        if more > 0 {
            params.warnings.push(format!("{more} more were ignored"));
        }
        params
    }

    /// Those of `names` that were given, with their values: what goes along with every page of a list.
    pub(crate) fn given<'p>(&'p self, names: &[&'p str]) -> Vec<(&'p str, &'p str)> {
        names.iter().filter_map(|name| Some((*name, self.get(name)?))).collect()
    }

    /// The value of `name`, an empty one included.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The value of `name`; an empty one clears (`Some(None)`), an absent one changes nothing.
    pub(crate) fn change(&self, name: &str) -> Option<Option<String>> {
        self.get(name).map(|value| (!value.trim().is_empty()).then(|| value.trim().to_owned()))
    }

    /// `true` or `false` in any case.
    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, ApiError> {
        match self.get(name) {
            None | Some("") => Ok(None),
            Some(value) if value.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(value) if value.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(value) => Err(ApiError::bad(format!("{name} is `{}`: use true or false", shown(value)))),
        }
    }

    /// A whole number.
    pub(crate) fn count(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let bad = || ApiError::bad(format!("{name} is `{}`: use a whole number from 0 on", shown(value)));
        // The stores count no further than this.
        let count = value.parse().ok().filter(|count| *count <= i64::MAX.unsigned_abs());
        count.map(Some).ok_or_else(bad)
    }
}

/// A number as it was meant: a `+` that was not escaped, as in the documentation's own examples, arrives as
/// a space, at the front or behind a scheme. At the end it cannot be told from a slip.
pub(crate) fn number(name: &str, text: &str) -> Result<String, ApiError> {
    if text.len() > 1 && text.ends_with(' ') {
        let problem = "ends in a space: take it away, or write a + as %2B";
        return Err(ApiError::bad(format!("{name} `{}` {problem}", shown(text))));
    }
    let text = match text.strip_prefix(' ') {
        Some(rest) => format!("+{rest}"),
        None => text.replacen(": ", ":+", 1),
    };
    Ok(text)
}

/// A value as an error message may repeat it.
pub(crate) fn shown(value: &str) -> String {
    let short: String = value.chars().filter(|c| !c.is_control()).take(60).collect();
    if short.len() < value.len() { short + "…" } else { short }
}

fn ignored(name: &str, known: &[&'static str]) -> String {
    match nearest(name, known) {
        Some(near) => format!("{} is unknown and was ignored; did you mean {near}?", shown(name)),
        None => format!("{} is unknown and was ignored", shown(name)),
    }
}

/// The known name that differs least, if it differs little: by case only, or by up to three edits.
pub(crate) fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    if name.len() > 64 {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    known
        .iter()
        .map(|known| (distance(&lower, &known.to_ascii_lowercase()), *known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= 3 && *distance * 2 < known.len())
        .map(|(_, known)| known)
}

/// Levenshtein's distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["PhoneNumber", "SmsMethod", "VoiceUrl", "isSIP"];

    #[test]
    fn wrong_case_is_ignored_and_named_with_the_right_one() {
        let params =
            Params::parse(b"SMSMethod=GET&VoiceUrl=http%3A%2F%2Fa%2F%3Fx%3D1&VoiceURI=x&Colour=red", KNOWN);
        assert_eq!(params.get("SmsMethod"), None);
        assert_eq!(params.get("VoiceUrl"), Some("http://a/?x=1"));
        assert_eq!(
            params.warnings,
            [
                "SMSMethod is unknown and was ignored; did you mean SmsMethod?",
                "VoiceURI is unknown and was ignored; did you mean VoiceUrl?",
                "Colour is unknown and was ignored",
            ]
        );
    }

    #[test]
    fn of_a_repeated_parameter_the_first_counts() {
        let params = Params::parse(b"PhoneNumber=%2B1&PhoneNumber=2", KNOWN);
        assert_eq!(params.get("PhoneNumber"), Some("+1"));
        assert_eq!(params.warnings.len(), 1);
    }

    #[test]
    fn many_unknown_parameters_cost_little_and_are_counted() {
        let body: String = (0..50_000).map(|i| format!("a{i}=1&")).collect();
        let params = Params::parse(body.as_bytes(), KNOWN);
        assert_eq!(params.warnings.len(), WARNINGS + 1);
        assert_eq!(params.warnings.last().unwrap(), "49984 more were ignored");
    }

    #[test]
    fn a_plus_that_was_not_escaped_is_one() {
        for (given, meant) in [
            (" 14155550190", "+14155550190"),
            ("+14155550190", "+14155550190"),
            ("mms: 14155550190", "mms:+14155550190"),
            ("mms:+14155550190", "mms:+14155550190"),
            ("1234", "1234"),
            ("16.*", "16.*"),
            ("+1 415 555 0190", "+1 415 555 0190"),
        ] {
            assert_eq!(number("PhoneNumber", given).unwrap(), meant);
        }
        let error = number("PhoneNumber", "16. ").unwrap_err();
        assert_eq!(error.message, "PhoneNumber `16. ` ends in a space: take it away, or write a + as %2B");
    }

    #[test]
    fn flags_take_any_case_and_nothing_else() {
        assert_eq!(Params::parse(b"isSIP=TRUE", KNOWN).flag("isSIP").unwrap(), Some(true));
        let error = Params::parse(b"isSIP=yes", KNOWN).flag("isSIP").unwrap_err();
        assert_eq!(error.message, "isSIP is `yes`: use true or false");
    }
}
