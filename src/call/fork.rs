//! The nouns of one Dial, rung together: each goes through its addresses by itself, and the first
//! 2xx ends the others (RFC 3261 16.7).

use std::collections::VecDeque;

use crate::call::ask::{Answer, Question};
use crate::call::desk::Desk;
use crate::call::instructions::Dial;
use crate::call::planning::Host;
use crate::call::program::{self, Failure};
use crate::call::state::{Call, Fork, Phase, Run, one_at_first};
use crate::call::trace::TraceItem;
use crate::flow::Destination;
use crate::reason::Reason;

/// The Max-Breadth of a caller that names none, and the most that is granted (RFC 5393 5.3.3).
const BREADTH: u32 = 60;

impl Call {
    /// Rings all nouns of a Dial at once.
    pub(super) fn dial(&mut self, desk: &mut Desk, dial: Box<Dial>) {
        self.enter(Phase::Dialling);
        let mut hosts = Vec::with_capacity(dial.nouns.len());
        let mut run = Run::new(dial);
        for noun in &run.dial.nouns {
            let allowed = self.may_dial(desk, &noun.target);
            let gateways = allowed.and_then(|()| self.gateways_of(desk, noun));
            let first = gateways
                .as_ref()
                .map_err(|reason| *reason)
                .and_then(|gateways| self.plan(desk, noun, &run.dial, gateways.first().map(AsRef::as_ref)));
            match first {
                Ok((plan, host)) => {
                    let gateways = gateways.unwrap_or_default();
                    let others = gateways.iter().skip(1);
                    let more = others.filter_map(|other| self.plan(desk, noun, &run.dial, Some(other)).ok());
                    one_at_first(&mut run.forks);
                    run.forks.push(Fork {
                        plan,
                        breadth: 0,
                        hops: VecDeque::new(),
                        more: more.collect(),
                        resolving: None,
                        leg: None,
                        tried: Vec::new(),
                    });
                    hosts.push(host);
                }
                Err(reason) => {
                    self.tell_refused_dial(desk, reason);
                    note(&mut run.best, Failure { status: reason.status().max(400), reason }, None)
                }
            }
        }
        if !self.share_breadth(&mut run.forks) {
            let short = Failure { status: 440, reason: Reason::BreadthExceeded };
            *self.run_place() = Some(Box::new(run));
            return self.dial_failed(desk, short, None);
        }
        run.unbegun = run.forks.len();
        *self.run_place() = Some(Box::new(run));
        for (fork, host) in hosts.into_iter().enumerate() {
            if let Some(run) = self.run_mut() {
                run.unbegun -= 1;
            }
            self.start_fork(desk, fork, host);
        }
        self.unless_all_failed(desk);
    }

    /// Splits the caller's Max-Breadth over the forks. False: there is not one for each.
    fn share_breadth(&self, forks: &mut [Fork]) -> bool {
        let named = self.invite.as_ref().and_then(|kept| kept.message().max_breadth());
        let mut left = named.unwrap_or(BREADTH).min(BREADTH);
        let mut without = u32::try_from(forks.len()).unwrap_or(u32::MAX);
        if left < without {
            return false;
        }
        for fork in forks {
            fork.breadth = left.div_ceil(without);
            left -= fork.breadth;
            without -= 1;
        }
        true
    }

    fn start_fork(&mut self, desk: &mut Desk, fork: usize, host: Host) {
        match host {
            Host::At(hop) => {
                // A gateway that is dead lets the others go before it.
                if self.comes_last(desk, fork, hop) {
                    return;
                }
                self.at_fork(fork, |fork| fork.hops = [hop].into());
                self.next_hop(desk, fork);
            }
            Host::Name(name) => {
                let host = name.host.clone();
                let id = desk.ask(self.key, self.facts.call, Question::Resolve(name));
                desk.trace(self.facts.call, TraceItem::Asked(id, host));
                self.at_fork(fork, |fork| fork.resolving = Some(id));
            }
        }
    }

    /// The addresses of a fork's host, or that it has none.
    pub(super) fn fork_resolved(&mut self, desk: &mut Desk, fork: usize, answer: Option<Answer>) {
        let hops = match answer {
            Some(Answer::Addresses(hops)) => desk.dead.last(desk.now, hops),
            _ => VecDeque::new(),
        };
        if hops.is_empty() {
            self.note_failure(Failure { status: 500, reason: Reason::TargetUnresolved }, None);
        }
        self.at_fork(fork, |fork| {
            fork.resolving = None;
            fork.hops = hops;
        });
        self.next_hop(desk, fork);
        self.unless_all_failed(desk);
    }

    /// Invites a fork at its next address. False: there is none, it has failed.
    fn next_hop(&mut self, desk: &mut Desk, fork: usize) -> bool {
        while let Some(hop) = self.run_mut().and_then(|run| run.forks[fork].hops.pop_front()) {
            if self.invite_at(desk, fork, hop) {
                return true;
            }
            self.note_failure(Failure { status: 500, reason: Reason::TargetUnreachable }, None);
        }
        self.next_gateway(desk, fork)
    }

    /// Goes on with a fork through its next gateway. False: there is none.
    fn next_gateway(&mut self, desk: &mut Desk, fork: usize) -> bool {
        let next = self.run_mut().and_then(|run| run.forks[fork].more.pop_front());
        let Some((plan, host)) = next else { return false };
        self.at_fork(fork, |fork| fork.plan = plan);
        self.start_fork(desk, fork, host);
        self.run().is_some_and(|run| !run.forks[fork].is_over())
    }

