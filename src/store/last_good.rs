//! The last good directory on disk: a snapshot and the steps after it, so that a start without the
//! database routes, and one with it reads only what changed since.
//!
//! A header line, then records of length, checksum and payload. The snapshot is written beside and
//! renamed; steps are appended, and a torn last one is left out. Secrets stay sealed. Mode 0600.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use ring::digest;

use crate::routing::model::{Delta, Number};
use crate::store::bytes::{In, Out};
use crate::store::load::FrameRows;
use crate::store::mark::Mark;

const HEADER: &[u8] = b"callgate directory 6\n";
const FRAME: u8 = b'F';
const NUMBERS: u8 = b'N';
const END: u8 = b'E';
const STEP: u8 = b'S';
/// A record's length and checksum.
const HEAD: usize = 12;
/// Numbers in one record.
const BATCH: usize = 512;
/// No record of ours is larger; a length beyond is damage.
const RECORD_AT_MOST: usize = 1 << 30;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LastGoodError {
    /// The disk refuses, or there is no such file.
    #[error("{path}: the last good directory cannot be read or written")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is another version's, or its snapshot is damaged.
    #[error("{path}: no last good directory of this version, or a damaged one")]
    Damaged {
        /// Which.
        path: PathBuf,
    },
}

/// What a record says, in the order of the file.
#[derive(Debug)]
pub enum Piece {
    /// Everything but the numbers; first.
    Frame(Box<FrameRows>),
    /// Some numbers.
    Numbers(Vec<Number>),
    /// The snapshot is whole: its generation.
    End(Mark),
    /// A step after it.
    Step(Box<KeptStep>),
}

/// A step as it is kept.
#[derive(Debug)]
pub struct KeptStep {
    /// The generation it leads to.
    pub mark: Mark,
    /// The numbers' part; its `frame` is `None`.
    pub delta: Delta,
    /// The frame's part.
    pub frame: Option<FrameRows>,
}

/// A snapshot being written.
#[derive(Debug)]
pub struct Snapshot {
    path: PathBuf,
    beside: PathBuf,
    file: BufWriter<File>,
    batch: Vec<Number>,
    bytes: u64,
}

/// A whole file, to which steps are appended.
#[derive(Debug)]
pub struct LastGood {
    path: PathBuf,
    file: File,
    extent: Extent,
}

impl Snapshot {
    /// Begins one that will take the place of `path`.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn begin(path: &Path, frame: &FrameRows) -> Result<Self, LastGoodError> {
        let beside = path.with_extension("new");
        let failed = |source| LastGoodError::File { path: beside.clone(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
        let file = BufWriter::with_capacity(1 << 18, file.map_err(failed)?);
        let mut snapshot = Self {
            path: path.to_owned(),
            beside: beside.clone(),
            file,
            batch: Vec::with_capacity(BATCH),
            bytes: HEADER.len() as u64,
        };
        snapshot.file.write_all(HEADER).map_err(failed)?;
        let mut out = Out::default();
        out.u8(FRAME);
        out.text(&json(frame));
        snapshot.record(&out.0)?;
        Ok(snapshot)
    }

    /// Adds a number.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn number(&mut self, number: &Number) -> Result<(), LastGoodError> {
        self.batch.push(number.clone());
        if self.batch.len() == BATCH { self.flush() } else { Ok(()) }
    }

    /// Makes it last, in the place of the one before. May wait for the disk.
    ///
    /// # Errors
    /// The disk refuses; the one before stays.
    pub fn finish(mut self, mark: &Mark) -> Result<LastGood, LastGoodError> {
        self.flush()?;
        let mut out = Out::default();
        out.u8(END);
        out.mark(mark);
        self.record(&out.0)?;
        let failed = |source| LastGoodError::File { path: self.path.clone(), source };
        let file = self.file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&self.beside, &self.path).map_err(failed)?;
        Ok(LastGood { path: self.path, file, extent: Extent { snapshot: self.bytes, steps: 0 } })
    }

    fn flush(&mut self) -> Result<(), LastGoodError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let mut out = Out::default();
        out.u8(NUMBERS);
        out.numbers(&self.batch);
        self.batch.clear();
        self.record(&out.0)
    }

    fn record(&mut self, payload: &[u8]) -> Result<(), LastGoodError> {
        self.bytes += (HEAD + payload.len()) as u64;
        write_record(&mut self.file, payload)
            .map_err(|source| LastGoodError::File { path: self.beside.clone(), source })
    }
}

