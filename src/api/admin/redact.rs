//! Telephone numbers out of texts that were written for operators.

use crate::pii::Pii;

/// The text with every run of five or more digits shortened to its last two; identifiers, where
/// letters touch the digits, stay.
pub(super) fn numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric() || c == '+') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '+').unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let digits = word.trim_start_matches('+');
        if digits.len() >= 5 && digits.bytes().all(|b| b.is_ascii_digit()) {
            out.push_str(&Pii(word).to_string());
        } else {
            out.push_str(word);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::numbers;

    #[test]
    fn numbers_go_and_identifiers_stay() {
        assert_eq!(
            numbers(
                "16508251255 as sip:+16508251255@192.0.2.1:5060, PN00000000000000000000000000000001, 112"
            ),
            "…55 as sip:…55@192.0.2.1:5060, PN00000000000000000000000000000001, 112"
        );
    }
}
