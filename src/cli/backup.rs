//! `backup FILE` and `restore FILE`: the embedded store and its key in one tar file.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::Config;
use crate::store::{EmbeddedFiles, Store, StoreConfig, StoreError};

use super::exit;

/// The first entry: who made the backup, when, and what is in it.
const MANIFEST: &str = "manifest.json";
const DIRECTORY: &str = "callgate.db";
const CALLS: &str = "callgate-calls.db";
const KEY: &str = "callgate.key";

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupError {
    #[error(
        "the store is PostgreSQL: back it up and restore it with pg_dump and pg_restore, and keep a copy of \
         the key file {} (secrets.key-file)", key.display()
    )]
    Postgres { key: PathBuf },
    #[error("{}: cannot be used", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error("{}: is there already; choose another name or remove it", path.display())]
    Exists { path: PathBuf },
    #[error("{}: is there already: --force puts it aside as `….before-restore`", path.display())]
    Occupied { path: PathBuf },
    #[error("{}: is no backup of callgate: {why}", path.display())]
    NoBackup { path: PathBuf, why: String },
    #[error("the daemon runs (it answers at {}): stop it first", socket.display())]
    Running { socket: PathBuf },
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
}

impl BackupError {
    /// The exit code (sysexits.h).
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Postgres { .. } | Self::Exists { .. } | Self::Occupied { .. } => exit::USAGE,
            Self::File { .. } => exit::SOFTWARE,
            Self::NoBackup { .. } | Self::Store(_) => exit::DATA,
            Self::Running { .. } => exit::UNAVAILABLE,
        }
    }
}

type Result<T> = std::result::Result<T, BackupError>;

/// Writes the embedded store as it is now and its key into a new file, whether or not the daemon runs.
pub(crate) async fn backup(config: &Config, to: &Path) -> Result<Value> {
    let files = embedded(config)?;
    if to.exists() {
        return Err(BackupError::Exists { path: to.to_owned() });
    }
    let folder = Folder::beside(to)?;
    let (directory, calls) = (folder.0.join(DIRECTORY), folder.0.join(CALLS));
    let store = Store::open(config.store.opening(&config.secrets))?;
    let copied = store.copy_to(&directory, &calls).await;
    let generation = store.generation().await;
    store.close().await;
    copied?;
    let manifest = json!({
        "callgate": env!("CARGO_PKG_VERSION"),
        "made_at": Timestamp::now().to_string(),
        "generation": generation?,
    });
    let half = folder.0.join("backup");
    pack(&half, &manifest, &[(DIRECTORY, &directory), (CALLS, &calls), (KEY, &files.key)])
        .map_err(|source| BackupError::File { path: to.to_owned(), source })?;
    fs::rename(&half, to).map_err(|source| BackupError::File { path: to.to_owned(), source })?;
    Ok(
        json!({ "backup": to.display().to_string(), "made_at": manifest["made_at"], "generation": manifest["generation"] }),
    )
}

/// Puts what a backup holds where the configuration says. The daemon must not run.
pub(crate) async fn restore(config: &Config, from: &Path, force: bool) -> Result<Value> {
    let files = embedded(config)?;
    if UnixStream::connect(&config.http.socket).is_ok() {
        return Err(BackupError::Running { socket: config.http.socket.clone() });
    }
    let places = [(DIRECTORY, &files.directory), (CALLS, &files.calls), (KEY, &files.key)];
    if let Some((_, path)) = places.iter().find(|(_, path)| path.exists() && !force) {
        return Err(BackupError::Occupied { path: (*path).clone() });
    }
    let folder = Folder::beside(&files.directory)?;
    let manifest = unpack(from, &folder.0)?;
    // Opened where it is unpacked: what cannot be used replaces nothing.
    let opened = Store::open(StoreConfig::new(
        format!("sqlite://{}", folder.0.join(DIRECTORY).display()),
        folder.0.join(KEY),
    ))?;
    let generation = opened.generation().await;
    opened.close().await;
    let generation = generation?;
    for (name, place) in places {
        put(&folder.0.join(name), place)?;
    }
    Ok(
        json!({ "restored": from.display().to_string(), "made_at": manifest["made_at"], "generation": generation }),
    )
}

