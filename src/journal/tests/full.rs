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
