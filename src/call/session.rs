//! Session timers (RFC 4028): asked for where the caller does not, relayed between the sides, and
//! watched. Where neither side refreshes, `liveness` looks after the call instead.

use std::time::Duration;

use crate::call::desk::{Desk, What};
use crate::call::outcome::HangupSource;
use crate::call::record::Change;
use crate::call::state::{Call, LegState, Side};
use crate::reason::Reason;
use crate::sip::{Message, Name, Refresher, Writer};
use crate::timers::TimerId;

/// The shortest interval there is (RFC 4028 5), in seconds: what is asked shorter gets 422.
pub const LEAST: u32 = 90;
/// The greatest Min-SE of a target that is met, in seconds.
const MOST: u32 = 86_400;

/// A session that somebody refreshes.
#[derive(Debug)]
pub(super) struct Session {
    /// In seconds.
    pub interval: u32,
    pub timer: Option<TimerId>,
}

/// What the sides agreed on: the interval in seconds, and who of the two ends of the request refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    pub interval: u32,
    refresher: Refresher,
}

/// Whether a request asks for a session too short for its sender to be told so (RFC 4028 8.1, 9).
#[must_use]
pub fn is_too_short(request: &Message<'_>) -> bool {
    let short = request.session_expires().is_some_and(|asked| asked.interval < LEAST);
    short && request.lists(Name::Supported, "timer")
}

/// Writes what a request asks of its session toward the far side: its own wish, or `insert`, at least
/// `least`. The interval that was asked for.
pub(super) fn ask(
    writer: &mut Writer<'_>,
    request: &Message<'_>,
    insert: Option<u32>,
    least: u32,
) -> Option<u32> {
    let own = request.min_se();
    let least = own.unwrap_or(0).max(least);
    let asked = request.session_expires();
    // Whom a proxy before us asked for too little cannot be told (RFC 4028 8.1).
    let least = if asked.is_some() { least.max(LEAST) } else { least };
    let interval = asked.map(|asked| asked.interval).or(insert).map(|interval| interval.max(least));
    if let Some(interval) = interval {
        writer.begin(Name::SessionExpires).number(interval.into());
        if let Some(refresher) = asked.and_then(|asked| asked.refresher) {
            writer.bytes(b";refresher=").bytes(refresher.as_bytes());
        }
        writer.end();
    }
    if own.is_some() || (interval.is_some() && least > LEAST) {
        writer.numeric(Name::MinSe, least.into());
    }
    interval
}

/// What a 2xx means for the session of a request that asked for `asked`.
pub(super) fn agreed(request: &Message<'_>, asked: Option<u32>, response: &Message<'_>) -> Option<Agreed> {
    let knows = request.lists(Name::Supported, "timer") || request.lists(Name::Require, "timer");
    let said = response.session_expires();
    let (interval, refresher) = match said {
        Some(said) => {
            let other = if knows { Refresher::Uac } else { Refresher::Uas };
            // Nobody may make it shorter than the least there is (RFC 4028 9), nor end a call by it.
            (said.interval.max(LEAST), said.refresher.unwrap_or(other))
        }
        // The far side knows no timers: whoever asked refreshes, where it can (RFC 4028 8.2).
        None => (asked?, Refresher::Uac),
    };
    (knows || refresher == Refresher::Uas).then_some(Agreed { interval, refresher })
}

/// Tells the sender of a request what was agreed, where it knows of session timers.
pub(super) fn tell(writer: &mut Writer<'_>, request: &Message<'_>, agreed: Option<Agreed>) {
    let knows = request.lists(Name::Supported, "timer") || request.lists(Name::Require, "timer");
    let Some(agreed) = agreed.filter(|_| knows) else { return };
    // It must where the sender refreshes, and should where the far side does (RFC 4028 9).
    writer.header(Name::Require, &[b"timer"]);
    writer.begin(Name::SessionExpires).number(agreed.interval.into());
    writer.bytes(b";refresher=").bytes(agreed.refresher.as_bytes()).end();
}

/// The Min-SE of a 422 that is met.
pub(super) fn least_of(response: &Message<'_>) -> Option<u32> {
    response.min_se().filter(|least| (LEAST..=MOST).contains(least))
}

