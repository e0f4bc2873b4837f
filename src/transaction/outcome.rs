//! What the table answers: what leaves, through what, and what its user hears.

use super::machine::Kind;
use super::slots::TransactionId;
use super::step::Tell;
use crate::flow::Flow;

/// What follows from one event.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'t, U> {
    /// To which transaction it happened.
    pub id: TransactionId,
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub owner: U,
    /// What is to leave now.
    pub send: Option<Leaves<'t>>,
    /// What its user hears.
    pub tell: Option<Tell>,
    /// It is over; its id means nothing any more.
    pub ended: bool,
    /// How often what leaves has left before.
    pub sent_before: u16,
    /// How often its request has come again.
    pub came_again: u16,
}

/// Kept bytes that are to leave.
#[derive(Clone, Copy, Debug)]
pub struct Leaves<'t> {
    /// The transaction that hears of a failure ([`super::table::Table::failed`]).
    pub id: TransactionId,
    /// Through what.
    pub flow: Flow,
    /// One whole message.
    pub bytes: &'t [u8],
}

/// How a received request stands to what is there.
#[derive(Debug)]
pub enum Arrival<'t, U> {
    /// It is the same request again, or the ACK of an INVITE here.
    Matched(Outcome<'t, U>),
    /// A CANCEL not seen before, with the INVITE it means, where there is one (9.2). Make a
    /// transaction for it, answer it 200 or 481, and tell the INVITE's owner.
    Cancel(Option<TransactionId>),
    /// A copy that came another way while the first is unanswered: 482 (8.2.2.2).
    Merged,
    /// An ACK without a transaction: it is for a 2xx, or for nobody.
    Ack,
    /// Anything else: make a transaction for it.
    New,
}

/// Where the response that was just given is to go.
#[derive(Clone, Copy, Debug)]
pub struct Responded {
    /// Through what.
    pub flow: Flow,
    /// The transaction is over.
    pub ended: bool,
}

/// What became of a wish to cancel.
#[derive(Debug)]
pub enum Cancelling<'t, U> {
    /// The CANCEL is to leave now, in a transaction of its own.
    Now(Outcome<'t, U>),
    /// No provisional response yet: it leaves when one comes (9.1).
    Later,
    /// A final response came, or it was cancelled before, or there is no such INVITE.
    TooLate,
}
