//! What was seen of a world: every datagram with its fate (the drop log), every question, every
//! record, in one order.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;

use callgate::call::record::{Change, Record};
use callgate::engine::Footprint;
use callgate::engine::door::{Ask, Counter, Question};

use crate::text::Text;
use crate::world::ROUTER;

/// One datagram. Moments are places in the log.
pub struct Wire {
    pub from: SocketAddr,
    pub to: SocketAddr,
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
}

/// One thing an application told the router to dial.
pub struct Dialled {
    /// The user part, used nowhere else in the world.
    pub user: String,
    /// How many addresses it may be tried at.
    pub addresses: usize,
}

pub struct Evidence {
    pub now: u64,
    pub log: Vec<(u64, What)>,
    pub wires: Vec<Wire>,
    pub footprints: Vec<Footprint>,
    pub dials: Vec<Dialled>,
    pub restless: Option<String>,
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
        }
    }

    pub fn note(&mut self, what: What) {
        self.log.push((self.now, what));
    }

    pub fn sent(&mut self, from: SocketAddr, to: SocketAddr, bytes: Arc<[u8]>) -> usize {
        let text = Text::read(&bytes);
        let wire = self.wires.len();
        self.wires.push(Wire {
            from,
            to,
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

    pub fn asks(&self) -> impl Iterator<Item = &Ask> {
        self.log.iter().filter_map(|(_, what)| match what {
            What::Asked(_, ask) => Some(&**ask),
            _ => None,
        })
    }

    /// All of it as text: two runs of one seed give the same.
    pub fn transcript(&self) -> String {
        let mut out = String::new();
        for (at, what) in &self.log {
            let time = *at / 1_000_000;
            let line = match what {
                What::Sent(wire) => format!("{wire} sent {}", self.line(*wire)),
                What::Dropped(wire) => format!("{wire} dropped"),
                What::Delivered(wire) => format!("{wire} delivered"),
                What::Asked(shard, ask) => {
                    format!("shard {shard} asks {} for {}: {}", ask.id.0, ask.call, question(&ask.question))
                }
                What::Answered(shard, ask) => format!("shard {shard} is answered {ask}"),
                What::Aborted(shard, ask) => format!("shard {shard} aborts {ask}"),
                What::Record(shard, record) => {
                    format!(
                        "shard {shard} records {} {} {} {:?}",
                        record.call,
                        record.seq,
                        change(&record.change),
                        record.event
                    )
                }
                What::Counted(shard, counter) => format!("shard {shard} counts {counter:?}"),
            };
            writeln!(out, "{:>4}.{:03} {line}", time / 1000, time % 1000).expect("a String takes all");
        }
        out
    }

    fn line(&self, wire: usize) -> String {
        let Wire { from, to, text, .. } = &self.wires[wire];
        match text {
            Ok(text) => format!(
                "{from} > {to} {} | {} | {} | ft {} tt {} | {}",
                text.start.trim_end_matches(" SIP/2.0"),
                text.get("cseq"),
                text.call_id(),
                text.tag_of_from(),
                text.to_tag(),
                text.branch()
            ),
            Err(error) => format!("{from} > {to} unreadable: {error}"),
        }
    }
}

fn question(question: &Question) -> String {
    match question {
        Question::Webhook(webhook) => format!("{:?}", webhook.purpose),
        Question::Resolve { host } => format!("resolve {host}"),
    }
}

fn change(change: &Change) -> String {
    match change {
        Change::Admitted { facts, .. } => format!("Admitted {}", facts.sip_call_id),
        Change::Ended(terminal) => format!("{terminal:?}"),
        Change::LegEnded { leg, sip_code } => format!("LegEnded {leg} {sip_code}"),
        Change::Dialled(outcome) => format!("Dialled {:?}", outcome.status),
        Change::Ringing => "Ringing".to_owned(),
        Change::Invited(leg) => format!("Invited {}", leg.leg),
        Change::Answered { .. } => "Answered".to_owned(),
        Change::Acked => "Acked".to_owned(),
        Change::DialogChanged { caller, .. } => format!("DialogChanged {caller}"),
    }
}
