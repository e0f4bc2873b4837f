//! The directory: one immutable, numbered snapshot of everything routing knows.
//!
//! Generations share what they have in common: a delta copies the leaves, shards and chunks it
//! touches and the spines above them, whatever the number of rows.
//!
//! `view`: a look into one row. `changing`: the next generation, from scratch or by a delta.
//! `compiling`: its patterns.

mod changing;
mod compiling;
mod view;

pub use changing::Builder;
pub use view::NumberView;

use changing::Changing;

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::frame::FrameIndex;
use super::mains::Mains;
use super::model::{Account, Application, Delta, Gateway, Organization, Trunk};
use super::patterns::PatternSet;
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
    mains: Mains,
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

    /// The gateways of `group` that `<Number>` calls of `organization` may leave through.
    #[must_use]
    pub fn gateways_for(&self, organization: OrganizationSid, group: &str) -> Vec<Arc<Gateway>> {
        self.frame.gateways_for(organization, group)
    }

    /// The media servers of `organization`: its own, or where it has none the shared ones.
    #[must_use]
    pub fn media_gateways(&self, organization: OrganizationSid) -> Vec<Arc<Gateway>> {
        self.frame.media_gateways(organization)
    }

    /// The first gateway for emergency calls: the organization's own first, then a shared one.
    #[must_use]
    pub fn emergency_gateway(&self, organization: Option<OrganizationSid>) -> Option<&Arc<Gateway>> {
        self.frame.emergency_gateway(organization)
    }

    /// All gateways for emergency calls: the organization's own, and the shared ones.
    #[must_use]
    pub fn emergency_gateways(&self, organization: Option<OrganizationSid>) -> [Vec<Arc<Gateway>>; 2] {
        self.frame.emergency_gateways(organization)
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

    /// The number that stands for an account where a caller has none to show.
    #[must_use]
    pub fn main_number(&self, account: AccountSid) -> Option<&Arc<str>> {
        self.mains.get(self.frame.accounts().index(account)?)
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
