//! The INVITE server transaction (RFC 3261, 17.2.1; RFC 6026, 7.1 and figure 7).

use std::time::Duration;

use super::step::{Change, Refused, Send, Step, Tell};
use super::timer::{Base, Timer};

/// One INVITE that came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerInvite {
    base: Base,
    reliable: bool,
    state: State,
    /// What Timer G runs now.
    interval: Duration,
    /// A provisional response has left, so a repeated INVITE gets it again.
    answered: bool,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No final response yet.
    Proceeding,
    /// 3xx-6xx sent; repeated until ACK.
    Completed,
    /// ACK came.
    Confirmed,
    /// 2xx sent; whoever sent it repeats it (RFC 6026).
    Accepted,
    /// Over.
    Terminated,
}

impl ServerInvite {
    /// The INVITE just came.
    #[must_use]
    pub fn new(base: Base, reliable: bool) -> Self {
        Self { base, reliable, state: State::Proceeding, interval: base.t1, answered: false }
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The same INVITE came again.
    pub fn repeated(&mut self) -> Step {
        match self.state {
            State::Proceeding if self.answered => Step::send(Send::Again),
            State::Completed => Step::send(Send::Again),
            _ => Step::NOTHING,
        }
    }

    /// The user answers. A repeated 2xx is let through as long as the transaction lives.
    ///
    /// # Errors
    /// [`Refused::Answered`] after a final response, for anything but another 2xx after a 2xx.
    pub fn respond(&mut self, status: u16) -> Result<Step, Refused> {
        match (self.state, status) {
            (State::Proceeding, ..=199) => {
                self.answered = true;
                Ok(Step::send(Send::New))
            }
            (State::Proceeding, 200..=299) => {
                self.state = State::Accepted;
                let end = Change::Start(Timer::L, self.base.give_up());
                Ok(Step { end, ..Step::send(Send::New) })
            }
            (State::Proceeding, _) => Ok(self.refuse()),
            (State::Accepted, 200..=299) => Ok(Step::send(Send::New)),
            (State::Terminated, _) => Err(Refused::Gone),
            _ => Err(Refused::Answered),
        }
    }

    fn refuse(&mut self) -> Step {
        self.state = State::Completed;
        let end = Change::Start(Timer::H, self.base.give_up());
        let repeat = if self.reliable { Change::Keep } else { Change::Start(Timer::G, self.interval) };
        Step { repeat, end, ..Step::send(Send::New) }
    }

    /// An ACK came that belongs to this INVITE.
    pub fn acknowledged(&mut self) -> Step {
        match self.state {
            State::Completed => {
                let linger = if self.reliable { Duration::ZERO } else { self.base.t4 };
                let step = Step::tell(Tell::Acknowledged).linger(Timer::I, linger);
                self.state = if step.ended { State::Terminated } else { State::Confirmed };
                step
            }
            State::Accepted => Step::tell(Tell::Ack),
            _ => Step::NOTHING,
        }
    }

    /// A timer is due.
    pub fn expired(&mut self, timer: Timer) -> Step {
        match (self.state, timer) {
            (State::Completed, Timer::G) => {
                self.interval = (self.interval * 2).min(self.base.t2);
                Step { repeat: Change::Start(Timer::G, self.interval), ..Step::send(Send::Again) }
            }
            (State::Completed, Timer::H) => {
                self.state = State::Terminated;
                Step { tell: Some(Tell::TimedOut(Timer::H)), ..Step::over() }
            }
            (State::Confirmed, Timer::I) | (State::Accepted, Timer::L) => {
                self.state = State::Terminated;
                Step::over()
            }
            _ => Step::NOTHING,
        }
    }

    /// A response could not be sent. The transaction stays, so that a repeated INVITE is not taken
    /// for a new one (RFC 6026, 7.1).
    pub fn transport_failed(&mut self) -> Step {
        match self.state {
            State::Terminated | State::Confirmed => Step::NOTHING,
            _ => Step::tell(Tell::TransportError),
        }
    }
}
