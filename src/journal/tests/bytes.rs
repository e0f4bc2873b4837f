//! Entries and segments as bytes: whole, cut, damaged, of another version.

use super::*;

#[test]
fn every_entry_is_read_back_as_it_was() {
    for entry in entries() {
        let mut bytes = Vec::new();
        frame::append(&mut bytes, &entry, 77, 1_700_000_000_000_000);
        let frame = frame::first(&bytes).unwrap();
        assert_eq!(frame.len(), bytes.len());
        let read = frame::read(frame, 1_700_000_000_000_000).unwrap();
        assert_eq!(read, Framed { entry, at: 77, carried: false });
    }
}

#[test]
fn another_process_reads_the_same_wall_time_from_its_own_zero() {
    let record = Record { at: Instant::from_millis(5000), ..call(1, true).remove(1) };
    let mut bytes = Vec::new();
    frame::append(&mut bytes, &Entry::Record(record), 0, 1_000_000);
    let later = |origin| match frame::read(&bytes, origin).unwrap().entry {
        Entry::Record(record) => record.at,
        _ => unreachable!("a record was written"),
    };
    assert_eq!(later(4_000_000), Instant::from_millis(2000));
    assert_eq!(later(9_000_000), Instant::ZERO, "before its zero");
}

#[test]
fn a_file_cut_at_any_byte_keeps_every_whole_record_and_yields_no_wrong_one() {
    let folder = Folder::new();
    let (bytes, ends) = segment();
    for len in HEADER as usize..=bytes.len() {
        let whole = ends.iter().filter(|end| **end <= len).count();
        let expected = 4096 + ends[..whole].last().map_or(HEADER, |end| *end as u64);
        let cut = scan(&folder.0, &bytes[..len]);
        assert_eq!((cut.replay().entries, cut.end), (whole as u64, expected), "cut at {len}");
        // As a preallocated file looks: zeros behind the cut.
        let mut padded = bytes[..len].to_vec();
        padded.resize(bytes.len() + 64, 0);
        // A record that ends in zeros may be whole again by that.
        let whole = ends.iter().filter(|end| padded[..**end] == bytes[..**end]).count();
        let expected = 4096 + ends[..whole].last().map_or(HEADER, |end| *end as u64);
        let cut = scan(&folder.0, &padded);
        assert_eq!((cut.replay().entries, cut.end), (whole as u64, expected), "zeros from {len}");
    }
}

#[test]
fn a_damaged_byte_ends_the_reading_and_yields_no_wrong_record() {
    let folder = Folder::new();
    let (bytes, ends) = segment();
    for at in HEADER as usize..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        let whole = ends.iter().filter(|end| **end <= at).count() as u64;
        assert_eq!(scan(&folder.0, &damaged).replay().entries, whole, "damaged at {at}");
    }
}

#[test]
fn another_version_is_refused_by_name() {
    let folder = Folder::new();
    let (mut bytes, _) = segment();
    bytes[8] = 9;
    fs::write(folder.0.join(format!("{:016x}.log", 4096)), bytes).unwrap();
    assert!(matches!(Scan::of(&folder.0, 0), Err(JournalError::Version(9))));
}
