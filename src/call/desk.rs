//! The desk a call works at: the layers below it, the effects it leaves behind, and the tables that
//! find it again. One per engine; no call knows another.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;

use crate::call::ask::{Ask, AskId, Counter, Question, SendToken};
use crate::call::config::EngineConfig;
use crate::call::dead::Dead;
use crate::call::facts::CallFacts;
use crate::call::generator::Generator;
use crate::call::messages::MessageStep;
use crate::call::mint::{self, Branch, Tag};
use crate::call::record::Record;
use crate::call::standing::{GatewayNews, Standings};
use crate::call::trace::TraceItem;
use crate::flow::{ConnectionId, Domain, Flow, Transport};
use crate::ids::{AccountSid, CallSid, GatewaySid, OrganizationSid, VirtualShard};
use crate::reason::Reason;
use crate::routing::model::{DialPolicy, Gateway, Organization};
use crate::sip::Message;
use crate::time::Instant;
use crate::timers::{TimerId, Timers};
use crate::transaction::client::Request;
use crate::transaction::step::Refused;
use crate::transaction::table::{Cancelling, Due as TransactionDue, Table, TransactionId};
use crate::transaction::timer::Base;

/// Names a call within its engine; never used twice.
pub type CallKey = u64;
/// A map keyed from the engine's generator.
pub type Map<K, V> = HashMap<K, V, FixedState>;

/// Whose a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The call; 0: nobody's, nothing is heard of it.
    pub call: CallKey,
    /// What it is to the call.
    pub role: Role,
}

/// What a transaction is to its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Answered where it was made.
    None,
    /// The caller's INVITE.
    Caller,
    /// Our INVITE of this leg.
    Leg(usize),
    /// Our BYE to one side of this pair (true: the caller's).
    Bye(usize, bool),
    /// Our BYE to a 2xx of this leg that lost: which of them.
    LoserBye(usize, usize),
    /// A request that is relayed; the server side of it.
    RelayServer(u32),
    /// The client side of it.
    RelayClient(u32),
    /// A MESSAGE of an application's document.
    Reply,
    /// Our re-INVITE to the transferee of a transfer.
    Transfer,
    /// Our re-INVITE to the target of a transfer, which tells it the transferee's last word.
    Settle,
    /// An OPTIONS that asks whether a side is still there.
    Liveness(usize, bool),
    /// An OPTIONS that asks whether a gateway is there; nobody's call.
    Check(u32),
}

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// A transaction's.
    Transaction(TransactionDue),
    /// A call's.
    Call(CallKey, What),
    /// An ask's hard limit.
    Ask(AskId),
    /// A check of a gateway.
    Check(u32),
}

impl From<TransactionDue> for Due {
    fn from(due: TransactionDue) -> Self {
        Self::Transaction(due)
    }
}

/// What a call's timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The Dial's timeout.
    DialTimeout,
    /// A leg gave no response at all.
    FirstResponse(usize),
    /// The last 18x is due again.
    RingAgain,
    /// A reliable provisional response is due again.
    Reliable(usize),
    /// No refresh of the session came in time.
    Session(usize),
    /// A leg has rung for long without another word.
    TimerC(usize),
    /// The caller's INVITE is valid no longer.
    InviteExpires,
    /// `<Pause>` is over.
    PauseOver,
    /// The Dial's time limit.
    TimeLimit,
    /// A 2xx of ours is due again.
    Answer(usize),
    /// Is the other side still there?
    Liveness(usize),
    /// A transfer takes too long.
    Transfer,
    /// Are both sides of a recovered call still there?
    Probe(usize),
    /// The transferee's dialog was busy: the offer once more.
    TransferOffer,
}

/// What the call wants of the world, in order; the door turns it into outputs.
#[derive(Debug)]
pub enum Effect {
    /// Bytes in the print buffer.
    Send {
        /// Through what.
        flow: Flow,
        /// Where in the print buffer.
        range: Range<usize>,
        /// Whose.
        token: SendToken,
    },
    /// A domain that a peer must prove, by its name.
    Named(Domain, Arc<str>),
    /// A question.
    Ask(Box<Ask>),
    /// No longer wanted.
    Abort(AskId),
    /// For the journal.
    Record(Record),
    /// For the trace.
    Trace(CallSid, Instant, TraceItem),
    /// What became of a MESSAGE outside calls.
    Message(CallSid, MessageStep),
    /// To be counted.
    Count(Counter),
    /// Something an account should hear of, and the number it is about.
    Remark(AccountSid, Reason, Arc<str>),
    /// Something about a gateway.
    Gateway(GatewaySid, GatewayNews),
}

