//! What is reserved for a call is what it still writes.

use super::*;

/// Long parts of a call.
struct Long {
    callback: Arc<NounCallback>,
    dialog: Box<DialogState>,
    dial: Box<DialLeft>,
}

fn long(what: &str, len: usize) -> String {
    format!("{what}{}", "x".repeat(len))
}

impl Long {
    fn new() -> Self {
        let url = |what, len| long(what, len).into();
        let hook = Hook { url: url("https://app.example/leg?", 180), method: Method::Post };
        let mut dialog = dialog();
        dialog.routes = vec![long("<sip:", 80).as_bytes().into(); 2];
        dialog.local = long("<sip:", 80).as_bytes().into();
        dialog.remote = dialog.local.clone();
        let action = Some(Hook { url: url("https://app.example/", 200), method: Method::Post });
        let callback = Arc::new(NounCallback { hook, events: 15 });
        Self { callback, dialog, dial: Box::new(DialLeft { action, ..*dial_left() }) }
    }

    fn event(&self, leg: u128, status: CallStatus) -> Change {
        let leg = LegFacts {
            leg: CallSid(leg),
            from: "+16508251255".into(),
            to: long("sip:", 60).into(),
            callback: Arc::clone(&self.callback),
        };
        let (leg, duration) = (Arc::new(leg), Duration::ZERO);
        Change::Leg(Box::new(LegEvent { leg, status, sip_code: 486, duration }))
    }

    /// A leg's INVITE with all that may be asked of it: over TCP, then over UDP; then its proxy asks for
    /// credentials, then the target itself.
    fn invited(&self, leg: u128, ahead: u128) -> Vec<Change> {
        let invited = |again| {
            Change::Invited(Box::new(InvitedLeg {
                leg: CallSid(leg),
                parties: ("+16508251255".into(), long("sip:", 60).into()),
                request_uri: long("sip:", 80).as_bytes().into(),
                headers: long("Via: ", 420).as_bytes().into(),
                flow: flow(),
                again,
                gateway: Some(GatewaySid(u128::MAX)),
                ahead: u16::try_from(ahead).unwrap(),
            }))
        };
        let begun = self.event(leg, CallStatus::Initiated);
        vec![invited(false), begun, invited(true), invited(true), invited(true)]
    }

    fn over(&self, leg: u128) -> [Change; 2] {
        [Change::LegEnded { leg: CallSid(leg), sip_code: 487 }, self.event(leg, CallStatus::Completed)]
    }

    /// A call of so many targets from its begin to the ACK of the first.
    fn answered(&self, nouns: u128) -> Vec<Change> {
        let caller = CallerSide { response_headers: long("Via: ", 600).as_bytes().into(), flow: flow() };
        let mut changes =
            vec![Change::Admitted { facts: facts(1, true), caller: Box::new(caller) }, Change::Ringing];
        changes.extend((1..=nouns).flat_map(|leg| self.invited(leg, nouns - leg)));
        changes.extend((1..=nouns).map(|leg| self.event(leg, CallStatus::Ringing)));
        changes.extend((2..=nouns).flat_map(|leg| self.over(leg)));
        let (caller, target) = (self.dialog.clone(), self.dialog.clone());
        let (response, dial) = (vec![b'v'; 1_400].into(), self.dial.clone());
        changes.push(Change::Answered { leg: CallSid(1), caller, target, response, dial });
        changes.extend([self.event(1, CallStatus::Answered), Change::Acked]);
        changes
    }

    /// A transfer to two targets, at the caller's place or in the place of the leg that is `gone`.
    fn transferred(&self, leg: u128, gone: Option<u128>, caller: bool) -> Vec<Change> {
        let mut changes = self.invited(leg, 1);
        changes.extend(self.invited(leg + 1, 0));
        changes.extend([leg, leg + 1].map(|leg| self.event(leg, CallStatus::Ringing)));
        changes.extend(self.over(leg + 1));
        let (joined, stayed, dial) = (self.dialog.clone(), self.dialog.clone(), self.dial.clone());
        changes.push(self.event(leg, CallStatus::Answered));
        changes.push(Change::Transferred { leg: CallSid(leg), caller, joined, stayed, dial });
        changes.extend(gone.into_iter().flat_map(|gone| self.over(gone)));
        changes
    }
}