fn embedded(config: &Config) -> Result<EmbeddedFiles> {
    EmbeddedFiles::of(&config.store, &config.secrets)
        .ok_or_else(|| BackupError::Postgres { key: config.secrets.key_file.clone() })
}

/// A folder that is gone when the command is.
struct Folder(PathBuf);

impl Folder {
    /// On the same disk as `path`, so that what is made in it can be renamed to there.
    fn beside(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let folder = path.with_file_name(format!(".{name}.{}", std::process::id()));
        let made = fs::DirBuilder::new().recursive(true).mode_private().create(&folder);
        made.map_err(|source| BackupError::File { path: folder.clone(), source })?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("callgate: warning: {} stays behind: {error}", self.0.display());
        }
    }
}

trait ModePrivate {
    fn mode_private(&mut self) -> &mut Self;
}

impl ModePrivate for fs::DirBuilder {
    fn mode_private(&mut self) -> &mut Self {
        use std::os::unix::fs::DirBuilderExt;
        self.mode(0o700)
    }
}

fn private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// The key is in it: for its owner only.
fn pack(path: &Path, manifest: &Value, files: &[(&str, &PathBuf)]) -> std::io::Result<()> {
    let mut tar = tar::Builder::new(private(path)?);
    let text = manifest.to_string();
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o600);
    tar.append_data(&mut header, MANIFEST, text.as_bytes())?;
    for (name, file) in files {
        tar.append_file(name, &mut File::open(file)?)?;
    }
    tar.into_inner()?.sync_all()
}

/// Takes the four known entries, each by its name, never a path that the file chose.
fn unpack(from: &Path, folder: &Path) -> Result<Value> {
    let file = File::open(from).map_err(|source| BackupError::File { path: from.to_owned(), source })?;
    let none = |why: String| BackupError::NoBackup { path: from.to_owned(), why };
    let mut manifest = None;
    let mut found = Vec::new();
    let mut tar = tar::Archive::new(file);
    for entry in tar.entries().map_err(|error| none(error.to_string()))? {
        let mut entry = entry.map_err(|error| none(error.to_string()))?;
        let path = entry.path().map_err(|error| none(error.to_string()))?;
        let name = path.to_string_lossy().into_owned();
        if name == MANIFEST {
            let mut text = String::new();
            entry.by_ref().take(65_536).read_to_string(&mut text).map_err(|error| none(error.to_string()))?;
            manifest =
                Some(serde_json::from_str(&text).map_err(|error| none(format!("{MANIFEST}: {error}")))?);
        } else if let Some(known) = [DIRECTORY, CALLS, KEY].into_iter().find(|known| *known == name) {
            let path = folder.join(known);
            let mut out =
                private(&path).map_err(|source| BackupError::File { path: path.clone(), source })?;
            std::io::copy(&mut entry, &mut out)
                .and_then(|_| out.flush())
                .and_then(|()| out.sync_all())
                .map_err(|source| BackupError::File { path, source })?;
            found.push(known);
        } else {
            return Err(none(format!("`{name}` is in it")));
        }
    }
    let missing = [DIRECTORY, CALLS, KEY].into_iter().find(|known| !found.contains(known));
    match (missing, manifest) {
        (Some(missing), _) => Err(none(format!("`{missing}` is not in it"))),
        (None, None) => Err(none(format!("`{MANIFEST}` is not in it"))),
        (None, Some(manifest)) => Ok(manifest),
    }
}

/// Puts `file` at `place`; what was there, with SQLite's files beside it, is put aside.
fn put(file: &Path, place: &Path) -> Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let beside = with(place, ending);
        if beside.exists() {
            let aside = with(&beside, ".before-restore");
            fs::rename(&beside, &aside).map_err(|source| BackupError::File { path: aside, source })?;
        }
    }
    if let Some(folder) = place.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(|source| BackupError::File { path: folder.to_owned(), source })?;
    }
    // The key may be kept on another disk than the store.
    let moved = fs::rename(file, place).or_else(|_| {
        fs::copy(file, place).and_then(|_| File::open(place)).and_then(|copied| copied.sync_all())
    });
    moved.map_err(|source| BackupError::File { path: place.to_owned(), source })
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}