/// What a request of our own says of the session: nobody here refreshes, so that it is the receiver who
/// shall, or who is behind us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// In seconds.
    pub interval: u32,
    refresher: Refresher,
    least: u32,
}

impl Wish {
    /// The receiver refreshes, where it can.
    pub fn of_peer(interval: u32, least: u32) -> Self {
        Self { interval: interval.max(least), refresher: Refresher::Uas, least }
    }

    /// The other side does, through us: the receiver may not make it shorter than that side knows.
    pub fn of_other(interval: u32, least: u32) -> Self {
        Self { interval: interval.max(least), refresher: Refresher::Uac, least: interval.max(least) }
    }
}

/// Writes what a request of our own says of the session.
pub(super) fn wished(writer: &mut Writer<'_>, wish: Option<Wish>) {
    let Some(wish) = wish else { return };
    writer.header(Name::Supported, &[b"timer"]);
    writer.begin(Name::SessionExpires).number(wish.interval.into());
    writer.bytes(b";refresher=").bytes(wish.refresher.as_bytes()).end();
    if wish.least > LEAST {
        writer.numeric(Name::MinSe, wish.least.into());
    }
}

/// The interval in which the sender of a 2xx to such a request refreshes, where it does.
pub(super) fn refreshed_by_peer(response: &Message<'_>) -> Option<u32> {
    let said = response.session_expires().filter(|said| said.refresher != Some(Refresher::Uac))?;
    Some(said.interval.max(LEAST))
}

impl Call {
    /// What the session of a call is from now on; `None`: nobody refreshes it.
    pub(super) fn set_session(&mut self, desk: &mut Desk, pair: usize, agreed: Option<Agreed>) {
        self.begin_session(desk, pair, agreed.map(|agreed| agreed.interval));
    }

    /// The same, where only the interval in seconds is known.
    pub(super) fn begin_session(&mut self, desk: &mut Desk, pair: usize, interval: Option<u32>) {
        self.stop_session(desk);
        if self.over {
            return;
        }
        self.session = interval.map(|interval| {
            let timer = Some(desk.start(Duration::from_secs(interval.into()), self.key, What::Session(pair)));
            Session { interval, timer }
        });
    }

    /// A request with a session succeeded inside the call.
    pub(super) fn refreshed(&mut self, desk: &mut Desk, pair: usize, agreed: Option<Agreed>) {
        if self.winner != Some(pair) || self.over {
            return;
        }
        let before = self.session_interval();
        self.set_session(desk, pair, agreed);
        if self.session_interval() != before {
            for side in [Side::A, Side::B] {
                let dialog = self.kept(pair, side);
                self.record(desk, Change::DialogChanged { caller: side == Side::A, dialog }, None);
            }
        }
    }

    /// The interval of the session in seconds; 0: nobody refreshes it.
    pub(super) fn session_interval(&self) -> u32 {
        self.session.as_ref().map_or(0, |session| session.interval)
    }

    /// No refresh came in time: RFC 4028 10.
    pub(super) fn session_over(&mut self, desk: &mut Desk, pair: usize) {
        self.session = None;
        if !self.over {
            self.hang_up(desk, pair, Reason::PeerLost, HangupSource::Router, None);
        }
    }

    pub(super) fn stop_session(&mut self, desk: &mut Desk) {
        if let Some(mut session) = self.session.take() {
            desk.stop(&mut session.timer);
        }
    }

    /// 422 of a target to an interval that is not the caller's own wish: once more with its Min-SE.
    /// False: it stands.
    pub(super) fn ask_longer(&mut self, desk: &mut Desk, leg: usize, response: &Message<'_>) -> bool {
        let own_wish = self.invite.as_ref().is_some_and(|kept| {
            let caller = kept.message();
            caller.session_expires().is_some() && caller.lists(Name::Supported, "timer")
        });
        let of = &mut self.legs[leg];
        let Some(least) = least_of(response) else { return false };
        // Once: who is never content is no target.
        if own_wish || of.least_session > 0 || of.state != LegState::Ringing || !self.may_invite() {
            return false;
        }
        self.legs[leg].least_session = least;
        self.invite_again(desk, leg);
        true
    }
}
