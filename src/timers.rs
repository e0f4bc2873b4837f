//! The one timer queue: O(1) start and cancel, one next deadline; the engine owns the only instance.
//!
//! SIP's timers come in a handful of durations (T1 and its doublings, T4, 64*T1, a minute, a Dial's
//! timeout), and time only goes on. So timers of one duration expire in the order they were
//! started, and one queue per duration is sorted by itself: starting appends, cancelling unlinks,
//! both without looking at any other timer. A small heap over the *heads* of the queues names the
//! next deadline; it has as many entries as durations are in use, however many timers run. A timer
//! wheel would be O(1) too, but knows a far deadline only roughly until time comes near it; here
//! every deadline is exact to the nanosecond, which is what a simulation wants.
//!
//! At the worst, when no two timers share a duration, this is a binary heap.
//!
//! What may be late is due with others: most timers that expire at all end a wait that nobody waits for, and one by
//! one each would cost a wake-up, which is dearer than all else that is done for it.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::time::Duration;

use foldhash::fast::FixedState;

use crate::time::Instant;

/// Names one running timer. Once it expired or was cancelled the name means nothing any more, also
/// when its place is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId {
    index: u32,
    generation: NonZeroU32,
}

/// A timer that expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expired<K> {
    /// What it was called while it ran.
    pub id: TimerId,
    /// When it was due, which may be before the moment it is popped.
    pub due: Instant,
    /// What it was started with.
    pub key: K,
}

/// All running timers; `K` says what each is for.
#[derive(Debug)]
pub struct Timers<K> {
    slots: Vec<Slot<K>>,
    free: u32,
    queues: Vec<Queue>,
    by_duration: HashMap<Length, u32, FixedState>,
    /// Queues that hold a timer, as a binary heap by the order of their heads.
    heap: Vec<u32>,
    free_queues: Vec<u32>,
    latest: Instant,
    started: u64,
    running: usize,
}

const NONE: u32 = u32::MAX;

/// Timers that may be late are due at multiples of this.
const BEAT: Duration = Duration::from_millis(100);

/// How long the timers of one queue run, and whether they may be late.
type Length = (Duration, bool);

#[derive(Debug)]
struct Slot<K> {
    generation: NonZeroU32,
    queue: u32,
    previous: u32,
    next: u32,
    order: Order,
    key: Option<K>,
}

/// Earlier deadline first, then what was started first.
type Order = (Instant, u64);

#[derive(Debug)]
struct Queue {
    length: Length,
    head: u32,
    tail: u32,
    /// Its place in the heap.
    place: u32,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            queues: Vec::new(),
            by_duration: HashMap::default(),
            heap: Vec::new(),
            free_queues: Vec::new(),
            latest: Instant::ZERO,
            started: 0,
            running: 0,
        }
    }
}

