//! The machine of a transaction, whichever of the four it is.

use super::client_invite::{self, ClientInvite};
use super::client_other::{self, ClientOther};
use super::server_invite::{self, ServerInvite};
use super::server_other::{self, ServerOther};
use super::step::Step;
use super::timer::Timer;

/// What a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An INVITE that came to us.
    ServerInvite,
    /// Another request that came to us.
    ServerOther,
    /// An INVITE of ours.
    ClientInvite,
    /// Another request of ours.
    ClientOther,
    /// The CANCEL of an INVITE of ours. What becomes of it is of no matter; the INVITE's end is.
    ClientCancel,
}
#[derive(Debug)]
pub(super) enum Machine {
    ServerInvite(ServerInvite),
    ServerOther(ServerOther),
    ClientInvite(ClientInvite),
    ClientOther(ClientOther),
    ClientCancel(ClientOther),
}
impl Machine {
    /// Which it is.
    pub(super) const fn kind(&self) -> Kind {
        match self {
            Self::ServerInvite(_) => Kind::ServerInvite,
            Self::ServerOther(_) => Kind::ServerOther,
            Self::ClientInvite(_) => Kind::ClientInvite,
            Self::ClientOther(_) => Kind::ClientOther,
            Self::ClientCancel(_) => Kind::ClientCancel,
        }
    }

    /// Whether a response is still waited for, or the ACK of one.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::ServerInvite(machine) => {
                matches!(machine.state(), server_invite::State::Proceeding | server_invite::State::Completed)
            }
            Self::ServerOther(_) => self.is_unanswered(),
            Self::ClientInvite(machine) => {
                matches!(machine.state(), client_invite::State::Calling | client_invite::State::Proceeding)
            }
            Self::ClientOther(machine) | Self::ClientCancel(machine) => {
                matches!(machine.state(), client_other::State::Trying | client_other::State::Proceeding)
            }
        }
    }

    /// Whether a request that came to us still waits for its final response.
    pub(super) fn is_unanswered(&self) -> bool {
        match self {
            Self::ServerInvite(machine) => machine.state() == server_invite::State::Proceeding,
            Self::ServerOther(machine) => {
                matches!(machine.state(), server_other::State::Trying | server_other::State::Proceeding)
            }
            _ => false,
        }
    }

    /// Its request came again.
    pub(super) fn repeated(&mut self) -> Step {
        match self {
            Self::ServerInvite(machine) => machine.repeated(),
            Self::ServerOther(machine) => machine.repeated(),
            _ => Step::NOTHING,
        }
    }

    /// The ACK of its refusal came.
    pub(super) fn acknowledged(&mut self) -> Step {
        match self {
            Self::ServerInvite(machine) => machine.acknowledged(),
            _ => Step::NOTHING,
        }
    }

    /// A timer of its is due.
    pub(super) fn expired(&mut self, timer: Timer) -> Step {
        match self {
            Self::ServerInvite(machine) => machine.expired(timer),
            Self::ServerOther(machine) => machine.expired(timer),
            Self::ClientInvite(machine) => machine.expired(timer),
            Self::ClientOther(machine) | Self::ClientCancel(machine) => machine.expired(timer),
        }
    }

    /// What it sent could not be sent.
    pub(super) fn transport_failed(&mut self) -> Step {
        match self {
            Self::ServerInvite(machine) => machine.transport_failed(),
            Self::ServerOther(machine) => machine.transport_failed(),
            Self::ClientInvite(machine) => machine.transport_failed(),
            Self::ClientOther(machine) | Self::ClientCancel(machine) => machine.transport_failed(),
        }
    }
}
