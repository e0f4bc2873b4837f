//! Telephone numbers as E.164 writes them: the small model that gives a dialled string its
//! international form. No validity is judged beyond what a form needs; a directory row decides.

use std::fmt;
use std::ops::Deref;

/// Most digits an E.164 number may have here; one above the recommendation's 15, as the small
/// model of region US lets 16 national digits through.
const MAX_DIGITS: usize = 17;

/// `+` and digits, held inline: computing one allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct E164 {
    bytes: [u8; MAX_DIGITS + 2],
    length: u8,
}

impl E164 {
    /// `+`, `country` and `national` put together; `None` when that is too long or no digits.
    fn of(country: &[u8], national: &[u8]) -> Option<Self> {
        let length = 1 + country.len() + national.len();
        let mut number = Self { bytes: [0; MAX_DIGITS + 2], length: u8::try_from(length).ok()? };
        let digits = number.bytes.get_mut(1..length)?;
        digits[..country.len()].copy_from_slice(country);
        digits[country.len()..].copy_from_slice(national);
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        number.bytes[0] = b'+';
        Some(number)
    }
}

impl Deref for E164 {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// The E.164 form of `dialled` as region US dials it: `6508251255`, `16508251255`, `011 44 …`,
/// `1800FLOWERS`, `+1 …`. `None` for what is no telephone number, `112` and `123` among them.
#[must_use]
pub fn us(dialled: &str) -> Option<E164> {
    let digits = Digits::of(dialled)?;
    if digits.plus {
        return international(digits.as_bytes());
    }
    match digits.as_bytes().strip_prefix(b"011") {
        Some(rest) => international(rest),
        None => north_american(digits.as_bytes()),
    }
}

/// The E.164 form of `dialled` in a country with these prefixes: the international prefix leads
/// abroad, the national one is taken away, anything else is a national number.
#[must_use]
pub fn national(
    dialled: &str,
    country: &str,
    international_prefix: &str,
    national_prefix: &str,
) -> Option<E164> {
    let digits = Digits::of(dialled)?;
    let number = digits.as_bytes();
    if digits.plus {
        return international(number);
    }
    if !international_prefix.is_empty()
        && let Some(rest) = number.strip_prefix(international_prefix.as_bytes())
    {
        return international(rest);
    }
    let number = number.strip_prefix(national_prefix.as_bytes()).unwrap_or(number);
    let fits = number.len() >= 3 && number.len() + country.len() <= 15;
    if fits { E164::of(country.as_bytes(), number) } else { None }
}

/// The country code that `digits` (after `+`) begin with, where it is an assigned one (ITU-T E.164
/// annex, list of assigned codes).
#[must_use]
pub fn country_code(digits: &[u8]) -> Option<usize> {
    (1..=3.min(digits.len())).find(|&length| is_assigned(&digits[..length]))
}

/// `+` numbers: an assigned country code and at least three national digits.
fn international(digits: &[u8]) -> Option<E164> {
    let length = country_code(digits)?;
    let (country, national) = digits.split_at(length);
    if country == b"1" {
        return north_american_body(strip_one(national));
    }
    let fits = national.len() >= 3 && digits.len() <= MAX_DIGITS;
    if fits { E164::of(country, national) } else { None }
}

/// Digits without `+` in country code 1, its national prefix being 1 as well.
fn north_american(digits: &[u8]) -> Option<E164> {
    if digits.len() < 3 {
        return None;
    }
    let mut number = digits;
    if let Some(rest) = number.strip_prefix(b"1") {
        let rest = strip_one(rest);
        let now_whole = !is_ten_digits(number) && is_ten_digits(rest);
        if now_whole || (number.len() > 7 && number.len() != 10) {
            number = rest;
        }
    }
    north_american_body(strip_one(number))
}

fn north_american_body(number: &[u8]) -> Option<E164> {
    if number.len() < 3 || number.len() > 16 {
        return None;
    }
    // Leading zeros collapse to one.
    let zeros = number.iter().take_while(|&&digit| digit == b'0').count();
    let kept = match zeros {
        0 => number,
        // Only zeros: one stands for the sign of a leading zero, one for the number itself.
        all if all == number.len() => &number[..2],
        _ => &number[zeros - 1..],
    };
    E164::of(b"1", kept)
}

/// Takes a national prefix 1 away where the rest is not a whole number already.
fn strip_one(number: &[u8]) -> &[u8] {
    if is_ten_digits(number) { number } else { number.strip_prefix(b"1").unwrap_or(number) }
}

fn is_ten_digits(number: &[u8]) -> bool {
    number.len() == 10 && (b'2'..=b'9').contains(&number[0])
}

/// The digits of a dialled string, separators taken away and letters turned to their keys.
struct Digits {
    bytes: [u8; 32],
    length: usize,
    plus: bool,
}

impl Digits {
    fn of(dialled: &str) -> Option<Self> {
        let (plus, rest) = match dialled.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, dialled),
        };
        let letters = rest.bytes().filter(u8::is_ascii_alphabetic).count();
        let mut digits = Self { bytes: [0; 32], length: 0, plus };
        for byte in rest.bytes() {
            let digit = match byte {
                b'0'..=b'9' => byte,
                b'-' | b'.' | b'(' | b')' | b' ' | b'/' => continue,
                // A vanity number begins with digits and has three letters at least.
                b'a'..=b'z' | b'A'..=b'Z' if letters >= 3 && digits.length >= 3 => key_of(byte),
                _ => return None,
            };
            *digits.bytes.get_mut(digits.length)? = digit;
            digits.length += 1;
        }
        Some(digits)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// The key a letter is on (ITU-T E.161).
const fn key_of(letter: u8) -> u8 {
    match letter.to_ascii_lowercase() {
        b'a'..=b'c' => b'2',
        b'd'..=b'f' => b'3',
        b'g'..=b'i' => b'4',
        b'j'..=b'l' => b'5',
        b'm'..=b'o' => b'6',
        b'p'..=b's' => b'7',
        b't'..=b'v' => b'8',
        _ => b'9',
    }
}

fn is_assigned(code: &[u8]) -> bool {
    match *code {
        [b'1' | b'7'] => true,
        [a, b] => TWO_DIGITS.contains(&[a, b]),
        [a, b, c] => THREE_DIGITS.contains(&[a, b, c]),
        _ => false,
    }
}

/// Country codes of two digits.
#[rustfmt::skip]
const TWO_DIGITS: &[[u8; 2]] = &[
    *b"20", *b"27", *b"30", *b"31", *b"32", *b"33", *b"34", *b"36", *b"39", *b"40", *b"41", *b"43",
    *b"44", *b"45", *b"46", *b"47", *b"48", *b"49", *b"51", *b"52", *b"53", *b"54", *b"55", *b"56",
    *b"57", *b"58", *b"60", *b"61", *b"62", *b"63", *b"64", *b"65", *b"66", *b"81", *b"82", *b"84",
    *b"86", *b"90", *b"91", *b"92", *b"93", *b"94", *b"95", *b"98",
];

/// Country codes of three digits, those of networks and global services among them.
#[rustfmt::skip]
const THREE_DIGITS: &[[u8; 3]] = &[
    *b"211", *b"212", *b"213", *b"216", *b"218", *b"220", *b"221", *b"222", *b"223", *b"224", *b"225",
    *b"226", *b"227", *b"228", *b"229", *b"230", *b"231", *b"232", *b"233", *b"234", *b"235", *b"236",
    *b"237", *b"238", *b"239", *b"240", *b"241", *b"242", *b"243", *b"244", *b"245", *b"246", *b"247",
    *b"248", *b"249", *b"250", *b"251", *b"252", *b"253", *b"254", *b"255", *b"256", *b"257", *b"258",
    *b"260", *b"261", *b"262", *b"263", *b"264", *b"265", *b"266", *b"267", *b"268", *b"269", *b"290",
    *b"291", *b"297", *b"298", *b"299", *b"350", *b"351", *b"352", *b"353", *b"354", *b"355", *b"356",
    *b"357", *b"358", *b"359", *b"370", *b"371", *b"372", *b"373", *b"374", *b"375", *b"376", *b"377",
    *b"378", *b"379", *b"380", *b"381", *b"382", *b"383", *b"385", *b"386", *b"387", *b"389", *b"420",
    *b"421", *b"423", *b"500", *b"501", *b"502", *b"503", *b"504", *b"505", *b"506", *b"507", *b"508",
    *b"509", *b"590", *b"591", *b"592", *b"593", *b"594", *b"595", *b"596", *b"597", *b"598", *b"599",
    *b"670", *b"672", *b"673", *b"674", *b"675", *b"676", *b"677", *b"678", *b"679", *b"680", *b"681",
    *b"682", *b"683", *b"685", *b"686", *b"687", *b"688", *b"689", *b"690", *b"691", *b"692", *b"800",
    *b"808", *b"850", *b"852", *b"853", *b"855", *b"856", *b"870", *b"878", *b"880", *b"881", *b"882",
    *b"883", *b"886", *b"888", *b"960", *b"961", *b"962", *b"963", *b"964", *b"965", *b"966", *b"967",
    *b"968", *b"970", *b"971", *b"972", *b"973", *b"974", *b"975", *b"976", *b"977", *b"979", *b"992",
    *b"993", *b"994", *b"995", *b"996", *b"998",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn us_form(dialled: &str) -> Option<String> {
        us(dialled).map(|number| number.to_string())
    }

    #[test]
    fn short_numbers_of_services_have_no_form() {
        assert_eq!(us_form("112"), None);
        assert_eq!(us_form("+1112"), None);
        assert_eq!(us_form("1112").as_deref(), Some("+1112"));
    }

    #[test]
    fn national_and_international_dialling_meet() {
        for dialled in ["6508251255", "16508251255", "+16508251255", "+1 (650) 825-1255", "01116508251255"] {
            assert_eq!(us_form(dialled).as_deref(), Some("+16508251255"), "{dialled}");
        }
        assert_eq!(us_form("1800FLOWERS").as_deref(), Some("+18003569377"));
    }

    #[test]
    fn leading_zeros_collapse() {
        assert_eq!(us_form("0044").as_deref(), Some("+1044"));
        assert_eq!(us_form("1000").as_deref(), Some("+100"));
    }

    #[test]
    fn other_countries_follow_their_profile() {
        let german = |dialled| national(dialled, "49", "00", "0").map(|number| number.to_string());
        assert_eq!(german("03012345").as_deref(), Some("+493012345"));
        assert_eq!(german("0043123456").as_deref(), Some("+43123456"));
        assert_eq!(german("+4312345").as_deref(), Some("+4312345"));
        assert_eq!(german("11").as_deref(), None);
        assert_eq!(german("alice"), None);
    }
}
