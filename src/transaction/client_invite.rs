//! The INVITE client transaction (RFC 3261, 17.1.1; RFC 6026, 7.2 and figure 5).

use std::time::Duration;

use super::step::{Change, Send, Step, Tell};
use super::timer::{Base, Timer};

/// One INVITE of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientInvite {
    base: Base,
    reliable: bool,
    state: State,
    /// What Timer A runs now.
    interval: Duration,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No response yet.
    Calling,
    /// A provisional response came.
    Proceeding,
    /// 3xx-6xx came and is acknowledged.
    Completed,
    /// 2xx came; further ones still pass (RFC 6026).
    Accepted,
    /// Over.
    Terminated,
}

impl ClientInvite {
    /// The INVITE leaves.
    #[must_use]
    pub fn new(base: Base, reliable: bool) -> (Self, Step) {
        let repeat = if reliable { Change::Keep } else { Change::Start(Timer::A, base.t1) };
        let end = Change::Start(Timer::B, base.give_up());
        let step = Step { repeat, end, ..Step::send(Send::New) };
        (Self { base, reliable, state: State::Calling, interval: base.t1 }, step)
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// A response came.
    pub fn responded(&mut self, status: u16) -> Step {
        match (self.state, status) {
            (State::Calling, ..=199) => {
                self.state = State::Proceeding;
                Step { repeat: Change::Stop, end: Change::Stop, ..Step::tell(Tell::Response) }
            }
            (State::Proceeding, ..=199) => Step::tell(Tell::Response),
            (State::Calling | State::Proceeding, 200..=299) => {
                self.state = State::Accepted;
                Step::tell(Tell::Response).linger(Timer::M, self.base.give_up())
            }
            (State::Calling | State::Proceeding, _) => self.refused(),
            (State::Accepted, 200..=299) => Step::tell(Tell::Response),
            (State::Completed, 300..) => Step::send(Send::Again),
            _ => Step::NOTHING,
        }
    }

    fn refused(&mut self) -> Step {
        let linger = if self.reliable { Duration::ZERO } else { self.base.d() };
        let step = Step { tell: Some(Tell::Response), ..Step::send(Send::Ack) }.linger(Timer::D, linger);
        self.state = if step.ended { State::Terminated } else { State::Completed };
        step
    }

    /// Its CANCEL left: a final response is waited for no longer than 64*T1 (9.1).
    pub fn cancelled(&mut self) -> Step {
        match self.state {
            State::Proceeding => {
                Step { end: Change::Start(Timer::Cancelled, self.base.give_up()), ..Step::NOTHING }
            }
            _ => Step::NOTHING,
        }
    }

    /// A timer is due.
    pub fn expired(&mut self, timer: Timer) -> Step {
        match (self.state, timer) {
            (State::Calling, Timer::A) => {
                self.interval *= 2;
                Step { repeat: Change::Start(Timer::A, self.interval), ..Step::send(Send::Again) }
            }
            (State::Calling, Timer::B) | (State::Proceeding, Timer::Cancelled) => {
                self.state = State::Terminated;
                Step { tell: Some(Tell::TimedOut(timer)), ..Step::over() }
            }
            (State::Completed, Timer::D) | (State::Accepted, Timer::M) => {
                self.state = State::Terminated;
                Step::over()
            }
            _ => Step::NOTHING,
        }
    }

    /// The INVITE or the ACK could not be sent (17.1.4). While a response is on its way nothing of
    /// ours is, and a closed connection ends no transaction.
    pub fn transport_failed(&mut self) -> Step {
        match self.state {
            State::Calling | State::Completed => {
                self.state = State::Terminated;
                Step { tell: Some(Tell::TransportError), ..Step::over() }
            }
            _ => Step::NOTHING,
        }
    }
}
