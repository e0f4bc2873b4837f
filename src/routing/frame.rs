//! Everything but the numbers, indexed. Organizations and accounts keep their index from one
//! generation to the next, as rows hold it.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::model::{Account, Application, Frame, Gateway, Organization, Status};
use super::trunk::TrunkIndex;
use crate::ids::{AccountSid, ApplicationSid, GatewaySid, OrganizationSid, TrunkSid};

type Map<K, V> = HashMap<K, V, FixedState>;

/// Organizations, accounts, applications, trunks and gateways by what finds them.
#[derive(Clone, Debug, Default)]
pub struct FrameIndex {
    organizations: Slots<OrganizationSid, Organization>,
    accounts: Slots<AccountSid, Account>,
    applications: Map<ApplicationSid, Arc<Application>>,
    domains: Map<Box<[u8]>, u32>,
    default_organization: Option<u32>,
    trunks: TrunkIndex,
    gateways: Vec<Arc<Gateway>>,
}

impl FrameIndex {
    /// Indexes `frame`, keeping the indices that `self` gave out.
    #[must_use]
    pub fn replaced_by(&self, frame: &Frame) -> Self {
        let organizations = self.organizations.replaced_by(frame.organizations.iter().map(|o| (o.sid, o)));
        let index = |sid| organizations.index(sid);
        let domain = |o: &Arc<Organization>| Some((normal_host(o.domain.as_bytes())?, index(o.sid)?));
        let default = frame.organizations.iter().find(|o| o.is_default);
        Self {
            domains: frame.organizations.iter().filter_map(domain).collect(),
            default_organization: default.and_then(|o| index(o.sid)),
            accounts: self.accounts.replaced_by(frame.accounts.iter().map(|a| (a.sid, a))),
            applications: frame.applications.iter().map(|a| (a.sid, Arc::clone(a))).collect(),
            trunks: TrunkIndex::new(&frame.trunks),
            gateways: frame.gateways.clone(),
            organizations,
        }
    }

    /// The organization with this host as its domain, by index.
    #[must_use]
    pub fn domain(&self, host: &[u8]) -> Option<u32> {
        let host = host.strip_suffix(b".").unwrap_or(host);
        if host.iter().any(u8::is_ascii_uppercase) {
            return self.domains.get(&*host.to_ascii_lowercase()).copied();
        }
        self.domains.get(host).copied()
    }

    /// The index of the default organization.
    #[must_use]
    pub const fn default_organization(&self) -> Option<u32> {
        self.default_organization
    }

    /// Organizations and their indices.
    #[must_use]
    pub const fn organizations(&self) -> &Slots<OrganizationSid, Organization> {
        &self.organizations
    }

    /// Organizations as writable slots.
    pub const fn organizations_mut(&mut self) -> &mut Slots<OrganizationSid, Organization> {
        &mut self.organizations
    }

    /// Accounts and their indices.
    #[must_use]
    pub const fn accounts(&self) -> &Slots<AccountSid, Account> {
        &self.accounts
    }

    /// Accounts as writable slots.
    pub const fn accounts_mut(&mut self) -> &mut Slots<AccountSid, Account> {
        &mut self.accounts
    }

    /// The application with this sid.
    #[must_use]
    pub fn application(&self, sid: ApplicationSid) -> Option<&Arc<Application>> {
        self.applications.get(&sid)
    }

    /// Applications in no particular order.
    pub fn applications(&self) -> impl Iterator<Item = &Arc<Application>> {
        self.applications.values()
    }

    /// The trunks.
    #[must_use]
    pub const fn trunks(&self) -> &TrunkIndex {
        &self.trunks
    }

    /// The trunk with this sid.
    #[must_use]
    pub fn trunk(&self, sid: TrunkSid) -> Option<&Arc<super::model::Trunk>> {
        self.trunks.by_sid(sid)
    }

    /// All gateways.
    #[must_use]
    pub fn gateways(&self) -> &[Arc<Gateway>] {
        &self.gateways
    }

    /// The gateway with this sid.
    #[must_use]
    pub fn gateway(&self, sid: GatewaySid) -> Option<&Arc<Gateway>> {
        self.gateways.iter().find(|gateway| gateway.sid == sid)
    }

