//! What looks wrong among the patterns of one organization, told at every write and reload.
//!
//! Whether one pattern hides another is judged by samples of what the hidden one matches, so a
//! remark is advice: nothing is refused for it.

use std::fmt;
use std::sync::Arc;

use super::model::MatchMode;
use super::pattern::{Compiled, is_pattern};
use super::patterns::{Entry, PatternSet};
use super::samples::samples;

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
    /// This pattern, tried earlier, matches whatever this one would.
    Shadowed(Arc<str>),
    /// Nothing that can be dialled matches.
    Unreachable,
    /// Another pattern, equally long, matches the same dialled string.
    Overlapping(Arc<str>, String),
    /// It matches whatever is dialled.
    CatchAll,
    /// A `*` after a digit repeats the digit.
    StarAfterDigit(char),
    /// It would match this longer string only where `match = "search"`.
    SubstringOnly(String),
    /// It does not compile, and is skipped.
    Broken(String),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = &self.text;
        match &self.finding {
            Finding::Shadowed(by) => {
                write!(f, "`{text}` is never reached: `{by}` is tried before it and matches what it matches")
            }
            Finding::Unreachable => write!(f, "`{text}` matches nothing that can be dialled"),
            Finding::Overlapping(other, example) => write!(
                f,
                "`{text}` and `{other}` are equally long and both match {example}: \
                 the one whose text sorts last wins"
            ),
            Finding::CatchAll => {
                write!(f, "`{text}` matches whatever is dialled; write `*` if that is meant")
            }
            Finding::StarAfterDigit(digit) => write!(
                f,
                "`{digit}*` in `{text}` is zero or more {digit}; write `{digit}\\*` for the key, \
                 `{digit}.*` for whatever follows"
            ),
            Finding::SubstringOnly(example) => write!(
                f,
                "`{text}` does not match {example}, which begins or ends like it: \
                 the whole dialled form must match; add `.*` if more may follow or precede"
            ),
            Finding::Broken(why) => f.write_str(why),
        }
    }
}

/// Remarks about one text by itself.
#[must_use]
pub fn one(text: &str, mode: MatchMode) -> Vec<Note> {
    if !is_pattern(text) || text == "*" {
        return Vec::new();
    }
    match Compiled::new(text, mode) {
        Ok(compiled) => by_itself(&compiled),
        Err(error) => vec![Note { text: text.into(), finding: Finding::Broken(error.to_string()) }],
    }
}

/// Remarks about all texts of one organization: each by itself, then in the order tried.
#[must_use]
pub fn all<'t>(texts: impl IntoIterator<Item = &'t str>, mode: MatchMode) -> Vec<Note> {
    let (mut notes, mut entries) = (Vec::new(), Vec::new());
    for text in texts.into_iter().filter(|text| is_pattern(text) && *text != "*") {
        match Compiled::new(text, mode) {
            Ok(compiled) => {
                notes.extend(by_itself(&compiled));
                entries.push(Entry { pattern: Arc::new(compiled), row: 0 });
            }
            Err(error) => notes.push(Note { text: text.into(), finding: Finding::Broken(error.to_string()) }),
        }
    }
    notes.extend(together(&PatternSet::new(entries, None)));
    notes
}

/// Remarks about one text as it is about to join `set`: by itself, and whether it is hidden there or
/// competes with an equally long pattern.
#[must_use]
pub fn joining(set: &PatternSet, text: &str, mode: MatchMode) -> Vec<Note> {
    let mut notes = one(text, mode);
    if is_pattern(text)
        && text != "*"
        && let Ok(compiled) = Compiled::new(text, mode)
    {
        notes.extend(hidden(set, &Arc::new(compiled)));
    }
    notes
}

/// Remarks about a set as it is in a directory: shadowed and overlapping patterns.
#[must_use]
pub fn together(set: &PatternSet) -> Vec<Note> {
    set.ranked().iter().filter_map(|entry| hidden(set, &entry.pattern)).collect()
}

