//! A slab whose names do not outlive what they name.

use std::num::NonZeroU32;

/// Names one transaction of one table; once that is over the name means nothing any more, also when
/// its place is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId {
    index: u32,
    generation: NonZeroU32,
}

impl TransactionId {
    /// As one number, never zero, for [`crate::engine::door::SendToken`].
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        ((self.index as u64) << 32) | self.generation.get() as u64
    }

    /// Back from that number; `None` for one that was never given out.
    #[must_use]
    pub const fn from_u64(number: u64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "the two halves are what is wanted")]
        let (index, generation) = ((number >> 32) as u32, number as u32);
        match NonZeroU32::new(generation) {
            Some(generation) => Some(Self { index, generation }),
            None => None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Slots<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: NonZeroU32,
    /// Apart, as there are as many slots as there were values at once: a busy minute's stay.
    value: Option<Box<T>>,
}

impl<T> Slots<T> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, value: T) -> TransactionId {
        let value = Box::new(value);
        if let Some(index) = self.free.pop() {
            let slot = &mut self.slots[index as usize];
            slot.value = Some(value);
            return TransactionId { index, generation: slot.generation };
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 transactions fit in memory");
        let generation = NonZeroU32::MIN;
        self.slots.push(Slot { generation, value: Some(value) });
        TransactionId { index, generation }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.value.as_deref())
    }

    pub(super) fn get(&self, id: TransactionId) -> Option<&T> {
        self.slots.get(id.index as usize).filter(|slot| slot.generation == id.generation)?.value.as_deref()
    }

    pub(super) fn get_mut(&mut self, id: TransactionId) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        slot.value.as_deref_mut()
    }

    pub(super) fn remove(&mut self, id: TransactionId) -> Option<T> {
        let slot = self.slots.get_mut(id.index as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        self.free.push(id.index);
        Some(*value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_does_not_find_what_took_its_place() {
        let mut slots = Slots::new();
        let first = slots.insert('a');
        assert_eq!(slots.remove(first), Some('a'));
        let second = slots.insert('b');
        assert_eq!(slots.get(first), None);
        assert_eq!(slots.remove(first), None);
        assert_eq!(slots.get(second), Some(&'b'));
        assert_eq!(TransactionId::from_u64(second.to_u64()), Some(second));
        assert_eq!(TransactionId::from_u64(0), None);
    }
}
