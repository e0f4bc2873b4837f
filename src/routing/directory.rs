//! The directory: one immutable, numbered snapshot of everything routing knows.
//!
//! Generations share what they have in common: a delta copies the leaves, shards and chunks it
//! touches and the spines above them, whatever the number of rows.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::frame::FrameIndex;
use super::model::{
    Account, Application, Delta, Frame, Gateway, MatchMode, Number, NumberKey, Organization, Trunk,
    VoiceProfile,
};
use super::pattern::{self, Compiled};
use super::patterns::{Entry, MAX_UNINDEXABLE, PatternSet};
use super::profiles::Profiles;
use super::side::Side;
use super::slab::Slab;
use super::table::{Key, Table};
use super::text::Text;
use super::trunk::TrunkIndex;
use crate::ids::{AccountSid, ApplicationSid, GatewaySid, NumberSid, OrganizationSid, TrunkSid};

/// No row.
const NONE: u32 = u32::MAX;

type Map<K, V> = HashMap<K, V, FixedState>;

/// The immutable, numbered snapshot of everything routing knows.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    generation: u64,
    frame: Arc<FrameIndex>,
    rows: Slab<Row>,
    plain: Table,
    side: Side,
    profiles: Profiles,
    patterns: Arc<Map<u32, Arc<OrganizationPatterns>>>,
    free: Option<u32>,
    numbers: usize,
}

/// One number, 32 bytes. Its text is what found it.
#[derive(Clone, Copy, Debug)]
struct Row {
    sid: NumberSid,
    account: u32,
    profile: u32,
    /// The organization's index; the top bit: provider number, the next: out of service.
    organization: u32,
    /// The next row of the same text, in another organization.
    next: u32,
}

const PROVIDER: u32 = 1 << 31;
const OUT_OF_SERVICE: u32 = 1 << 30;

impl Row {
    const fn organization(&self) -> u32 {
        self.organization & !(PROVIDER | OUT_OF_SERVICE)
    }

    const fn is_provider(&self) -> bool {
        self.organization & PROVIDER != 0
    }
}

/// A pattern that is not used, and why: it came in past the check, by hand in SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The number.
    pub sid: NumberSid,
    /// Its text.
    pub text: Arc<str>,
    /// Its organization.
    pub organization: OrganizationSid,
    /// A sentence.
    pub why: String,
    row: u32,
}

#[derive(Debug, Default)]
struct OrganizationPatterns {
    set: PatternSet,
    skipped: Vec<Skipped>,
}

/// A look into one row of the directory.
#[derive(Clone, Copy)]
pub struct NumberView<'d> {
    directory: &'d Directory,
    row: &'d Row,
    text: Text,
}

impl<'d> NumberView<'d> {
    /// Its identity.
    #[must_use]
    pub const fn sid(&self) -> NumberSid {
        self.row.sid
    }

    /// The row's own text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its owner; `None` when that account is not there.
    #[must_use]
    pub fn account(&self) -> Option<&'d Arc<Account>> {
        self.directory.frame.accounts().get(self.row.account)
    }

    /// The organization it is dialled in; `None` when that is not there.
    #[must_use]
    pub fn organization(&self) -> Option<&'d Arc<Organization>> {
        self.directory.frame.organizations().get(self.row.organization())
    }

    /// Its own profile, the application's not laid over.
    ///
    /// # Panics
    ///
    /// Never: each row holds its profile.
    #[must_use]
    pub fn profile(&self) -> &'d Arc<VoiceProfile> {
        self.directory.profiles.get(self.row.profile).expect("each row holds its profile")
    }

    /// Whether it is a pure SIP number.
    #[must_use]
    pub const fn is_sip(&self) -> bool {
        !self.row.is_provider()
    }

    /// Whether it routes.
    #[must_use]
    pub const fn in_service(&self) -> bool {
        self.row.organization & OUT_OF_SERVICE == 0
    }
}

impl std::fmt::Debug for NumberView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NumberView").field("sid", &self.row.sid).field("text", &self.text).finish()
    }
}