/// What calls look up in the directory of the moment.
pub trait Provision: std::fmt::Debug {
    /// The gateways of a call's `<Number>`s that name `group`, or none, in no order.
    fn gateways(&self, call: &CallFacts, group: Option<&str>) -> Vec<Arc<Gateway>>;
    /// The gateways for emergency calls, in no order: those of an organization, and the shared ones.
    fn emergency_gateways(&self, organization: Option<OrganizationSid>) -> [Vec<Arc<Gateway>>; 2];
    /// The media servers of an organization, in no order.
    fn media_gateways(&self, organization: OrganizationSid) -> Vec<Arc<Gateway>>;
    /// A gateway, whether it is used or not.
    fn gateway(&self, gateway: GatewaySid) -> Option<Arc<Gateway>>;
    /// An organization.
    fn organization(&self, organization: OrganizationSid) -> Option<Arc<Organization>>;
    /// Whether the account has this number.
    fn owns(&self, account: AccountSid, number: &str) -> bool;
    /// What an account may dial; `None`: it is not there any more, or nothing is known of it.
    fn dial_policy(&self, account: AccountSid) -> Option<&DialPolicy>;
    /// Whether an account may dial one more target in this minute: taken where it may.
    fn may_dial_once_more(&self, now: Instant, account: AccountSid) -> bool;
    /// The number that stands for an account.
    fn main_number(&self, account: AccountSid) -> Option<Arc<str>>;
}

/// The layers below a call.
#[derive(Debug)]
pub struct Desk {
    /// The moment of the current input.
    pub now: Instant,
    /// What the engine was born with.
    pub config: Arc<EngineConfig>,
    /// The directory of the moment.
    pub provision: Option<Arc<dyn Provision>>,
    /// The only randomness.
    pub generator: Generator,
    /// The only timers.
    pub timers: Timers<Due>,
    /// All transactions.
    pub table: Table<Owner, FixedState>,
    /// Whose dialog a tag of ours is.
    pub tags: Map<Tag, CallKey>,
    /// Who asked, and the timer of the hard limit.
    pub asks: Map<AskId, (CallKey, TimerId)>,
    /// Targets that refused TCP, until when.
    pub no_tcp: Map<SocketAddr, Instant>,
    /// Targets that did not answer lately.
    pub dead: Dead,
    /// How the gateways stand.
    pub standings: Arc<Standings>,
    /// The calls that would send something over a connection.
    pub riders: Map<ConnectionId, BTreeSet<CallKey>>,
    /// Connections that closed within about 64*T1: answers to what came over them go elsewhere.
    closed: BTreeSet<ConnectionId>,
    closed_at: VecDeque<(Instant, ConnectionId)>,
    /// What is to be done.
    pub effects: VecDeque<Effect>,
    /// What is to be sent.
    pub print: Vec<u8>,
    /// Where the next message is written.
    pub paper: Vec<u8>,
    next_ask: u64,
    next_call: u64,
}

impl Desk {
    /// An empty desk.
    #[must_use]
    pub fn new(config: Arc<EngineConfig>, seed: [u8; 32]) -> Self {
        let mut generator = Generator::new(seed);
        let mut state = || FixedState::with_seed(generator.next_u64());
        let timers = &config.timers;
        let base = Base { t1: timers.t1, t2: timers.t2, t4: timers.t4 };
        let (table, tags, asks, no_tcp, riders, dead) = (
            Table::new(base, state()),
            Map::with_hasher(state()),
            Map::with_hasher(state()),
            Map::with_hasher(state()),
            Map::with_hasher(state()),
            Dead::new(state()),
        );
        Self {
            now: Instant::ZERO,
            config,
            provision: None,
            generator,
            timers: Timers::new(),
            table,
            tags,
            asks,
            no_tcp,
            dead,
            standings: Arc::default(),
            riders,
            closed: BTreeSet::new(),
            closed_at: VecDeque::new(),
            effects: VecDeque::new(),
            print: Vec::new(),
            paper: Vec::new(),
            next_ask: 1,
            next_call: 1,
        }
    }

