//! Document execution: which verb is next, and what an unanswered call ends with.
//!
//! Pure: it says what to do, [`crate::call`] does it.

use std::sync::Arc;
use std::time::Duration;

use crate::call::instructions::{Dial, Document, Verb};
use crate::reason::Reason;
use crate::routing::model::Hook;

/// `<Redirect>`s in a row, without a Dial or a Pause between them.
const MAX_REDIRECTS: u8 = 10;
/// Documents of one call altogether.
const MAX_DOCUMENTS: u8 = 100;

/// The document a call executes, and how far it is.
#[derive(Debug, Default)]
pub struct Program {
    verbs: std::vec::IntoIter<Verb>,
    /// Of the document, and how many verbs it has.
    url: Arc<str>,
    count: usize,
    documents: u8,
    redirects: u8,
    failure: Option<Failure>,
    fallback_used: bool,
}

/// How the last Dial failed, as the caller would hear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The final response.
    pub status: u16,
    /// Why.
    pub reason: Reason,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Ring targets.
    Dial(Box<Dial>),
    /// Let it ring, then come back.
    Pause(Duration),
    /// Ask for another document.
    Redirect(Hook),
    /// 302 to this SIP URI.
    Refer(Arc<str>),
    /// Hand the call to a media server.
    HandOver(NextMedia),
    /// Refuse the caller.
    Refuse(Failure),
    /// The document cannot be executed: the number's fallback, else this.
    Fallback(Failure),
}

/// What becomes of verbs that need media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// They fail to the fallback.
    Fails,
    /// They are passed over.
    IsSkipped,
    /// A media server gets the call at the first of them.
    HandsOver,
}

/// The verb at which a call is handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextMedia {
    /// The document.
    pub url: Arc<str>,
    /// The verb's place in it, from 1.
    pub at: usize,
    /// Its name.
    pub verb: Arc<str>,
}

impl Program {
    /// Starts over with a document. False: there were too many.
    #[must_use]
    pub fn load(&mut self, document: Document) -> bool {
        self.documents = self.documents.saturating_add(1);
        (self.url, self.count) = (document.url, document.verbs.len());
        self.verbs = document.verbs.into_iter();
        self.documents <= MAX_DOCUMENTS
    }

    /// The next thing to do.
    pub fn step(&mut self, media: Media) -> Step {
        loop {
            return match self.next() {
                None => Step::Refuse(self.failure.unwrap_or(DECLINED)),
                Some(Verb::Hangup) => Step::Refuse(DECLINED),
                Some(Verb::Reject { status }) => Step::Refuse(Failure { status, reason: Reason::Rejected }),
                Some(Verb::Dial(dial)) => {
                    self.redirects = 0;
                    Step::Dial(Box::new(dial))
                }
                Some(Verb::Pause(length)) => {
                    self.redirects = 0;
                    Step::Pause(length)
                }
                Some(Verb::Redirect(hook)) => self.redirect(hook),
                Some(Verb::Refer { target }) => Step::Refer(target),
                Some(Verb::Media(verb)) if media == Media::HandsOver => {
                    let at = self.count - self.verbs.len();
                    Step::HandOver(NextMedia { url: self.url.clone(), at, verb })
                }
                Some(Verb::Media(_) | Verb::Message(_)) if media == Media::IsSkipped => continue,
                Some(Verb::Media(_) | Verb::Message(_)) => {
                    Step::Fallback(Failure { status: 500, reason: Reason::NoMedia })
                }
            };
        }
    }

    fn next(&mut self) -> Option<Verb> {
        let verb = self.verbs.next();
        if self.verbs.len() == 0 {
            // The room of a document that is carried out is given back: its call may stand for hours.
            self.verbs = Vec::new().into_iter();
        }
        verb
    }

    /// The Dials that follow one another here: who is sent elsewhere is told of all of them. Behind
    /// one with an action (`last_asks`: the one before them) its document would take over.
    pub fn more_dials(&mut self, last_asks: bool) -> Vec<Dial> {
        let mut dials: Vec<Dial> = Vec::new();
        while let Some(Verb::Dial(_)) = self.verbs.as_slice().first()
            && !dials.last().map_or(last_asks, |dial| dial.action.is_some())
        {
            dials.extend(
                self.verbs
                    .next()
                    .and_then(|verb| if let Verb::Dial(dial) = verb { Some(dial) } else { None }),
            );
        }
        dials
    }