impl LastGood {
    /// Appends a step. It reaches the kernel, not yet the disk: a torn one is noticed.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn step(
        &mut self,
        mark: &Mark,
        delta: &Delta,
        frame: Option<&FrameRows>,
    ) -> Result<(), LastGoodError> {
        let mut out = Out::default();
        out.u8(STEP);
        out.mark(mark);
        out.text(&frame.map(json).unwrap_or_default());
        out.keys(&delta.removed);
        out.numbers(&delta.written);
        let mut record = Vec::with_capacity(out.0.len() + HEAD);
        write_record(&mut record, &out.0).expect("a Vec takes what is written");
        self.extent.steps += record.len() as u64;
        self.file.write_all(&record).map_err(|source| LastGoodError::File { path: self.path.clone(), source })
    }

    /// A file that was read so far, for more steps: what stands behind that is cut off. No other process may write it.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn reopen(path: &Path, extent: Extent) -> Result<Self, LastGoodError> {
        let failed = |source| LastGoodError::File { path: path.to_owned(), source };
        let mut file = std::fs::OpenOptions::new().write(true).open(path).map_err(failed)?;
        file.set_len(extent.snapshot + extent.steps).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, extent })
    }

    /// Whether the steps have outgrown the snapshot: time for a new one.
    #[must_use]
    pub fn is_long(&self) -> bool {
        const AT_LEAST: u64 = 1 << 20;
        self.extent.steps > self.extent.snapshot.max(AT_LEAST)
    }
}

/// How many bytes of a file are whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// From the header to the snapshot's end.
    pub snapshot: u64,
    /// Of the steps after it.
    pub steps: u64,
}

/// Reads a file piece by piece; how much of it is whole. Damage after the snapshot's end only ends the reading.
///
/// # Errors
/// There is no such file, it is another version's, or its snapshot is damaged.
pub fn read(path: &Path, mut take: impl FnMut(Piece)) -> Result<Extent, LastGoodError> {
    let failed = |source| LastGoodError::File { path: path.to_owned(), source };
    let damaged = || LastGoodError::Damaged { path: path.to_owned() };
    let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(failed)?);
    let mut header = [0; HEADER.len()];
    file.read_exact(&mut header).map_err(|_| damaged())?;
    if header != *HEADER {
        return Err(damaged());
    }
    let (mut extent, mut at) = (Extent::default(), HEADER.len() as u64);
    while let Some(payload) = read_record(&mut file) {
        let Some(piece) = piece(&payload) else { break };
        at += HEAD as u64 + payload.len() as u64;
        match piece {
            Piece::Step(_) if extent.snapshot == 0 => return Err(damaged()),
            Piece::Step(_) => extent.steps = at - extent.snapshot,
            Piece::End(_) => extent.snapshot = at,
            _ => {}
        }
        take(piece);
    }
    if extent.snapshot == 0 { Err(damaged()) } else { Ok(extent) }
}

fn piece(payload: &[u8]) -> Option<Piece> {
    let mut input = In(payload);
    Some(match input.u8()? {
        FRAME => Piece::Frame(serde_json::from_str(input.text()?).ok()?),
        NUMBERS => Piece::Numbers(input.numbers()?),
        END => Piece::End(input.mark()?),
        STEP => {
            let mark = input.mark()?;
            let frame = match input.text()? {
                "" => None,
                text => Some(serde_json::from_str(text).ok()?),
            };
            let removed = input.keys()?;
            let delta = Delta { removed, written: input.numbers()?, frame: None };
            Piece::Step(Box::new(KeptStep { mark, delta, frame }))
        }
        _ => return None,
    })
}

