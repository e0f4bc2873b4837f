//! What is remembered of sources, in a fixed room: sets of eight places, the set chosen by a keyed hash.
//! Where all eight are taken the one heard of longest ago makes room; who is banned stays before who is not,
//! and whom we vouch for before both. A flood from ever new addresses therefore costs what one from few does.

use std::hash::BuildHasher as _;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::fast::RandomState;

/// Places in a set.
const WAYS: usize = 8;

/// What a source did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cause {
    /// Requests that were refused.
    #[default]
    Refused,
    /// Messages that cannot be read.
    Unreadable,
    /// Responses that nobody waits for.
    Stray,
    /// It calls itself a scanner.
    Scanner,
}

impl Cause {
    /// All of them.
    pub const WORDS: &'static [&'static str] = &["refused", "unreadable", "stray", "scanner"];

    /// What the API and the metrics call it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// One more thing that a source did.
pub(super) struct Blame {
    pub cause: Cause,
    /// How much of `within` it takes.
    pub share: u64,
    /// A source that used up this much is banned.
    pub within: u64,
    /// Until when, then.
    pub until: u64,
}

/// A banned source as the table has it; moments in nanoseconds.
pub(super) struct Banned {
    pub source: IpAddr,
    pub stream: bool,
    pub cause: Cause,
    pub since: u64,
    pub until: u64,
    pub dropped: u64,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// The address as IPv6; with `stream`, who this is.
    address: u128,
    stream: bool,
    cause: Cause,
    dropped: u32,
    /// When all that it did is forgiven.
    full_until: u64,
    banned_since: u64,
    banned_until: u64,
    vouched_until: u64,
    /// When it was heard of last; 0: the place is free.
    seen: u64,
}

/// See the module.
pub(super) struct Table {
    sets: Box<[Mutex<[Slot; WAYS]>]>,
    hasher: RandomState,
}

impl Table {
    /// Room for about `sources` of them: a power of two.
    pub fn new(sources: usize) -> Self {
        let sets = sources.div_ceil(WAYS).clamp(1, 1 << 20).next_power_of_two();
        Self {
            sets: (0..sets).map(|_| Mutex::new([Slot::default(); WAYS])).collect(),
            hasher: RandomState::default(),
        }
    }

    /// Whether it is banned at `now`: counted as dropped then.
    pub fn is_banned(&self, source: IpAddr, stream: bool, now: u64) -> bool {
        let mut set = self.set(source, stream);
        let Some(slot) = find(&mut set, source, stream) else { return false };
        let banned = slot.banned_until > now;
        if banned {
            slot.seen = seen(now);
            slot.dropped = slot.dropped.saturating_add(1);
        }
        banned
    }

    /// Takes it in; true when a ban begins with it.
    pub fn blame(&self, source: IpAddr, stream: bool, now: u64, blame: &Blame) -> bool {
        let mut set = self.set(source, stream);
        let slot = place(&mut set, source, stream, now);
        slot.seen = seen(now);
        if slot.vouched_until > now || slot.banned_until > now {
            return false;
        }
        let filled = slot.full_until.max(now).saturating_add(blame.share);
        if filled <= now.saturating_add(blame.within) {
            slot.full_until = filled;
            return false;
        }
        (slot.banned_since, slot.banned_until) = (now, blame.until);
        (slot.cause, slot.dropped, slot.full_until) = (blame.cause, 0, 0);
        true
    }

    /// It is spared until then, and a ban it has is over.
    pub fn vouch(&self, source: IpAddr, stream: bool, now: u64, until: u64) {
        let mut set = self.set(source, stream);
        let slot = place(&mut set, source, stream, now);
        (slot.seen, slot.vouched_until, slot.banned_until) = (seen(now), until, 0);
    }

