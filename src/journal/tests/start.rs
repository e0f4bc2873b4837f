//! What a start finds: calls without an end, events nobody took, legs that are owed theirs.

use super::*;

#[test]
fn killed_at_every_byte_each_call_gets_exactly_one_terminal_event() {
    let (bytes, ends) = segment();
    let last_record = call(1, true).len();
    for len in (HEADER as usize..=bytes.len()).step_by(97) {
        let folder = Folder::new();
        fs::write(folder.0.join(format!("{:016x}.log", 4096)), &bytes[..len]).unwrap();
        let whole = ends.iter().filter(|end| **end <= len).count();
        let began = whole > 0;
        let expected = usize::from(began && whole < last_record);
        let (journal, replay) = Journal::open(&config(&folder)).unwrap();
        assert_eq!(replay.unfinished.len(), expected, "cut at {len}");
        bury(&journal, &replay.unfinished);
        drop(journal);
        // A second and a third start find it ended.
        for _ in 0..2 {
            let (journal, replay) = Journal::open(&config(&folder)).unwrap();
            assert_eq!(replay.unfinished, [], "cut at {len}, started again");
            let fed = all(&mut journal.feed_from(0));
            let terminal = records(&fed).iter().filter(|r| matches!(r.change, Change::Ended(_))).count();
            assert_eq!(terminal, usize::from(began), "cut at {len}");
            let mut sequences: Vec<_> = records(&fed).iter().filter_map(|r| r.event).collect();
            sequences.sort_by_key(|event| event.sequence);
            for (at, event) in (0_u32..).zip(&sequences) {
                assert_eq!(event.sequence, at, "no gap");
            }
        }
    }
}

#[test]
fn what_nobody_took_is_found_again_with_its_tries() {
    let folder = Folder::new();
    let (journal, _) = Journal::open(&config(&folder)).unwrap();
    let mut pen = journal.pen();
    pen.write(&mut call(100, true));
    pen.write(&mut call(200, false));
    pen.note([
        outcome(100, 0, 1, Fate::Delivered),
        outcome(100, 1, 1, Fate::Failed(Some(5))),
        outcome(100, 1, 2, Fate::Failed(Some(9))),
        Entry::Disabled { account: AccountSid(2), url: "u".into() },
        Entry::Disabled { account: AccountSid(2), url: "v".into() },
        Entry::Enabled { account: AccountSid(2), url: "v".into() },
    ]);
    drop(pen);
    drop(journal);
    let (journal, replay) = Journal::open(&config(&folder)).unwrap();
    let found: Vec<_> = replay
        .undelivered
        .iter()
        .map(|one| (one.record.call.0, one.record.event.unwrap().sequence, one.tries, one.next))
        .collect();
    assert_eq!(found, [(100, 1, 2, Some(9)), (100, 2, 0, None)]);
    assert_eq!(replay.undelivered[0].known.outbound, Some(CallSid(101)));
    assert_eq!(replay.disabled, [(AccountSid(2), "u".into())]);
    assert_eq!(replay.unfinished, []);
    let url = "https://app.example/status?x=1#tt=8000";
    assert_eq!(journal.archive().undelivered(AccountSid(2), url, 1).unwrap().len(), 1);
    assert!(journal.archive().undelivered(AccountSid(3), url, 9).unwrap().is_empty());
}

#[test]
fn legs_that_a_noun_hears_of_are_known_to_be_owed_their_end() {
    let folder = Folder::new();
    let hook = Hook { url: "https://app.example/leg".into(), method: Method::Post };
    let event = |leg: u128, status| {
        let callback = Arc::new(NounCallback { hook: hook.clone(), events: 2 | 8 });
        let leg = LegFacts { leg: CallSid(leg), from: "+1".into(), to: "bob".into(), callback };
        Change::Leg(Box::new(LegEvent { leg: Arc::new(leg), status, sip_code: 0, duration: Duration::ZERO }))
    };
    let begin = call(1, false).remove(0);
    let invited = |leg| match call(1, false).remove(2).change {
        Change::Invited(invited) => Change::Invited(Box::new(InvitedLeg { leg: CallSid(leg), ..*invited })),
        other => panic!("{other:?}"),
    };
    let changes = [
        invited(7),
        invited(8),
        invited(9),
        event(7, CallStatus::Initiated),
        event(8, CallStatus::Initiated),
        event(8, CallStatus::Ringing),
        event(7, CallStatus::Completed),
        event(9, CallStatus::Initiated),
        event(9, CallStatus::Answered),
    ];
    let mut records = vec![begin];
    records.extend((1..).zip(changes).map(|(seq, change)| Record {
        call: CallSid(1),
        seq,
        at: Instant::ZERO,
        change,
        event: None,
    }));
    {
        let (journal, _) = Journal::open(&config(&folder)).unwrap();
        let mut pen = journal.pen();
        pen.write(&mut records);
        settle(&pen, 10);
        pen.note([Entry::Outcome(Outcome { leg: Some(CallSid(8)), ..delivered(1, 1) })]);
        settle(&pen, 11);
    }
    let (_journal, replay) = Journal::open(&config(&folder)).unwrap();
    let open: Vec<_> = replay
        .undelivered
        .iter()
        .map(|event| event.record.leg_event().map(|event| (event.leg.leg.0, event.sequence())).unwrap())
        .collect();
    assert_eq!(open, [(7, 3)], "what was taken is not told again, and what is unwanted never");
    let [unfinished] = &replay.unfinished[..] else { panic!("legs are no calls") };
    let owed: Vec<_> = unfinished.legs.iter().map(|leg| leg.told.as_ref().map(|told| told.leg.0)).collect();
    assert_eq!(owed, [None, Some(8), Some(9)]);
}