/// What is written from each of the records on, every noun told of
/// everything, every event taken with its third try; and what is reserved then.
fn measured(changes: Vec<Change>) -> Vec<(u64, u64)> {
    let tells = |change: &Change| match change {
        Change::Ringing | Change::Answered { .. } | Change::Ended(_) => Some(CallStatus::Ringing),
        _ => None,
    };
    let tried = |sequence| [1, 2, 3].map(|attempt| outcome(1, sequence, attempt, Fate::Failed(Some(1))));
    let (mut sizes, mut track) = (Vec::new(), Track::default());
    for (seq, change) in (0..).zip(changes) {
        let (wide, status) = (matches!(change, Change::Leg(_)), tells(&change));
        let event = status.map(|status| Event { sequence: seq, status });
        let entry = Entry::Record(Record { call: CallSid(1), seq, at: Instant::ZERO, change, event });
        let mut bytes = Vec::new();
        frame::append(&mut bytes, &entry, 1_700_000_000_000_000, 0);
        track.note(Note::of(&entry), 0, 0);
        let reserved = track.reserved();
        if wide || status.is_some() {
            for entry in tried(seq) {
                frame::append(&mut bytes, &entry, 1_700_000_000_000_000, 0);
            }
        }
        sizes.push((bytes.len() as u64, reserved));
    }
    let mut rest = 0;
    let mut left: Vec<_> = sizes
        .iter()
        .rev()
        .map(|(size, reserved)| {
            let after = rest;
            rest += size;
            (after, *reserved)
        })
        .collect();
    left.reverse();
    left
}

fn worst(nouns: u128) -> Vec<(u64, u64)> {
    let long = Long::new();
    let mut changes = long.answered(nouns);
    changes.push(Change::DialogChanged { caller: true, dialog: long.dialog.clone() });
    changes.extend([long.event(1, CallStatus::Completed), ended(CallStatus::Completed)]);
    measured(changes)
}

#[test]
fn what_the_worst_call_still_writes_is_reserved_for_it() {
    for nouns in [1, 2, 20] {
        let left = worst(nouns);
        println!("{nouns} targets: (left to write, reserved) {left:?}");
        // From the first INVITE of a Dial on; before it, for what a call of one target needs.
        let from = if nouns == 1 { 0 } else { 2 };
        for (at, (left, reserved)) in left.iter().enumerate().skip(from).filter(|(_, (left, _))| *left > 0) {
            assert!(left <= reserved, "{nouns} targets, record {at}: {left} to come, {reserved} reserved");
        }
    }
}

#[test]
fn a_transfer_reserves_what_the_legs_that_stay_still_write_and_no_more() {
    let long = Long::new();
    let (answered, leg) = (u64::from(super::super::track::ANSWERED_NEEDS), u64::from(LEG_NEEDS));
    // In the target's place, then at the caller's, then in the place of who came there.
    let steps =
        [(2, Some(1), false, answered), (4, None, true, answered + leg), (6, Some(4), true, answered + leg)];
    let mut changes = long.answered(1);
    let mut stands = vec![(changes.len() - 1, answered)];
    for (leg, gone, caller, needs) in steps {
        changes.extend(long.transferred(leg, gone, caller));
        stands.push((changes.len() - 1, needs));
    }
    changes.extend([2, 6].map(|leg| long.event(leg, CallStatus::Completed)));
    changes.push(ended(CallStatus::Completed));
    let measured = measured(changes);
    for (at, needs) in stands {
        assert_eq!(measured[at].1, needs, "after record {at}");
    }
    assert_eq!(measured.last(), Some(&(0, 0)), "released at the end");
    let (left, reserved) = measured[measured.len() - 4];
    assert!(left <= reserved, "{left} to come, {reserved} reserved");
}
