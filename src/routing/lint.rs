//! What looks wrong among the patterns of one organization, told at every write and reload.

use std::fmt;
use std::sync::Arc;

use super::model::MatchMode;
use super::pattern::{Compiled, is_pattern};

/// One remark about one pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The pattern's text.
    pub text: Arc<str>,
    /// What about it.
    pub finding: Finding,
}

/// What looks wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A pattern tried earlier matches everything this one could.
    Shadowed(Arc<str>),
    /// Nothing that can be dialled matches.
    Unreachable,
    /// Both match this dialled string and are equally long: code points decide.
    Overlapping(Arc<str>, String),
    /// It matches whatever is dialled.
    CatchAll,
    /// A `*` after a digit repeats the digit.
    StarAfterDigit(char),
    /// It would match inside longer numbers only where `match = "search"`.
    SubstringOnly,
    /// It does not compile, and is skipped.
    Broken(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        match &self.finding {
            Finding::Shadowed(by) => {
                write!(f, "`{text}` is never reached: `{by}` is tried first and matches all of it")
            }
            Finding::Unreachable => write!(f, "`{text}` matches nothing that can be dialled"),
            Finding::Overlapping(other, example) => {
                write!(
                    f,
                    "`{text}` and `{other}` are equally long and both match {example}: the one later in the alphabet wins"
                )
            }
            Finding::CatchAll => {
                write!(f, "`{text}` matches whatever is dialled; write `*` if that is meant")
            }
            Finding::StarAfterDigit(digit) => {
                write!(
                    f,
                    "`{digit}*` in `{text}` is zero or more {digit}; write `{digit}\\*` for the key, `{digit}.*` for anything after"
                )
            }
            Finding::SubstringOnly => {
                write!(
                    f,
                    "`{text}` has no wildcard for the rest of a number: the whole dialled form must match it"
                )
            }
            Finding::Broken(why) => f.write_str(why),
        }
    }
}

/// Remarks about one text by itself, for its writer.
#[must_use]
pub fn one(text: &str, mode: MatchMode) -> Vec<Note> {
    if !is_pattern(text) || text == "*" {
        return Vec::new();
    }
    let note = |finding| Note { text: text.into(), finding };
    let compiled = match Compiled::new(text, mode) {
        Ok(compiled) => compiled,
        Err(error) => return vec![note(Finding::Broken(error.to_string()))],
    };
    let mut notes = Vec::new();
    let found = star_after_digit(text);
    notes.extend(found.map(|digit| note(Finding::StarAfterDigit(digit))));
    if PROBES.iter().all(|probe| compiled.matches(probe)) {
        notes.push(note(Finding::CatchAll));
    } else if compiled.lengths.0 > compiled.lengths.1 || is_undialable(&compiled) {
        notes.push(note(Finding::Unreachable));
    } else if mode == MatchMode::Full && found.is_some() && compiled.lengths.0 < 6 {
        notes.push(note(Finding::SubstringOnly));
    }
    notes
}

/// Remarks about all texts of one organization, in rank order.
#[must_use]
pub fn all<'t>(texts: impl IntoIterator<Item = &'t str>, mode: MatchMode) -> Vec<Note> {
    let mut notes = Vec::new();
    let mut compiled: Vec<Compiled> = Vec::new();
    for text in texts {
        notes.extend(one(text, mode));
        if is_pattern(text) && text != "*" {
            compiled.extend(Compiled::new(text, mode));
        }
    }
    notes
}

/// Dialled strings that nothing but a catch-all matches all of.
const PROBES: [&str; 5] = ["1", "0800", "+16508251255", "*77#", "999999999999999"];

/// The first digit that a `*` follows.
fn star_after_digit(text: &str) -> Option<char> {
    let bytes = text.as_bytes();
    let at = bytes.windows(2).position(|pair| pair[0].is_ascii_digit() && pair[1] == b'*')?;
    Some(char::from(bytes[at]))
}

/// Whether every beginning that is known holds a byte no telephone sends.
fn is_undialable(compiled: &Compiled) -> bool {
    let dialable = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'+' | b',');
    let dead =
        |literals: &[Vec<u8>]| !literals.is_empty() && literals.iter().all(|l| !l.iter().all(dialable));
    dead(&compiled.prefixes) || dead(&compiled.suffixes)
}
