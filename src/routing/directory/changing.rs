//! The next generation: from scratch, or what a delta makes of the former one.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Directory, Map, NONE, OUT_OF_SERVICE, PROVIDER, Row};
use crate::ids::{AccountSid, OrganizationSid};
use crate::routing::model::{Frame, Number, NumberKey};
use crate::routing::pattern;
use crate::routing::table::Key;

/// Collects a whole generation.
#[derive(Debug)]
pub struct Builder {
    changing: Changing,
    former: Option<Arc<Directory>>,
}

impl Builder {
    /// Begins with everything but the numbers.
    #[must_use]
    pub fn new(frame: Frame) -> Self {
        let mut changing = Changing::of(Directory::default());
        changing.replace_frame(&frame);
        Self { changing, former: None }
    }

    /// As [`Self::new`], taking compiled patterns over from a former generation.
    #[must_use]
    pub fn after(frame: Frame, former: Arc<Directory>) -> Self {
        Self { former: Some(former), ..Self::new(frame) }
    }

    /// Adds one number; a later one with the same text and organization takes its place.
    #[must_use]
    pub fn number(mut self, number: Number) -> Self {
        self.add(&number);
        self
    }

    /// As [`Self::number`], for loops.
    pub fn add(&mut self, number: &Number) {
        self.changing.write(number);
    }

    /// The finished generation.
    #[must_use]
    pub fn build(self, generation: u64) -> Directory {
        self.changing.finish(generation, self.former.as_deref())
    }
}

/// A directory that nobody sees yet.
#[derive(Debug)]
pub(super) struct Changing {
    pub(super) directory: Directory,
    /// By organization: what happened to its patterns.
    patterns: Map<u32, PatternChange>,
}

#[derive(Debug, Default)]
pub(super) struct PatternChange {
    pub(super) removed: HashSet<u32>,
    pub(super) written: Vec<(Arc<str>, u32)>,
}

impl Changing {
    pub(super) fn of(directory: Directory) -> Self {
        Self { directory, patterns: Map::default() }
    }

    pub(super) fn replace_frame(&mut self, frame: &Frame) {
        let old = Arc::clone(&self.directory.frame);
        let new = old.replaced_by(frame);
        // Another match mode means other patterns.
        for organization in new.organizations().iter() {
            let before = old.organizations().by_sid(organization.sid);
            if before.is_none_or(|before| before.match_mode != organization.match_mode)
                && let Some(index) = new.organizations().index(organization.sid)
            {
                self.patterns.entry(index).or_default();
            }
        }
        self.directory.frame = Arc::new(new);
    }

    pub(super) fn write(&mut self, number: &Number) {
        let is_pattern = pattern::is_pattern(&number.text);
        let organization = self.organization(number.organization);
        let provider = if number.is_sip || is_pattern { 0 } else { PROVIDER };
        let silent = if number.in_service { 0 } else { OUT_OF_SERVICE };
        let row = Row {
            sid: number.sid,
            account: self.account(number.account),
            profile: self.directory.profiles.intern(&number.profile),
            organization: organization | provider | silent,
            next: NONE,
        };
        let of_here = self.directory.run(&number.text).find(|(_, row)| row.organization() == organization);
        let known = of_here.map(|(index, row)| (index, *row));
        if let Some((_, old)) = known {
            let (account, sid) = (old.account, old.sid);
            self.directory.mains.unset(account, sid);
        }
        if number.main {
            self.directory.mains.set(row.account, number.sid, Arc::clone(&number.text));
        }
        if let Some((index, old)) = known {
            self.directory.profiles.release(old.profile);
            self.set(index, Row { next: old.next, ..row });
            return;
        }
        let next = self.directory.first_row(&number.text).unwrap_or(NONE);
        let index = self.place(Row { next, ..row });
        self.set_first(&number.text, Some(index));
        self.directory.numbers += 1;
        if is_pattern {
            self.patterns.entry(organization).or_default().written.push((Arc::clone(&number.text), index));
        }
    }

    pub(super) fn remove(&mut self, key: &NumberKey) {
        let Some(organization) = self.directory.frame.organizations().index(key.organization) else { return };
        let mut before = None;
        let mut found = None;
        for (index, row) in self.directory.run(&key.text) {
            if row.organization() == organization && row.sid == key.sid {
                found = Some((index, *row));
                break;
            }
            before = Some(index);
        }
        let Some((index, row)) = found else { return };
        match before {
            Some(before) => self.change(before, |before| before.next = row.next),
            None => self.set_first(&key.text, Some(row.next).filter(|&next| next != NONE)),
        }
        self.directory.profiles.release(row.profile);
        self.directory.mains.unset(row.account, row.sid);
        let free = self.directory.free.replace(index).unwrap_or(NONE);
        self.change(index, |row| row.next = free);
        self.directory.numbers -= 1;
        if pattern::is_pattern(&key.text) {
            self.patterns.entry(organization).or_default().removed.insert(index);
        }
    }

    fn organization(&mut self, sid: OrganizationSid) -> u32 {
        let known = self.directory.frame.organizations().index(sid);
        known
            .unwrap_or_else(|| Arc::make_mut(&mut self.directory.frame).organizations_mut().index_or_new(sid))
    }

    fn account(&mut self, sid: AccountSid) -> u32 {
        let known = self.directory.frame.accounts().index(sid);
        known.unwrap_or_else(|| Arc::make_mut(&mut self.directory.frame).accounts_mut().index_or_new(sid))
    }

    /// Stores a row in a free place or at the end.
    fn place(&mut self, row: Row) -> u32 {
        let Some(index) = self.directory.free else { return self.directory.rows.push(row) };
        self.directory.free = self.directory.rows.get(index).map(|row| row.next).filter(|&next| next != NONE);
        self.set(index, row);
        index
    }

    fn set(&mut self, index: u32, row: Row) {
        self.change(index, |place| *place = row);
    }

    fn change(&mut self, index: u32, change: impl FnOnce(&mut Row)) {
        if let Some(row) = self.directory.rows.get_mut(index) {
            change(row);
        }
    }

    fn set_first(&mut self, text: &Arc<str>, row: Option<u32>) {
        match (Key::of(text), row) {
            (Some(key), Some(row)) => self.directory.plain.insert(key, row),
            (Some(key), None) => self.directory.plain.remove(key),
            (None, Some(row)) => self.directory.side.insert(Arc::clone(text), row),
            (None, None) => self.directory.side.remove(text),
        }
    }

    pub(super) fn finish(mut self, generation: u64, former: Option<&Directory>) -> Directory {
        self.directory.generation = generation;
        if !self.patterns.is_empty() {
            let changes = std::mem::take(&mut self.patterns);
            self.rebuild_patterns(changes, former);
        }
        self.directory
    }
}