fn write_record(to: &mut impl Write, payload: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(std::io::Error::other)?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&checksum(payload))?;
    to.write_all(payload)
}

/// The next whole record; `None` at the end or where one is torn or damaged.
fn read_record(from: &mut impl Read) -> Option<Vec<u8>> {
    let mut head = [0; HEAD];
    from.read_exact(&mut head).ok()?;
    let (length, sum) = head.split_first_chunk::<4>()?;
    let length = u32::from_le_bytes(*length) as usize;
    if length > RECORD_AT_MOST {
        return None;
    }
    let mut payload = Vec::new();
    from.take(length as u64).read_to_end(&mut payload).ok()?;
    (payload.len() == length && checksum(&payload) == *sum).then_some(payload)
}

fn checksum(payload: &[u8]) -> [u8; 8] {
    let digest = digest::digest(&digest::SHA256, payload);
    *digest.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
}

fn json(frame: &FrameRows) -> String {
    serde_json::to_string(frame).expect("texts, integers and booleans have a JSON form")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ids::{AccountSid, NumberSid, OrganizationSid};
    use crate::routing::model::{Hook, Method, NumberKey, VoiceProfile};

    fn number(sid: u128, text: &str) -> Number {
        let voice = Some(Hook { url: "https://a.example/v".into(), method: Method::Get });
        let profile = Arc::new(VoiceProfile { voice, ..VoiceProfile::default() });
        let number = Number::of(OrganizationSid(3), AccountSid(2), NumberSid(sid), text, &profile);
        Number { is_sip: false, ..number }
    }

    fn mark(generation: u64) -> Mark {
        Mark { generation, change: "a change".to_owned() }
    }

    fn written(path: &Path) {
        let mut snapshot = Snapshot::begin(path, &FrameRows::default()).unwrap();
        for sid in 1..=600 {
            snapshot.number(&number(sid, "+1650")).unwrap();
        }
        let mut file = snapshot.finish(&mark(7)).unwrap();
        let key = NumberKey { sid: NumberSid(1), organization: OrganizationSid(3), text: "+1650".into() };
        let delta = Delta { removed: vec![key], written: vec![number(1, "+1651")], frame: None };
        file.step(&mark(8), &delta, Some(&FrameRows::default())).unwrap();
    }

    fn pieces(path: &Path) -> Result<Vec<String>, LastGoodError> {
        pieces_and_extent(path).map(|(pieces, _)| pieces)
    }

    fn pieces_and_extent(path: &Path) -> Result<(Vec<String>, Extent), LastGoodError> {
        let mut told = Vec::new();
        let extent = read(path, |piece| {
            told.push(match piece {
                Piece::Frame(_) => "frame".to_owned(),
                Piece::Numbers(numbers) => format!("{} numbers", numbers.len()),
                Piece::End(mark) => format!("end {}", mark.generation),
                Piece::Step(step) => {
                    assert_eq!(step.delta.written, [number(1, "+1651")]);
                    assert!(step.frame.is_some());
                    format!("step {} {}", step.mark.generation, step.mark.change)
                }
            });
        })?;
        Ok((told, extent))
    }

    #[test]
    fn what_was_written_is_read_and_damage_is_noticed() {
        let folder = std::env::temp_dir().join(format!("callgate-last-good-{}", std::process::id()));
        let path = folder.join("directory");
        written(&path);
        assert_eq!(
            pieces(&path).unwrap(),
            ["frame", "512 numbers", "88 numbers", "end 7", "step 8 a change"]
        );

        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(bytes.len() - 3);
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(pieces(&path).unwrap().last().unwrap(), "end 7", "a torn step is left out");

        let (_, extent) = pieces_and_extent(&path).unwrap();
        let mut file = LastGood::reopen(&path, extent).unwrap();
        let delta = Delta { written: vec![number(1, "+1651")], ..Delta::default() };
        file.step(&mark(9), &delta, Some(&FrameRows::default())).unwrap();
        assert_eq!(pieces(&path).unwrap().last().unwrap(), "step 9 a change", "the torn one was cut off");

        bytes[200] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(pieces(&path), Err(LastGoodError::Damaged { .. })));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
