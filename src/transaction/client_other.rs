//! The non-INVITE client transaction (RFC 3261, 17.1.2).

use std::time::Duration;

use super::step::{Change, Send, Step, Tell};
use super::timer::{Base, Timer};

/// One request of ours other than INVITE and ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOther {
    base: Base,
    reliable: bool,
    state: State,
    /// What Timer E runs now.
    interval: Duration,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No response yet.
    Trying,
    /// A provisional response came.
    Proceeding,
    /// The final response came.
    Completed,
    /// Over.
    Terminated,
}

impl ClientOther {
    /// The request leaves.
    #[must_use]
    pub fn new(base: Base, reliable: bool) -> (Self, Step) {
        let repeat = if reliable { Change::Keep } else { Change::Start(Timer::E, base.t1) };
        let end = Change::Start(Timer::F, base.give_up());
        let step = Step { repeat, end, ..Step::send(Send::New) };
        (Self { base, reliable, state: State::Trying, interval: base.t1 }, step)
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// A response came.
    pub fn responded(&mut self, status: u16) -> Step {
        match (self.state, status) {
            (State::Trying | State::Proceeding, ..=199) => {
                self.state = State::Proceeding;
                Step::tell(Tell::Response)
            }
            (State::Trying | State::Proceeding, _) => {
                let linger = if self.reliable { Duration::ZERO } else { self.base.t4 };
                let step = Step::tell(Tell::Response).linger(Timer::K, linger);
                self.state = if step.ended { State::Terminated } else { State::Completed };
                step
            }
            _ => Step::NOTHING,
        }
    }

    /// A timer is due.
    pub fn expired(&mut self, timer: Timer) -> Step {
        match (self.state, timer) {
            (State::Trying, Timer::E) => self.repeat((self.interval * 2).min(self.base.t2)),
            (State::Proceeding, Timer::E) => self.repeat(self.base.t2),
            (State::Trying | State::Proceeding, Timer::F) => {
                self.state = State::Terminated;
                Step { tell: Some(Tell::TimedOut(Timer::F)), ..Step::over() }
            }
            (State::Completed, Timer::K) => {
                self.state = State::Terminated;
                Step::over()
            }
            _ => Step::NOTHING,
        }
    }

    fn repeat(&mut self, interval: Duration) -> Step {
        self.interval = interval;
        Step { repeat: Change::Start(Timer::E, interval), ..Step::send(Send::Again) }
    }

    /// The request could not be sent (17.1.4).
    pub fn transport_failed(&mut self) -> Step {
        match self.state {
            State::Trying | State::Proceeding => {
                self.state = State::Terminated;
                Step { tell: Some(Tell::TransportError), ..Step::over() }
            }
            _ => Step::NOTHING,
        }
    }
}
