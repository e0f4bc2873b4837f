//! First start on an empty store: the default organization, the super-admin account, and the
//! identity of this node.

use std::io;
use std::path::{Path, PathBuf};

use crate::call::mint::ShardKey;
use crate::ids::{AccountSid, InstanceSid};
use crate::store::{
    AccountRow, OrganizationRow, Role, SecretError, Store, StoreError, new_token, random_id, write_private,
};

/// Where generated credentials are written, below `node.data-dir`.
const CREDENTIALS: &str = "admin-credentials";
/// Where the node's identity is kept, below `node.data-dir`.
const INSTANCE: &str = "instance";
const SHARD_KEY: &str = "shard-key";
/// The domain of the default organization; `callgate organizations set` changes it.
const DOMAIN: &str = "default.callgate.local";
/// Whom the audit names.
const ACTOR: &str = "first start";

/// Why the first start could not be completed.
#[derive(Debug, thiserror::Error)]
pub enum FirstStartError {
    /// The store refused.
    #[error("the default organization and account could not be created")]
    Store(#[from] StoreError),
    /// No randomness.
    #[error("no identity could be drawn")]
    Random(#[from] SecretError),
    /// A file of the node's own.
    #[error("`{}` cannot be read or written", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the node's own holds something else.
    #[error("`{}` is not what callgate wrote there: remove it, and a new one is made", path.display())]
    Garbled {
        /// Which.
        path: PathBuf,
    },
    /// `CALLGATE_ADMIN_SID`.
    #[error("CALLGATE_ADMIN_SID `{0}` is no account: it is `AC` and 32 hexadecimal digits")]
    Sid(String),
    /// One of the two variables alone.
    #[error("CALLGATE_ADMIN_SID and CALLGATE_ADMIN_TOKEN belong together: set both or neither")]
    Half,
}

/// What the environment asks the first account to be.
#[derive(Clone, Default)]
pub struct GivenAdmin {
    /// `CALLGATE_ADMIN_SID`.
    pub sid: Option<String>,
    /// `CALLGATE_ADMIN_TOKEN`.
    pub token: Option<String>,
}

impl GivenAdmin {
    /// What the environment of this process says.
    #[must_use]
    pub fn from_environment() -> Self {
        let read = |name| std::env::var(name).ok().filter(|value: &String| !value.is_empty());
        Self { sid: read("CALLGATE_ADMIN_SID"), token: read("CALLGATE_ADMIN_TOKEN") }
    }

    fn checked(&self) -> Result<Option<(AccountSid, &str)>, FirstStartError> {
        match (&self.sid, &self.token) {
            (None, None) => Ok(None),
            (Some(sid), Some(token)) => {
                let sid = sid.parse().map_err(|_| FirstStartError::Sid(sid.clone()))?;
                Ok(Some((sid, token)))
            }
            _ => Err(FirstStartError::Half),
        }
    }
}

/// A first start that may have to wait for the store.
#[derive(Clone)]
pub struct FirstStart {
    /// `node.data-dir`, where generated credentials go.
    pub data_dir: PathBuf,
    /// The credentials that are asked for.
    pub given: GivenAdmin,
}

impl FirstStart {
    /// [`first_start`] with what is kept here.
    ///
    /// # Errors
    /// As [`first_start`].
    pub async fn complete(&self, store: &Store) -> Result<(), FirstStartError> {
        first_start(store, &self.data_dir, &self.given).await
    }
}

/// Creates what a store needs before anybody can use it; nothing where it is there already. With
/// `given` the super-admin account has exactly those credentials, and an existing account's token
/// is set to the given one.
///
/// # Errors
/// The store or the disk refuses, or `given` is not usable.
pub async fn first_start(store: &Store, data_dir: &Path, given: &GivenAdmin) -> Result<(), FirstStartError> {
    let given = given.checked()?;
    if let Some(account) = store.default_account().await? {
        return keep_given(store, account, given).await;
    }
    let organization = match store.default_organization().await? {
        Some(row) => row.id,
        None => {
            let row = OrganizationRow {
                is_default: true,
                friendly_name: "Default".into(),
                ..OrganizationRow::new(DOMAIN)
            };
            store.create(ACTOR, row).await?.row.id
        }
    };
    let mut row = AccountRow {
        is_default: true,
        role: Role::SuperAdmin,
        ..AccountRow::new(organization, "Administrator")
    };
    let generated;
    let token = match given {
        Some((sid, token)) => {
            row.id = sid;
            token
        }
        None => {
            generated = new_token()?;
            &generated
        }
    };
    store.give_token(&mut row, token)?;
    if given.is_none() {
        // Before the account: credentials nobody can read would lock everybody out.
        let path = write_credentials(data_dir, row.id, token)?;
        tracing::info!(path = %path.display(), "first start: the administrator's credentials are in this file");
    }
    store.create(ACTOR, row).await?;
    Ok(())
}

async fn keep_given(
    store: &Store,
    account: AccountRow,
    given: Option<(AccountSid, &str)>,
) -> Result<(), FirstStartError> {
    let Some((sid, token)) = given else { return Ok(()) };
    if account.id != sid {
        tracing::warn!(%sid, default = %account.id, "CALLGATE_ADMIN_SID is not the default account: not used");
        return Ok(());
    }
    if store.auth_token(&account)?.as_deref() != Some(token) {
        store.set_auth_token("CALLGATE_ADMIN_TOKEN", sid, token).await?;
        tracing::info!(%sid, "the administrator's token was set from CALLGATE_ADMIN_TOKEN");
    }
    Ok(())
}

fn write_credentials(data_dir: &Path, sid: AccountSid, token: &str) -> Result<PathBuf, FirstStartError> {
    let path = data_dir.join(CREDENTIALS);
    let failed = |source| FirstStartError::File { path: path.clone(), source };
    match std::fs::remove_file(&path) {
        // Left by a first start that did not get as far as the account.
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let text = format!("CALLGATE_ADMIN_SID={sid}\nCALLGATE_ADMIN_TOKEN={token}\n");
    write_private(&path, &text).map_err(failed)?;
    Ok(path)
}

/// This node's identity, the same over restarts.
///
/// # Errors
/// The disk refuses, or the file holds something else.
pub fn instance(data_dir: &Path) -> Result<InstanceSid, FirstStartError> {
    kept(data_dir.join(INSTANCE), |text| text.parse().ok(), || Ok(InstanceSid(random_id()?)))
}

/// The key of this node's virtual shards, the same over restarts: what comes again for a call of an
/// earlier life comes to the shard that took the call over.
///
/// # Errors
/// The disk refuses, or the file holds something else.
pub fn shard_key(data_dir: &Path) -> Result<ShardKey, FirstStartError> {
    let read = |text: &str| u128::from_str_radix(text, 16).ok().map(Hex);
    let key = kept(data_dir.join(SHARD_KEY), read, || Ok(Hex(random_id()?)))?;
    Ok(ShardKey(key.0.to_be_bytes()))
}

/// 32 hexadecimal digits.
struct Hex(u128);

impl std::fmt::Display for Hex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What the file at `path` holds, drawn and written where there is none.
fn kept<T: std::fmt::Display>(
    path: PathBuf,
    read: impl FnOnce(&str) -> Option<T>,
    draw: impl FnOnce() -> Result<T, FirstStartError>,
) -> Result<T, FirstStartError> {
    match std::fs::read_to_string(&path) {
        Ok(text) => read(text.trim()).ok_or(FirstStartError::Garbled { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let drawn = draw()?;
            write_private(&path, &format!("{drawn}\n"))
                .map_err(|source| FirstStartError::File { path, source })?;
            Ok(drawn)
        }
        Err(source) => Err(FirstStartError::File { path, source }),
    }
}