    /// Puts a gateway whose only place did not answer lately behind the others, once. False: there is
    /// no other, or it answered.
    fn comes_last(&mut self, desk: &mut Desk, fork: usize, hop: Destination) -> bool {
        // Contacts of a 3xx keep the order their server gave them.
        if self.run().is_some_and(|run| run.forks[fork].plan.depth > 0) {
            return false;
        }
        let is_dead = desk.dead.has(desk.now, &hop);
        let others = self.run().is_some_and(|run| {
            let alive = |host: &Host| !matches!(host, Host::At(hop) if desk.dead.has(desk.now, hop));
            run.forks[fork].more.iter().any(|(_, host)| alive(host))
        });
        if !(is_dead && others) {
            return false;
        }
        let Some(run) = self.run_mut() else { return false };
        let of = &mut run.forks[fork];
        let Some((plan, host)) = of.more.pop_front() else { return false };
        of.more.push_back((std::mem::replace(&mut of.plan, plan), Host::At(hop)));
        self.start_fork(desk, fork, host);
        true
    }

    /// A leg failed: its fork's next address, or one fork less. The others ring on, unless it was
    /// 6xx: then nobody else is to be tried (16.7 step 5).
    pub(super) fn fork_failed(&mut self, desk: &mut Desk, leg: usize, failure: Failure, elsewhere: bool) {
        let Some(fork) = self.fork_that(|fork| fork.leg == Some(leg)) else { return };
        self.at_fork(fork, |fork| fork.leg = None);
        if failure.status >= 600 && self.emergency.is_none() {
            self.note_failure(failure, Some(leg));
            self.stop_forks(desk, 487, b"");
            return self.dial_failed(desk, failure, Some(leg));
        }
        // A Contact's refusal stands beside those of the others (16.7); else, where the noun is reached
        // elsewhere, what is said there is its answer.
        let redirected = self.run().is_some_and(|run| run.forks[fork].is_redirected());
        if redirected && !elsewhere {
            if failure.status >= 400 {
                self.note_failure(failure, Some(leg));
            }
            self.at_fork(fork, |fork| fork.hops.clear());
        }
        if !((elsewhere || redirected) && self.next_hop(desk, fork)) {
            self.note_failure(as_refusal(failure), Some(leg));
        }
        self.unless_all_failed(desk);
    }

    /// The Dial goes on as long as anything rings or is looked up; else it ends with its best.
    fn unless_all_failed(&mut self, desk: &mut Desk) {
        let Some(run) = self.run().filter(|_| self.may_invite()) else { return };
        if !run.forks.iter().all(Fork::is_over) {
            return;
        }
        let none = (Failure { status: 480, reason: Reason::TargetInvalid }, None);
        let (failure, leg) = run.best.unwrap_or(none);
        self.dial_failed(desk, failure, leg);
    }

    /// Nobody waits for the forks any more: CANCEL to those that ring, with `extra` header lines.
    pub(super) fn stop_forks(&mut self, desk: &mut Desk, code: u16, extra: &[u8]) {
        if let Some(mut run) = self.run_place().take() {
            self.stop_run(desk, &mut run, code, extra);
            *self.run_place() = Some(run);
        }
    }

    /// The same for a Dial at hand.
    pub(super) fn stop_run(&mut self, desk: &mut Desk, run: &mut Run, code: u16, extra: &[u8]) {
        for fork in &mut run.forks {
            fork.hops.clear();
            fork.more.clear();
            if let Some(ask) = fork.resolving.take() {
                desk.abort(ask);
            }
            if let Some(leg) = fork.leg.take() {
                self.abandon_leg(desk, leg, code, extra);
            }
        }
    }

    /// The leg that stands for a Dial nobody answered: one that rings, before one that is silent.
    pub(super) fn ringing_leg(&self) -> Option<usize> {
        self.leg_of_run(self.run()?)
    }

    /// The same for a Dial at hand.
    pub(super) fn leg_of_run(&self, run: &Run) -> Option<usize> {
        let legs = || run.forks.iter().filter_map(|fork| fork.leg);
        legs()
            .find(|leg| self.legs[*leg].heard)
            .or_else(|| legs().next())
            .or(run.best.and_then(|(_, leg)| leg))
    }

    /// The fork of the running Dial that is meant.
    pub(super) fn fork_that(&self, is_meant: impl Fn(&Fork) -> bool) -> Option<usize> {
        self.run()?.forks.iter().position(is_meant)
    }

    fn at_fork(&mut self, fork: usize, change: impl FnOnce(&mut Fork)) {
        if let Some(run) = self.run_mut() {
            change(&mut run.forks[fork]);
        }
    }

    fn note_failure(&mut self, failure: Failure, leg: Option<usize>) {
        if let Some(run) = self.run_mut() {
            note(&mut run.best, failure, leg);
        }
    }
}

/// A 3xx that led nowhere, as the caller hears it.
fn as_refusal(failure: Failure) -> Failure {
    Failure { status: if failure.status < 400 { 480 } else { failure.status }, ..failure }
}

/// Remembers the better of two failures, with its leg.
fn note(best: &mut Option<(Failure, Option<usize>)>, failure: Failure, leg: Option<usize>) {
    if best.is_none_or(|(known, _)| program::better(known, failure) != known) {
        *best = Some((failure, leg));
    }
}
