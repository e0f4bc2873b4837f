//! Moments of the wall clock as text.

use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// `2026-11-21T22:40:19.123Z`: UTC with milliseconds, so that texts sort as moments do.
pub const ISO8601: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

/// A moment in that form.
#[must_use]
pub fn iso8601(at: Timestamp) -> String {
    let date = TimeZone::UTC.to_datetime(at);
    let Ok(year @ 1..=9999) = u32::try_from(date.year()) else {
        return strtime::format(ISO8601, &at.to_zoned(TimeZone::UTC)).expect("every moment has these fields");
    };
    // By hand: a call's rows have some twenty, and strtime takes several times as long.
    let mut text = String::with_capacity(24);
    let part = |number: i8| u32::from(number.unsigned_abs());
    push_number(&mut text, year, 1000, '-');
    push_number(&mut text, part(date.month()), 10, '-');
    push_number(&mut text, part(date.day()), 10, 'T');
    push_number(&mut text, part(date.hour()), 10, ':');
    push_number(&mut text, part(date.minute()), 10, ':');
    push_number(&mut text, part(date.second()), 10, '.');
    push_number(&mut text, u32::from(date.millisecond().unsigned_abs()), 100, 'Z');
    text
}

/// `number` in as many digits as `first` has, and what stands behind it.
fn push_number(text: &mut String, number: u32, first: u32, behind: char) {
    let mut place = first;
    while place > 0 {
        text.push(char::from_digit(number / place % 10, 10).expect("below ten"));
        place /= 10;
    }
    text.push(behind);
}
