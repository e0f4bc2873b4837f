//! Who lives in the world, where, and when the callers call.

use std::net::SocketAddr;

use crate::phone::{CallPlan, Clerk, MS, Mood, Phone, Place};
use crate::provision::{CLOSE, REDIRECT, SINGLE, TRUSTED};
use crate::proxy::{self, NEAR};
use crate::rng::Rng;
use crate::world::{Event, Options, TARGETS, World};

/// A target that refuses everything with 503, and one that never says a word.
pub const SICK: u8 = 21;
pub const MUTE: u8 = 22;
/// Targets of a wide world that ask who calls, and that send calls elsewhere.
pub const GUARDS: [u8; 3] = [51, 52, 53];
pub const GUIDES: [u8; 3] = [31, 32, 33];

impl World {
    fn vanishing(&self) -> u64 {
        if self.options.plain { 0 } else { self.options.vanish }
    }

    /// Telephones on both sides, the proxies between, and when the callers call.
    pub fn people(&mut self) {
        self.proxies = proxy::all().into_iter().collect();
        let talkative = if self.options.wide { 25 } else { 15 };
        let moods = [(SICK, Some(Mood::Refuse(503))), (MUTE, Some(Mood::Silent))];
        let special: &[u8] =
            if self.options.wide { &[61, 62, 63, 64, 65, 66, 51, 52, 53, 31, 32, 33] } else { &[] };
        let usual = (1..=TARGETS).chain(special.iter().copied()).map(|number| (number, self.options.mood));
        for (number, mood) in usual.chain(moods) {
            let addr = SocketAddr::from(([203, 0, 113, number], 5060));
            let mut phone = Phone::new(Place::at(addr), CallPlan::default(), talkative);
            phone.mood = mood;
            phone.vanishes = self.vanishing();
            phone.plain = self.options.plain;
            phone.clerk = match number {
                51..=53 | 64 => Some(Clerk::Guard),
                31..=33 | 65 | 66 => Some(Clerk::Guide),
                _ => None,
            };
            if self.options.wide {
                phone.identity = format!(
                    "P-Asserted-Identity: \"Target {number}\" <sip:t{number}@203.0.113.{number}>\r\n"
                );
            }
            self.phones.insert(addr, phone);
        }
        for number in 0..self.options.calls {
            let place = place(&mut self.rng, number, &self.options);
            let plan = plan(&mut self.rng, &self.options);
            let addr = place.addr;
            let mut phone = Phone::new(place, plan, talkative);
            phone.vanishes = self.vanishing();
            phone.plain = self.options.plain;
            if self.options.wide && self.rng.chance(75) {
                phone.identity = identity(&mut self.rng, addr);
            }
            self.phones.insert(addr, phone);
            let at = self.rng.between(1, 20_000) * MS;
            self.at(at, Event::Call(addr));
        }
    }
}

/// In the open, behind NAT, on a stream, or behind proxies.
fn place(rng: &mut Rng, number: u16, options: &Options) -> Place {
    let trunks = [7, TRUSTED, TRUSTED, SINGLE, CLOSE, REDIRECT];
    let trunk = match options.wide {
        // Where all calls are answered nobody is redirected.
        true => rng.pick(if options.plain { &trunks[..5] } else { &trunks }),
        false => 7,
    };
    let mut place = Place::at(SocketAddr::from(([198, 51, 100, trunk], 6000 + number)));
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
        hold: rng.chance(60).then(|| rng.between(300, if options.wide { 20_000 } else { 9_000 }) * MS),
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
        privacy: match options.wide && rng.chance(60) {
            true => rng.pick(&[
                "id",
                "user",
                "id;user",
                "user;header",
                "history",
                "header",
                "none",
                "id;critical",
            ]),
            false => "",
        },
        early_cancel: options.wide && !plain && rng.chance(10),
    }
}

/// What the trunk says who a caller is.
fn identity(rng: &mut Rng, addr: SocketAddr) -> String {
    let (port, ip) = (addr.port(), addr.ip());
    let mut lines = format!(
        "P-Asserted-Identity: \"Caller, {port}\" <sip:+1201555{port}@{ip}>, <tel:+1201555{port}>\r\n"
    );
    if rng.chance(30) {
        lines += &format!("P-Preferred-Identity: <sip:+1201555{port}@{ip}>\r\n");
    }
    if rng.chance(40) {
        lines += &format!("Remote-Party-ID: <sip:+1201555{port}@{ip}>;party=calling;privacy=off\r\n");
    }
    lines
}
