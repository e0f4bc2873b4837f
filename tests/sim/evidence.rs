//! What was seen of a world: every datagram with its fate (the drop log), every question, every
//! record, in one order.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use callgate::call::record::{Change, Record};
use callgate::engine::Footprint;
use callgate::engine::door::{Ask, Counter};
use callgate::ids::CallSid;
use callgate::routing::model::Follow;

use crate::operator::Act;
use crate::phone::TIMEOUT;
use crate::text::Text;
use crate::world::ROUTER;

/// One datagram. Moments are places in the log.
pub struct Wire {
    pub from: SocketAddr,
    pub to: SocketAddr,
    /// Over a stream.
    pub tcp: bool,
    pub bytes: Arc<[u8]>,
    pub text: Result<Text, String>,
    /// When it left: place in the log, and time in ns.
    pub sent: usize,
    pub at: u64,
    pub delivered: Vec<usize>,
}

impl Wire {
    /// What was read; messages that cannot be read have a truth of their own.
    pub fn text(&self) -> Option<&Text> {
        self.text.as_ref().ok()
    }

    pub fn first_delivery(&self) -> Option<usize> {
        self.delivered.first().copied()
    }
}

/// One thing that happened.
pub enum What {
    Sent(usize),
    Dropped(usize),
    Delivered(usize),
    Asked(usize, Box<Ask>),
    Answered(usize, u64),
    Aborted(usize, u64),
    Record(usize, Box<Record>),
    Counted(usize, Counter),
    Act(Act),
}

/// One thing an application told the router to dial.
pub struct Dialled {
    /// The user part, used nowhere else in the world.
    pub user: String,
    /// How many INVITEs it may get over one transport.
    pub addresses: usize,
    /// It needs no DNS.
    pub at_once: bool,
    /// The host it is at: where it leads in the order of DNS, where it is a name of a wide world.
    pub host: String,
    pub hops: Vec<SocketAddr>,
    /// Who may know who calls.
    pub trusted: bool,
    /// It leaves through a gateway, which may spell the caller otherwise.
    pub number: bool,
    /// It has credentials, for this realm or for the first that is named.
    pub credentials: Option<Option<&'static str>>,
    /// Whose Contacts are followed.
    pub follow: Follow,
    /// Targets of one Dial have one number.
    pub dial: usize,
    /// By a refer application: for who is transferred.
    pub transfer: bool,
}

pub struct Evidence {
    pub now: u64,
    pub log: Vec<(u64, What)>,
    pub wires: Vec<Wire>,
    pub footprints: Vec<Footprint>,
    pub dials: Vec<Dialled>,
    pub restless: Option<String>,
    /// Branches of the router's INVITEs that got no response at all in 64*T1 (Timer B).
    pub given_up: BTreeSet<String>,
    /// What the router answered strangers.
    pub to_strangers: Vec<Vec<u8>>,
}

impl Evidence {
    pub fn new() -> Self {
        Self {
            now: 0,
            log: Vec::new(),
            wires: Vec::new(),
            footprints: Vec::new(),
            dials: Vec::new(),
            restless: None,
            given_up: BTreeSet::new(),
            to_strangers: Vec::new(),
        }
    }

    pub fn note(&mut self, what: What) {
        self.log.push((self.now, what));
    }

    pub fn sent(&mut self, from: SocketAddr, to: SocketAddr, tcp: bool, bytes: Arc<[u8]>) -> usize {
        let text = Text::read(&bytes);
        let wire = self.wires.len();
        self.wires.push(Wire {
            from,
            to,
            tcp,
            bytes,
            text,
            sent: self.log.len(),
            at: self.now,
            delivered: Vec::new(),
        });
        self.note(What::Sent(wire));
        wire
    }

    pub fn dropped(&mut self, wire: usize) {
        self.note(What::Dropped(wire));
    }

    pub fn delivered(&mut self, wire: usize) {
        let place = self.log.len();
        self.wires[wire].delivered.push(place);
        self.note(What::Delivered(wire));
    }

    /// Which INVITEs of the router had no response in time, when all is over.
    pub fn conclude(&mut self) {
        let mut waiting: BTreeMap<String, u64> = BTreeMap::new();
        for (wire, text) in self.out().filter(|(_, text)| text.method() == "INVITE") {
            waiting.entry(text.branch().to_owned()).or_insert(wire.at);
        }
        let responses = self.toward_router().filter(|(_, text)| !text.is_request());
        let heard: Vec<(String, u64)> = responses
            .filter_map(|(wire, text)| Some((text.branch().to_owned(), self.log[wire.first_delivery()?].0)))
            .collect();
        for (branch, at) in heard {
            if waiting.get(&branch).is_some_and(|sent| at < sent + TIMEOUT) {
                waiting.remove(&branch);
            }
        }
        self.given_up = waiting.into_keys().collect();
    }

    /// What the router sent, as read.
    pub fn out(&self) -> impl Iterator<Item = (&Wire, &Text)> {
        self.wires.iter().filter(|wire| wire.from == ROUTER).filter_map(|wire| Some((wire, wire.text()?)))
    }

    /// What reached the router from others, as read.
    pub fn toward_router(&self) -> impl Iterator<Item = (&Wire, &Text)> {
        let arrived = |wire: &&Wire| wire.to == ROUTER && wire.from != ROUTER && !wire.delivered.is_empty();
        self.wires.iter().filter(arrived).filter_map(|wire| Some((wire, wire.text()?)))
    }

    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.log.iter().filter_map(|(_, what)| match what {
            What::Record(_, record) => Some(&**record),
            _ => None,
        })
    }

    /// All calls there were so far.
    pub fn admitted(&self) -> Vec<CallSid> {
        let is_admission = |record: &&Record| matches!(record.change, Change::Admitted { .. });
        self.records().filter(is_admission).map(|record| record.call).collect()
    }

    /// Whether this INVITE of the router is one of a transfer.
    pub fn transfers(&self, uri: &str) -> bool {
        self.dialled(uri).is_some_and(|dialled| dialled.transfer)
    }

    /// What was dialled when the router invites this Request-URI.
    pub fn dialled(&self, uri: &str) -> Option<&Dialled> {
        let user = uri.strip_prefix("sip:").and_then(|rest| rest.split('@').next());
        // Users are `d` and their place.
        let place: usize = user?.strip_prefix('d')?.parse().ok()?;
        self.dials.get(place)
    }

    pub fn asks(&self) -> impl Iterator<Item = &Ask> {
        self.log.iter().filter_map(|(_, what)| match what {
            What::Asked(_, ask) => Some(&**ask),
            _ => None,
        })
    }
}