impl<K> Timers<K> {
    /// No timer runs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many timers run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.running
    }

    /// Whether none runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.running == 0
    }

    /// Starts a timer that is due `after` from `now`. Time never runs backwards here: a `now` before
    /// one that was already seen counts as that one.
    pub fn start(&mut self, now: Instant, after: Duration, key: K) -> TimerId {
        self.start_in(now, (after, false), key)
    }

    /// The same for one that may be up to 100 ms late: it is due together with others.
    pub fn start_late(&mut self, now: Instant, after: Duration, key: K) -> TimerId {
        self.start_in(now, (after, true), key)
    }

    fn start_in(&mut self, now: Instant, length: Length, key: K) -> TimerId {
        self.latest = self.latest.max(now);
        let (after, late) = length;
        let due = self.latest + after;
        // What was started later is due no earlier, so that the queue is sorted all the same.
        let order = (if late { due.next_multiple_of(BEAT) } else { due }, self.started);
        self.started += 1;
        self.running += 1;
        let index = self.take_slot(order, key);
        let queue = self.queue_of(length);
        self.append(queue, index);
        TimerId { index, generation: self.slots[index as usize].generation }
    }

    /// Ends a timer before it is due and gives back what it was started with; `None` when it already
    /// expired or was cancelled.
    pub fn cancel(&mut self, id: TimerId) -> Option<K> {
        let slot = self.slots.get(id.index as usize)?;
        if slot.generation != id.generation || slot.key.is_none() {
            return None;
        }
        Some(self.remove(id.index))
    }

    /// When a running timer is due.
    #[must_use]
    pub fn due(&self, id: TimerId) -> Option<Instant> {
        let slot = self.slots.get(id.index as usize)?;
        (slot.generation == id.generation && slot.key.is_some()).then_some(slot.order.0)
    }

    /// The earliest deadline of all.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.heap.first().map(|&queue| self.head_order(queue).0)
    }

    /// Takes out the earliest timer that is due at `now`; of several due at one moment, the one that
    /// was started first.
    pub fn pop(&mut self, now: Instant) -> Option<Expired<K>> {
        self.latest = self.latest.max(now);
        let &queue = self.heap.first()?;
        let index = self.queues[queue as usize].head;
        let slot = &self.slots[index as usize];
        let (due, generation) = (slot.order.0, slot.generation);
        if due > now {
            return None;
        }
        let key = self.remove(index);
        Some(Expired { id: TimerId { index, generation }, due, key })
    }

    fn take_slot(&mut self, order: Order, key: K) -> u32 {
        let index = self.free;
        if let Some(slot) = self.slots.get_mut(index as usize) {
            self.free = slot.next;
            slot.order = order;
            slot.key = Some(key);
            return index;
        }
        let index = u32::try_from(self.slots.len()).expect("fewer than 2^32 timers fit in memory");
        let generation = NonZeroU32::MIN;
        self.slots.push(Slot { generation, queue: NONE, previous: NONE, next: NONE, order, key: Some(key) });
        index
    }

    fn queue_of(&mut self, length: Length) -> u32 {
        if let Some(&queue) = self.by_duration.get(&length) {
            return queue;
        }
        let empty = Queue { length, head: NONE, tail: NONE, place: NONE };
        let queue = match self.free_queues.pop() {
            Some(queue) => {
                self.queues[queue as usize] = empty;
                queue
            }
            None => {
                self.queues.push(empty);
                u32::try_from(self.queues.len() - 1).expect("fewer queues than timers")
            }
        };
        self.by_duration.insert(length, queue);
        queue
    }

    fn append(&mut self, queue: u32, index: u32) {
        let tail = self.queues[queue as usize].tail;
        let slot = &mut self.slots[index as usize];
        (slot.queue, slot.previous, slot.next) = (queue, tail, NONE);
        self.queues[queue as usize].tail = index;
        if tail == NONE {
            let place = self.heap.len();
            self.queues[queue as usize].head = index;
            self.heap.push(queue);
            self.sift_up(place);
        } else {
            self.slots[tail as usize].next = index;
        }
    }

    fn remove(&mut self, index: u32) -> K {
        let slot = &mut self.slots[index as usize];
        let key = slot.key.take().expect("only running timers are removed");
        let (queue, previous, next) = (slot.queue, slot.previous, slot.next);
        // A generation that wraps around after 2^32 uses of one place starts over at one.
        slot.generation = slot.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        slot.next = self.free;
        self.free = index;
        self.running -= 1;
        match next {
            NONE => self.queues[queue as usize].tail = previous,
            next => self.slots[next as usize].previous = previous,
        }
        match previous {
            NONE => self.advance_head(queue, next),
            previous => self.slots[previous as usize].next = next,
        }
        key
    }

    /// The first of a queue left: its next one is later, or the queue is no longer needed.
    fn advance_head(&mut self, queue: u32, next: u32) {
        let place = self.queues[queue as usize].place as usize;
        self.queues[queue as usize].head = next;
        if next != NONE {
            self.sift_down(place);
            return;
        }
        self.heap.swap_remove(place);
        if place < self.heap.len() {
            self.sift_down(place);
            self.sift_up(place);
        }
        self.by_duration.remove(&self.queues[queue as usize].length);
        self.free_queues.push(queue);
    }

    fn head_order(&self, queue: u32) -> Order {
        self.slots[self.queues[queue as usize].head as usize].order
    }

    fn sift_up(&mut self, mut place: usize) {
        while place > 0 {
            let above = (place - 1) / 2;
            if self.head_order(self.heap[above]) <= self.head_order(self.heap[place]) {
                break;
            }
            self.heap.swap(above, place);
            self.note_place(place);
            place = above;
        }
        self.note_place(place);
    }

    fn sift_down(&mut self, mut place: usize) {
        loop {
            let below = [2 * place + 1, 2 * place + 2];
            let earliest = below
                .into_iter()
                .filter(|&child| child < self.heap.len())
                .min_by_key(|&child| self.head_order(self.heap[child]));
            match earliest {
                Some(child) if self.head_order(self.heap[child]) < self.head_order(self.heap[place]) => {
                    self.heap.swap(child, place);
                    self.note_place(place);
                    place = child;
                }
                _ => break,
            }
        }
        self.note_place(place);
    }

    fn note_place(&mut self, place: usize) {
        let queue = self.heap[place] as usize;
        self.queues[queue].place = u32::try_from(place).expect("fewer queues than timers");
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::hint::black_box;

    use proptest::prelude::*;

    use super::*;

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn timers_expire_by_deadline_and_then_in_the_order_they_were_started() {
        let mut timers = Timers::new();
        timers.start(at(0), ms(500), 'a');
        timers.start(at(100), ms(100), 'b');
        timers.start(at(100), ms(400), 'c');
        timers.start(at(100), ms(100), 'd');
        assert_eq!(timers.next(), Some(at(200)));
        assert_eq!(timers.pop(at(199)), None);
        let order: String = std::iter::from_fn(|| timers.pop(at(500))).map(|expired| expired.key).collect();
        assert_eq!(order, "bdac");
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn what_may_be_late_is_due_with_others_and_never_early() {
        let mut timers = Timers::new();
        timers.start_late(at(1), ms(500), 'a');
        timers.start_late(at(99), ms(401), 'b');
        timers.start_late(at(0), ms(500), 'c');
        timers.start(at(99), ms(500), 'd');
        let due: Vec<_> = std::iter::from_fn(|| timers.pop(at(700))).map(|one| (one.key, one.due)).collect();
        assert_eq!(due, [('b', at(500)), ('d', at(599)), ('a', at(600)), ('c', at(600))]);
    }

    #[test]
    fn a_name_cannot_cancel_the_timer_that_took_its_place() {
        let mut timers = Timers::new();
        let first = timers.start(at(0), ms(1), 1);
        assert_eq!(timers.cancel(first), Some(1));
        let second = timers.start(at(0), ms(1), 2);
        assert_eq!(timers.cancel(first), None);
        assert_eq!(timers.due(first), None);
        assert_eq!(timers.due(second), Some(at(1)));
        assert_eq!(timers.pop(at(1)).map(|expired| expired.key), Some(2));
        assert_eq!(timers.cancel(second), None);
    }

    #[test]
    fn a_step_back_of_the_clock_disturbs_no_order() {
        let mut timers = Timers::new();
        timers.start(at(1000), ms(10), 'a');
        timers.start(at(5), ms(10), 'b');
        assert_eq!(timers.pop(at(1009)), None);
        assert_eq!(timers.pop(at(1010)).map(|expired| expired.key), Some('a'));
        assert_eq!(timers.pop(at(1010)).map(|expired| expired.key), Some('b'));
    }

    /// Nanoseconds of one start and cancel among `running` other timers of SIP's durations.
    fn cost_among(running: u64) -> f64 {
        let durations = [500, 1000, 2000, 4000, 5000, 32_000, 60_000, 900_000].map(ms);
        let mut timers = Timers::new();
        for i in 0..running {
            timers.start(at(i / 100), durations[(i % 8) as usize], i);
        }
        let now = at(running / 100);
        let mut best = f64::MAX;
        for _ in 0..20 {
            let rounds = 5_000;
            let begun = std::time::Instant::now();
            for i in 0..rounds {
                let id = timers.start(now, durations[(i % 8) as usize], i);
                black_box(timers.next());
                timers.cancel(id);
            }
            best = best.min(begun.elapsed().as_nanos() as f64 / rounds as f64);
        }
        best
    }

    #[test]
    fn start_and_cancel_cost_the_same_among_100_and_among_100_000_timers() {
        let (few, many) = (cost_among(100), cost_among(100_000));
        println!("start + next + cancel: {few:.0} ns among 100 timers, {many:.0} ns among 100,000");
        assert!(many < few * 4.0 + 200.0, "{few} ns among 100, {many} ns among 100,000");
    }

    proptest! {
        #[test]
        fn the_queue_agrees_with_a_sorted_map(
            steps in prop::collection::vec((0u8..4, 0u64..50, 0usize..40), 1..300),
        ) {
            let mut timers = Timers::new();
            let mut model: BTreeMap<(Instant, u64), TimerId> = BTreeMap::new();
            let mut ids = Vec::new();
            let mut now = 0;
            for (serial, (kind, amount, which)) in (0u64..).zip(steps) {
                match kind {
                    0 | 1 => {
                        let late = kind == 1;
                        let due = if late { (now + amount).next_multiple_of(100) } else { now + amount };
                        let id = if late {
                            timers.start_late(at(now), ms(amount), serial)
                        } else {
                            timers.start(at(now), ms(amount), serial)
                        };
                        model.insert((at(due), serial), id);
                        ids.push((at(due), serial, id));
                    }
                    2 if !ids.is_empty() => {
                        let (due, serial, id) = ids[which % ids.len()];
                        let expected = model.remove(&(due, serial)).map(|_| serial);
                        prop_assert_eq!(timers.cancel(id), expected);
                    }
                    _ => {
                        now += amount;
                        while let Some(expired) = timers.pop(at(now)) {
                            let (first, id) = model.pop_first().expect("the model has it too");
                            prop_assert_eq!((expired.due, expired.key, expired.id), (first.0, first.1, id));
                        }
                        prop_assert!(model.keys().next().is_none_or(|first| first.0 > at(now)));
                    }
                }
                prop_assert_eq!(timers.next(), model.keys().next().map(|first| first.0));
                prop_assert_eq!(timers.len(), model.len());
            }
        }
    }
}
