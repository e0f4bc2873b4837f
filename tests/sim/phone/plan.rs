//! What callers and targets mean to do, chosen before they begin.

use crate::text::Text;

/// What a caller does.
#[derive(Clone, Debug, Default)]
pub struct CallPlan {
    pub number: String,
    /// CANCEL this long after the INVITE (ns).
    pub cancel: Option<u64>,
    /// CANCEL even before a provisional came, as some telephones do.
    pub eager_cancel: bool,
    /// BYE this long after the INVITE where an early dialog is there: some telephones end calls so.
    pub early_bye: Option<u64>,
    /// Hang up this long after the answer; `None`: the other side does.
    pub hold: Option<u64>,
    /// Never acknowledge a 2xx.
    pub lose_ack: bool,
    /// Send the INVITE a second time under another branch, as a forking proxy behind a trunk does.
    pub merged: bool,
    /// No SDP in the INVITE; it comes in the ACK.
    pub late_offer: bool,
    /// A body that does not fit into 1300 octets.
    pub large: bool,
    /// `Supported: 100rel`, or `Require` of it.
    pub knows_100rel: bool,
    pub requires_100rel: bool,
    /// It acknowledges nothing reliably all the same.
    pub no_prack: bool,
    /// `Supported: timer`, with an interval of its own or without.
    pub timer: bool,
    pub session: Option<u64>,
    /// A MESSAGE this long after the INVITE.
    pub text: Option<u64>,
    /// `Require: replaces`, which the router does not offer.
    pub reliable: bool,
    /// What it wants kept to itself.
    pub privacy: &'static str,
    /// CANCEL at the moment it first hears of somebody ringing, when an answer may be on its way.
    pub early_cancel: bool,
}

/// What a target does with one INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Answer,
    AnswerAtOnce,
    EarlyMediaThenAnswer,
    EarlyMediaThenRefuse,
    Busy,
    Refuse(u16),
    RingUntilCancel,
    Silent,
    TwoAnswers,
    /// Not a word for seconds, then the answer at once, or ringing first.
    Slow,
}

/// What targets do when nobody says.
pub const MOODS: &[Mood] = &[
    Mood::Answer,
    Mood::Answer,
    Mood::Answer,
    Mood::AnswerAtOnce,
    Mood::EarlyMediaThenAnswer,
    Mood::EarlyMediaThenRefuse,
    Mood::Busy,
    Mood::Refuse(404),
    Mood::Refuse(503),
    Mood::Refuse(603),
    Mood::Refuse(407),
    Mood::Refuse(302),
    Mood::RingUntilCancel,
    Mood::Silent,
    Mood::TwoAnswers,
    Mood::Slow,
];

/// What is said inside a call; the router knows some of it, passes some and refuses some.
pub const TALK: &[&str] =
    &["INFO", "INVITE", "OPTIONS", "MESSAGE", "UPDATE", "REFER", "PRACK", "NOTIFY", "CHATTER"];

/// Something a telephone means to do later.
#[derive(Clone, Debug)]
pub enum Todo {
    /// CANCEL of the INVITE with this branch.
    Cancel {
        branch: String,
    },
    EarlyBye,
    Merge,
    /// A MESSAGE of its own, outside the call.
    Text,
    Respond {
        branch: String,
        code: u16,
        tag: String,
    },
    EarlyUpdate {
        text: Box<Text>,
    },
    /// UPDATE to the caller before the answer (RFC 3311 5.1).
    UpdateBefore {
        branch: String,
        tag: String,
    },
    Refresh {
        tag: String,
        interval: u64,
    },
    Vanish {
        tag: String,
    },
    InDialog {
        tag: String,
        method: &'static str,
    },
    /// A response once more, when the call is long gone.
    Late {
        branch: String,
    },
}
