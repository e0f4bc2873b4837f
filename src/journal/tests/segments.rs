//! When a segment may go, and what is kept of it.

use super::*;

#[test]
fn segments_go_when_all_in_them_is_ended_taken_and_in_the_store_and_not_before() {
    let folder = Folder::new();
    let (journal, _) = Journal::open(&config(&folder)).unwrap();
    let gauge = journal.gauge();
    let mut pen = journal.pen();
    let mut count = 0;
    for number in 0..200 {
        pen.write(&mut call(number * 10, true));
        count += 9;
    }
    settle(&pen, count);
    let many = gauge.segments();
    gauge.projected(gauge.written());
    pen.note((0..200).flat_map(|n| (0..2).map(move |event| outcome(n * 10, event, 1, Fate::Delivered))));
    settle(&pen, count + 400);
    std::thread::sleep(Duration::from_millis(50));
    assert!(gauge.segments() >= many, "the last event is not taken");
    pen.note((0..200).map(|n| outcome(n * 10, 2, 1, Fate::Delivered)));
    settle(&pen, count + 600);
    pen.note([Entry::Trace { call: CallSid(999_999), at: 0, text: "".into() }]);
    settle(&pen, count + 601);
    assert!(gauge.segments() >= many, "the store does not have it");
    gauge.projected(gauge.written());
    pen.note([Entry::Trace { call: CallSid(999_999), at: 0, text: "".into() }]);
    wait_for(|| gauge.segments() == 1);
    drop(pen);
    drop(journal);
    assert_eq!(Journal::open(&config(&folder)).unwrap().1.undelivered.len(), 0);
}

#[test]
fn one_long_call_does_not_hold_the_disk_and_still_gets_one_end() {
    let folder = Folder::new();
    let (journal, _) = Journal::open(&config(&folder)).unwrap();
    let gauge = journal.gauge();
    let mut pen = journal.pen();
    let mut long = call(7, true);
    long.truncate(5);
    // Its answer stands in another segment than its begin.
    let mut answer = long.split_off(3);
    pen.write(&mut long);
    let mut count = 3;
    for number in 601..700 {
        pen.write(&mut call(number * 10, false));
        count += 9;
    }
    settle(&pen, count);
    assert!(gauge.segments() > 2, "{} segments", gauge.segments());
    pen.write(&mut answer);
    count += 2;
    for number in 1..600 {
        pen.write(&mut call(number * 10, false));
        count += 9;
        settle(&pen, count);
        gauge.projected(gauge.written());
    }
    wait_for(|| gauge.segments() <= 9);
    let seen = records(&all(&mut journal.feed()));
    assert!(seen.iter().all(|record| record.call != CallSid(7)), "a feed does not get it twice");
    drop(pen);
    drop(journal);
    let (journal, replay) = Journal::open(&config(&folder)).unwrap();
    let [long] = &replay.unfinished[..] else { panic!("{:?}", replay.unfinished) };
    assert_eq!((long.facts.call, long.next_record, long.next_event), (CallSid(7), 5, 2));
    assert!(long.talk.as_ref().is_some_and(|talk| talk.target_side.leg == CallSid(8)), "{long:?}");
    let open: Vec<_> = replay.undelivered.iter().map(|one| one.record.event.unwrap().sequence).collect();
    assert_eq!(open, [0, 1], "ringing and in-progress are still to be told");
    bury(&journal, &replay.unfinished);
    let end = wait_some(|| records(&all(&mut journal.feed())).pop());
    assert_eq!((end.call, end.seq, end.event.unwrap().sequence), (CallSid(7), 5, 2));
}

#[test]
fn what_was_moved_of_a_call_that_is_done_with_does_not_come_back() {
    let folder = Folder::new();
    let (journal, _) = Journal::open(&config(&folder)).unwrap();
    let gauge = journal.gauge();
    let mut pen = journal.pen();
    // Nobody takes its events for a long time. It ends in another segment than it began in.
    let mut long = call(7, true);
    let mut rest = long.split_off(3);
    let mut count = 3;
    pen.write(&mut long);
    let began_in = newest(&folder);
    let mut numbers = 1..;
    let mut other = |pen: &mut Pen, count: &mut u64| {
        pen.write(&mut call(numbers.next().unwrap() * 10, false));
        *count += 9;
        settle(pen, *count);
        gauge.projected(gauge.written());
    };
    while newest(&folder) == began_in {
        other(&mut pen, &mut count);
    }
    pen.write(&mut rest);
    count += 6;
    settle(&pen, count);
    let ended_in = newest(&folder);
    while oldest(&folder) == began_in {
        other(&mut pen, &mut count);
    }
    // Its begin was written again in the newest; the rest goes with the segments it stands in.
    pen.note((0..3).map(|event| outcome(7, event, 1, Fate::Delivered)));
    count += 3;
    while oldest(&folder) <= ended_in {
        other(&mut pen, &mut count);
    }
    drop((pen, journal));
    let (_journal, replay) = Journal::open(&config(&folder)).unwrap();
    assert_eq!((replay.unfinished, replay.undelivered.len()), (Vec::new(), 0));
}

fn newest(folder: &Folder) -> u64 {
    *crate::journal::segment::segments(&folder.0).unwrap().last().unwrap()
}

fn oldest(folder: &Folder) -> u64 {
    crate::journal::segment::segments(&folder.0).unwrap()[0]
}
