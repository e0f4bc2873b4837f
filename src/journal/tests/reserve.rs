//! What is reserved for a call is what it still writes.

use super::*;

/// What a call of `nouns` long targets writes from each of its records on, every noun told of
/// everything, every event taken with its third try; and what is reserved for it then.
fn worst(nouns: u128) -> Vec<(u64, u64)> {
    let long = |what: &str, len: usize| format!("{what}{}", "x".repeat(len));
    let callback = Arc::new(NounCallback {
        hook: Hook { url: long("https://app.example/leg?", 180).into(), method: Method::Post },
        events: 15,
    });
    let event = |leg: u128, status| {
        let leg = LegFacts {
            leg: CallSid(leg),
            from: "+16508251255".into(),
            to: long("sip:", 60).into(),
            callback: Arc::clone(&callback),
        };
        Change::Leg(Box::new(LegEvent {
            leg: Arc::new(leg),
            status,
            sip_code: 486,
            duration: Duration::ZERO,
        }))
    };
    let invited = |leg: u128, again| InvitedLeg {
        leg: CallSid(leg),
        parties: ("+16508251255".into(), long("sip:", 60).into()),
        request_uri: long("sip:", 80).as_bytes().into(),
        headers: long("Via: ", 420).as_bytes().into(),
        flow: flow(),
        again,
        ahead: u16::try_from(nouns - leg).unwrap(),
    };
    let mut dialog = dialog();
    dialog.routes = vec![long("<sip:", 80).as_bytes().into(); 2];
    dialog.local = long("<sip:", 80).as_bytes().into();
    dialog.remote = dialog.local.clone();
    let caller = CallerSide { response_headers: long("Via: ", 600).as_bytes().into(), flow: flow() };
    let mut changes =
        vec![Change::Admitted { facts: facts(1, true), caller: Box::new(caller) }, Change::Ringing];
    for leg in 1..=nouns {
        // Over TCP, then over UDP; then its proxy asks for credentials, then the target itself.
        changes.extend([Change::Invited(Box::new(invited(leg, false))), event(leg, CallStatus::Initiated)]);
        changes.extend([0; 3].map(|_| Change::Invited(Box::new(invited(leg, true)))));
    }
    changes.extend((1..=nouns).map(|leg| event(leg, CallStatus::Ringing)));
    for leg in 2..=nouns {
        let ended = Change::LegEnded { leg: CallSid(leg), sip_code: 487 };
        changes.extend([ended, event(leg, CallStatus::Completed)]);
    }
    let response = vec![b'v'; 1_400].into();
    let action = Some(Hook { url: long("https://app.example/", 200).into(), method: Method::Post });
    let dial = Box::new(DialLeft { action, ..*dial_left() });
    let answered =
        Change::Answered { leg: CallSid(1), caller: dialog.clone(), target: dialog.clone(), response, dial };
    let changed = Change::DialogChanged { caller: true, dialog };
    changes.extend([answered, event(1, CallStatus::Answered), Change::Acked, changed]);
    changes.extend([event(1, CallStatus::Completed), ended(CallStatus::Completed)]);
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
