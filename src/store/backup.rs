//! Copies of the embedded store's files, made while others write to them.

use std::path::{Path, PathBuf};

use crate::store::column::Column;
use crate::store::config::{SecretsSection, StoreSection};
use crate::store::error::{Result, StoreError};
use crate::store::open::{Store, calls_path, sqlite_path};
use crate::store::sql::Database;

/// The files that an embedded store consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedFiles {
    /// Numbers, accounts and all that people edit.
    pub directory: PathBuf,
    /// The projection of the journal.
    pub calls: PathBuf,
    /// What opens the secrets in the first.
    pub key: PathBuf,
}

impl EmbeddedFiles {
    /// Those that the configuration names; `None`: the store is not embedded.
    #[must_use]
    pub fn of(store: &StoreSection, secrets: &SecretsSection) -> Option<Self> {
        let directory = sqlite_path(&store.url)?.to_owned();
        let calls = calls_path(&directory);
        Some(Self { directory, calls, key: secrets.key_file.clone() })
    }
}

impl Store {
    /// Writes what both embedded databases hold at this moment into two new files.
    ///
    /// # Errors
    /// The store is not embedded ([`StoreError::Url`]), a file is there already, or the disk is full.
    pub async fn copy_to(&self, directory: &Path, calls: &Path) -> Result<()> {
        for (database, file) in [(&self.directory, directory), (&self.calls, calls)] {
            let Database::Sqlite(_) = database else {
                return Err(StoreError::Url("postgres://…".to_owned()));
            };
            database.rows("VACUUM INTO $1", &[file.display().to_string().bind()]).await?;
        }
        Ok(())
    }
}
