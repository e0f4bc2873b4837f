//! The engine, driven by any order of events: each a kind and its details, taken from the bytes.
//!
//! - `world`: one engine in virtual time, and what must hold. `texts`: messages as peers would write them.
//!   `setup`: its directory, and the documents its application has.

mod setup;
mod texts;
mod world;

use std::time::Duration;

use self::world::World;

/// Bytes taken one after the other; behind the last come zeros.
pub(super) struct Choices<'b>(&'b [u8]);

impl<'b> Choices<'b> {
    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// One of `count`.
    pub(super) fn below(&mut self, count: usize) -> usize {
        usize::from(self.byte()) % count.max(1)
    }

    pub(super) fn of<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len())]
    }

    pub(super) fn take(&mut self, most: usize) -> &'b [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// The most events of one run.
const EVENTS: usize = 120;

/// Any events in any order: no panic, what leaves can be read, each call's records have no gap and one end, and
/// when all is quiet nothing is left.
pub fn events(data: &[u8]) {
    let mut choices = Choices(data);
    let mut world = World::new(choices.byte());
    for _ in 0..EVENTS {
        if choices.0.is_empty() {
            break;
        }
        event(&mut world, &mut choices);
    }
    world.conclude();
}

fn event(world: &mut World, choices: &mut Choices<'_>) {
    match choices.byte() % 20 {
        0 | 1 => {
            let text = texts::outside(choices);
            world.receive(choices.below(4), text.as_bytes());
        }
        2..=5 => {
            let nth = choices.below(16);
            if let Some((peer, text)) = world.sent(nth).and_then(|sent| texts::response(sent, choices)) {
                world.receive(peer, text.as_bytes());
            }
        }
        6..=8 => {
            let nth = choices.below(16);
            if let Some((peer, text)) = world.sent(nth).and_then(|sent| texts::inside(sent, choices)) {
                world.receive(peer, text.as_bytes());
            }
        }
        9 => {
            let method = choices.of(&["ACK", "CANCEL"]);
            let nth = choices.below(16);
            if let Some((peer, text)) = world.received(nth).and_then(|got| texts::same(got, method)) {
                world.receive(peer, text.as_bytes());
            }
        }
        10 | 11 => world.answer(choices),
        12 | 13 => world.pass(passed(choices)),
        14 => {
            let nth = choices.below(16);
            if let Some((peer, text)) = world.received(nth).cloned() {
                world.receive(peer, texts::damaged(text, choices).as_slice());
            }
        }
        15 => world.outside(choices),
        16 => {
            let length = usize::from(choices.byte()) * 4;
            let bytes = choices.take(length);
            world.receive(choices.below(4), bytes);
        }
        17 => world.fail(choices),
        18 => world.restart(choices.below(4)),
        _ => {
            if let Some((peer, text)) = world.received(0).cloned() {
                world.receive(peer, &text);
            }
        }
    }
}

/// From nothing to an hour.
fn passed(choices: &mut Choices<'_>) -> Duration {
    let millis =
        [0, 1, 20, 200, 499, 500, 1_000, 3_000, 5_000, 16_000, 32_000, 33_000, 60_000, 180_000, 900_000];
    Duration::from_millis(millis[choices.below(millis.len())])
}
