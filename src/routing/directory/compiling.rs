//! The patterns of the next generation: what the former one compiled is taken over.

use std::sync::Arc;

use super::changing::{Changing, PatternChange};
use super::{Directory, Map, OrganizationPatterns, Skipped};
use crate::ids::{NumberSid, OrganizationSid};
use crate::routing::model::MatchMode;
use crate::routing::pattern::{self, Compiled};
use crate::routing::patterns::{Entry, MAX_UNINDEXABLE, PatternSet};

impl Changing {
    pub(super) fn rebuild_patterns(&mut self, changes: Map<u32, PatternChange>, former: Option<&Directory>) {
        let mut cache = Cache::default();
        for (organization, change) in changes {
            if let Some(old) = former.and_then(|former| former.patterns_like(&self.directory, organization)) {
                cache.learn(&old.set);
            }
            let old = self.directory.patterns.get(&organization).cloned();
            if old.is_none() && change.written.is_empty() {
                continue;
            }
            let rows = rows_after(old.as_deref(), change);
            let patterns = Arc::new(self.organization_patterns(organization, rows, &mut cache));
            Arc::make_mut(&mut self.directory.patterns).insert(organization, patterns);
        }
    }

    fn organization_patterns(
        &self,
        organization: u32,
        rows: Vec<(Arc<str>, u32)>,
        cache: &mut Cache,
    ) -> OrganizationPatterns {
        let owner = self.directory.frame.organizations().get(organization);
        let mode = owner.map(|owner| owner.match_mode).unwrap_or_default();
        let mut catch_all = None;
        let (mut entries, mut skipped, mut unindexable) = (Vec::new(), Vec::new(), 0);
        let mut skip = |text: &Arc<str>, row: u32, why: String| {
            let sid = self.directory.rows.get(row).map_or(NumberSid(0), |row| row.sid);
            let organization = owner.map_or(OrganizationSid(0), |owner| owner.sid);
            skipped.push(Skipped { sid, text: Arc::clone(text), organization, why, row });
        };
        for (text, row) in rows {
            if &*text == "*" {
                catch_all = Some(row);
                continue;
            }
            match cache.get(&text, mode) {
                Ok(pattern) if pattern.is_unindexable() && unindexable == MAX_UNINDEXABLE => {
                    skip(&text, row, too_many(&text));
                }
                Ok(pattern) => {
                    unindexable += usize::from(pattern.is_unindexable());
                    entries.push(Entry { pattern, row });
                }
                Err(error) => skip(&text, row, error.to_string()),
            }
        }
        OrganizationPatterns { set: PatternSet::new(entries, catch_all), skipped }
    }
}

fn too_many(text: &str) -> String {
    format!(
        "PhoneNumber `{text}` begins and ends with no key of its own, and its organization has \
         {MAX_UNINDEXABLE} such patterns already: give it a fixed beginning or ending"
    )
}

/// The pattern rows of an organization after a change.
fn rows_after(old: Option<&OrganizationPatterns>, change: PatternChange) -> Vec<(Arc<str>, u32)> {
    let mut rows = Vec::new();
    if let Some(old) = old {
        rows.extend(old.set.ranked().iter().map(|entry| (Arc::clone(&entry.pattern.text), entry.row)));
        rows.extend(old.skipped.iter().map(|skipped| (Arc::clone(&skipped.text), skipped.row)));
        rows.extend(old.set.catch_all().map(|row| ("*".into(), row)));
    }
    rows.retain(|(_, row)| !change.removed.contains(row));
    rows.extend(change.written);
    rows
}

impl Directory {
    /// The patterns this generation has for the organization that `other` knows by `index`.
    fn patterns_like(&self, other: &Self, index: u32) -> Option<&OrganizationPatterns> {
        let sid = other.frame.organizations().get(index)?.sid;
        self.patterns.get(&self.frame.organizations().index(sid)?).map(Arc::as_ref)
    }
}

/// Compiled patterns by text, so that none is compiled twice.
#[derive(Default)]
struct Cache {
    full: Map<Arc<str>, Arc<Compiled>>,
    search: Map<Arc<str>, Arc<Compiled>>,
}

impl Cache {
    fn of(&mut self, mode: MatchMode) -> &mut Map<Arc<str>, Arc<Compiled>> {
        match mode {
            MatchMode::Full => &mut self.full,
            MatchMode::Search => &mut self.search,
        }
    }

    fn learn(&mut self, set: &PatternSet) {
        for Entry { pattern, .. } in set.ranked() {
            self.of(pattern.mode).insert(Arc::clone(&pattern.text), Arc::clone(pattern));
        }
    }

    fn get(&mut self, text: &Arc<str>, mode: MatchMode) -> Result<Arc<Compiled>, pattern::BadText> {
        if let Some(known) = self.of(mode).get(text) {
            return Ok(Arc::clone(known));
        }
        let compiled = Arc::new(Compiled::new(text, mode)?);
        self.of(mode).insert(Arc::clone(text), Arc::clone(&compiled));
        Ok(compiled)
    }
}
