//! What is read back from files: the journal's entries, the lines of an import.

use callgate::call::record::Record;
use callgate::call::recover::Recovered;
use callgate::cli::csv::{self, Line};
use callgate::journal::Entry;

/// An entry's bytes, and a file of frames. What can be read is written as it was read, and what the records
/// amount to is told without a panic.
pub fn journal(data: &[u8]) {
    let mut entries = Entry::all_of(data, 0);
    entries.extend(Entry::of_bytes(data, 0));
    for entry in &entries {
        let bytes = entry.to_bytes(0);
        let again = Entry::of_bytes(&bytes, 0).expect("what was written can be read");
        assert_eq!(again.to_bytes(0), bytes);
    }
    let records: Vec<&Record> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Record(record) => Some(record),
            _ => None,
        })
        .collect();
    if let Some(recovered) = Recovered::of(records) {
        assert!(
            recovered
                .own_tag()
                .is_none_or(|tag| recovered.talk.is_some() || tag.shard() == recovered.shard())
        );
    }
}

/// Lines of an import: no block is larger than is said, and a cell that is written is read as it was.
pub fn import(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let columns = text.lines().next().and_then(csv::header);
    for line in text.lines() {
        for columns in [None, columns.as_deref()] {
            match csv::read(line, columns) {
                Ok(Line::Many(many)) => assert!(many.take(3).all(|number| !number.is_empty())),
                Ok(Line::One(row)) => assert!(!row.is_null()),
                Ok(Line::Nothing) | Err(_) => {}
            }
        }
        let row = format!("{},{}", csv::cell(&"1".into()), csv::cell(&line.into()));
        if let Ok(Line::One(row)) = csv::read(&row, Some(&["number".to_owned(), "friendly_name".to_owned()]))
            && let Some(name) = row.get("friendly_name")
        {
            assert_eq!(name.as_str().map(str::trim), Some(line.trim()));
        }
    }
}
