//! A few strings that a pattern matches, for the linter: what could be dialled to reach it.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Most strings kept at any step.
const MOST: usize = 32;

/// Keys a telephone can send, in the order examples prefer them.
const KEYS: &[u8; 13] = b"1234567890*#+";

/// Some strings of telephone keys that `hir` matches as a whole; empty: none can be dialled.
#[must_use]
pub fn samples(hir: &Hir) -> Vec<String> {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![String::new()],
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(text) if text.bytes().all(|byte| KEYS.contains(&byte)) => vec![text.to_owned()],
            _ => Vec::new(),
        },
        HirKind::Class(class) => of_class(class),
        HirKind::Capture(capture) => samples(&capture.sub),
        HirKind::Alternation(parts) => {
            let mut all: Vec<String> = parts.iter().flat_map(samples).collect();
            spread(&mut all);
            all
        }
        HirKind::Concat(parts) => {
            parts.iter().fold(vec![String::new()], |heads, part| product(&heads, &samples(part)))
        }
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX);
            let counts = [0, 1, 4, 9].map(|more| repetition.min.saturating_add(more).min(most).min(40));
            let once = samples(&repetition.sub);
            let mut all: Vec<String> = Vec::new();
            for count in counts {
                let many = (0..count).fold(vec![String::new()], |heads, _| product(&heads, &once));
                all.extend(many.into_iter().take(MOST / counts.len()));
            }
            all.dedup();
            all
        }
    }
}

/// The keys of the class.
fn of_class(class: &Class) -> Vec<String> {
    let holds = |key: u8| match class {
        Class::Bytes(bytes) => bytes.iter().any(|range| range.start() <= key && key <= range.end()),
        Class::Unicode(chars) => {
            chars.iter().any(|range| range.start() <= char::from(key) && char::from(key) <= range.end())
        }
    };
    KEYS.iter().filter(|&&key| holds(key)).map(|&key| char::from(key).to_string()).collect()
}

/// Every head with every tail, thinned out evenly.
fn product(heads: &[String], tails: &[String]) -> Vec<String> {
    let mut all: Vec<String> =
        heads.iter().flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}"))).collect();
    spread(&mut all);
    all
}

/// Keeps at most [`MOST`], taken evenly, the first and the last among them.
fn spread(all: &mut Vec<String>) {
    if all.len() > MOST {
        let last = all.len() - 1;
        *all = (0..MOST).map(|at| all[at * last / (MOST - 1)].clone()).collect();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::samples;
    use crate::routing::model::MatchMode;
    use crate::routing::pattern::Compiled;

    proptest! {
        #[test]
        fn each_sample_matches(pattern in r"([1-3]|\.|\[12\]|\(1\|23\)|\\d)([*+?]|\{1,2\})?[1-3]{0,3}(\.\*)?") {
            if let Ok(compiled) = Compiled::new(&pattern, MatchMode::Full) {
                let found = samples(&compiled.hir());
                prop_assert!(!found.is_empty());
                for sample in found {
                    prop_assert!(compiled.matches(&sample), "{} on {}", pattern, sample);
                }
            }
        }
    }
}