    /// Forgets what it did, in datagrams (false), over connections (true) or both; how many bans end.
    pub fn forgive(&self, source: IpAddr, stream: Option<bool>, now: u64) -> usize {
        let ways = [false, true].into_iter().filter(|way| stream.is_none_or(|only| only == *way));
        let ended = ways.filter(|way| {
            let mut set = self.set(source, *way);
            let Some(slot) = find(&mut set, source, *way) else { return false };
            let banned = slot.banned_until > now;
            (slot.banned_until, slot.full_until) = (0, 0);
            banned
        });
        ended.count()
    }

    /// All that are banned at `now`, in no order.
    pub fn banned(&self, now: u64) -> Vec<Banned> {
        let mut found = Vec::new();
        for set in &self.sets {
            let set = lock(set);
            let banned = set.iter().filter(|slot| slot.seen != 0 && slot.banned_until > now);
            found.extend(banned.map(|slot| Banned {
                source: std::net::Ipv6Addr::from_bits(slot.address).to_canonical(),
                stream: slot.stream,
                cause: slot.cause,
                since: slot.banned_since,
                until: slot.banned_until,
                dropped: slot.dropped.into(),
            }));
        }
        found
    }

    fn set(&self, source: IpAddr, stream: bool) -> MutexGuard<'_, [Slot; WAYS]> {
        let hash = self.hasher.hash_one((bits(source), stream));
        let at = usize::try_from(hash >> 32).unwrap_or(0) & (self.sets.len() - 1);
        lock(&self.sets[at])
    }
}

/// Nobody panics while holding one, and what is in it holds at any moment.
fn lock(set: &Mutex<[Slot; WAYS]>) -> MutexGuard<'_, [Slot; WAYS]> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

fn find(set: &mut [Slot; WAYS], source: IpAddr, stream: bool) -> Option<&mut Slot> {
    let address = bits(source);
    set.iter_mut().find(|slot| slot.seen != 0 && slot.address == address && slot.stream == stream)
}

/// Its place, made for it where it has none.
fn place(set: &mut [Slot; WAYS], source: IpAddr, stream: bool, now: u64) -> &mut Slot {
    let address = bits(source);
    let is_it = |slot: &Slot| slot.seen != 0 && slot.address == address && slot.stream == stream;
    if let Some(at) = set.iter().position(is_it) {
        return &mut set[at];
    }
    let worth = |slot: &Slot| (slot.vouched_until > now, slot.banned_until > now, slot.seen);
    let oldest = set.iter_mut().min_by_key(|slot| worth(slot)).expect("a set has eight places");
    *oldest = Slot { address, stream, ..Slot::default() };
    oldest
}

fn bits(source: IpAddr) -> u128 {
    match source {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// A moment that is not 0, which means never.
fn seen(now: u64) -> u64 {
    now.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    /// Banned at the second.
    fn blame(until: u64) -> Blame {
        Blame { cause: Cause::Refused, share: 60, within: 100, until }
    }

    #[test]
    fn a_place_has_80_bytes_and_the_table_never_grows() {
        assert!(size_of::<Slot>() <= 80, "{}", size_of::<Slot>());
        let table = Table::new(65_536);
        let places = table.sets.len() * WAYS;
        assert_eq!(places, 65_536);
        for number in 0..200_000 {
            table.blame(address(number), false, u64::from(number), &blame(u64::MAX));
        }
        assert_eq!(table.sets.len() * WAYS, places);
        let held = table.sets.iter().map(|set| lock(set).iter().filter(|slot| slot.seen != 0).count());
        assert!(held.sum::<usize>() <= places);
    }

    #[test]
    fn a_flood_from_ever_new_addresses_does_not_free_who_is_banned_nor_ban_who_is_vouched_for() {
        let table = Table::new(1_024);
        for _ in 0..2 {
            table.blame(address(1), false, 1, &blame(1_000_000));
        }
        table.vouch(address(2), false, 1, 1_000_000);
        for number in 10..100_000 {
            table.blame(address(number), false, 10, &blame(1_000_000));
        }
        assert!(table.is_banned(address(1), false, 20));
        for _ in 0..10 {
            assert!(!table.blame(address(2), false, 20, &blame(1_000_000)));
        }
        assert!(!table.is_banned(address(2), false, 20));
    }
}
