//! Responses to the requests that pass inside a call, back to whoever sent them.

use std::sync::Arc;

use crate::call::compose;
use crate::call::desk::Desk;
use crate::call::passage;
use crate::call::session;
use crate::call::state::{Call, Relay, Side};
use crate::sip::{Message, Method, Name};
use crate::transaction::table::TransactionId;

impl Call {
    /// A response to a relayed request.
    pub(super) fn relay_responded(&mut self, desk: &mut Desk, id: u32, response: &Message<'_>) {
        let code = response.code().unwrap_or(500);
        let Some(at) = self.relays.iter().position(|relay| relay.id == id) else {
            return self.late_success(desk, response);
        };
        let (pair, from) = (self.relays[at].pair, self.relays[at].from);
        if code == 100 {
            return;
        }
        let relay = &self.relays[at];
        let may_ask = matches!(code, 401 | 407) && !relay.authorized && !relay.cancel;
        if may_ask && self.challenged(pair, from.other(), response) {
            return self.relay_again(desk, at);
        }
        let lost = matches!(code, 408 | 481);
        self.listen(pair, from.other(), response);
        self.pass_response(desk, at, response);
        if code < 200 {
            return;
        }
        let relay = self.relays.remove(at);
        if code < 300 {
            self.refresh(desk, &relay, response);
            if relay.refreshes {
                let agreed = session::agreed(&relay.request.message(), relay.session, response);
                self.refreshed(desk, pair, agreed);
            }
            match relay.server {
                Some(server) if relay.invite => self.reanswer(desk, &relay, server, pair),
                // Nobody is left on the other side to acknowledge it.
                None if relay.invite => self.ensure_ack(desk, pair, from.other(), relay.far_cseq),
                _ => {}
            }
        }
        if lost {
            self.peer_lost(desk, pair, Some(from.other()));
        }
    }

    /// Writes a response of the far side to the sender of the request, and sends it.
    fn pass_response(&mut self, desk: &mut Desk, at: usize, response: &Message<'_>) {
        let body = self.body_toward(self.relays[at].pair, self.relays[at].from, response);
        let relay = &self.relays[at];
        let Some(server) = relay.server else { return };
        let code = response.code().unwrap_or(500);
        // A provisional answer to anything but INVITE stays here (RFC 4320 4.1).
        if code < 200 && !relay.invite {
            return;
        }
        let code = toward_sender(code);
        let request = relay.request.message();
        // Inside a dialog nothing is sent reliably, so nothing at all where only that is taken.
        if code < 200 && request.lists(Name::Require, "100rel") {
            return;
        }
        let mut paper = std::mem::take(&mut desk.paper);
        let mut writer = compose::response(&mut paper, &request, &relay.flow, code, None);
        // A subscription inside the dialog is refreshed through us too (RFC 6665 4.2.1.1).
        let names_us = relay.refreshes || request.method() == Some(Method::Subscribe);
        if code < 300 && names_us {
            let dialog = self.pairs[relay.pair].dialog(relay.from);
            compose::contact(&mut writer, &desk.config, &dialog.flow, self.flow.local, dialog.is_sips());
        }
        let passage = self.passage(relay.pair, relay.from, response);
        passage::response_headers(&mut writer, response, &passage);
        if relay.refreshes && (200..300).contains(&code) {
            session::tell(&mut writer, &request, session::agreed(&request, relay.session, response));
        }
        if relay.refreshes && code == 422 {
            response.all(Name::MinSe).for_each(|line| {
                writer.bytes(line.line);
            });
        }
        // When to come back is the far side's to say where its own state is in the way (14.2).
        if code == 500
            && response.code() == Some(500)
            && let Some(after) = response.header(Name::RetryAfter)
        {
            writer.bytes(after.line);
        }
        writer.body(&body);
        desk.paper = paper;
        let (pair, from) = (relay.pair, relay.from);
        desk.respond(server, code);
        desk.trace_sent(self.facts.call, self.leg_of(pair, from));
    }

    /// A re-INVITE succeeded: our 2xx is repeated until its ACK.
    fn reanswer(&mut self, desk: &mut Desk, relay: &Relay, server: TransactionId, pair: usize) {
        let bytes: Arc<[u8]> = desk.paper.as_slice().into();
        let flow = desk.table.flow(server).unwrap_or(relay.flow);
        let answering = self.answering(desk, pair, relay.from, (relay.cseq, relay.far_cseq), flow, bytes);
        self.pairs[pair].answering = Some(answering);
    }

    /// A 2xx to a re-INVITE that nobody waits for any more: its ACK once more, or, where the call has
    /// ended meanwhile, the first one (13.2.2.4).
    pub(super) fn late_success(&mut self, desk: &mut Desk, response: &Message<'_>) {
        let cseq = response.cseq();
        if cseq.method != Method::Invite || !response.code().is_some_and(|code| (200..300).contains(&code)) {
            return;
        }
        let tag = response.from().tag().unwrap_or_default();
        let remote = response.to().tag().unwrap_or_default();
        for pair in 0..self.pairs.len() {
            for side in [Side::A, Side::B] {
                let dialog = self.pairs[pair].dialog(side);
                if *dialog.local_tag == *tag && *dialog.remote_tag == *remote {
                    return self.acknowledge_late(desk, pair, side, cseq.number);
                }
            }
        }
    }

    fn acknowledge_late(&mut self, desk: &mut Desk, pair: usize, side: Side, cseq: u32) {
        let waits = self.pairs[pair].answering.as_ref();
        match () {
            // The ACK that will pass through this call is still on its way.
            () if waits.is_some_and(|answering| answering.side != side && answering.far_cseq == cseq) => {}
            () if self.has_acked(pair, side, cseq) => self.repeat_ack(desk, pair, side, cseq),
            () => self.send_ack(desk, pair, side, cseq, None),
        }
    }
}

/// What the sender of a request inside a dialog hears; a challenge it could not answer to us.
const fn toward_sender(code: u16) -> u16 {
    match code {
        401 | 407 => 403,
        503 => 500,
        _ => code,
    }
}
