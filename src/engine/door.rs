//! The one door of the core: what goes in, what comes out.
//!
//! `engine.handle(now, input)`, then `engine.poll()` until it says [`Output::Wait`]. Nothing else
//! mutates the engine. The webhook and DNS are peers exactly as trunks are: they answer late, twice
//! or never, and late answers are harmless.

use std::sync::Arc;
use std::time::Duration;

pub use crate::call::ask::{Answer, Ask, AskId, Counter, Purpose, Question, SendToken, WebhookQuestion};
use crate::call::messages::MessageStep;
use crate::call::record::Record;
pub use crate::call::recover::Recovered;
pub use crate::call::standing::{GatewayNews, Standing, Standings};
use crate::call::trace::TraceItem;
use crate::flow::{Domain, Flow};
use crate::ids::{AccountSid, CallSid, GatewaySid};
use crate::reason::Reason;
use crate::routing::Directory;
use crate::routing::model::Hook;
use crate::sip::Fault;
use crate::time::Instant;

/// What the world tells the engine.
#[derive(Debug)]
pub enum Input<'a> {
    /// One whole message: a datagram, or one frame of a stream.
    Received {
        /// What it came through.
        flow: Flow,
        /// Its bytes, lent for this call only.
        bytes: &'a [u8],
    },
    /// Bytes of a stream that are no message, after which it cannot be read on: answered where they
    /// are a request that can be.
    Broken {
        /// What it came through.
        flow: Flow,
        /// The bytes, lent for this call only.
        bytes: &'a [u8],
        /// What is wrong with them.
        fault: Fault,
    },
    /// The peer of a connection has proved by its certificate to be these domains, in lower case.
    Proved {
        /// The connection.
        flow: Flow,
        /// Its names.
        names: Arc<[Arc<str>]>,
    },
    /// A stream connection is gone. Ends no call by itself.
    FlowClosed(Flow),
    /// What [`Output::Send`] asked for could not be sent (connect failed or took too long, ICMP).
    SendFailed(SendToken),
    /// The answer to an ask.
    Answered {
        /// Which ask.
        ask: AskId,
        /// What was learned.
        answer: Answer,
    },
    /// A call that had no end when an earlier life of this node ended. Comes behind the first
    /// directory and before any message, to the engine whose shard it names.
    Recovered(Box<Recovered>),
    /// A new generation of the directory.
    Directory(Arc<Directory>),
    /// Somebody outside wants a call ended.
    Hangup {
        /// Which call.
        call: CallSid,
    },
    /// Somebody outside gives a call that is not answered yet another document.
    GoOn {
        /// Which call.
        call: CallSid,
        /// Where the document is.
        hook: Hook,
    },
    /// No new calls from here on (true), or again (false).
    Drain(bool),
    /// The most unanswered calls at once, in place of what the configuration said at the start.
    MaxCalls(usize),
    /// A message waited so long between the network and the engine: told now and then. Nothing follows, so
    /// nothing is polled for.
    Waited(Duration),
    /// So old is the oldest record that is not written: what an ask waits for.
    Behind(Duration),
    /// How long messages may wait before fewer calls are admitted, in place of what the configuration said.
    OverloadDelay(Duration),
    /// The journal can take no more (true), or can again (false): new INVITEs get 503 `journal_full`.
    JournalFull(bool),
    /// How the gateways stand, as all engines of the node together know.
    Standings(Arc<Standings>),
    /// The moment [`Output::Wait`] named has come.
    Timeout,
}

/// What the engine wants done.
#[derive(Debug)]
pub enum Output<'e> {
    /// Send these bytes.
    Send {
        /// Through what.
        flow: Flow,
        /// One whole message, lent from the engine's print buffer until the next call into it.
        bytes: &'e [u8],
        /// Names this send in [`Input::SendFailed`].
        token: SendToken,
    },
    /// The name of a domain that the peer of a flow must prove to be (RFC 5922 7); said before what
    /// is sent there.
    Named {
        /// As flows have it.
        domain: Domain,
        /// As a URI writes it.
        host: Arc<str>,
    },
    /// Something an account should hear of that no call of its own tells.
    Remark {
        /// Who should.
        account: AccountSid,
        /// What is wrong.
        reason: Reason,
        /// The number that it is about.
        number: Arc<str>,
    },
    /// Ask this. Leaves only after every record polled before it is written.
    Ask(Box<Ask>),
    /// An ask whose answer is no longer wanted: end the HTTP request.
    Abort(AskId),
    /// One journal record, to be written in the order polled.
    Record(Record),
    /// One line of a call's trace. Never journaled, may be dropped.
    Trace {
        /// Whose.
        call: CallSid,
        /// When.
        at: Instant,
        /// What.
        item: TraceItem,
    },
    /// What became of a MESSAGE outside calls. Never journaled.
    Message {
        /// Its SmsSid, as a number.
        sid: CallSid,
        /// What.
        step: MessageStep,
    },
    /// Something about a gateway: counted, and told to the other engines where it changes its standing.
    Gateway {
        /// Which.
        gateway: GatewaySid,
        /// What.
        news: GatewayNews,
    },
    /// Something worth counting (`callgate_…_total` by name).
    Count(Counter),
    /// Nothing more until the given moment (`None`: until the next input).
    Wait(Option<Instant>),
}
