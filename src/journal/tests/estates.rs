//! Two processes share a node's calls, and one of them is left.

use std::collections::HashSet;

use super::*;

/// A journal, and one that another process began beside it.
fn two(folder: &Folder) -> (Journal, Journal, PathBuf) {
    let (old, _) = Journal::open(&config(folder)).unwrap();
    let (beside, start) = old.beside();
    let settings = Config { path: beside.clone(), ..config(folder) };
    (old, Journal::begin(&settings, start).unwrap(), beside)
}

fn write(pen: &mut Pen, records: &[Record]) {
    let before = pen.written();
    pen.write(&mut records.to_vec());
    settle(pen, before + records.len() as u64);
}

/// The terminal record of a call, as whoever goes on with it writes it.
fn end_of(call: &Recovered) -> Record {
    let event = Some(Event { sequence: call.next_event, status: CallStatus::Completed });
    let change = ended(CallStatus::Completed);
    Record { call: call.facts.call, seq: call.next_record, at: Instant::ZERO, change, event }
}

fn merge(journal: &Journal, estate: &Estate, home: &Path, adopted: &HashSet<CallSid>) {
    journal.merge(estate, home, adopted);
    wait_for(|| journal.has(estate));
}

#[test]
fn what_was_read_ahead_is_gone_on_with_as_if_it_were_read_at_once_also_when_segments_went_meanwhile() {
    let folder = Folder::new();
    let (old, new, _beside) = two(&folder);
    let (mut pen, gauge) = (old.pen(), old.gauge());
    let mut ahead = Estate::read(&folder.0, &new).unwrap();
    let mut retired = 0;
    for number in 0..400 {
        write(&mut pen, &call(number * 10, false)[..if number > 200 && number % 50 == 0 { 6 } else { 9 }]);
        if number == 200 {
            let before = gauge.segments();
            gauge.projected(gauge.written());
            wait_for(|| gauge.segments() < before);
            std::thread::sleep(Duration::from_millis(100));
        }
        if number % 20 == 0 {
            let before = ahead.scan.segments.clone();
            ahead.go_on(&folder.0, &new).unwrap();
            retired += before.iter().filter(|base| !ahead.scan.segments.contains(base)).count();
            let anew = Estate::read(&folder.0, &new).unwrap();
            let left = |estate: &Estate| -> Vec<_> {
                let mut calls = estate.replay().unfinished;
                calls.sort_by_key(|call| call.facts.call);
                calls.into_iter().map(|call| (call.facts.call, call.next_record)).collect()
            };
            assert_eq!(left(&ahead), left(&anew), "after {number} calls");
            assert_eq!((ahead.scan.end, &ahead.scan.segments), (anew.scan.end, &anew.scan.segments));
        }
    }
    assert!(retired > 0 && ahead.scan.segments.len() > 1, "{retired}, {:?}", ahead.scan.segments);
}

