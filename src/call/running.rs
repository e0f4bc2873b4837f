//! Which Dial rings, and which document is carried out: a transfer's, else the call's own. Whatever
//! invites targets asks here, so that both ring alike.

use std::sync::Arc;

use crate::call::program::Program;
use crate::call::state::{Call, Phase, Plan, Run, Side};
use crate::call::transfer::Transfer;

/// The Dial that rings, for whoever needs the rest of the call beside it.
pub(super) fn ringing<'r>(
    dial: &'r Option<Box<Run>>,
    transfer: &'r Option<Box<Transfer>>,
) -> Option<&'r Run> {
    match transfer {
        Some(transfer) => transfer.run.as_deref(),
        None => dial.as_deref(),
    }
}

impl Call {
    /// The Dial that rings.
    pub(super) fn run(&self) -> Option<&Run> {
        ringing(&self.dial, &self.transfer)
    }

    /// The same, to be changed.
    pub(super) fn run_mut(&mut self) -> Option<&mut Run> {
        self.run_place().as_deref_mut()
    }

    /// Where the Dial that rings is kept.
    pub(super) fn run_place(&mut self) -> &mut Option<Box<Run>> {
        match &mut self.transfer {
            Some(transfer) => &mut transfer.run,
            None => &mut self.dial,
        }
    }

    /// The document that is carried out.
    pub(super) fn program_mut(&mut self) -> &mut Program {
        match &mut self.transfer {
            Some(transfer) => &mut transfer.program,
            None => &mut self.program,
        }
    }

    /// How far the call is, where it is the call's own document that goes on.
    pub(super) fn enter(&mut self, phase: Phase) {
        if self.transfer.is_none() {
            self.phase = phase;
        }
    }

    /// Whether anybody may still be invited: the caller waits, or somebody is transferred.
    pub(super) fn may_invite(&self) -> bool {
        self.invite.is_some() || self.transfer.is_some()
    }

    /// Whom a target is shown: whom its Dial names, else whom it would talk to.
    pub(super) fn shown(&self, plan: &Plan) -> Arc<str> {
        let of_callee = self.transfer.as_ref().is_some_and(|transfer| transfer.by == Side::A);
        let peer = if of_callee { &self.facts.to } else { &self.facts.from };
        plan.caller_id.as_ref().unwrap_or(peer).clone()
    }
}
