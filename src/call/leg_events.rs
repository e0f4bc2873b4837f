//! What the status callback of a noun hears of its legs: each leg's events are records of their own.

use std::sync::Arc;
use std::time::Duration;

use crate::call::desk::Desk;
use crate::call::instructions::Target;
use crate::call::outcome::CallStatus;
use crate::call::record::{Change, LegEvent, LegFacts};
use crate::call::standing::GatewayNews;
use crate::call::state::{Call, Plan};
use crate::ids::CallSid;

/// Who hears of a leg that is about to be invited.
pub(super) fn facts(plan: &Plan, leg: CallSid, from: &Arc<str>) -> Option<Arc<LegFacts>> {
    let callback = plan.callback.clone()?;
    let from = plan.caller_id.as_ref().unwrap_or(from).clone();
    Some(Arc::new(LegFacts { leg, from, to: plan.to.clone(), callback }))
}

/// `To` of a noun's leg.
pub(super) fn party(target: &Target) -> Arc<str> {
    match target {
        Target::Sip(text) | Target::Number(text) | Target::Client(text) | Target::Media(text) => text.clone(),
    }
}

impl Call {
    /// A leg rings, once.
    pub(super) fn leg_rings(&mut self, desk: &mut Desk, leg: usize) {
        if !std::mem::replace(&mut self.legs[leg].rang, true) {
            self.tell_leg(desk, leg, CallStatus::Ringing);
        }
    }

    /// Something about the gateway of a leg, where it went through one and is not over.
    pub(super) fn gateway_news(&self, desk: &mut Desk, leg: usize, news: GatewayNews) {
        if let Some(gateway) = self.legs[leg].gateway {
            desk.gateway_news(gateway, news);
        }
    }

    /// A leg came one step further. Its begin is written whether it is wanted or not, so that its end
    /// is known to be owed after a crash.
    pub(super) fn tell_leg(&mut self, desk: &mut Desk, leg: usize, status: CallStatus) {
        let Some(facts) = self.legs[leg].told.clone() else { return };
        let event = LegEvent { leg: facts, status, sip_code: 0, duration: Duration::ZERO };
        if event.is_wanted() || status == CallStatus::Initiated {
            self.record(desk, Change::Leg(Box::new(event)), None);
        }
    }

    /// A leg is over: told once.
    pub(super) fn leg_over(&mut self, desk: &mut Desk, leg: usize, sip_code: u16, duration: Duration) {
        self.gateway_news(desk, leg, GatewayNews::Over);
        self.legs[leg].gateway = None;
        let Some(facts) = self.legs[leg].told.take() else { return };
        let event = LegEvent { leg: facts, status: CallStatus::Completed, sip_code, duration };
        self.record(desk, Change::Leg(Box::new(event)), None);
    }

    /// The call is over, and with it whatever leg had no end yet.
    pub(super) fn legs_over(&mut self, desk: &mut Desk, sip_code: u16) {
        for leg in 0..self.legs.len() {
            let sip_code = if self.legs[leg].answered.is_some() { 200 } else { sip_code };
            self.leg_over(desk, leg, sip_code, self.talked(desk, leg));
        }
    }

    /// How long a leg has been connected by now.
    pub(super) fn talked(&self, desk: &Desk, leg: usize) -> Duration {
        self.legs[leg].answered.map_or(Duration::ZERO, |since| desk.now.since(since))
    }
}
