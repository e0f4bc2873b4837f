//! Reliable provisional responses toward the caller (RFC 3262): what a target sends reliably, and
//! what must be sent so because the caller requires it. PRACK passes end to end, RAck translated.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::call::desk::{Desk, What};
use crate::call::mint::Tag;
use crate::call::outcome::HangupSource;
use crate::call::program::Failure;
use crate::call::record::Change;
use crate::call::state::{Call, LegState, Side};
use crate::flow::Flow;
use crate::reason::Reason;
use crate::sip::{Kept, Message, Method, Name};
use crate::time::Instant;
use crate::timers::TimerId;
use crate::transaction::table::TransactionId;

/// Responses that wait for the PRACK of one before them; a target repeats what finds no room.
const WAITING: usize = 4;

/// The reliable responses under one To tag of ours.
#[derive(Debug)]
pub(super) struct Reliable {
    pub tag: Tag,
    /// The CSeq number of the caller's INVITE.
    cseq: u32,
    /// The RSeq used last.
    rseq: u32,
    pub open: Option<Unacknowledged>,
    waiting: VecDeque<Waiting>,
}

/// A response that has no PRACK yet.
#[derive(Debug)]
pub(super) struct Unacknowledged {
    /// Who waits for the PRACK; `None`: only we do.
    of: Option<Source>,
    has_body: bool,
    code: u16,
    bytes: Arc<[u8]>,
    interval: Duration,
    give_up: Instant,
    pub timer: Option<TimerId>,
    repeats: u16,
}

/// A target's reliable response.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub pair: usize,
    pub rseq: u32,
    /// The number of our INVITE that it answers.
    pub cseq: u32,
}

#[derive(Debug)]
struct Waiting {
    code: u16,
    leg: Option<usize>,
    response: Option<Kept>,
    of: Option<Source>,
}

impl Call {
    /// Whether the caller takes provisional responses only reliably (RFC 3262 3).
    pub(super) fn requires_100rel(&self) -> bool {
        self.invite.as_ref().is_some_and(|kept| kept.message().lists(Name::Require, "100rel"))
    }

    /// Whether the first word to the caller must hold an offer (RFC 3262 5), which only a target has.
    pub(super) fn wants_offer_reliably(&self) -> bool {
        let has_offer = self.invite.as_ref().is_none_or(|kept| !kept.message().body().is_empty());
        self.requires_100rel() && !has_offer
    }

    /// A target's provisional response is to be taken: unreliable, or reliable and next in its
    /// order. `Err`: a repetition, one that came too early, or one there is no room for.
    pub(super) fn in_order(&mut self, pair: usize, response: &Message<'_>) -> Result<Option<Source>, ()> {
        let sent_so = response.lists(Name::Require, "100rel");
        let offered = self.invite.as_ref().is_some_and(|kept| {
            let caller = kept.message();
            [Name::Supported, Name::Require].iter().any(|name| caller.lists(*name, "100rel"))
        });
        let Some(rseq) = response.rseq().filter(|_| sent_so && offered) else { return Ok(None) };
        let full = self.reliable(self.pairs[pair].a_tag).is_some_and(|of| of.waiting.len() >= WAITING);
        let (heard, cseq) = (&mut self.pairs[pair].heard_rseq, response.cseq().number);
        let last = heard.filter(|(_, of)| *of == cseq);
        if full || last.is_some_and(|(last, _)| last.checked_add(1) != Some(rseq)) {
            return Err(());
        }
        *heard = Some((rseq, cseq));
        Ok(Some(Source { pair, rseq, cseq }))
    }

