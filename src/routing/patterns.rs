//! The patterns of one organization, ranked and indexed.
//!
//! Rank: longest text first, ties in descending code-point order. A look-up tries the patterns whose
//! known beginning or ending the form has, and those of which nothing is known, in rank order.

use std::cmp::Reverse;
use std::sync::Arc;

use super::pattern::Compiled;
use super::trie::Trie;

/// Most patterns of one organization that have to be tried on every call.
pub const MAX_UNINDEXABLE: usize = 500;

/// One pattern and the row it leads to.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The pattern.
    pub pattern: Arc<Compiled>,
    /// The row.
    pub row: u32,
}

/// The patterns of one organization.
#[derive(Debug, Default)]
pub struct PatternSet {
    ranked: Vec<Entry>,
    prefixes: Trie,
    suffixes: Trie,
    unindexed: Vec<u32>,
    /// The row of `*`.
    catch_all: Option<u32>,
}

impl PatternSet {
    /// Ranks and indexes.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>, catch_all: Option<u32>) -> Self {
        entries.sort_by(|a, b| {
            let rank = |entry: &Entry| {
                Reverse((entry.pattern.text.chars().count(), Arc::clone(&entry.pattern.text)))
            };
            rank(a).cmp(&rank(b))
        });
        let mut set = Self { ranked: entries, catch_all, ..Self::default() };
        for (rank, entry) in (0_u32..).zip(&set.ranked) {
            index(&mut set.prefixes, &mut set.suffixes, &mut set.unindexed, &entry.pattern, rank);
        }
        set
    }

    /// In rank order.
    #[must_use]
    pub fn ranked(&self) -> &[Entry] {
        &self.ranked
    }

    /// The row of `*`.
    #[must_use]
    pub const fn catch_all(&self) -> Option<u32> {
        self.catch_all
    }

    /// How many have to be tried on every call.
    #[must_use]
    pub fn unindexable(&self) -> usize {
        self.unindexed.len()
    }

    /// The first pattern, in rank order, that matches one of the forms, and which of them. `tried`
    /// hears of each attempt.
    pub fn find(
        &self,
        forms: &[&str],
        mut tried: impl FnMut(&Entry, usize, bool),
    ) -> Option<(&Entry, usize)> {
        let mut lists: Vec<Candidates<'_>> = Vec::with_capacity(16);
        for (form, text) in forms.iter().enumerate() {
            let mut add = |ranks| lists.push(Candidates { ranks, form });
            add(&self.unindexed[..]);
            self.prefixes.walk(text.bytes(), &mut add);
            self.suffixes.walk(text.bytes().rev(), &mut add);
        }
        lists.retain(|list| !list.ranks.is_empty());
        while let Some((rank, form)) = pop_first(&mut lists) {
            let entry = &self.ranked[rank as usize];
            let fits =
                entry.pattern.lengths.0 <= forms[form].len() && forms[form].len() <= entry.pattern.lengths.1;
            if !fits {
                continue;
            }
            let hit = entry.pattern.matches(forms[form]);
            tried(entry, form, hit);
            if hit {
                return Some((entry, form));
            }
        }
        None
    }

    /// Every pattern that matches `form`, in rank order.
    #[must_use]
    pub fn matching(&self, form: &str) -> Vec<&Entry> {
        let mut ranks = self.unindexed.clone();
        let mut add = |more: &[u32]| ranks.extend_from_slice(more);
        self.prefixes.walk(form.bytes(), &mut add);
        self.suffixes.walk(form.bytes().rev(), &mut add);
        ranks.sort_unstable();
        ranks.dedup();
        let entries = ranks.into_iter().map(|rank| &self.ranked[rank as usize]);
        entries.filter(|entry| entry.pattern.matches(form)).collect()
    }

    /// As [`Self::find`], by trying everything: what the index must agree with.
    #[must_use]
    pub fn find_plainly(&self, forms: &[&str]) -> Option<(&Entry, usize)> {
        self.ranked.iter().find_map(|entry| {
            let form = forms.iter().position(|form| entry.pattern.matches(form))?;
            Some((entry, form))
        })
    }
}

/// What is left to try of one list, for one form.
struct Candidates<'a> {
    ranks: &'a [u32],
    form: usize,
}

/// Takes the lowest rank, and for it the first form.
fn pop_first(lists: &mut Vec<Candidates<'_>>) -> Option<(u32, usize)> {
    let (at, first) = lists
        .iter()
        .enumerate()
        .map(|(at, list)| (at, (list.ranks[0], list.form)))
        .min_by_key(|(_, first)| *first)?;
    lists[at].ranks = &lists[at].ranks[1..];
    if lists[at].ranks.is_empty() {
        lists.swap_remove(at);
    }
    Some(first)
}

/// Puts a pattern where it is found fastest: the side whose literals are longer at their shortest.
fn index(prefixes: &mut Trie, suffixes: &mut Trie, unindexed: &mut Vec<u32>, pattern: &Compiled, rank: u32) {
    let weight = |literals: &[Vec<u8>]| literals.iter().map(Vec::len).min().unwrap_or(0);
    let (front, back) = (weight(&pattern.prefixes), weight(&pattern.suffixes));
    if front == 0 && back == 0 {
        unindexed.push(rank);
    } else if front >= back {
        for literal in &pattern.prefixes {
            prefixes.insert(literal.iter().copied(), rank);
        }
    } else {
        for literal in &pattern.suffixes {
            suffixes.insert(literal.iter().rev().copied(), rank);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::routing::model::MatchMode;

    fn set(texts: &[String], mode: MatchMode) -> PatternSet {
        let entries = texts.iter().zip(0..).filter_map(|(text, row)| {
            Some(Entry { pattern: Arc::new(Compiled::new(text, mode).ok()?), row })
        });
        PatternSet::new(entries.collect(), None)
    }

    #[test]
    fn longest_first_then_descending() {
        let texts = ["55.*", "5.5.", "[5]5", "5.*"].map(str::to_owned);
        let set = set(&texts, MatchMode::Search);
        let order: Vec<&str> = set.ranked().iter().map(|entry| &*entry.pattern.text).collect();
        assert_eq!(order, ["[5]5", "55.*", "5.5.", "5.*"]);
    }

    fn piece() -> impl Strategy<Value = String> {
        prop_oneof![
            4 => "[0-3]{1,3}",
            1 => Just(".*".to_owned()), 1 => Just(".".to_owned()), 1 => Just("[12]".to_owned()),
            1 => Just("^".to_owned()), 1 => Just("$".to_owned()), 1 => Just("|".to_owned()),
            1 => Just("*".to_owned()), 1 => Just("+".to_owned()), 1 => Just("?".to_owned()),
            1 => Just("(1|23)".to_owned()), 1 => Just("#".to_owned()), 1 => Just("{2,3}".to_owned()),
            1 => Just(r"\d".to_owned()), 1 => Just(r"\+".to_owned()),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn the_index_finds_what_the_plain_loop_finds(
            texts in prop::collection::vec(prop::collection::vec(piece(), 1..5).prop_map(|p| p.concat()), 1..40),
            forms in prop::collection::vec(r"[+*]?[0-3]{1,6}#?", 1..4),
            search in any::<bool>(),
        ) {
            let mode = if search { MatchMode::Search } else { MatchMode::Full };
            let set = set(&texts, mode);
            let forms: Vec<&str> = forms.iter().map(String::as_str).collect();
            let shape = |found: Option<(&Entry, usize)>| found.map(|(entry, form)| (entry.row, form));
            prop_assert_eq!(shape(set.find(&forms, |_, _, _| {})), shape(set.find_plainly(&forms)));
        }
    }
}