impl Directory {
    /// Its number.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// How many numbers it holds, patterns included.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.numbers
    }

    /// Whether it holds no number.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.numbers == 0
    }

    /// How many patterns it holds, catch-alls not counted.
    #[must_use]
    pub fn pattern_count(&self) -> usize {
        self.patterns.values().map(|patterns| patterns.set.ranked().len()).sum()
    }

    /// Patterns that are not used, with the reason.
    pub fn skipped(&self) -> impl Iterator<Item = &Skipped> {
        self.patterns.values().flat_map(|patterns| &patterns.skipped)
    }

    /// The organization with this sid.
    #[must_use]
    pub fn organization(&self, sid: OrganizationSid) -> Option<&Arc<Organization>> {
        self.frame.organizations().by_sid(sid)
    }

    /// All organizations.
    pub fn organizations(&self) -> impl Iterator<Item = &Arc<Organization>> {
        self.frame.organizations().iter()
    }

    /// The organization unmatched hosts belong to.
    #[must_use]
    pub fn default_organization(&self) -> Option<&Arc<Organization>> {
        self.frame.organizations().get(self.frame.default_organization()?)
    }

    /// The account with this sid.
    #[must_use]
    pub fn account(&self, sid: AccountSid) -> Option<&Arc<Account>> {
        self.frame.accounts().by_sid(sid)
    }

    /// All accounts.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<Account>> {
        self.frame.accounts().iter()
    }

    /// The application with this sid.
    #[must_use]
    pub fn application(&self, sid: ApplicationSid) -> Option<&Arc<Application>> {
        self.frame.application(sid)
    }

    /// All applications.
    pub fn applications(&self) -> impl Iterator<Item = &Arc<Application>> {
        self.frame.applications()
    }

    /// The trunk with this sid.
    #[must_use]
    pub fn trunk(&self, sid: TrunkSid) -> Option<&Arc<Trunk>> {
        self.frame.trunk(sid)
    }

    /// The trunks.
    #[must_use]
    pub fn trunks(&self) -> &TrunkIndex {
        self.frame.trunks()
    }

    /// The gateway with this sid.
    #[must_use]
    pub fn gateway(&self, sid: GatewaySid) -> Option<&Arc<Gateway>> {
        self.frame.gateway(sid)
    }

    /// All gateways.
    #[must_use]
    pub fn gateways(&self) -> &[Arc<Gateway>] {
        self.frame.gateways()
    }

    /// The gateway `<Number>` calls of `organization` leave through.
    #[must_use]
    pub fn gateway_for(&self, organization: OrganizationSid) -> Option<&Arc<Gateway>> {
        self.frame.gateway_for(Some(organization), false)
    }

    /// The gateway emergency calls leave through.
    #[must_use]
    pub fn emergency_gateway(&self, organization: Option<OrganizationSid>) -> Option<&Arc<Gateway>> {
        self.frame.gateway_for(organization, true)
    }

    /// The number with exactly this text in this organization.
    #[must_use]
    pub fn number(&self, text: &str, organization: OrganizationSid) -> Option<NumberView<'_>> {
        let organization = self.frame.organizations().index(organization)?;
        let row = self.run(text).find(|(_, row)| row.organization() == organization)?;
        self.view(row.0, text)
    }

    /// The numbers with exactly this text, whatever their organization.
    pub fn numbers_of<'d>(&'d self, text: &'d str) -> impl Iterator<Item = NumberView<'d>> {
        self.run(text).filter_map(move |(index, _)| self.view(index, text))
    }

    /// Whether `account` owns a number with this text: may it show it as its caller id?
    #[must_use]
    pub fn owns(&self, account: AccountSid, text: &str) -> bool {
        let index = self.frame.accounts().index(account);
        self.run(text).any(|(_, row)| Some(row.account) == index)
    }

    /// The next generation: this one with `delta` applied.
    #[must_use]
    pub fn apply(&self, delta: &Delta, generation: u64) -> Self {
        let mut next = Changing::of(self.clone());
        if let Some(frame) = &delta.frame {
            next.replace_frame(frame);
        }
        for key in &delta.removed {
            next.remove(key);
        }
        for number in &delta.written {
            next.write(number);
        }
        next.finish(generation, Some(self))
    }

    pub(super) fn frame(&self) -> &FrameIndex {
        &self.frame
    }

    /// The row that `form` leads to, by the rule of organizations: a number of the destination,
    /// pure SIP ones only from inside or from a trunk; else a provider number of any organization.
    pub(super) fn exact(&self, form: &str, destination: Option<u32>, source: Option<u32>) -> Option<u32> {
        let inside = source.is_none() || source == destination;
        let own = |row: &Row| Some(row.organization()) == destination && (inside || row.is_provider());
        self.run(form)
            .find(|(_, row)| own(row))
            // They are unique; should two have come in past the check, every node takes the same.
            .or_else(|| self.run(form).filter(|(_, row)| row.is_provider()).min_by_key(|(_, row)| row.sid))
            .map(|(index, _)| index)
    }

    /// The patterns of an organization, in rank order, for remarks about them.
    #[must_use]
    pub fn patterns_of(&self, organization: OrganizationSid) -> Option<&PatternSet> {
        self.pattern_set(self.frame.organizations().index(organization)?)
    }

    pub(super) fn pattern_set(&self, organization: u32) -> Option<&PatternSet> {
        self.patterns.get(&organization).map(|patterns| &patterns.set)
    }

    pub(super) fn view(&self, row: u32, text: &str) -> Option<NumberView<'_>> {
        let text = Text::new(text.as_bytes())?;
        Some(NumberView { directory: self, row: self.rows.get(row)?, text })
    }

    fn first_row(&self, text: &str) -> Option<u32> {
        match Key::of(text) {
            Some(key) => self.plain.get(key),
            None => self.side.get(text).map(|(_, row)| row),
        }
    }

    /// The rows of one text.
    fn run(&self, text: &str) -> impl Iterator<Item = (u32, &Row)> {
        let mut next = self.first_row(text).unwrap_or(NONE);
        std::iter::from_fn(move || {
            let index = next;
            let row = self.rows.get(index)?;
            next = row.next;
            Some((index, row))
        })
    }
}

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
struct Changing {
    directory: Directory,
    /// By organization: what happened to its patterns.
    patterns: Map<u32, PatternChange>,
}

#[derive(Debug, Default)]
struct PatternChange {
    removed: HashSet<u32>,
    written: Vec<(Arc<str>, u32)>,
}

impl Changing {
    fn of(directory: Directory) -> Self {
        Self { directory, patterns: Map::default() }
    }

    fn replace_frame(&mut self, frame: &Frame) {
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

    fn write(&mut self, number: &Number) {
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
        let known = self.directory.run(&number.text).find(|(_, row)| row.organization() == organization);
        if let Some((index, old)) = known.map(|(index, row)| (index, *row)) {
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

    fn remove(&mut self, key: &NumberKey) {
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

    fn finish(mut self, generation: u64, former: Option<&Directory>) -> Directory {
        self.directory.generation = generation;
        if !self.patterns.is_empty() {
            let changes = std::mem::take(&mut self.patterns);
            self.rebuild_patterns(changes, former);
        }
        self.directory
    }

    fn rebuild_patterns(&mut self, changes: Map<u32, PatternChange>, former: Option<&Directory>) {
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