fn by_itself(compiled: &Compiled) -> Vec<Note> {
    let note = |finding| Note { text: Arc::clone(&compiled.text), finding };
    let mut notes: Vec<Note> =
        star_after_digit(&compiled.text).map(Finding::StarAfterDigit).map(note).into_iter().collect();
    let examples = samples(&compiled.hir());
    if examples.is_empty() || !examples.iter().any(|example| compiled.matches(example)) {
        notes.push(note(Finding::Unreachable));
    } else if PROBES.iter().all(|probe| compiled.matches(probe)) {
        notes.push(note(Finding::CatchAll));
    } else if compiled.mode == MatchMode::Full
        && let Some(longer) = only_as_substring(compiled, &examples)
    {
        notes.push(note(Finding::SubstringOnly(longer)));
    }
    notes
}

/// Dialled strings that only a catch-all matches all of.
const PROBES: [&str; 5] = ["1", "0800", "+16508251255", "*77#", "999999999999999"];

/// The first digit that a `*` follows.
fn star_after_digit(text: &str) -> Option<char> {
    let bytes = text.as_bytes();
    let at = bytes.windows(2).position(|pair| pair[0].is_ascii_digit() && pair[1] == b'*')?;
    Some(char::from(bytes[at]))
}

/// A telephone number that holds a short, unanchored text: its writer may have meant "begins with".
fn only_as_substring(compiled: &Compiled, examples: &[String]) -> Option<String> {
    let meant_whole = compiled.text.starts_with(['^', '*']) || compiled.text.ends_with(['$', '#']);
    if meant_whole || star_after_digit(&compiled.text).is_none() {
        return None;
    }
    let longer = format!("{}55501", examples.last()?);
    if compiled.matches(&longer) { None } else { Some(longer) }
}

/// Whether the patterns before this one leave it nothing, or one beside it competes.
fn hidden(set: &PatternSet, pattern: &Arc<Compiled>) -> Option<Note> {
    let note = |finding| Some(Note { text: Arc::clone(&pattern.text), finding });
    let mut first_shadow = None;
    let mut overlap = None;
    let mut free = false;
    for example in samples(&pattern.hir()) {
        let matching = set.matching(&example);
        match matching.first() {
            Some(winner) if rank(&winner.pattern) > rank(pattern) => {
                first_shadow.get_or_insert_with(|| Arc::clone(&winner.pattern.text));
            }
            _ => free = true,
        }
        let rival = matching.iter().find(|entry| {
            let (other, own) = (rank(&entry.pattern), rank(pattern));
            other.0 == own.0 && other.1 != own.1
        });
        if let (None, Some(rival)) = (&overlap, rival) {
            overlap = Some((Arc::clone(&rival.pattern.text), example));
        }
    }
    match (first_shadow, overlap) {
        (Some(by), _) if !free => note(Finding::Shadowed(by)),
        (_, Some((rival, example))) => note(Finding::Overlapping(rival, example)),
        _ => None,
    }
}

/// What decides who is tried first: the greater.
fn rank(pattern: &Compiled) -> (usize, &str) {
    (pattern.text.chars().count(), &pattern.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Vec<Finding> {
        one(text, MatchMode::Full).into_iter().map(|note| note.finding).collect()
    }

    #[test]
    fn one_by_itself() {
        assert_eq!(findings("16508.*"), []);
        assert_eq!(findings("12*")[0], Finding::StarAfterDigit('2'));
        assert!(matches!(findings("12*")[1], Finding::SubstringOnly(_)));
        assert_eq!(findings(".*"), [Finding::CatchAll]);
        assert_eq!(findings("abc.*"), [Finding::Unreachable]);
        assert_eq!(findings("12$34"), [Finding::Unreachable]);
        assert!(matches!(&findings("(1")[..], [Finding::Broken(_)]));
    }

    #[test]
    fn patterns_that_hide_each_other() {
        let notes = all(["16508.*", "16.*", "(16).*", "55..", "alice", "*"], MatchMode::Full);
        let found =
            |text: &str| notes.iter().find(|note| &*note.text == text).map(|note| note.finding.clone());
        assert_eq!(found("16.*"), Some(Finding::Shadowed("(16).*".into())));
        assert_eq!(found("16508.*"), None);
        assert_eq!(found("55.."), None);
        let tie = all(["1.3.", "12.."], MatchMode::Full);
        assert!(tie.iter().any(|note| matches!(&note.finding, Finding::Overlapping(..))), "{tie:?}");
    }

    #[test]
    fn notes_are_sentences() {
        let note = &one("7*", MatchMode::Full)[0];
        assert_eq!(
            note.to_string(),
            r"`7*` in `7*` is zero or more 7; write `7\*` for the key, `7.*` for whatever follows"
        );
    }
}
