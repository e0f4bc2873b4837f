//! The names of the domains that flows have: what a peer must prove over TLS, spelled out.

use std::sync::Arc;

use dashmap::DashMap;

use crate::flow::Domain;

/// Names kept of each age, so that no flood of new ones forgets those in use.
const MOST: usize = 32_768;

type Names = DashMap<Domain, Arc<str>, foldhash::fast::RandomState>;

/// Names by their marks. Beyond [`MOST`] new ones, those that nobody asked for meanwhile are forgotten;
/// they come again with the next call there.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    young: Names,
    old: Names,
}

impl Hosts {
    /// `host` is the name of `domain`.
    pub fn keep(&self, domain: Domain, host: Arc<str>) {
        if self.young.contains_key(&domain) {
            return;
        }
        if self.young.len() >= MOST {
            self.old.clear();
            self.young.retain(|domain, host| {
                self.old.insert(*domain, Arc::clone(host));
                false
            });
        }
        self.young.insert(domain, host);
    }

    /// The name of a domain, which stays for longer by that.
    pub fn of(&self, domain: Domain) -> Option<Arc<str>> {
        if let Some(host) = self.young.get(&domain) {
            return Some(Arc::clone(&host));
        }
        let (_, host) = self.old.remove(&domain)?;
        self.keep(domain, Arc::clone(&host));
        Some(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_use_outlives_a_flood_and_the_others_make_room() {
        let hosts = Hosts::default();
        let keep = |name: &str| {
            let domain = Domain::of(name).unwrap();
            hosts.keep(domain, name.into());
            domain
        };
        let (used, unused) = (keep("used.test"), keep("unused.test"));
        for n in 0..3 * MOST {
            keep(&format!("{n}.test"));
            if n % 10_000 == 0 {
                assert_eq!(hosts.of(used).as_deref(), Some("used.test"));
            }
        }
        assert_eq!(hosts.of(unused), None);
        assert!(hosts.young.len() + hosts.old.len() <= 2 * MOST + 1);
    }
}
