//! What an application wants done with a call: an RCML document, already read.

use std::sync::Arc;
use std::time::Duration;

pub use crate::routing::model::Credentials;
use crate::routing::model::Hook;

/// One answered document. URLs in it are absolute: the webhook room resolved them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// In document order.
    pub verbs: Vec<Verb>,
    /// Where it came from, without userinfo; empty: from nowhere.
    pub url: Arc<str>,
}

/// One verb.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Ring targets and connect the first that answers.
    Dial(Dial),
    /// Refuse the call.
    Reject {
        /// The SIP status: 486 for `busy`, else 603, or the one the document names.
        status: u16,
    },
    /// Go on with another document.
    Redirect(Hook),
    /// Let it ring meanwhile.
    Pause(Duration),
    /// End the call.
    Hangup,
    /// 302 before an answer.
    Refer {
        /// A SIP URI.
        target: Arc<str>,
    },
    /// A MESSAGE back, in answer to one.
    Message(Reply),
    /// A verb that needs media (`Say`, `Play`, …), by name.
    Media(Arc<str>),
}

/// `<Sms>` or `<Message>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Whom it goes to; the sender of the message unless it is said.
    pub to: Option<Arc<str>>,
    /// Whom it comes from; the number that was written to unless it is said.
    pub from: Option<Arc<str>>,
    /// Its text, at most 1,000 octets.
    pub text: Arc<str>,
}

/// `<Dial>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// Rung together.
    pub nouns: Vec<Noun>,
    /// How long they ring, from the first INVITE (default 30 s).
    pub timeout: Duration,
    /// How long an answered call may last (default 14,400 s).
    pub time_limit: Duration,
    /// The caller id to show.
    pub caller_id: Option<Arc<str>>,
    /// Asked once when the Dial is over.
    pub action: Option<Hook>,
}

/// One target of a `<Dial>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noun {
    /// Where.
    pub target: Target,
    /// `?X-Name=value` of the noun's text: headers for the INVITE, `X-` ones only.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// Digest credentials, where given.
    pub credentials: Option<Arc<Credentials>>,
    /// The group of gateways a `<Number>` leaves through, where it names one.
    pub group: Option<Arc<str>>,
    /// The noun's own status callback, where given.
    pub callback: Option<Arc<NounCallback>>,
}

/// Where a noun leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `<Sip>`: a SIP URI, without the `?headers`.
    Sip(Arc<str>),
    /// `<Number>`: through a gateway.
    Number(Arc<str>),
    /// `<Client>`: to the organization's registrar.
    Client(Arc<str>),
    /// A media server, asked for the number that was dialled; no document says so itself.
    Media(Arc<str>),
}

/// `statusCallback` and `statusCallbackEvent` of a noun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NounCallback {
    /// Where the events go.
    pub hook: Hook,
    /// Which of initiated (1), ringing (2), answered (4), completed (8).
    pub events: u8,
}
