//! Carrying out a document: what it says next is done, until something is to be waited for.

use std::sync::Arc;
use std::time::Duration;

use crate::call::ask::{Answer, Purpose};
use crate::call::desk::{Desk, What};
use crate::call::instructions::{Dial, Document, Noun, Target, Verb};
use crate::call::outcome::HangupSource;
use crate::call::program::{self, Failure, Step};
use crate::call::state::{Call, Phase};
use crate::call::trace::TraceItem;
use crate::reason::Reason;
use crate::timers::TimerId;

/// The header lines a loser's CANCEL and BYE carry (RFC 3326).
pub(super) const ELSEWHERE: &[u8] = b"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n";
/// How long a Dial to the static fallback rings, and may last.
const FALLBACK_RINGS: Duration = Duration::from_secs(30);
const FALLBACK_LASTS: Duration = Duration::from_secs(14_400);

impl Call {
    /// The answer to an ask of this call, or that its time is over (`None`).
    pub fn answered_ask(&mut self, desk: &mut Desk, ask: crate::call::ask::AskId, answer: Option<Answer>) {
        desk.trace(self.facts.call, TraceItem::Answered(ask, describe(answer.as_ref())));
        let is_document = match &mut self.transfer {
            Some(transfer) => transfer.asked.take_if(|asked| *asked == ask).is_some(),
            None => self.phase == Phase::Asking(ask),
        };
        if is_document {
            return self.instructed(desk, answer);
        }
        match self.fork_that(|fork| fork.resolving == Some(ask)) {
            Some(fork) => self.fork_resolved(desk, fork, answer),
            None => self.hop_resolved(desk, ask, answer),
        }
    }

    fn instructed(&mut self, desk: &mut Desk, answer: Option<Answer>) {
        match answer {
            Some(Answer::Document(document)) => {
                if self.program_mut().load(*document) {
                    self.perform(desk);
                } else {
                    self.fall_back(desk, program::TOO_MANY);
                }
            }
            Some(Answer::NoDocument { reason, http_status }) => {
                let status = if http_status == Some(404) { 404 } else { 500 };
                self.fall_back(desk, Failure { status, reason });
            }
            _ => self.fall_back(desk, Failure { status: 500, reason: Reason::WebhookTimeout }),
        }
    }

    /// Does what the document says next, until something is to be waited for.
    pub(super) fn perform(&mut self, desk: &mut Desk) {
        let media = self.media(desk);
        match self.program_mut().step(media) {
            Step::HandOver(verb) => {
                let dial = self.hand_over(&verb);
                self.perform_dial(desk, Box::new(dial));
            }
            Step::Dial(dial) => self.perform_dial(desk, dial),
            Step::Pause(length) => {
                let timer = Some(desk.start(length, self.key, What::PauseOver));
                self.enter(Phase::Pausing);
                *self.pause_timer() = timer;
            }
            Step::Redirect(hook) => self.ask(desk, Purpose::Redirect(hook)),
            // Who is transferred talks already: there is nobody left to be sent elsewhere.
            Step::Refer(_) if self.transfer.is_some() => self.transfer_failed(desk, 603),
            Step::Refuse(failure) if self.transfer.is_some() => self.transfer_failed(desk, failure.status),
            Step::Refer(target) => self.redirect(desk, &[(target, 1_000)], Reason::Redirected),
            Step::Refuse(failure) => {
                let source = source_of(failure.reason);
                self.refuse(desk, failure, source);
            }
            Step::Fallback(failure) => self.fall_back(desk, failure),
        }
    }

    /// `<Pause>` is over.
    pub(super) fn pause_over(&mut self, desk: &mut Desk) {
        *self.pause_timer() = None;
        self.perform(desk);
    }

    fn pause_timer(&mut self) -> &mut Option<TimerId> {
        match &mut self.transfer {
            Some(transfer) => &mut transfer.pause,
            None => &mut self.phase_timer,
        }
    }

    fn perform_dial(&mut self, desk: &mut Desk, dial: Box<Dial>) {
        match self.redirects() {
            true => self.redirect_to(desk, *dial),
            false => self.dial(desk, dial),
        }
    }

    /// No document, or one that cannot be executed: the trunk's own status, the number's static
    /// target, or the failure.
    pub(super) fn fall_back(&mut self, desk: &mut Desk, failure: Failure) {
        // Who is transferred goes on as before.
        if self.transfer.is_some() {
            return self.transfer_failed(desk, failure.status);
        }
        if let Some(status) = self.trunk.webhook_failure_status {
            return self.refuse(desk, Failure { status, ..failure }, HangupSource::Router);
        }
        let target = self.facts.profile.fallback_target.clone();
        match target.filter(|_| self.program.take_fallback()) {
            Some(target) => {
                let noun = Noun {
                    target: Target::Sip(target),
                    headers: Vec::new(),
                    credentials: None,
                    group: None,
                    callback: None,
                };
                let dial = Dial {
                    nouns: vec![noun],
                    timeout: FALLBACK_RINGS,
                    time_limit: FALLBACK_LASTS,
                    caller_id: None,
                    action: None,
                };
                let fits =
                    self.program.load(Document { verbs: vec![Verb::Dial(dial)], ..Document::default() });
                if fits { self.perform(desk) } else { self.refuse(desk, failure, HangupSource::Router) }
            }
            None => self.refuse(desk, failure, HangupSource::Router),
        }
    }
}

fn source_of(reason: Reason) -> HangupSource {
    match reason {
        Reason::Rejected => HangupSource::Application,
        Reason::TargetBusy | Reason::TargetRefused => HangupSource::Callee,
        _ => HangupSource::Router,
    }
}

fn describe(answer: Option<&Answer>) -> Arc<str> {
    match answer {
        Some(Answer::Document(document)) => {
            if let [only] = &document.verbs[..] {
                return verb(only).into();
            }
            let verbs: Vec<&str> = document.verbs.iter().map(verb).collect();
            verbs.join(" ").into()
        }
        Some(Answer::NoDocument { reason, .. }) => reason.code().into(),
        Some(Answer::Addresses(found)) => {
            let found: Vec<String> = found.iter().map(ToString::to_string).collect();
            found.join(", ").into()
        }
        Some(Answer::NoAddress) => "no address".into(),
        None => "no answer in time".into(),
    }
}

fn verb(verb: &Verb) -> &str {
    match verb {
        Verb::Dial(_) => "Dial",
        Verb::Reject { .. } => "Reject",
        Verb::Redirect(_) => "Redirect",
        Verb::Pause(_) => "Pause",
        Verb::Hangup => "Hangup",
        Verb::Refer { .. } => "Refer",
        Verb::Message(_) => "Message",
        Verb::Media(name) => name,
    }
}