#[test]
fn who_follows_goes_on_with_an_answered_call_and_has_the_whole_journal_in_the_end() {
    let folder = Folder::new();
    let (old, new, beside) = two(&folder);
    let (mut old_pen, mut new_pen) = (old.pen(), new.pen());
    write(&mut new_pen, &call(500, true));
    // Answered; its first event is delivered, its second is not.
    write(&mut old_pen, &call(100, true)[..6]);
    old_pen.note([outcome(100, 0, 1, Fate::Delivered)]);
    settle(&old_pen, 7);
    let estate = Estate::read(&folder.0, &new).unwrap();
    let calls = estate.replay().unfinished;
    assert_eq!(calls.len(), 1, "not those of the new one");
    let adopted = HashSet::from([CallSid(100)]);
    new.adopt(&estate, &adopted);
    let mut feed = new.feed();
    write(&mut new_pen, &[end_of(&calls[0])]);
    let fed = all(&mut feed);
    let last = fed.last().unwrap();
    assert!(matches!(&last.entry, Entry::Record(record) if record.call == CallSid(100)));
    assert_eq!(last.known.as_ref().unwrap().facts.call, CallSid(100), "its facts come along");
    let before = new_pen.written();
    new_pen.note([outcome(100, 1, 1, Fate::Failed(None))]);
    settle(&new_pen, before + 1);
    let late = all(&mut feed);
    assert!(late.len() == 1 && late[0].known.is_none(), "what comes behind its end does not bring it back");
    drop((old_pen, old));
    let estate = Estate::read(&folder.0, &new).unwrap();
    let owed: Vec<_> =
        estate.replay().undelivered.iter().map(|event| event.record.event.unwrap().sequence).collect();
    assert_eq!(owed, [1], "what the old one did not deliver");
    merge(&new, &estate, &folder.0, &adopted);
    assert!(!beside.exists(), "all is in one folder");
    // The store gets all of it in order, callbacks only what this process wrote.
    let whole = all(&mut new.feed_from(0));
    assert!(whole.windows(2).all(|two| two[0].position < two[1].position));
    assert_eq!(records(&whole).len(), 6 + 9 + 1);
    assert_eq!(records(&all(&mut new.feed())).len(), 9 + 1);
    // Nothing of the call goes before both of its events are settled.
    new.gauge().projected(u64::MAX / 2);
    std::thread::sleep(Duration::from_millis(100));
    new_pen.note([Entry::Outcome(delivered(100, 1)), Entry::Outcome(delivered(100, 2))]);
    drop((new_pen, new));
    let (_journal, replay) = Journal::open(&config(&folder)).unwrap();
    assert_eq!(replay.unfinished, []);
    assert_eq!(replay.undelivered.iter().filter(|event| event.record.call == CallSid(100)).count(), 0);
}

#[test]
fn who_was_to_be_followed_takes_back_what_the_new_one_had() {
    let folder = Folder::new();
    let (old, new, beside) = two(&folder);
    let (mut old_pen, mut new_pen) = (old.pen(), new.pen());
    let mut feed = old.feed();
    write(&mut old_pen, &call(100, true)[..6]);
    write(&mut new_pen, &call(500, true)[..6]);
    drop((new_pen, new));
    let estate = Estate::read(&beside, &old).unwrap();
    gather(&folder.0).unwrap();
    merge(&old, &estate, &folder.0, &HashSet::new());
    let calls = estate.replay().unfinished;
    assert_eq!(calls.iter().map(|call| call.facts.call).collect::<Vec<_>>(), [CallSid(500)]);
    write(&mut old_pen, &[end_of(&calls[0])]);
    let (fed, others): (Vec<_>, Vec<_>) = all(&mut feed).into_iter().partition(|one| !one.foreign);
    assert_eq!(records(&others).len(), 6);
    let fed = records(&fed);
    assert_eq!(fed.len(), 7, "callbacks hear of what was written here alone");
    assert_eq!(records(&all(&mut old.feed_from(0))).len(), 6 + 6 + 1);
    drop((old_pen, old));
    let (_journal, replay) = Journal::open(&config(&folder)).unwrap();
    let left: Vec<_> = replay.unfinished.iter().map(|call| call.facts.call).collect();
    assert_eq!(left, [CallSid(100)], "the other has ended");
}

#[test]
fn a_start_after_both_were_killed_reads_both() {
    let folder = Folder::new();
    let (old, new, beside) = two(&folder);
    let (mut old_pen, mut new_pen) = (old.pen(), new.pen());
    write(&mut old_pen, &call(100, true)[..6]);
    let estate = Estate::read(&folder.0, &new).unwrap();
    new.adopt(&estate, &HashSet::from([CallSid(100)]));
    write(&mut new_pen, &[end_of(&estate.replay().unfinished[0])]);
    write(&mut new_pen, &call(500, true)[..6]);
    drop((old_pen, old, new_pen, new));
    let (_journal, replay) = Journal::open(&config(&folder)).unwrap();
    let left: Vec<_> = replay.unfinished.iter().map(|call| call.facts.call).collect();
    assert_eq!(left, [CallSid(500)], "the end of the first stands in the second's");
    assert_eq!(replay.undelivered.len(), 3 + 2);
    assert!(!beside.exists());
}
