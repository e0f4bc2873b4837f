//! Texts as they are written and as they are stored: numbers, targets.

use super::{Result, ServiceError};

/// The text as it is stored: `…` is `...`, and a `\` before a digit is `|`, both lost in the
/// published table's print.
pub(super) fn mended(text: &str) -> (String, Vec<String>) {
    let mut warnings = Vec::new();
    let mut mended = text.trim().replace('…', "...");
    if mended != text.trim() {
        warnings.push(format!("`…` was read as three dots: stored is `{mended}`"));
    }
    let bytes = mended.as_bytes();
    let stray = |at: usize| {
        bytes[at] == b'\\'
            && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
            && (at == 0 || bytes[at - 1] != b'\\')
    };
    let places: Vec<usize> = (0..bytes.len()).filter(|at| stray(*at)).collect();
    if !places.is_empty() {
        for at in places {
            mended.replace_range(at..=at, "|");
        }
        warnings.push(format!("`\\` before a digit was read as `|`: stored is `{mended}`"));
    }
    (mended, warnings)
}

/// The pattern checker's sentence begins with the name of the field.
pub(super) fn problem_of(sentence: &str) -> String {
    sentence.strip_prefix("PhoneNumber ").unwrap_or(sentence).to_owned()
}

/// `sip:` or `sips:`, something, no spaces.
pub(super) fn check_sip_uri(field: &'static str, uri: &str) -> Result<()> {
    let rest = uri
        .split_once(':')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips"));
    let plain = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>'))
    };
    if rest.is_some_and(|(_, rest)| plain(rest)) {
        return Ok(());
    }
    Err(ServiceError::field(field, "is no SIP URI: use sip:user@host"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_print_lost_is_put_back_with_a_remark() {
        let (text, warnings) = mended("7777\\8888");
        assert_eq!((text.as_str(), warnings.len()), ("7777|8888", 1));
        let (text, warnings) = mended("^*77…33#$");
        assert_eq!((text.as_str(), warnings.len()), ("^*77...33#$", 1));
        let (text, warnings) = mended(" 1\\*2 ");
        assert_eq!((text.as_str(), warnings.len()), ("1\\*2", 0));
        assert_eq!(mended("a\\\\1").0, "a\\\\1");
    }

    #[test]
    fn a_target_is_a_sip_uri() {
        for good in ["sip:alice@example.org", "SIPS:[::1]:5061;transport=tcp"] {
            assert!(check_sip_uri("fallback_target", good).is_ok(), "{good}");
        }
        for bad in ["alice@example.org", "sip:", "sip:a b@c", "<sip:a@b>", "tel:+1"] {
            assert!(check_sip_uri("fallback_target", bad).is_err(), "{bad}");
        }
    }
}
