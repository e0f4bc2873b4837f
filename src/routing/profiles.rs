//! Interned profiles: numbers that ask the same URLs hold one index, and one profile stands behind it.

use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::FixedState;

use super::model::VoiceProfile;
use super::slab::Slab;
use super::table::{Key, Table};

#[derive(Clone, Debug)]
struct Entry {
    profile: Arc<VoiceProfile>,
    users: u32,
}

/// Profiles by index, each once, as long as a number uses it.
#[derive(Clone, Debug, Default)]
pub struct Profiles {
    entries: Slab<Entry>,
    by_hash: Table,
    free: Arc<Vec<u32>>,
}

impl Profiles {
    /// The profile at `index`.
    #[must_use]
    pub fn get(&self, index: u32) -> Option<&Arc<VoiceProfile>> {
        self.entries.get(index).map(|entry| &entry.profile)
    }

    /// The index of a profile like this one, counted as used once more.
    pub fn intern(&mut self, profile: &Arc<VoiceProfile>) -> u32 {
        let key = key_of(profile);
        let known = self.by_hash.get(key);
        if let Some(index) = known
            && let Some(entry) = self.entries.get_mut(index)
            && entry.profile == *profile
        {
            entry.users += 1;
            return index;
        }
        let index = self.store(Entry { profile: Arc::clone(profile), users: 1 });
        // Two profiles of one hash: the later is simply not shared.
        if known.is_none() {
            self.by_hash.insert(key, index);
        }
        index
    }

    /// One number uses the profile at `index` no longer.
    pub fn release(&mut self, index: u32) {
        let Some(entry) = self.entries.get_mut(index) else { return };
        entry.users -= 1;
        if entry.users > 0 {
            return;
        }
        let key = key_of(&entry.profile);
        entry.profile = Arc::default();
        if self.by_hash.get(key) == Some(index) {
            self.by_hash.remove(key);
        }
        Arc::make_mut(&mut self.free).push(index);
    }

    fn store(&mut self, entry: Entry) -> u32 {
        let reused = if self.free.is_empty() { None } else { Arc::make_mut(&mut self.free).pop() };
        if let Some(index) = reused
            && let Some(slot) = self.entries.get_mut(index)
        {
            *slot = entry;
            return index;
        }
        self.entries.push(entry)
    }
}

fn key_of(profile: &VoiceProfile) -> Key {
    Key::from_hash(FixedState::default().hash_one(profile))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_profiles_are_one_until_nobody_uses_them() {
        let profile = |target: &str| {
            Arc::new(VoiceProfile { fallback_target: Some(target.into()), ..Default::default() })
        };
        let mut profiles = Profiles::default();
        let (a, b) = (profiles.intern(&profile("sip:a@x")), profiles.intern(&profile("sip:b@x")));
        assert_eq!(profiles.intern(&profile("sip:a@x")), a);
        assert_ne!(a, b);
        profiles.release(a);
        assert_eq!(profiles.get(a).expect("used").fallback_target.as_deref(), Some("sip:a@x"));
        profiles.release(a);
        assert_eq!(profiles.intern(&profile("sip:c@x")), a);
    }
}
