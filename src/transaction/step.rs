//! What a machine wants done after one thing happened to it.

use std::time::Duration;

use super::timer::Timer;

/// What follows from one event. The default is: nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Bytes that leave.
    pub send: Option<Send>,
    /// What the transaction's user hears.
    pub tell: Option<Tell>,
    /// What becomes of the timer that repeats something (A, E, G, Trying).
    pub repeat: Change,
    /// What becomes of the timer that ends something (all others).
    pub end: Change,
    /// The transaction is over and forgotten.
    pub ended: bool,
}

/// What leaves, of the bytes a transaction keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Send {
    /// The message that just came from the user.
    New,
    /// The last message once more.
    Again,
    /// An ACK made from the INVITE and this response, kept from here on (17.1.1.3).
    Ack,
}

/// What a transaction's user hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tell {
    /// The response that just came.
    Response,
    /// The ACK that just came: it is for a 2xx (RFC 6026, 7.1).
    Ack,
    /// Our 3xx-6xx was acknowledged; nothing is to be done.
    Acknowledged,
    /// Nothing came within this timer. For B, F and `Cancelled` it counts as a 408 (8.1.3.1).
    TimedOut(Timer),
    /// A 100 is due (RFC 4320, 4.1): answer with it unless a final response is ready.
    TryingDue,
    /// The transport could not send; for a client it counts as a 503 (8.1.3.1).
    TransportError,
}

/// What becomes of one of a transaction's two timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Change {
    /// It goes on as it is.
    #[default]
    Keep,
    /// It is cancelled.
    Stop,
    /// It is cancelled, and this one starts.
    Start(Timer, Duration),
}

impl Step {
    /// Nothing follows.
    pub const NOTHING: Self =
        Self { send: None, tell: None, repeat: Change::Keep, end: Change::Keep, ended: false };

    pub(super) fn send(send: Send) -> Self {
        Self { send: Some(send), ..Self::NOTHING }
    }

    pub(super) fn tell(tell: Tell) -> Self {
        Self { tell: Some(tell), ..Self::NOTHING }
    }

    pub(super) fn over() -> Self {
        Self { repeat: Change::Stop, end: Change::Stop, ended: true, ..Self::NOTHING }
    }

    /// The state in which only a timer is waited for; over at once where that timer is zero.
    pub(super) fn linger(self, timer: Timer, duration: Duration) -> Self {
        let ended = duration.is_zero();
        let end = if ended { Change::Stop } else { Change::Start(timer, duration) };
        Self { repeat: Change::Stop, end, ended, ..self }
    }
}

/// A response that must not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A final response has left already.
    #[error("the transaction is answered already")]
    Answered,
    /// 408 to a request other than INVITE (RFC 4320, 4.2): end the transaction without an answer.
    #[error("a 408 to a request other than INVITE must not be sent")]
    Timeout,
    /// A provisional response to a request other than INVITE that is not a 100, or comes before it
    /// is due (RFC 4320, 4.1).
    #[error("this provisional response to a request other than INVITE must not be sent now")]
    Provisional,
    /// The transaction is over.
    #[error("the transaction is over")]
    Gone,
}
