//! A 2xx to an INVITE and its ACK: ours repeated until theirs comes, theirs acknowledged with what ours
//! brought (13.2.2.4, 13.3.1.4).

use std::sync::Arc;

use crate::call::compose;
use crate::call::desk::{Desk, What};
use crate::call::passage;
use crate::call::record::Change;
use crate::call::state::{Answering, Call, Side, StoredAck};
use crate::flow::Flow;
use crate::sip::{Message, Method, Name};

impl Call {
    /// A 2xx of ours has left on `side`; it is repeated until its ACK.
    pub(super) fn answering(
        &self,
        desk: &mut Desk,
        pair: usize,
        side: Side,
        (cseq, far_cseq): (u32, u32),
        flow: crate::flow::Flow,
        bytes: Arc<[u8]>,
    ) -> Box<Answering> {
        let interval = desk.config.timers.t1;
        let timer = Some(desk.start(interval, self.key, What::Answer(pair)));
        let give_up = desk.now + desk.give_up();
        let (retries, repeats) = (0, 0);
        Box::new(Answering { side, cseq, far_cseq, bytes, flow, interval, give_up, timer, retries, repeats })
    }

    /// The ACK of a 2xx of ours did not come in time: once more, or the end.
    pub(super) fn answer_again(&mut self, desk: &mut Desk, pair: usize) {
        let t2 = desk.config.timers.t2;
        let Some(answering) = self.pairs[pair].answering.as_mut() else { return };
        answering.timer = None;
        if desk.now >= answering.give_up {
            self.no_ack(desk, pair);
            return;
        }
        desk.send(answering.flow, &answering.bytes, crate::call::ask::SendToken::default());
        answering.repeats = answering.repeats.saturating_add(1);
        let (repeats, bytes, side) = (answering.repeats, answering.bytes.clone(), answering.side);
        answering.interval = (answering.interval * 2).min(t2);
        let wait = answering.interval.min(answering.give_up.since(desk.now));
        answering.timer = Some(desk.start(wait, self.key, What::Answer(pair)));
        desk.trace_again(self.facts.call, self.leg_of(pair, side), &bytes, false, repeats);
    }

    /// An ACK inside a dialog, for a 2xx of ours.
    pub(super) fn acknowledged(&mut self, desk: &mut Desk, pair: usize, side: Side, ack: &Message<'_>) {
        let expected = self.pairs[pair].answering.as_ref();
        if !expected.is_some_and(|answering| answering.side == side && answering.cseq == ack.cseq().number) {
            return;
        }
        let Some(mut answering) = self.pairs[pair].answering.take() else { return };
        desk.stop(&mut answering.timer);
        if !self.has_acked(pair, side.other(), answering.far_cseq) {
            self.send_ack(desk, pair, side.other(), answering.far_cseq, Some(ack));
        }
        let first = side == Side::A && self.winner == Some(pair) && !self.acked && !self.over;
        if first {
            self.acked = true;
            self.record(desk, Change::Acked, None);
            self.start_liveness(desk, pair);
        }
        self.release_held_bye(desk, pair);
    }

    /// Whether the 2xx of this number on `side` has its ACK.
    pub(super) fn has_acked(&self, pair: usize, side: Side, cseq: u32) -> bool {
        self.pairs[pair].ack[side as usize].as_ref().is_some_and(|ack| ack.cseq == cseq)
    }

    /// Acknowledges a 2xx on `side` without a body, unless it is acknowledged already: 13.2.2.4 wants
    /// an ACK for every 2xx, whatever became of the other side.
    pub(super) fn ensure_ack(&mut self, desk: &mut Desk, pair: usize, side: Side, cseq: u32) {
        if !self.has_acked(pair, side, cseq) {
            self.send_ack(desk, pair, side, cseq, None);
        }
    }

    /// Acknowledges a 2xx on `side`, with the body of the other side's ACK where there is one.
    pub(super) fn send_ack(
        &mut self,
        desk: &mut Desk,
        pair: usize,
        side: Side,
        cseq: u32,
        ack: Option<&Message<'_>>,
    ) {
        let credentials = self.dialog_credentials(desk, (pair, side), Method::Ack);
        let body = ack.map(|ack| self.body_toward(pair, side, ack)).unwrap_or_default();
        let branch = desk.mint_branch(self.shard);
        let mut paper = std::mem::take(&mut desk.paper);
        let known = self.flow.local;
        let dialog = self.pairs[pair].dialog(side);
        let parts = compose::InDialog { method: Method::Ack, dialog, branch, known, cseq };
        let mut writer = compose::in_dialog(&mut paper, &desk.config, &parts);
        writer.bytes(&credentials);
        match ack {
            Some(ack) => {
                compose::hops(&mut writer, ack);
                passage::request_headers(&mut writer, ack, &self.passage(pair, side, ack), &[]);
                writer.body(&body);
            }
            None => {
                writer.numeric(Name::MaxForwards, 70);
                writer.finish();
            }
        }
        let flow = dialog.flow;
        desk.paper = paper;
        self.leave_ack(desk, (pair, side), cseq, flow);
    }

    /// The transaction of a leg's INVITE is over: no 2xx of it can come again, and its ACK is not kept.
    pub(super) fn drop_ack(&mut self, leg: usize) {
        let cseq = self.legs[leg].cseq;
        let acks =
            self.pairs.iter_mut().filter(|pair| pair.leg == leg).map(|pair| &mut pair.ack[Side::B as usize]);
        for ack in acks.flatten().filter(|ack| ack.cseq == cseq) {
            ack.left = None;
        }
    }

    /// Sends the ACK that is written, and keeps it for a 2xx that comes again.
    pub(super) fn leave_ack(&mut self, desk: &mut Desk, (pair, side): (usize, Side), cseq: u32, flow: Flow) {
        desk.send_paper(flow);
        desk.trace_sent(self.facts.call, self.leg_of(pair, side));
        let left = Some(Box::new((flow, desk.paper.as_slice().into())));
        self.pairs[pair].ack[side as usize] = Some(StoredAck { cseq, left });
    }
}
