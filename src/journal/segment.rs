//! The files: segments of a fixed size, allocated before they are written, so that no write in one
//! meets a full disk; and spares, allocated at start, for when the next cannot be allocated.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::frame::VERSION;

/// What a segment begins with: the magic, the version, zeros up to 16 bytes.
pub(super) const HEADER: u64 = 16;
const MAGIC: &[u8; 8] = b"callgate";

/// Allocates room in a file, and makes what was written there last; tests bring a disk that is full, or
/// one that fails.
pub trait Allocate: Send + Sync {
    /// Makes the first `size` bytes of `file` writable without further room.
    ///
    /// # Errors
    /// The disk is full, or broken.
    fn allocate(&self, file: &File, size: u64) -> io::Result<()>;

    /// Puts on the disk what was written to `file`.
    ///
    /// # Errors
    /// The disk did not keep it, and the kernel may have forgotten it since: another try says nothing of
    /// what was written before.
    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
}

/// `posix_fallocate`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Allocate for Disk {
    fn allocate(&self, file: &File, size: u64) -> io::Result<()> {
        let size = i64::try_from(size).map_err(io::Error::other)?;
        nix::fcntl::posix_fallocate(file, 0, size).map_err(io::Error::from)
    }
}

/// The journal's directory.
pub(super) struct Folder {
    pub path: PathBuf,
    pub size: u64,
    spares: u32,
    /// Who allocates and syncs.
    pub disk: Arc<dyn Allocate>,
}

impl Folder {
    pub fn open(path: &Path, size: u64, spares: u32, disk: Arc<dyn Allocate>) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self { path: path.into(), size, spares, disk })
    }

    pub fn segment_path(&self, base: u64) -> PathBuf {
        segment_path(&self.path, base)
    }

    fn spare_path(&self, number: u32) -> PathBuf {
        self.path.join(format!("spare-{number}"))
    }

    /// A new segment at `base`, and whether a spare had to serve.
    pub fn create(&self, base: u64) -> io::Result<(File, bool)> {
        let fresh = self.path.join("next");
        match self.allocate(&fresh) {
            Ok(file) => self.begin(&fresh, file, base).map(|file| (file, false)),
            Err(error) => {
                remove_if_there(&fresh)?;
                let spare = (0..self.spares).map(|number| self.spare_path(number)).find(|path| path.exists());
                let Some(spare) = spare else { return Err(error) };
                let file = OpenOptions::new().read(true).write(true).open(&spare)?;
                self.begin(&spare, file, base).map(|file| (file, true))
            }
        }
    }

    /// Bytes in the spares that are left.
    pub fn spare_bytes(&self) -> u64 {
        let left = (0..self.spares).filter(|number| self.spare_path(*number).exists()).count();
        self.size * left as u64
    }

    /// Allocates the spares that are missing.
    pub fn refill(&self) -> io::Result<()> {
        for number in 0..self.spares {
            let path = self.spare_path(number);
            if path.exists() {
                continue;
            }
            let fresh = self.path.join("next");
            if let Err(error) = self.allocate(&fresh) {
                remove_if_there(&fresh)?;
                return Err(error);
            }
            fs::rename(&fresh, &path)?;
        }
        Ok(())
    }

    fn allocate(&self, path: &Path) -> io::Result<File> {
        let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(path)?;
        self.disk.allocate(&file, self.size)?;
        Ok(file)
    }

    fn begin(&self, path: &Path, file: File, base: u64) -> io::Result<File> {
        let mut header = [0; HEADER as usize];
        header[..8].copy_from_slice(MAGIC);
        header[8] = VERSION;
        file.write_all_at(&header, 0)?;
        fs::rename(path, self.segment_path(base))?;
        // The name is as much part of it as the bytes.
        File::open(&self.path)?.sync_all()?;
        Ok(file)
    }

    /// Whether the disk keeps what it is given now, found out in a small file of its own.
    pub fn probe(&self) -> io::Result<()> {
        let path = self.path.join("probe");
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path)?;
        file.write_all_at(MAGIC, 0)?;
        let synced = self.disk.sync(&file);
        fs::remove_file(&path)?;
        synced
    }

    /// Takes a segment away for good.
    pub fn remove(&self, base: u64) -> io::Result<()> {
        fs::remove_file(self.segment_path(base))
    }
}

/// The segments in a folder, oldest first.
pub(super) fn segments(folder: &Path) -> io::Result<Vec<u64>> {
    let mut bases = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let base = name.to_str().and_then(|name| name.strip_suffix(".log"));
        bases.extend(base.and_then(|base| u64::from_str_radix(base, 16).ok()));
    }
    bases.sort_unstable();
    Ok(bases)
}

/// The file of the segment at `base`.
pub(super) fn segment_path(folder: &Path, base: u64) -> PathBuf {
    folder.join(format!("{base:016x}.log"))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether bytes begin as a segment of this version does; `Err` holds another version.
pub(super) fn check_header(bytes: &[u8]) -> Result<bool, u8> {
    match bytes.get(..9) {
        Some(header) if header[..8] == *MAGIC => {
            if header[8] == VERSION {
                Ok(true)
            } else {
                Err(header[8])
            }
        }
        _ => Ok(false),
    }
}