    /// Remembers how a Dial failed; the end of the document answers with it.
    pub fn dial_failed(&mut self, failure: Failure) {
        self.failure = Some(failure);
    }

    /// Whether the static fallback may be dialled: once per call.
    #[must_use]
    pub fn take_fallback(&mut self) -> bool {
        !std::mem::replace(&mut self.fallback_used, true)
    }

    fn redirect(&mut self, hook: Hook) -> Step {
        self.redirects += 1;
        if self.redirects > MAX_REDIRECTS {
            return Step::Fallback(TOO_MANY);
        }
        Step::Redirect(hook)
    }
}

/// `<Hangup>`, or a document that ends without any Dial.
const DECLINED: Failure = Failure { status: 603, reason: Reason::Rejected };
/// Documents that lead to documents without end.
pub const TOO_MANY: Failure = Failure { status: 500, reason: Reason::WebhookRedirects };

/// Keeps the better of two failures of one Dial: 6xx, then the lowest class, then within 4xx those
/// that tell the caller something (RFC 3261 16.7 step 6).
#[must_use]
pub fn better(one: Failure, other: Failure) -> Failure {
    if rank(other.status) < rank(one.status) { other } else { one }
}

fn rank(status: u16) -> (u16, bool) {
    let class = if status >= 600 { 0 } else { status / 100 };
    (class, !matches!(status, 415 | 420 | 484))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(verbs: Vec<Verb>) -> Program {
        let mut program = Program::default();
        assert!(program.load(Document { verbs, ..Document::default() }));
        program
    }

    fn hook() -> Hook {
        Hook { url: "https://example.com/next".into(), method: crate::routing::model::Method::Post }
    }

    #[test]
    fn an_empty_document_declines() {
        assert_eq!(program(vec![]).step(Media::Fails), Step::Refuse(DECLINED));
    }

    #[test]
    fn the_end_after_a_failed_dial_answers_as_the_dial_did() {
        let mut program = program(vec![]);
        let busy = Failure { status: 486, reason: Reason::TargetBusy };
        program.dial_failed(busy);
        assert_eq!(program.step(Media::Fails), Step::Refuse(busy));
    }

    #[test]
    fn hangup_declines_even_after_a_failed_dial() {
        let mut program = program(vec![Verb::Hangup]);
        program.dial_failed(Failure { status: 486, reason: Reason::TargetBusy });
        assert_eq!(program.step(Media::Fails), Step::Refuse(DECLINED));
    }

    #[test]
    fn media_verbs_are_skipped_or_fail() {
        let verbs = || vec![Verb::Media("Say".into()), Verb::Reject { status: 486 }];
        assert_eq!(
            program(verbs()).step(Media::IsSkipped),
            Step::Refuse(Failure { status: 486, reason: Reason::Rejected })
        );
        assert!(matches!(
            program(verbs()).step(Media::Fails),
            Step::Fallback(Failure { reason: Reason::NoMedia, .. })
        ));
    }

    #[test]
    fn redirects_are_bounded_unless_time_passes_between_them() {
        let mut program = Program::default();
        for _ in 0..10 {
            assert!(program.load(Document { verbs: vec![Verb::Redirect(hook())], ..Document::default() }));
            assert_eq!(program.step(Media::Fails), Step::Redirect(hook()));
        }
        assert!(program.load(Document { verbs: vec![Verb::Redirect(hook())], ..Document::default() }));
        assert_eq!(program.step(Media::Fails), Step::Fallback(TOO_MANY));
        let pause = Verb::Pause(Duration::from_secs(1));
        assert!(program.load(Document { verbs: vec![pause, Verb::Redirect(hook())], ..Document::default() }));
        assert!(matches!(program.step(Media::Fails), Step::Pause(_)));
        assert_eq!(program.step(Media::Fails), Step::Redirect(hook()));
        let mut endless = Program::default();
        assert!((0..100).all(|_| endless.load(Document::default())));
        assert!(!endless.load(Document::default()));
    }

    #[test]
    fn the_best_response_is_chosen_as_a_proxy_would() {
        let of = |status| Failure { status, reason: Reason::TargetRefused };
        assert_eq!(better(of(486), of(603)).status, 603);
        assert_eq!(better(of(500), of(404)).status, 404);
        assert_eq!(better(of(404), of(484)).status, 484);
        assert_eq!(better(of(486), of(404)).status, 486);
    }
}