    /// A name for one more call.
    pub fn next_call(&mut self) -> CallKey {
        self.next_call += 1;
        self.next_call - 1
    }

    /// A tag that leads to `call`.
    pub fn mint_tag(&mut self, shard: VirtualShard, call: CallKey) -> Tag {
        let tag = Tag::mint(shard, &mut self.generator);
        self.tags.insert(tag, call);
        tag
    }

    /// The sid of a call or a leg that begins now.
    pub fn mint_sid(&mut self) -> CallSid {
        let since = self.config.epoch + self.now.since(Instant::ZERO);
        mint::call_sid(since, &mut self.generator)
    }

    /// A branch.
    pub fn mint_branch(&mut self, shard: VirtualShard) -> Branch {
        Branch::mint(shard, &mut self.generator)
    }

    /// A connection closed. The calls that ride on it.
    pub fn close(&mut self, connection: ConnectionId) -> BTreeSet<CallKey> {
        let (now, lasts) = (self.now, self.give_up());
        while let Some((_, old)) = self.closed_at.pop_front_if(|(at, _)| now.since(*at) > lasts) {
            self.closed.remove(&old);
        }
        self.closed_at.push_back((now, connection));
        self.closed.insert(connection);
        self.riders.remove(&connection).unwrap_or_default()
    }

    /// Whether a connection closed not long ago.
    #[must_use]
    pub fn is_closed(&self, flow: &Flow) -> bool {
        flow.connection.is_some_and(|connection| self.closed.contains(&connection))
    }

    /// 64*T1.
    #[must_use]
    pub fn give_up(&self) -> Duration {
        self.config.timers.t1 * 64
    }

    /// Starts a timer of a call.
    pub fn start(&mut self, after: Duration, call: CallKey, what: What) -> TimerId {
        self.timers.start(self.now, after, Due::Call(call, what))
    }

    /// Ends a timer, if there is one.
    pub fn stop(&mut self, timer: &mut Option<TimerId>) {
        if let Some(timer) = timer.take() {
            self.timers.cancel(timer);
        }
    }

    /// `flow` for what is meant for `host`: its peer must prove to be it, where TLS can.
    #[must_use]
    pub fn meant_for(&mut self, flow: &Flow, host: Arc<str>) -> Flow {
        if flow.transport != Transport::Tls || flow.connection.is_some() {
            return *flow;
        }
        let domain = Domain::of(&host);
        if let Some(domain) = domain {
            self.effects.push_back(Effect::Named(domain, host));
        }
        Flow { domain, ..*flow }
    }

    /// Tells an account why calls to a number of its own come to nothing.
    pub fn remark(&mut self, account: AccountSid, reason: Reason, number: Arc<str>) {
        self.effects.push_back(Effect::Remark(account, reason, number));
    }

    /// Sends bytes.
    pub fn send(&mut self, flow: Flow, bytes: &[u8], token: SendToken) {
        let start = self.print.len();
        self.print.extend_from_slice(bytes);
        self.effects.push_back(Effect::Send { flow, range: start..self.print.len(), token });
    }

    /// Sends what is on the paper, without a transaction: an ACK, or a stateless response.
    pub fn send_paper(&mut self, flow: Flow) {
        let paper = std::mem::take(&mut self.paper);
        self.send(flow, &paper, SendToken::default());
        self.paper = paper;
    }

    /// Sends the request on the paper in a transaction of its own.
    pub fn request(&mut self, method: &[u8], branch: Branch, flow: Flow, owner: Owner) -> TransactionId {
        let paper = std::mem::take(&mut self.paper);
        let request = Request { method, branch: branch.as_bytes(), bytes: &paper };
        let id = self.table.request(self.now, request, flow, owner, &mut self.timers);
        self.send(flow, &paper, SendToken(id.to_u64()));
        self.paper = paper;
        id
    }

