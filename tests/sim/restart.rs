//! `kill -9` and a restart, at any moment: the engines are gone, with every connection and question; new
//! ones get what was written. Between an input and its records there is a moment in which messages leave
//! and records are lost.

use std::collections::BTreeMap;

use callgate::call::record::{Change, Record};
use callgate::call::recover::Recovered;
use callgate::engine::Engine;
use callgate::engine::door::Input;
use callgate::ids::CallSid;
use callgate::routing::limits::Limits;

use crate::evidence::What;
use crate::operator::{Act, Intent};
use crate::phone::MS;
use crate::tamper::Tamper;
use crate::truths;
use crate::world::{Event, Options, World, run};
use crate::{live, number};

/// Whether there is a router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Life {
    /// It runs.
    #[default]
    Up,
    /// It runs until the next thing it does: what that leaves in the journal is lost.
    Dying,
    /// Nobody is there.
    Down,
}

impl World {
    /// When the router dies in this world.
    pub fn killers(&mut self) {
        for _ in 0..self.options.kills {
            let at = self.rng.between(1, 30_000) * MS;
            self.at(at, Event::Kill);
        }
    }

    /// The end of one life, at once or in the middle of the next thing that happens.
    pub fn kill(&mut self) {
        if self.life != Life::Up {
            return;
        }
        match self.options.torn && self.rng.chance(50) {
            true => self.life = Life::Dying,
            false => self.die(),
        }
    }

    /// What was written since `from` in the log is lost, and the router with it.
    pub fn die_in_the_middle(&mut self, from: usize) {
        for (_, what) in &mut self.evidence.log[from..] {
            if matches!(what, What::Record(..)) {
                *what = What::Act(Act::Lost);
            }
        }
        self.die();
    }

    fn die(&mut self) {
        self.life = Life::Down;
        self.evidence.note(What::Act(Act::Kill));
        self.streams.break_all();
        self.forget_engines();
        let down = self.rng.between(100, 4_000) * MS;
        self.at(self.now + down, Event::Start);
    }

    /// Another process with the same journal.
    pub fn start_again(&mut self) {
        let limits = Limits::default();
        for shard in 0..self.shards() {
            let mut born = [0; 32];
            born.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.rng.next().to_be_bytes()));
            self.engines[shard] = Engine::new(self.config.clone(), born).sharing(limits.clone());
        }
        self.life = Life::Up;
        self.evidence.note(What::Act(Act::Start));
        for intent in [Intent::Drain(false), Intent::JournalFull(false)] {
            self.operate(intent);
        }
        let last = self.evidence.log.iter().rev().find_map(|(_, what)| match what {
            What::Act(Act::Directory { number, .. }) => Some(*number),
            _ => None,
        });
        self.operate(Intent::Directory { number: last.unwrap_or(true) });
        let mut calls: BTreeMap<CallSid, Vec<Record>> = BTreeMap::new();
        for record in self.evidence.records() {
            calls.entry(record.call).or_default().push(record.clone());
        }
        for records in calls.into_values() {
            if let Some(recovered) = self.tampering.recovered(records) {
                let shard = usize::from(recovered.shard().0) % self.shards();
                self.drive(shard, Input::Recovered(Box::new(recovered)));
            }
        }
    }
}

/// What a start finds of one call, with the sabotage that is on.
pub fn found(mut records: Vec<Record>, tamper: Option<Tamper>) -> Option<Recovered> {
    if tamper == Some(Tamper::ForgetEnds) {
        records.retain(|record| !matches!(record.change, Change::Ended(_)));
    }
    let mut found = Recovered::of(&records)?;
    match tamper {
        Some(Tamper::ForgetCalls) => return None,
        Some(Tamper::ForgetAnswers) => found.talk = None,
        Some(Tamper::ForgetLegs) => found.legs.clear(),
        _ => {}
    }
    Some(found)
}

/// What holds where the router dies, beside what a dead one cannot do: requests on their way through
/// dialogs are forgotten. CANCEL may come before a provisional, as nobody knows any more which came; and
/// a target that answers after the end of its call, when nobody was there, gives up by itself.
const KILLED: &[&str] = &[
    "every message that leaves can be read",
    "rsip reads the same",
    "CSeq numbers rise within a dialog",
    "an ACK is never answered",
    "one question per INVITE",
    "records and events have no gap",
    "each call ends once",
    "each leg that is told of ends once",
    "questions follow the record",
    "nothing panics",
    "quiet means empty",
    "an answered call goes on after a kill",
    "a call that was not answered ends at the start",
    "whoever rang is cancelled after a kill",
    "a call that goes on ends on both sides",
];

/// What of it holds also where records are lost that messages have left for.
const TORN: &[&str] = &[
    "every message that leaves can be read",
    "rsip reads the same",
    "an ACK is never answered",
    "records and events have no gap",
    "each call ends once",
    "each leg that is told of ends once",
    "questions follow the record",
    "nothing panics",
    "quiet means empty",
    "an answered call goes on after a kill",
    "a call that was not answered ends at the start",
];

#[test]
fn killed_at_any_moment_calls_go_on_or_end() {
    let options = Options { kills: 2, ..Options::default() };
    live("killed_at_any_moment_calls_go_on_or_end", 200, &options, Some(KILLED));
}

#[test]
fn killed_over_three_shards_calls_go_on_or_end() {
    let options = Options { kills: 3, shards: 3, loss: 5, ..Options::default() };
    live("killed_over_three_shards_calls_go_on_or_end", 60, &options, Some(KILLED));
}

#[test]
fn killed_in_a_wide_world_calls_go_on_or_end() {
    let options = Options { kills: 2, wide: true, ..Options::default() };
    live("killed_in_a_wide_world_calls_go_on_or_end", 60, &options, Some(KILLED));
}

#[test]
fn killed_between_a_message_and_its_record_each_call_ends_once() {
    let options = Options { kills: 3, torn: true, ..Options::default() };
    live("killed_between_a_message_and_its_record_each_call_ends_once", 200, &options, Some(TORN));
}

pub const SABOTAGE: &[(Tamper, &str)] = &[
    (Tamper::ForgetCalls, "each call ends once"),
    (Tamper::ForgetCalls, "a call that was not answered ends at the start"),
    (Tamper::ForgetEnds, "each call ends once"),
    (Tamper::ForgetAnswers, "an answered call goes on after a kill"),
    (Tamper::ForgetLegs, "whoever rang is cancelled after a kill"),
    (Tamper::LoseByes, "a call that goes on ends on both sides"),
];

#[test]
fn every_truth_about_kills_can_fail() {
    if number("CALLGATE_SEED").is_some() {
        return;
    }
    for (tamper, name) in SABOTAGE {
        let (_, truth) = truths::ALL.iter().find(|(own, _)| own == name).expect("a truth of this name");
        let options = Options { kills: 3, tamper: Some(*tamper), ..Options::default() };
        let seen = (0..40).any(|seed| truth(&run(seed, &options)).is_err());
        assert!(seen, "{tamper:?} goes unnoticed by `{name}`");
    }
}
