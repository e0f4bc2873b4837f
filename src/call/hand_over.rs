//! Verbs that need media: the call is handed to a media server, with headers that name the call and the
//! document, so that the server carries the rest of it out.

use std::sync::Arc;
use std::time::Duration;

use crate::call::desk::Desk;
use crate::call::instructions::{Dial, Noun, Target};
use crate::call::program::{Media, NextMedia};
use crate::call::state::Call;

/// How long a media server may take to answer, and a call may last there.
const RINGS: Duration = Duration::from_secs(30);
const LASTS: Duration = Duration::from_secs(14_400);

impl Call {
    /// What becomes of verbs that need media.
    pub(super) fn media(&self, desk: &Desk) -> Media {
        let Some(now) = &desk.provision else { return Media::Fails };
        let organization = now.organization(self.facts.organization);
        match organization.is_some_and(|organization| organization.skip_media_verbs) {
            _ if !now.media_gateways(self.facts.organization).is_empty() => Media::HandsOver,
            true => Media::IsSkipped,
            false => Media::Fails,
        }
    }

    /// The Dial that hands the call over at a verb.
    pub(super) fn hand_over(&self, next: &NextMedia) -> Dial {
        let header = |name: &str, value: String| (Arc::from(name), Arc::from(value));
        let headers = vec![
            header("X-Callgate-CallSid", self.facts.call.to_string()),
            header("X-Callgate-AccountSid", self.facts.account.to_string()),
            header("X-Callgate-Document", next.url.to_string()),
            header("X-Callgate-Verb", format!("{} {}", next.at, next.verb)),
        ];
        let noun = Noun {
            target: Target::Media(self.facts.to.clone()),
            headers,
            credentials: None,
            group: None,
            callback: None,
        };
        Dial { nouns: vec![noun], timeout: RINGS, time_limit: LASTS, caller_id: None, action: None }
    }
}

/// Whether a Dial is none of the document's.
pub(super) fn is_hand_over(dial: &Dial) -> bool {
    dial.nouns.iter().any(|noun| matches!(noun.target, Target::Media(_)))
}
