//! The exact table: 4,096 shared leaves of open addressing, from a packed number to its first row.
//!
//! A change copies one leaf and the spine; a look-up touches one spine entry and, nearly always,
//! one cache line of one leaf.

use std::sync::Arc;

const LEAVES: usize = 4096;
const SMALLEST: usize = 8;

/// A number as one word: whether it has a `+`, how many digits, and their value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(u64);

impl Key {
    const DIGITS: usize = 17;
    const LENGTH_SHIFT: u32 = 57;
    const PLUS_SHIFT: u32 = 62;

    /// The key of `text`; `None` when it is not an optional `+` and one to seventeen digits.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let (plus, digits) = match text.as_bytes() {
            [b'+', digits @ ..] => (1, digits),
            digits => (0, digits),
        };
        if digits.is_empty() || digits.len() > Self::DIGITS {
            return None;
        }
        let mut value = 0;
        for &digit in digits {
            if !digit.is_ascii_digit() {
                return None;
            }
            value = value * 10 + u64::from(digit - b'0');
        }
        Some(Self(plus << Self::PLUS_SHIFT | (digits.len() as u64) << Self::LENGTH_SHIFT | value))
    }

    /// Any word as a key, for tables that map something other than numbers; never zero.
    #[must_use]
    pub const fn from_hash(hash: u64) -> Self {
        Self(hash | 1 << 63)
    }

    /// The upper half picks the leaf, the lower half the place in it.
    const fn spread(self) -> u64 {
        let product = (self.0 ^ 0xf39c_c060_5ced_c835) as u128 * 0x9e37_79b9_7f4a_7c15;
        (product >> 64) as u64 ^ product as u64
    }
}

/// Twelve bytes, so that a number costs no padding.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    low: u32,
    high: u32,
    row: u32,
}

impl Slot {
    const fn key(self) -> u64 {
        (self.high as u64) << 32 | self.low as u64
    }

    #[expect(clippy::cast_possible_truncation, reason = "the halves of a word")]
    const fn new(key: Key, row: u32) -> Self {
        Self { low: key.0 as u32, high: (key.0 >> 32) as u32, row }
    }
}

#[derive(Clone, Debug, Default)]
struct Leaf {
    slots: Vec<Slot>,
    used: usize,
}

/// From keys to rows.
#[derive(Clone, Debug)]
pub struct Table {
    spine: Vec<Arc<Leaf>>,
}

impl Default for Table {
    fn default() -> Self {
        let empty = Arc::new(Leaf::default());
        Self { spine: vec![empty; LEAVES] }
    }
}

impl Table {
    /// The row of `key`.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<u32> {
        let spread = key.spread();
        let leaf = &self.spine[leaf_of(spread)];
        match leaf.find(key, spread) {
            Ok(at) => Some(leaf.slots[at].row),
            Err(_) => None,
        }
    }

    /// Sets the row of `key`.
    pub fn insert(&mut self, key: Key, row: u32) {
        let spread = key.spread();
        Arc::make_mut(&mut self.spine[leaf_of(spread)]).insert(key, spread, row);
    }

    /// Takes `key` out.
    pub fn remove(&mut self, key: Key) {
        let spread = key.spread();
        if self.get(key).is_some() {
            Arc::make_mut(&mut self.spine[leaf_of(spread)]).remove(key, spread);
        }
    }
}

const fn leaf_of(spread: u64) -> usize {
    (spread >> 52) as usize
}

impl Leaf {
    /// Where a key that spreads like this would like to be.
    const fn home(&self, spread: u64) -> usize {
        (((spread & 0xffff_ffff) * self.slots.len() as u64) >> 32) as usize
    }

    /// The place of `key`, or the free place where it would go (meaningless in a leaf without any).
    fn find(&self, key: Key, spread: u64) -> Result<usize, usize> {
        if self.slots.is_empty() {
            return Err(0);
        }
        let mut at = self.home(spread);
        loop {
            match self.slots[at].key() {
                0 => return Err(at),
                found if found == key.0 => return Ok(at),
                _ => at = self.after(at),
            }
        }
    }

    const fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    fn insert(&mut self, key: Key, spread: u64, row: u32) {
        if let Ok(at) = self.find(key, spread)
            && !self.slots.is_empty()
        {
            self.slots[at].row = row;
            return;
        }
        if (self.used + 1) * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.place(key, spread, row);
        self.used += 1;
    }

    fn place(&mut self, key: Key, spread: u64, row: u32) {
        if let Err(at) = self.find(key, spread) {
            self.slots[at] = Slot::new(key, row);
        }
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 3 / 2).max(SMALLEST);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); size]);
        for slot in old.into_iter().filter(|slot| slot.key() != 0) {
            let key = Key(slot.key());
            self.place(key, key.spread(), slot.row);
        }
    }

    /// Takes a key out and moves those behind it up, so that no search meets a false end.
    fn remove(&mut self, key: Key, spread: u64) {
        let Ok(mut hole) = self.find(key, spread) else { return };
        self.used -= 1;
        let mut at = hole;
        loop {
            at = self.after(at);
            let slot = self.slots[at];
            if slot.key() == 0 {
                break;
            }
            let home = self.home(Key(slot.key()).spread());
            let size = self.slots.len();
            // It may move when its home is no later, cyclically, than the hole.
            if (at + size - home) % size >= (at + size - hole) % size {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole] = Slot::default();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_are_different_keys() {
        let keys: Vec<_> =
            ["1", "01", "+1", "10", "+10"].map(|text| Key::of(text).expect("digits").0).to_vec();
        let mut unique = keys.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(keys.len(), unique.len());
        assert!(["", "+", "1a", "1234567890123456789", "1+"].iter().all(|text| Key::of(text).is_none()));
    }

    proptest! {
        #[test]
        fn it_is_a_map(steps in prop::collection::vec((any::<bool>(), 0_u64..300, any::<u32>()), 0..600)) {
            let (mut table, mut model) = (Table::default(), HashMap::new());
            // A leaf of its own, so that runs grow long and wrap.
            let mut leaf = Leaf::default();
            for (insert, number, row) in steps {
                let key = Key::of(&number.to_string()).expect("digits");
                if insert {
                    table.insert(key, row);
                    leaf.insert(key, key.spread(), row);
                    model.insert(number, row);
                } else {
                    table.remove(key);
                    leaf.remove(key, key.spread());
                    model.remove(&number);
                }
            }
            for number in 0..300 {
                let key = Key::of(&number.to_string()).expect("digits");
                let in_leaf = if leaf.slots.is_empty() { None } else {
                    leaf.find(key, key.spread()).ok().map(|at| leaf.slots[at].row)
                };
                prop_assert_eq!(table.get(key), model.get(&number).copied());
                prop_assert_eq!(in_leaf, model.get(&number).copied());
            }
        }
    }
}
