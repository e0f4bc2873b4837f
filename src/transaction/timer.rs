//! The timers of transactions by name, and how long they run.

use std::time::Duration;

/// One timer of a transaction; the letters are RFC 3261's (annex A) and RFC 6026's. Timer C is a
/// proxy's and has no place in a user agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Repeats our INVITE on an unreliable transport: T1, doubled each time.
    A,
    /// Gives up on an INVITE nobody answered at all: 64*T1.
    B,
    /// Stays after a 3xx-6xx to our INVITE, to ACK its repetitions: 32 s, or at once when reliable.
    D,
    /// Repeats our other requests on an unreliable transport: T1, doubled up to T2.
    E,
    /// Gives up on another request without a final response: 64*T1.
    F,
    /// Repeats our 3xx-6xx to an INVITE on an unreliable transport until ACK: T1, doubled up to T2.
    G,
    /// Gives up waiting for the ACK of our 3xx-6xx: 64*T1 on every transport.
    H,
    /// Stays after that ACK, to absorb its repetitions: T4, or at once when reliable.
    I,
    /// Stays after our final response to another request, to repeat it: 64*T1, or at once when reliable.
    J,
    /// Stays after a final response to our other request, to absorb repetitions: T4, or at once when reliable.
    K,
    /// Stays after our 2xx to an INVITE, to absorb repeated INVITEs (RFC 6026): 64*T1.
    L,
    /// Stays after a 2xx to our INVITE, to pass its repetitions and those of other forks (RFC 6026): 64*T1.
    M,
    /// A request other than INVITE has waited so long that a 100 is due (RFC 4320, 4.1).
    Trying,
    /// A request other than INVITE was not answered within 64*T1: its client has given up, and a
    /// 408 is forbidden (RFC 4320, 4.2).
    Unanswered,
    /// An INVITE got no final response within 64*T1 of its CANCEL (9.1).
    Cancelled,
}

impl Timer {
    /// Whether it repeats something or reminds of it, rather than ends a wait.
    pub(super) const fn repeats(self) -> bool {
        matches!(self, Self::A | Self::E | Self::G | Self::Trying)
    }

    /// Whether it ends a transaction that only absorbs what comes again: nobody waits for that.
    pub(super) const fn may_be_late(self) -> bool {
        matches!(self, Self::D | Self::I | Self::J | Self::K | Self::L | Self::M)
    }
}

/// T1, T2 and T4, from which all others follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Round-trip estimate (500 ms).
    pub t1: Duration,
    /// Greatest retransmission interval (4 s).
    pub t2: Duration,
    /// How long a message stays in the network (5 s).
    pub t4: Duration,
}

impl Default for Base {
    fn default() -> Self {
        Self { t1: Duration::from_millis(500), t2: Duration::from_secs(4), t4: Duration::from_secs(5) }
    }
}

impl Base {
    /// 64*T1: timers B, F, H, L, M, and J where the transport is unreliable.
    #[must_use]
    pub fn give_up(&self) -> Duration {
        self.t1 * 64
    }

    /// Timer D on an unreliable transport: at least 32 s, and never less than the peer's Timer H.
    #[must_use]
    pub fn d(&self) -> Duration {
        self.give_up().max(Duration::from_secs(32))
    }

    /// When a client's Timer E has been reset to T2: the earliest a 100 to a request other than
    /// INVITE may leave over UDP, and the latest it must (RFC 4320, 4.1).
    #[must_use]
    pub fn until_trying(&self) -> Duration {
        let mut interval = self.t1;
        let mut elapsed = Duration::ZERO;
        while interval < self.t2 && !interval.is_zero() {
            elapsed += interval;
            interval *= 2;
        }
        elapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_100_is_due_when_timer_e_reaches_t2_rfc4320_4_1() {
        assert_eq!(Base::default().until_trying(), Duration::from_millis(500 + 1000 + 2000));
    }
}
