//! Who lives in the world, where, and when the callers call.

use std::net::SocketAddr;

use crate::phone::{CallPlan, MS, Mood, Phone, Place};
use crate::proxy::{self, NEAR};
use crate::rng::Rng;
use crate::world::{Event, Options, TARGETS, World};

/// A target that refuses everything with 503, and one that never says a word.
pub const SICK: u8 = 21;
pub const MUTE: u8 = 22;

impl World {
    fn vanishing(&self) -> u64 {
        if self.options.plain { 0 } else { self.options.vanish }
    }

    /// Telephones on both sides, the proxies between, and when the callers call.
    pub fn people(&mut self) {
        self.proxies = proxy::all().into_iter().collect();
        let moods = [(SICK, Some(Mood::Refuse(503))), (MUTE, Some(Mood::Silent))];
        for (number, mood) in (1..=TARGETS).map(|number| (number, self.options.mood)).chain(moods) {
            let addr = SocketAddr::from(([203, 0, 113, number], 5060));
            let mut phone = Phone::new(Place::at(addr), CallPlan::default(), 15);
            phone.mood = mood;
            phone.vanishes = self.vanishing();
            self.phones.insert(addr, phone);
        }
        for number in 0..self.options.calls {
            let place = place(&mut self.rng, number);
            let plan = plan(&mut self.rng, &self.options);
            let addr = place.addr;
            let mut phone = Phone::new(place, plan, 15);
            phone.vanishes = self.vanishing();
            self.phones.insert(addr, phone);
            let at = self.rng.between(1, 20_000) * MS;
            self.at(at, Event::Call(addr));
        }
    }
}

/// In the open, behind NAT, on a stream, or behind proxies.
fn place(rng: &mut Rng, number: u16) -> Place {
    let mut place = Place::at(SocketAddr::from(([198, 51, 100, 7], 6000 + number)));
    match rng.below(10) {
        0 => place.shown = SocketAddr::from(([10, 0, 0, 7], 6000 + number)),
        1 | 2 => place.tcp = true,
        3 | 4 => place.outbound = Some(rng.pick(&NEAR)),
        _ => {}
    }
    place
}

fn plan(rng: &mut Rng, options: &Options) -> CallPlan {
    let plain = options.plain;
    let number = if !plain && rng.chance(6) { "4040" } else { "1000" };
    CallPlan {
        number: number.to_owned(),
        cancel: (!plain && rng.chance(30)).then(|| {
            let latest = rng.pick(&[1, 30, 300, 2_000, 9_000, 30_000]);
            rng.between(0, latest) * MS
        }),
        eager_cancel: rng.chance(40),
        early_bye: (!plain && rng.chance(8)).then(|| rng.between(1, 6_000) * MS),
        hold: rng.chance(60).then(|| rng.between(300, 9_000) * MS),
        lose_ack: !plain && rng.chance(6),
        merged: !plain && rng.chance(6),
        late_offer: rng.chance(15),
        large: rng.chance(10),
        knows_100rel: rng.chance(40),
        requires_100rel: !plain && rng.chance(8),
        no_prack: !plain && rng.chance(2),
        timer: rng.chance(40),
        session: rng.chance(50).then(|| rng.between(90, 120)),
        text: (!plain && rng.chance(25)).then(|| rng.between(1, 9_000) * MS),
        reliable: !plain && rng.chance(3),
    }
}
