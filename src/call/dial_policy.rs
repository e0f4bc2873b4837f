//! Whether an account may dial what its document names: hosts, numbers, and how often. Emergency calls pass.

use crate::call::ask::Counter;
use crate::call::desk::Desk;
use crate::call::instructions::Target;
use crate::call::state::Call;
use crate::call::trace::TraceItem;
use crate::reason::Reason;
use crate::sip::Uri;

impl Call {
    /// Whether this target may be dialled now; counted against the account's minute where it may.
    pub(super) fn may_dial(&self, desk: &Desk, target: &Target) -> Result<(), Reason> {
        let account = self.facts.account;
        let (Some(now), None) = (&desk.provision, &self.emergency) else { return Ok(()) };
        let policy = now.dial_policy(account);
        let Some(policy) = policy.filter(|policy| **policy != Default::default()) else { return Ok(()) };
        let allowed = match target {
            Target::Number(number) => policy.allows_number(number),
            Target::Sip(uri) => Uri::parse(uri.as_bytes()).is_none_or(|uri| policy.allows_host(uri.host)),
            // The registrar and the media servers are the operator's.
            Target::Client(_) | Target::Media(_) => true,
        };
        if !allowed {
            return Err(Reason::TargetNotAllowed);
        }
        if now.may_dial_once_more(desk.now, account) { Ok(()) } else { Err(Reason::DialLimit) }
    }

    /// Tells whom it concerns that a target was not dialled.
    pub(super) fn tell_refused_dial(&self, desk: &mut Desk, reason: Reason) {
        if matches!(reason, Reason::TargetNotAllowed | Reason::DialLimit) {
            let note = format!("a target was not dialled: {reason}");
            desk.trace(self.facts.call, TraceItem::Note(note.into()));
            let (account, call) = (self.facts.account, self.facts.call);
            desk.count(Counter::DialRefused { account, call, reason });
        }
    }
}
