//! A telephone: caller or target, with its own transactions and dialogs by RFC 3261, as text.
//!
//! `plan`: what it means to do. `caller`: its first INVITE, CANCEL and what it hears back. `client`
//! and `server`: transactions. `inside`: requests within a call. `target`: what it does when called.
//! `clerk`: what it wants before it takes a call. `reliable`: 18x and PRACK. `session`: session timers. `write`: how requests look and where they go.

mod caller;
mod clerk;
mod client;
mod inside;
mod plan;
mod reliable;
mod server;
mod session;
mod target;
mod write;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::rng::Rng;
use crate::text::Text;

pub use clerk::{Clerk, parameter};
pub use plan::{CallPlan, Mood};
pub use write::{Hop, bare, hop_of, list};

use clerk::Asked;
use client::Client;
use plan::Todo;
use reliable::{Early, Unacknowledged};
use server::Server;
use write::Dialog;

pub const MS: u64 = 1_000_000;
const T1: u64 = 500 * MS;
/// 64*T1: Timers B, F, H and J.
pub const TIMEOUT: u64 = 64 * T1;
const T2: u64 = 4_000 * MS;

/// One message on its way out.
pub struct Parcel {
    pub to: Hop,
    pub bytes: Vec<u8>,
}

/// What a telephone may use while it acts.
pub struct Hands<'a> {
    pub now: u64,
    pub rng: &'a mut Rng,
    pub out: &'a mut Vec<Parcel>,
}

impl Hands<'_> {
    fn send(&mut self, to: Hop, bytes: Vec<u8>) {
        self.out.push(Parcel { to, bytes });
    }
}

/// Where a telephone stands.
#[derive(Clone, Debug)]
pub struct Place {
    pub addr: SocketAddr,
    /// What it calls itself: another address behind NAT.
    pub shown: SocketAddr,
    /// It calls over a stream.
    pub tcp: bool,
    /// The proxy its calls go through.
    pub outbound: Option<SocketAddr>,
}

impl Place {
    pub fn at(addr: SocketAddr) -> Self {
        Self { addr, shown: addr, tcp: false, outbound: None }
    }
}

pub struct Phone {
    place: Place,
    plan: CallPlan,
    client: Vec<Client>,
    server: Vec<Server>,
    dialogs: Vec<Dialog>,
    todo: Vec<(u64, Todo)>,
    count: u32,
    /// The branch of the first INVITE.
    invite: Option<String>,
    /// To and Contact of a provisional with a tag.
    early: Option<(String, String)>,
    /// Its early dialogs by To tag.
    early_dialogs: BTreeMap<String, Early>,
    /// Reliable responses of its own.
    unacknowledged: Vec<Unacknowledged>,
    /// What it refreshes its session with.
    interval: u64,
    /// Vanishes now and then in the middle of a call, in percent.
    pub vanishes: u64,
    /// It gave its call up.
    canceled: bool,
    /// Sides that talk inside a call, in percent.
    talkative: u64,
    /// What a target does; `None`: drawn per INVITE.
    pub mood: Option<Mood>,
    /// Who looks at a call before it rings, and what it asked for, by Call-ID.
    pub clerk: Option<Clerk>,
    asked: BTreeMap<String, Asked>,
    /// It only does what leads to an answer.
    pub plain: bool,
    /// Header lines that say who it is.
    pub identity: String,
}

impl Phone {
    pub fn new(place: Place, plan: CallPlan, talkative: u64) -> Self {
        Self {
            place,
            plan,
            client: Vec::new(),
            server: Vec::new(),
            dialogs: Vec::new(),
            todo: Vec::new(),
            count: 0,
            invite: None,
            early: None,
            early_dialogs: BTreeMap::new(),
            unacknowledged: Vec::new(),
            interval: 0,
            vanishes: 0,
            canceled: false,
            talkative,
            mood: None,
            clerk: None,
            asked: BTreeMap::new(),
            plain: false,
            identity: String::new(),
        }
    }

    /// When it wants to be woken.
    pub fn wake(&self) -> Option<u64> {
        let clients =
            self.client.iter().filter(|c| !c.done).flat_map(|c| c.next.into_iter().chain(c.gives_up));
        let servers = self.server.iter().filter_map(|s| s.next);
        let servers = servers.chain(self.unacknowledged.iter().map(|open| open.next));
        clients.chain(servers).chain(self.todo.iter().map(|(at, _)| *at)).min()
    }

    /// Something it waits for is due.
    pub fn tick(&mut self, hands: &mut Hands<'_>) {
        self.tick_clients(hands);
        self.tick_servers(hands);
        self.tick_reliable(hands);
        let due: Vec<Todo> =
            self.todo.iter().filter(|(at, _)| *at <= hands.now).map(|(_, todo)| todo.clone()).collect();
        self.todo.retain(|(at, _)| *at > hands.now);
        for todo in due {
            match todo {
                Todo::Cancel { branch } => self.cancel(hands, &branch),
                Todo::EarlyBye => self.early_bye(hands),
                Todo::Merge => self.merge(hands),
                Todo::Text => self.write_text(hands),
                Todo::Respond { branch, code, tag } => self.respond(hands, &branch, code, &tag),
                Todo::InDialog { tag, method } => self.in_dialog(hands, &tag, method),
                Todo::EarlyUpdate { text } => self.early_update(hands, &text),
                Todo::UpdateBefore { branch, tag } => self.update_before(hands, &branch, &tag),
                Todo::Refresh { tag, interval } => self.refresh(hands, &tag, interval),
                Todo::Vanish { tag } => self.vanish(&tag),
                Todo::Late { branch } => self.say_again(hands, &branch),
            }
        }
    }

    /// A message came.
    pub fn receive(&mut self, hands: &mut Hands<'_>, from: Hop, bytes: &[u8]) {
        let Ok(text) = Text::read(bytes) else { return };
        if let Some(code) = text.code() {
            return self.response(hands, &text, code);
        }
        match text.method() {
            "ACK" => self.acknowledged(&text),
            "CANCEL" => self.was_canceled(hands, from, &text),
            _ => self.request(hands, from, text),
        }
    }

    fn later(&mut self, at: u64, todo: Todo) {
        self.todo.push((at, todo));
    }

    fn fresh(&mut self) -> u32 {
        self.count += 1;
        self.count
    }

    fn branch(&mut self) -> String {
        let number = self.fresh();
        let addr = self.place.addr;
        format!("z9hG4bK{}p{}n{number}", addr.ip().to_string().replace('.', "-"), addr.port())
    }

    fn sent_by(&self) -> String {
        self.place.shown.to_string()
    }

    fn sdp(&self, what: &str) -> String {
        // No description is as another one: who got which can be told.
        let (port, ip, count) = (self.place.addr.port(), self.place.addr.ip(), self.count);
        format!("v=0\r\no=- {port} {count} IN IP4 {ip}\r\ns={what}\r\nc=IN IP4 {ip}\r\nt=0 0\r\n")
    }

    fn contact(&self, tcp: bool) -> String {
        let transport = if tcp { ";transport=tcp" } else { "" };
        format!("Contact: <sip:phone@{}{transport}>\r\n", self.place.shown)
    }

    fn end(&mut self, tag: &str) {
        for dialog in self.dialogs.iter_mut().filter(|dialog| dialog.remote_tag == tag) {
            dialog.over = true;
        }
        for server in
            self.server.iter_mut().filter(|server| server.request.tag_of_from() == tag && server.code < 300)
        {
            server.next = None;
        }
    }
}
