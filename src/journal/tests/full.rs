//! A disk that is full.

use super::*;

/// A disk with room for so many bytes more.
#[derive(Clone)]
struct Small(Arc<AtomicI64>);

impl Allocate for Small {
    fn allocate(&self, file: &File, size: u64) -> io::Result<()> {
        let wanted = i64::try_from(size).unwrap();
        let taken = self
            .0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |room| (room >= wanted).then(|| room - wanted));
        match taken {
            Ok(_) => file.set_len(size),
            Err(_) => Err(io::Error::from(io::ErrorKind::StorageFull)),
        }
    }
}

#[test]
fn on_a_full_disk_admitted_calls_go_on_in_the_reserve_and_all_is_well_when_there_is_room_again() {
    let folder = Folder::new();
    // The first segment, the reserve of two, and not one byte more.
    let room = Arc::new(AtomicI64::new(3 * (64 << 10)));
    let (journal, _) = Journal::open_on(&config(&folder), Box::new(Small(Arc::clone(&room)))).unwrap();
    let gauge = journal.gauge();
    let mut pen = journal.pen();
    let mut count = 0;
    while !gauge.is_full() {
        pen.write(&mut call(u128::from(count) * 10, true));
        count += 9;
        settle(&pen, count);
        assert!(count < 3000, "the disk never filled");
    }
    // What is admitted is still written: the reserve's last bytes, and then it waits, unlost.
    for number in 0..200 {
        pen.write(&mut call(1_000_000 + number * 10, true));
        count += 9;
    }
    std::thread::sleep(Duration::from_millis(120));
    let written = pen.written();
    assert!(written < count && gauge.is_full(), "{written} of {count}");
    assert!(gauge.failures() > 0);
    room.store(64 << 20, Ordering::SeqCst);
    settle(&pen, count);
    wait_for(|| !gauge.is_full());
    assert_eq!(all(&mut journal.feed()).len() as u64, count, "nothing was dropped");
}

#[test]
fn calls_are_admitted_into_the_reserve_until_the_rest_of_it_is_for_those_that_are() {
    let folder = Folder::new();
    // The first segment, a reserve of six, and not one byte more.
    let config = Config { reserve: 6 * (64 << 10), ..config(&folder) };
    let room = Arc::new(AtomicI64::new(7 * (64 << 10)));
    let (journal, _) = Journal::open_on(&config, Box::new(Small(Arc::clone(&room)))).unwrap();
    let gauge = journal.gauge();
    let mut pen = journal.pen();
    let (mut count, mut into_the_reserve) = (0, 0);
    while !gauge.is_full() {
        pen.write(&mut call(u128::from(count) * 10, true));
        count += 9;
        settle(&pen, count);
        into_the_reserve += u64::from(gauge.is_on_reserve());
        assert!(count < 9_000, "the disk never filled");
    }
    assert!(gauge.is_on_reserve() && into_the_reserve > 50, "{into_the_reserve} calls of {}", count / 9);
    assert_eq!(gauge.failures(), 0, "it ends before the reserve does");
    room.store(64 << 20, Ordering::SeqCst);
    wait_for(|| !gauge.is_full() && !gauge.is_on_reserve());
}

#[test]
fn no_journal_without_room_for_its_reserve() {
    let folder = Folder::new();
    let room = Arc::new(AtomicI64::new(2 * (64 << 10)));
    let opened = Journal::open_on(&config(&folder), Box::new(Small(room)));
    assert!(matches!(opened.map(|_| ()), Err(JournalError::Write(_))));
}

#[test]
fn calls_are_admitted_only_while_the_reserve_has_room_for_all_their_records() {
    let folder = Folder::new();
    let (journal, _) = Journal::open(&config(&folder)).unwrap();
    let gauge = journal.gauge();
    let mut pen = journal.pen();
    // 128 KiB hold the records of 12 unanswered calls.
    let mut begins: Vec<_> = (0..13).map(|number| call(number * 10, true).remove(0)).collect();
    let last = begins.pop().unwrap();
    pen.write(&mut begins);
    settle(&pen, 12);
    wait_for(|| gauge.reserved() == 12 * u64::from(UNANSWERED_NEEDS));
    assert!(!gauge.is_full());
    pen.write(&mut vec![last]);
    wait_for(|| gauge.is_full());
    let mut end = call(0, true).pop().unwrap();
    end.seq = 1;
    pen.write(&mut vec![end]);
    wait_for(|| !gauge.is_full());
}

/// A disk whose syncs fail while it is told so.
#[derive(Clone, Default)]
struct Failing(Arc<AtomicBool>);

impl Allocate for Failing {
    fn allocate(&self, file: &File, size: u64) -> io::Result<()> {
        file.set_len(size)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        match self.0.load(Ordering::SeqCst) {
            true => Err(io::Error::other("the disk did not keep it")),
            false => file.sync_data(),
        }
    }
}

#[test]
fn after_a_failed_sync_nothing_counts_as_synced_until_it_stands_elsewhere() {
    let folder = Folder::new();
    let failing = Failing::default();
    let (journal, _) = Journal::open_on(&config(&folder), Box::new(failing.clone())).unwrap();
    let gauge = journal.gauge();
    let mut pen = journal.pen();
    pen.write(&mut call(10, true));
    settle(&pen, 9);
    wait_for(|| gauge.synced() == gauge.written());
    let kept = gauge.synced();
    failing.0.store(true, Ordering::SeqCst);
    pen.write(&mut call(20, true));
    settle(&pen, 18);
    wait_for(|| gauge.failures() > 0);
    assert!(gauge.is_full(), "no call is admitted");
    assert_eq!(gauge.synced(), kept);
    let before = crate::journal::segment::segments(&folder.0).unwrap();
    failing.0.store(false, Ordering::SeqCst);
    wait_for(|| gauge.synced() == gauge.written() && !gauge.is_full());
    // All of it stands in segments that were begun since, so that the old one is not relied upon.
    for base in before {
        fs::remove_file(folder.0.join(format!("{base:016x}.log"))).unwrap();
    }
    assert_eq!(all(&mut journal.feed_from(gauge.written())).len(), 0, "a feed does not get it twice");
    drop((pen, journal));
    let (_journal, replay) = Journal::open(&config(&folder)).unwrap();
    let open: Vec<_> = replay.undelivered.iter().map(|one| one.record.call.0).collect();
    assert_eq!(open, [20, 20, 20], "what was not synced when it failed");
    assert_eq!(replay.unfinished, []);
}
