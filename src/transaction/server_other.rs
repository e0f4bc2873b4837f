//! The non-INVITE server transaction (RFC 3261, 17.2.2; RFC 4320).

use std::time::Duration;

use super::step::{Change, Refused, Send, Step, Tell};
use super::timer::{Base, Timer};

/// One request other than INVITE and ACK that came to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerOther {
    base: Base,
    reliable: bool,
    state: State,
    trying_due: bool,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing has left yet.
    Trying,
    /// A 100 has left.
    Proceeding,
    /// The final response has left.
    Completed,
    /// Over.
    Terminated,
}

impl ServerOther {
    /// The request just came. Run the step's timers: a 100 is due late, and without an answer the
    /// transaction ends by itself.
    #[must_use]
    pub fn new(base: Base, reliable: bool) -> (Self, Step) {
        let step = Step {
            repeat: Change::Start(Timer::Trying, base.until_trying()),
            end: Change::Start(Timer::Unanswered, base.give_up()),
            ..Step::NOTHING
        };
        (Self { base, reliable, state: State::Trying, trying_due: false }, step)
    }

    /// Where it stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The same request came again.
    pub fn repeated(&mut self) -> Step {
        match self.state {
            State::Proceeding | State::Completed => Step::send(Send::Again),
            State::Trying | State::Terminated => Step::NOTHING,
        }
    }

    /// The user answers.
    ///
    /// # Errors
    /// After a final response, for a 408, and for a provisional that RFC 4320 does not allow.
    pub fn respond(&mut self, status: u16) -> Result<Step, Refused> {
        match (self.state, status) {
            (State::Terminated, _) => Err(Refused::Gone),
            (State::Completed, _) => Err(Refused::Answered),
            (_, 100) if self.trying_due || self.reliable => {
                self.state = State::Proceeding;
                Ok(Step { repeat: Change::Stop, ..Step::send(Send::New) })
            }
            (_, ..=199) => Err(Refused::Provisional),
            (_, 408) => Err(Refused::Timeout),
            _ => Ok(self.complete()),
        }
    }

    fn complete(&mut self) -> Step {
        let linger = if self.reliable { Duration::ZERO } else { self.base.give_up() };
        let step = Step::send(Send::New).linger(Timer::J, linger);
        self.state = if step.ended { State::Terminated } else { State::Completed };
        step
    }

    /// A timer is due.
    pub fn expired(&mut self, timer: Timer) -> Step {
        match (self.state, timer) {
            (State::Trying, Timer::Trying) => {
                self.trying_due = true;
                Step::tell(Tell::TryingDue)
            }
            (State::Trying | State::Proceeding, Timer::Unanswered) => {
                self.state = State::Terminated;
                Step { tell: Some(Tell::TimedOut(Timer::Unanswered)), ..Step::over() }
            }
            (State::Completed, Timer::J) => {
                self.state = State::Terminated;
                Step::over()
            }
            _ => Step::NOTHING,
        }
    }

    /// A response could not be sent (17.2.4). The transaction stays, so that a repeated request is
    /// not taken for a new one; its timers end it.
    pub fn transport_failed(&mut self) -> Step {
        match self.state {
            State::Terminated => Step::NOTHING,
            _ => Step::tell(Tell::TransportError),
        }
    }
}