    /// Gives a transaction the response on the paper and sends it. False: it must not leave.
    pub fn respond(&mut self, id: TransactionId, status: u16) -> bool {
        if self.table.flow(id).is_some_and(|flow| self.is_closed(&flow)) {
            self.table.leave_connection(id);
        }
        let paper = std::mem::take(&mut self.paper);
        let responded = self.table.respond(self.now, id, status, &paper, &mut self.timers);
        let left = match responded {
            Ok(responded) => {
                self.send(responded.flow, &paper, SendToken(id.to_u64()));
                true
            }
            Err(Refused::Timeout) => {
                self.table.abandon(id, &mut self.timers);
                false
            }
            Err(Refused::Answered | Refused::Provisional | Refused::Gone) => false,
        };
        self.paper = paper;
        left
    }

    /// Cancels an INVITE of ours as soon as that is allowed. `extra`: header lines for the CANCEL.
    /// `call` and `leg` name the line of the trace.
    pub fn cancel(&mut self, invite: TransactionId, extra: &[u8], call: CallSid, leg: Option<CallSid>) {
        let cancelling = self.table.cancel(self.now, invite, extra, &mut self.timers);
        if let Cancelling::Now(outcome) = cancelling
            && let Some(leaves) = outcome.send
        {
            let start = self.print.len();
            self.print.extend_from_slice(leaves.bytes);
            let token = SendToken(leaves.id.to_u64());
            let item = super::ladder::line(leaves.bytes, leg, false, 0);
            self.effects.push_back(Effect::Send { flow: leaves.flow, range: start..self.print.len(), token });
            self.effects.push_back(Effect::Trace(call, self.now, item));
        }
    }

    /// Asks, with the engine's own hard limit.
    pub fn ask(&mut self, key: CallKey, call: CallSid, question: Question) -> AskId {
        self.ask_within(key, call, question, self.config.ask_limit)
    }

    /// Asks, and waits no longer than this.
    pub fn ask_within(&mut self, key: CallKey, call: CallSid, question: Question, limit: Duration) -> AskId {
        let id = self.put(call, question, limit);
        let timer = self.timers.start(self.now, limit, Due::Ask(id));
        self.asks.insert(id, (key, timer));
        id
    }

    /// Asks without waiting: whatever comes back is dropped.
    pub fn ask_aside(&mut self, call: CallSid, question: Question) -> AskId {
        self.put(call, question, self.config.ask_limit)
    }

    fn put(&mut self, call: CallSid, question: Question, limit: Duration) -> AskId {
        let id = AskId(self.next_ask);
        self.next_ask += 1;
        let deadline = self.now + limit;
        self.effects.push_back(Effect::Ask(Box::new(Ask { id, call, question, deadline })));
        id
    }

    /// Forgets an ask whose answer came, or whose time is over; whose it was.
    pub fn take_ask(&mut self, id: AskId) -> Option<CallKey> {
        let (call, timer) = self.asks.remove(&id)?;
        self.timers.cancel(timer);
        Some(call)
    }

    /// Ends an ask whose answer is no longer wanted.
    pub fn abort(&mut self, id: AskId) {
        if self.take_ask(id).is_some() {
            self.effects.push_back(Effect::Abort(id));
        }
    }

    /// Counts.
    pub fn count(&mut self, counter: Counter) {
        self.effects.push_back(Effect::Count(counter));
    }

    /// A step of a MESSAGE outside calls.
    pub fn note_message(&mut self, sid: CallSid, step: MessageStep) {
        self.effects.push_back(Effect::Message(sid, step));
    }

    /// A line of a call's trace.
    pub fn trace(&mut self, call: CallSid, item: TraceItem) {
        self.effects.push_back(Effect::Trace(call, self.now, item));
    }

    /// A received message in a call's trace.
    pub fn trace_received(&mut self, call: CallSid, leg: Option<CallSid>, message: &Message<'_>) {
        let item = super::ladder::line(message.bytes(), leg, true, 0);
        self.trace(call, item);
    }

    /// The message on the paper in a call's trace.
    pub fn trace_sent(&mut self, call: CallSid, leg: Option<CallSid>) {
        let item = super::ladder::line(&self.paper, leg, false, 0);
        self.trace(call, item);
    }

    /// A message that came or left for the `repeat`th time again.
    pub fn trace_again(
        &mut self,
        call: CallSid,
        leg: Option<CallSid>,
        bytes: &[u8],
        inbound: bool,
        repeat: u16,
    ) {
        let item = super::ladder::line(bytes, leg, inbound, repeat);
        self.trace(call, item);
    }
}
