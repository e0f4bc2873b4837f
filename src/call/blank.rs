//! What a call, a leg and a pair of dialogs are before anything happened to them.

use std::sync::Arc;

use crate::call::desk::CallKey;
use crate::call::facts::CallFacts;
use crate::call::history::Origin;
use crate::call::mint::{Chain, Tag};
use crate::call::program::Program;
use crate::call::state::{Call, Leg, LegState, Pair, Phase};
use crate::dialog::Dialog;
use crate::flow::Flow;
use crate::ids::{CallSid, VirtualShard};
use crate::routing::model::{HeaderRules, Trunk};

impl Call {
    /// A call without an INVITE to answer.
    pub(super) fn empty(
        key: CallKey,
        shard: VirtualShard,
        facts: Arc<CallFacts>,
        trunk: Arc<Trunk>,
        flow: Flow,
        own_tag: Tag,
    ) -> Self {
        Self {
            key,
            shard,
            facts,
            trunk,
            chain: Chain::default(),
            invite: None,
            flow,
            server: None,
            own_tag,
            phase: Phase::Dialling,
            emergency: None,
            program: Program::default(),
            dial: None,
            dial_of_caller: None,
            legs: Vec::new(),
            pairs: Vec::new(),
            winner: None,
            relays: Vec::new(),
            reliables: Vec::new(),
            held_answer: None,
            session: None,
            last_ringing: None,
            ringing_timer: None,
            expiry: None,
            phase_timer: None,
            rang: false,
            records: 0,
            events: 0,
            answered: None,
            over: false,
            byes: 0,
            reinvites: 0,
            acked: false,
            cancel_reason: Vec::new(),
            resolving: Vec::new(),
            next_relay: 0,
            transfer: None,
            settling: false,
            connections: Vec::new(),
        }
    }
}

impl Leg {
    /// A leg whose INVITE is not written: it goes through `flow`, and our tag is `tag`.
    pub fn blank(sid: CallSid, tag: Tag, flow: Flow) -> Self {
        let nothing: Arc<[u8]> = Arc::default();
        Self {
            sid,
            client: None,
            state: LegState::Ringing,
            heard: false,
            progressed: false,
            call_id: nothing.clone(),
            tag,
            local: nothing.clone(),
            remote: nothing.clone(),
            flow,
            cseq: 1,
            first_response: None,
            retry_udp: None,
            branch: None,
            request_uri: nothing,
            trusted: false,
            rules: HeaderRules::default(),
            origin: Origin::Document,
            ended: 0,
            timer_c: None,
            offered: None,
            answered: None,
            session: None,
            least_session: 0,
            refusal: None,
            told: None,
            gateway: None,
            extensions: Vec::new(),
            rang: false,
            auth: None,
            said: 0,
            losers: Vec::new(),
        }
    }
}

impl Pair {
    /// Early dialogs: `b` of a target's leg, and the caller's under `a_tag`.
    pub fn early(leg: usize, a: Dialog, b: Dialog, a_tag: Tag) -> Self {
        Self {
            leg,
            a,
            b,
            a_tag,
            confirmed: false,
            heard_rseq: None,
            told_over: false,
            answering: None,
            ack: [None, None],
            bye_again: false,
            held_bye: None,
            alive: [true; 2],
            a_leg: None,
            spoken: [None, None],
            origins: [None, None],
            stirred: false,
            unreached: [false; 2],
            liveness: None,
        }
    }
}