    /// The gateways of `group` that take calls of `organization`: its own, or where it has none the
    /// shared ones.
    #[must_use]
    pub fn gateways_for(&self, organization: OrganizationSid, group: &str) -> Vec<Arc<Gateway>> {
        let of = |owner: Option<OrganizationSid>| {
            let usable = |g: &&Arc<Gateway>| takes_calls(g) && g.organization == owner && *g.group == *group;
            self.gateways.iter().filter(|g| !g.media).filter(usable).cloned().collect::<Vec<_>>()
        };
        let own = of(Some(organization));
        if own.is_empty() { of(None) } else { own }
    }

    /// The media servers that take calls of `organization`: its own, or where it has none the shared ones.
    #[must_use]
    pub fn media_gateways(&self, organization: OrganizationSid) -> Vec<Arc<Gateway>> {
        let of = |owner: Option<OrganizationSid>| {
            let usable = |g: &&Arc<Gateway>| takes_calls(g) && g.media && g.organization == owner;
            self.gateways.iter().filter(usable).cloned().collect::<Vec<_>>()
        };
        let own = of(Some(organization));
        if own.is_empty() { of(None) } else { own }
    }

    /// The active gateways for emergency calls, draining ones too: those of `organization`, and the shared ones.
    #[must_use]
    pub fn emergency_gateways(&self, organization: Option<OrganizationSid>) -> [Vec<Arc<Gateway>>; 2] {
        let usable = |g: &&Arc<Gateway>| is_active(g) && g.emergency;
        let of = |owner: Option<OrganizationSid>| {
            let owned = self.gateways.iter().filter(usable).filter(|g| g.organization == owner);
            owned.cloned().collect::<Vec<_>>()
        };
        [organization.map(|_| of(organization)).unwrap_or_default(), of(None)]
    }

    /// The first of them: one that drains only where no other is, the organization's own before a shared
    /// one, then that of the lowest priority, then the first by name.
    #[must_use]
    pub fn emergency_gateway(&self, organization: Option<OrganizationSid>) -> Option<&Arc<Gateway>> {
        let owned = |g: &&Arc<Gateway>| g.organization.is_none() || g.organization == organization;
        let usable = self.gateways.iter().filter(|g| is_active(g) && g.emergency).filter(owned);
        usable.min_by_key(|g| (g.draining, g.organization.is_none(), g.priority, &g.name))
    }
}

fn takes_calls(gateway: &Gateway) -> bool {
    is_active(gateway) && !gateway.draining
}

fn is_active(gateway: &Gateway) -> bool {
    gateway.status == Status::Active
}

/// A host as domains are compared: lower case, without a trailing dot; `None` when nothing is left.
fn normal_host(host: &[u8]) -> Option<Box<[u8]>> {
    let host = host.strip_suffix(b".").unwrap_or(host);
    if host.is_empty() { None } else { Some(host.to_ascii_lowercase().into()) }
}

/// Things by sid with an index that stays theirs; what is gone leaves its place empty.
#[derive(Clone, Debug)]
pub struct Slots<S, T> {
    items: Vec<Option<Arc<T>>>,
    by_sid: Map<S, u32>,
}

impl<S, T> Default for Slots<S, T> {
    fn default() -> Self {
        Self { items: Vec::new(), by_sid: Map::with_hasher(FixedState::default()) }
    }
}

impl<S: Copy + Eq + std::hash::Hash, T> Slots<S, T> {
    /// The item at `index`.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&Arc<T>> {
        self.items.get(index as usize)?.as_ref()
    }

    /// The item with this sid.
    #[must_use]
    pub fn by_sid(&self, sid: S) -> Option<&Arc<T>> {
        self.get(self.index(sid)?)
    }

    /// The index of this sid.
    #[must_use]
    pub fn index(&self, sid: S) -> Option<u32> {
        self.by_sid.get(&sid).copied()
    }

    /// All items.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.items.iter().flatten()
    }

    /// The index of this sid, a new empty one where it has none: rows may come before their owner.
    pub fn index_or_new(&mut self, sid: S) -> u32 {
        let next = u32::try_from(self.items.len()).expect("fewer than 2^32 items");
        let index = *self.by_sid.entry(sid).or_insert(next);
        if index == next {
            self.items.push(None);
        }
        index
    }

    fn replaced_by<'a>(&self, items: impl Iterator<Item = (S, &'a Arc<T>)>) -> Self
    where
        T: 'a,
    {
        let mut slots = Self { items: vec![None; self.items.len()], by_sid: self.by_sid.clone() };
        for (sid, item) in items {
            let index = slots.index_or_new(sid);
            slots.items[index as usize] = Some(Arc::clone(item));
        }
        slots
    }
}
