//! What the journal says of a call that had no end when its node went away: enough to go on with an
//! answered one, and to end any other toward both sides.

use std::sync::Arc;
use std::time::Duration;

use crate::call::facts::CallFacts;
use crate::call::mint::Tag;
use crate::call::outcome::CallStatus;
use crate::call::record::{
    CSEQ_STEP, CallerSide, Change, DialLeft, DialogState, InvitedLeg, LegFacts, Record,
};
use crate::ids::{CallSid, VirtualShard};
use crate::sip::Message;
use crate::time::Instant;

/// A call without an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// Its constants.
    pub facts: Arc<CallFacts>,
    /// The caller's INVITE as far as answering it needs.
    pub caller: Box<CallerSide>,
    /// The number of its next record.
    pub next_record: u32,
    /// The `SequenceNumber` of its next event.
    pub next_event: u32,
    /// The targets' legs in the order they were invited.
    pub legs: Vec<RecoveredLeg>,
    /// Where it was answered.
    pub talk: Option<Box<Talk>>,
    /// How long from now its two dialogs are probed by OPTIONS, where it was answered. Whoever hands
    /// over many calls spreads this.
    pub probe_after: Duration,
}

/// One leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecoveredLeg {
    /// Its INVITE, the last one where there were several.
    pub invited: InvitedLeg,
    /// When it ended without an answer, and its final response or what stood for it.
    pub ended: Option<(Instant, u16)>,
    /// Who is told of it, where somebody is and its end is not told.
    pub told: Option<Arc<LegFacts>>,
}

/// The answered part of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Talk {
    /// When.
    pub answered: Instant,
    /// Who stands on the target's side.
    pub target_side: Place,
    /// Whom a transfer brought to the caller's side.
    pub caller_side: Option<Place>,
    /// The caller's dialog, as it was last written.
    pub caller: DialogState,
    /// The target's.
    pub target: DialogState,
    /// Our 2xx as it left.
    pub response: Arc<[u8]>,
    /// The caller acknowledged it.
    pub acked: bool,
}

/// A leg that stands on a side of an answered call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The leg.
    pub leg: CallSid,
    /// Since when.
    pub since: Instant,
    /// What its Dial still does.
    pub dial: DialLeft,
}

impl Recovered {
    /// What the records of one call amount to, in the order of their numbers. `None`: there is no
    /// begin among them, or an end.
    #[must_use]
    pub fn of<'r>(records: impl IntoIterator<Item = &'r Record>) -> Option<Self> {
        let mut found: Option<Self> = None;
        for record in records {
            match (&record.change, &mut found) {
                (Change::Admitted { facts, caller }, _) => found = Some(Self::begin(facts, caller)),
                (Change::Ended(_), _) => return None,
                (_, Some(found)) => found.take(record),
                (_, None) => {}
            }
            if let Some(found) = &mut found {
                found.next_record = record.seq + 1;
                found.next_event = record.event.map_or(found.next_event, |event| event.sequence + 1);
            }
        }
        found
    }

    /// The virtual shard that its ids carry: whatever is sent inside its dialogs comes there.
    #[must_use]
    pub fn shard(&self) -> VirtualShard {
        let tag = match &self.talk {
            Some(talk) => Tag::parse(&talk.caller.local_tag),
            None => self.own_tag(),
        };
        tag.map_or(VirtualShard(0), |tag| tag.shard())
    }

    /// Our To tag of the refusal that the caller would get.
    #[must_use]
    pub fn own_tag(&self) -> Option<Tag> {
        let refusal = self.refusal();
        Tag::parse(Message::scan(&refusal).ok()?.to().tag()?)
    }

    /// 500 to the caller's INVITE.
    pub(super) fn refusal(&self) -> Vec<u8> {
        [
            b"SIP/2.0 500 Server Internal Error\r\n",
            &self.caller.response_headers[..],
            b"Content-Length: 0\r\n\r\n",
        ]
        .concat()
    }

    fn begin(facts: &Arc<CallFacts>, caller: &CallerSide) -> Self {
        Self {
            facts: Arc::clone(facts),
            caller: Box::new(caller.clone()),
            next_record: 0,
            next_event: 0,
            legs: Vec::new(),
            talk: None,
            probe_after: Duration::ZERO,
        }
    }

    fn take(&mut self, record: &Record) {
        match &record.change {
            Change::Invited(invited) => self.invite(invited),
            Change::LegEnded { leg, sip_code } => {
                self.leg(*leg, |leg| leg.ended = Some((record.at, *sip_code)));
            }
            Change::Leg(event) => {
                let told = event.status != CallStatus::Completed;
                self.leg(event.leg.leg, |leg| leg.told = told.then(|| Arc::clone(&event.leg)));
            }
            Change::Answered { leg, caller, target, response, dial } => {
                self.talk = Some(Box::new(Talk {
                    answered: record.at,
                    target_side: Place { leg: *leg, since: record.at, dial: (**dial).clone() },
                    caller_side: None,
                    caller: (**caller).clone(),
                    target: (**target).clone(),
                    response: Arc::clone(response),
                    acked: false,
                }));
            }
            _ => {
                let Some(talk) = &mut self.talk else { return };
                if let Some(gone) = talk.take(record) {
                    self.leg(gone, |leg| leg.ended = Some((record.at, 200)));
                }
            }
        }
    }

    fn invite(&mut self, invited: &InvitedLeg) {
        match self.legs.iter_mut().find(|known| known.invited.leg == invited.leg) {
            Some(known) => known.invited = invited.clone(),
            None => self.legs.push(RecoveredLeg { invited: invited.clone(), ended: None, told: None }),
        }
    }

    fn leg(&mut self, sid: CallSid, change: impl FnOnce(&mut RecoveredLeg)) {
        if let Some(leg) = self.legs.iter_mut().find(|leg| leg.invited.leg == sid) {
            change(leg);
        }
    }
}

impl Talk {
    /// The leg that stands on either side, where this one does.
    #[must_use]
    pub fn holds(&self, leg: CallSid) -> Option<&Place> {
        [Some(&self.target_side), self.caller_side.as_ref()]
            .into_iter()
            .flatten()
            .find(|place| place.leg == leg)
    }

    /// Takes a change; gives the leg whose place another took.
    fn take(&mut self, record: &Record) -> Option<CallSid> {
        match &record.change {
            Change::Acked => self.acked = true,
            Change::DialogChanged { caller: true, dialog } => self.caller = (**dialog).clone(),
            Change::DialogChanged { caller: false, dialog } => self.target = (**dialog).clone(),
            Change::Transferred { leg, caller, joined, stayed, dial } => {
                let (joined, stayed) = ((**joined).clone(), (**stayed).clone());
                let place = Place { leg: *leg, since: record.at, dial: (**dial).clone() };
                self.acked = true;
                if *caller {
                    (self.caller, self.target) = (joined, stayed);
                    return self.caller_side.replace(place).map(|left| left.leg);
                }
                (self.caller, self.target) = (stayed, joined);
                return Some(std::mem::replace(&mut self.target_side, place).leg);
            }
            Change::Recovered => {
                self.caller.local_cseq += CSEQ_STEP;
                self.target.local_cseq += CSEQ_STEP;
            }
            _ => {}
        }
        None
    }
}
