//! Dates as the documentation has them: RFC 2822, GMT, the day not padded.

use jiff::Timestamp;

/// `Mon, 4 Nov 2013 12:14:11 +0000`.
pub(crate) fn rfc2822(at: Timestamp) -> String {
    at.strftime("%a, %-d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_form() {
        let at = Timestamp::from_second(1_383_567_251).unwrap();
        assert_eq!(rfc2822(at), "Mon, 4 Nov 2013 12:14:11 +0000");
    }
}
