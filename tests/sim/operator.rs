//! Operators: new directories, hang-ups and other documents from outside, drain, a full journal, at moments of their own.

use callgate::engine::door::Input;
use callgate::ids::CallSid;

use crate::application::hook;
use crate::evidence::What;
use crate::phone::MS;
use crate::provision;
use crate::restart::Life;
use crate::world::{Event, World};

/// What an operator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A new generation, with or without the number 1000.
    Directory {
        generation: u64,
        number: bool,
    },
    Drain(bool),
    JournalFull(bool),
    Hangup(CallSid),
    /// `kill -9`, and the next life.
    Kill,
    Start,
    /// A record that was not written any more.
    Lost,
    /// Another document for a call.
    GoOn(CallSid),
}

/// What an operator means to do.
#[derive(Clone, Copy, Debug)]
pub enum Intent {
    Directory {
        number: bool,
    },
    Drain(bool),
    JournalFull(bool),
    /// Of any call there was.
    Hangup,
    GoOn,
}

impl World {
    /// What happens from outside in this world, and when.
    pub fn operators(&mut self) {
        self.operate(Intent::Directory { number: true });
        if self.options.plain {
            return;
        }
        let hangups = self.rng.below(4);
        for _ in 0..hangups.max(self.options.hangups) {
            let at = self.rng.between(1, 30_000) * MS;
            self.at(at, Event::Operate(Intent::Hangup));
        }
        for _ in 0..self.rng.below(4) {
            let at = self.rng.between(1, 25_000) * MS;
            self.at(at, Event::Operate(Intent::GoOn));
        }
        for _ in 0..self.rng.below(3) {
            let at = self.rng.between(1, 25_000) * MS;
            self.at(at, Event::Operate(Intent::Directory { number: true }));
        }
        let spans: [fn(bool) -> Intent; 3] =
            [|on| Intent::Directory { number: !on }, Intent::Drain, Intent::JournalFull];
        for span in spans {
            if self.rng.chance(20) {
                let begin = self.rng.between(1, 20_000);
                let end = begin + self.rng.between(200, 6_000);
                self.at(begin * MS, Event::Operate(span(true)));
                self.at(end * MS, Event::Operate(span(false)));
            }
        }
    }

    pub fn operate(&mut self, intent: Intent) {
        if self.life == Life::Down {
            return;
        }
        let act = match intent {
            Intent::Directory { number } => {
                self.generation += 1;
                Act::Directory { generation: self.generation, number }
            }
            Intent::Drain(on) => Act::Drain(on),
            Intent::JournalFull(full) => Act::JournalFull(full),
            Intent::Hangup | Intent::GoOn => {
                let calls = self.evidence.admitted();
                if calls.is_empty() {
                    return;
                }
                // Most of them are over long since.
                let late = calls.len().saturating_sub(3);
                let call =
                    if self.rng.chance(70) { self.rng.pick(&calls[late..]) } else { self.rng.pick(&calls) };
                if matches!(intent, Intent::Hangup) { Act::Hangup(call) } else { Act::GoOn(call) }
            }
        };
        self.evidence.note(What::Act(act));
        if !self.tampering.lets(act) {
            return;
        }
        for shard in 0..self.shards() {
            self.drive(
                shard,
                match act {
                    Act::Directory { generation, number } => {
                        Input::Directory(provision::directory(generation, number, self.options.wide))
                    }
                    Act::Drain(on) => Input::Drain(on),
                    Act::JournalFull(full) => Input::JournalFull(full),
                    Act::Hangup(call) => Input::Hangup { call },
                    Act::Kill | Act::Start | Act::Lost => unreachable!("nobody means to"),
                    Act::GoOn(call) => Input::GoOn { call, hook: hook("other") },
                },
            );
        }
    }
}
