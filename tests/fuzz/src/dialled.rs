//! What was dialled, and the patterns it is held against.

use std::sync::Arc;

use callgate::routing::dialled::{Dialled, is_short_code};
use callgate::routing::forms::Forms;
use callgate::routing::lint;
use callgate::routing::model::{MatchMode, NumberProfile};
use callgate::routing::pattern::{self, Compiled};
use callgate::routing::patterns::{Entry, PatternSet};

/// The user part of a Request-URI: at most four forms, none twice, none with a control character.
pub fn number(data: &[u8]) {
    let Some(dialled) = Dialled::read(data) else { return };
    for profile in [NumberProfile::default(), elsewhere()] {
        let dialled = dialled.rewrite(&profile);
        let forms: Vec<_> = Forms::new(&dialled, &profile).map(|(_, text)| text).collect();
        assert!((1..=4).contains(&forms.len()));
        for (at, form) in forms.iter().enumerate() {
            assert!(!form.is_empty() && !form.chars().any(char::is_control), "{form:?}");
            assert!(!forms[..at].contains(form), "{form:?} twice");
        }
        assert!(!is_short_code(&dialled.number, &profile) || forms.len() <= 2);
    }
}

fn elsewhere() -> NumberProfile {
    NumberProfile {
        country_code: "44".into(),
        international_prefix: "00".into(),
        national_prefix: "0".into(),
        ..NumberProfile::default()
    }
}

/// Patterns of an organization, one a line, and behind an empty line what is dialled: an index finds what
/// trying all of them finds, and what was checked compiles.
pub fn pattern(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (rows, forms) = text.split_once("\n\n").unwrap_or((text, "16505551234\n+16505551234\n*222*1#"));
    for mode in [MatchMode::Full, MatchMode::Search] {
        let entries = (0_u32..).zip(rows.lines().take(16)).filter_map(|(row, text)| {
            let checked = pattern::check(text);
            if !pattern::is_pattern(text) || text == "*" || checked.is_err() {
                return None;
            }
            let pattern = Compiled::new(text, mode).expect("what was checked compiles");
            drop(lint::one(text, mode));
            Some(Entry { pattern: Arc::new(pattern), row })
        });
        let set = PatternSet::new(entries.collect(), None);
        for form in forms.lines().take(8) {
            let by_index = set.find(&[form], |_, _, _| {}).map(|(entry, _)| entry.row);
            let plainly = set.find_plainly(&[form]).map(|(entry, _)| entry.row);
            assert_eq!(by_index, plainly, "{form:?}");
        }
        drop(lint::together(&set));
    }
}