    /// The RSeq of the next reliable response under `tag`. `None`: one of them has no PRACK yet, and
    /// this one waits for it.
    pub(super) fn next_rseq(
        &mut self,
        desk: &mut Desk,
        tag: Tag,
        code: u16,
        relayed: Option<(usize, &Message<'_>)>,
        of: Option<Source>,
    ) -> Option<u32> {
        let cseq = self.invite.as_ref().map_or(0, |kept| kept.message().cseq().number);
        let at = self.reliables.iter().position(|known| known.tag == tag).unwrap_or_else(|| {
            // RFC 3262 3: between 1 and 2^31 - 1, and room to count on.
            let rseq = desk.generator.next_u32() & 0x3fff_ffff;
            self.reliables.push(Reliable { tag, cseq, rseq, open: None, waiting: VecDeque::new() });
            self.reliables.len() - 1
        });
        let reliable = &mut self.reliables[at];
        if reliable.open.is_some() {
            if reliable.waiting.len() < WAITING {
                let (leg, response) = relayed.map(|(leg, response)| (leg, Kept::new(response))).unzip();
                reliable.waiting.push_back(Waiting { code, leg, response, of });
            }
            return None;
        }
        reliable.rseq += 1;
        Some(reliable.rseq)
    }

    /// The reliable response on the paper has left: it is repeated until its PRACK, over TCP too.
    pub(super) fn await_prack(
        &mut self,
        desk: &mut Desk,
        tag: Tag,
        code: u16,
        of: Option<Source>,
        has_body: bool,
    ) {
        let Some(at) = self.reliables.iter().position(|known| known.tag == tag) else { return };
        let interval = desk.config.timers.t1;
        self.reliables[at].open = Some(Unacknowledged {
            of,
            has_body,
            code,
            bytes: desk.paper.as_slice().into(),
            interval,
            give_up: desk.now + desk.give_up(),
            timer: Some(desk.start(interval, self.key, What::Reliable(at))),
            repeats: 0,
        });
    }

    /// The PRACK of a reliable response did not come in time: once more, or the INVITE is refused.
    pub(super) fn reliable_again(&mut self, desk: &mut Desk, at: usize) {
        let (Some(server), Some(open)) = (self.server, self.reliables[at].open.as_mut()) else { return };
        open.timer = None;
        if desk.now >= open.give_up {
            self.reliables[at].open = None;
            let failure = Failure { status: 500, reason: Reason::NoPrack };
            return self.refuse(desk, failure, HangupSource::Router);
        }
        desk.paper.clear();
        desk.paper.extend_from_slice(&open.bytes);
        desk.respond(server, open.code);
        open.repeats = open.repeats.saturating_add(1);
        // RFC 3262 3: it doubles without bound until 64*T1 are over.
        open.interval *= 2;
        let wait = open.interval.min(open.give_up.since(desk.now));
        open.timer = Some(desk.start(wait, self.key, What::Reliable(at)));
        let (bytes, repeats) = (open.bytes.clone(), open.repeats);
        desk.trace_again(self.facts.call, None, &bytes, false, repeats);
    }

    /// PRACK: it goes to the target whose response it acknowledges, or ends here.
    pub(super) fn prack(
        &mut self,
        desk: &mut Desk,
        side: Side,
        server: TransactionId,
        flow: &Flow,
        request: &Message<'_>,
    ) {
        let Some(at) = self.acknowledged_by(request).filter(|_| side == Side::A) else {
            return self.refuse_request(desk, server, flow, request, 481, Some(Reason::NoSuchDialog));
        };
        let Some(mut open) = self.reliables[at].open.take() else { return };
        desk.stop(&mut open.timer);
        match open.of.filter(|of| self.pairs[of.pair].alive[Side::B as usize] && !self.over) {
            Some(of) => self.relay_prack(desk, of, server, flow, request),
            // An offer in it would have nobody to answer it.
            None if !request.body().is_empty() => {
                self.refuse_request(desk, server, flow, request, 488, Some(Reason::NoSuchDialog));
            }
            None => self.refuse_request(desk, server, flow, request, 200, None),
        }
        self.acknowledged_reliably(desk, at);
    }

    /// Which of our responses that still wait a PRACK names.
    fn acknowledged_by(&self, prack: &Message<'_>) -> Option<usize> {
        let (tag, rack) = (prack.to().tag()?, prack.rack()?);
        self.reliables.iter().position(|known| {
            known.tag.as_bytes() == tag
                && known.open.is_some()
                && known.rseq == rack.rseq
                && known.cseq == rack.cseq.number
                && rack.cseq.method == Method::Invite
        })
    }

    /// What waited for a PRACK goes on: the answer, or the next response.
    fn acknowledged_reliably(&mut self, desk: &mut Desk, at: usize) {
        let tag = self.reliables[at].tag;
        let is_its = |held: &mut Box<(usize, Kept)>| self.pairs[held.0].a_tag == tag;
        if let Some(held) = self.held_answer.take_if(is_its) {
            return self.answer(desk, held.0, &held.1.message());
        }
        let Some(next) = self.reliables[at].waiting.pop_front() else { return };
        let relayed = next.response.as_ref().map(Kept::message);
        let relayed = next.leg.zip(relayed.as_ref());
        self.ring(desk, next.code, tag, relayed, next.of);
    }

    /// Whether a 2xx under `tag` must wait: a session description was sent reliably and has no PRACK
    /// (RFC 3262 3).
    pub(super) fn must_wait(&self, tag: Tag) -> bool {
        let open = self.reliable(tag).and_then(|known| known.open.as_ref());
        open.is_some_and(|open| open.has_body && open.timer.is_some())
    }

    /// A target's 2xx waits for a PRACK of the caller; whether this is the same once more.
    pub(super) fn holds_answer(&self, leg: usize, remote_tag: &[u8]) -> bool {
        let same = |pair: usize| self.pairs[pair].leg == leg && &*self.pairs[pair].b.remote_tag == remote_tag;
        self.held_answer.as_ref().is_some_and(|held| same(held.0))
    }

    /// The caller hears something else than the 2xx that waited: its target gets ACK and BYE.
    pub(super) fn drop_held_answer(&mut self, desk: &mut Desk) {
        let Some((pair, held)) = self.held_answer.take().map(|held| *held) else { return };
        let leg = self.pairs[pair].leg;
        self.pairs[pair].alive = [false; 2];
        self.legs[leg].state = LegState::Abandoned;
        self.lost(desk, leg, &held.message());
        let sid = self.legs[leg].sid;
        self.record(desk, Change::LegEnded { leg: sid, sip_code: 487 }, None);
    }

    /// A final response left: nothing provisional is repeated behind it. What has no PRACK yet may
    /// still get one (RFC 3262 3).
    pub(super) fn stop_reliables(&mut self, desk: &mut Desk) {
        for reliable in &mut self.reliables {
            reliable.waiting.clear();
            if let Some(open) = reliable.open.as_mut() {
                desk.stop(&mut open.timer);
            }
        }
    }

    /// A leg is over: what it said early is not repeated.
    pub(super) fn silence_early(&mut self, desk: &mut Desk, leg: usize) {
        desk.stop(&mut self.legs[leg].timer_c);
        let of_leg = |tag: Tag| self.pairs.iter().any(|pair| pair.leg == leg && pair.a_tag == tag);
        let own = self.own_tag;
        for reliable in self.reliables.iter_mut().filter(|known| known.tag != own && of_leg(known.tag)) {
            reliable.waiting.clear();
            if let Some(open) = reliable.open.as_mut() {
                desk.stop(&mut open.timer);
            }
        }
    }

    fn reliable(&self, tag: Tag) -> Option<&Reliable> {
        self.reliables.iter().find(|known| known.tag == tag)
    }
}
