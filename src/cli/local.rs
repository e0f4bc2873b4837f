//! The commands that need no daemon: serve, check, migrate, backup, restore.

use std::path::Path;

use serde_json::{Value, json};

use crate::config::{Config, ConfigError};
use crate::routing::model::DigestAlgorithm;
use crate::routing::{Builder, Directory, lint};
use crate::store::{BadRow, Store, StoreError};

use super::backup::{BackupError, backup, restore};
use super::exit;

/// Why such a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("the store cannot be used")]
    Store(#[from] StoreError),
    #[error("the process cannot run")]
    Process(#[from] std::io::Error),
    #[error(transparent)]
    Serve(#[from] crate::daemon::ServeError),
    #[error(transparent)]
    Backup(#[from] BackupError),
}

impl LocalError {
    /// The exit code (sysexits.h).
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => exit::CONFIG,
            Self::Store(StoreError::Unavailable(_)) => exit::UNAVAILABLE,
            Self::Store(StoreError::Url(_)) => exit::CONFIG,
            Self::Store(_) => exit::DATA,
            Self::Process(_) => exit::SOFTWARE,
            Self::Serve(error) => error.exit_code(),
            Self::Backup(error) => error.exit_code(),
        }
    }
}

type Result<T> = std::result::Result<T, LocalError>;

/// Reads the configuration: the file, then the environment.
pub(crate) fn config(file: Option<&Path>) -> Result<Config> {
    Ok(Config::load(file, std::env::vars())?)
}

/// Runs the router until a signal ends it.
pub(crate) fn serve(file: Option<&Path>) -> Result<()> {
    let served = config(file).and_then(|config| Ok(crate::daemon::serve(config, file.map(Path::to_owned))?));
    if let Err(error) = &served {
        crate::daemon::cannot_follow(error);
    }
    served
}

/// Brings the store's tables up to date; what was applied.
pub(crate) fn migrate(file: Option<&Path>) -> Result<Value> {
    let config = config(file)?;
    runtime()?.block_on(async {
        let store = Store::open(config.store.opening(&config.secrets))?;
        let applied = store.migrate().await;
        store.close().await;
        Ok(json!({ "store": store_kind(&store), "applied": applied? }))
    })
}

/// Writes the embedded store and its key into `to`.
pub(crate) fn back_up(file: Option<&Path>, to: &Path) -> Result<Value> {
    let config = config(file)?;
    Ok(runtime()?.block_on(backup(&config, to))?)
}

/// Puts what `from` holds where the configuration says.
pub(crate) fn put_back(file: Option<&Path>, from: &Path, force: bool) -> Result<Value> {
    let config = config(file)?;
    Ok(runtime()?.block_on(restore(&config, from, force))?)
}

/// Reads the configuration, loads the directory as a start would and says what is doubtful. Neither
/// binds nor writes.
pub(crate) fn check(file: Option<&Path>) -> Result<Value> {
    let config = config(file)?;
    let opening = config.store.opening(&config.secrets);
    let mut warnings: Vec<String> = config.unwise().iter().map(ToString::to_string).collect();
    let (kind, directory, bad) = if opening.is_new() {
        warnings.push(format!("the store `{}` is not there yet: the first start makes it", opening.url));
        ("sqlite", Directory::default(), Vec::new())
    } else {
        runtime()?.block_on(async {
            let store = Store::open(opening)?;
            let loaded = load(&store, &mut warnings).await;
            store.close().await;
            loaded.map(|(directory, bad)| (store_kind(&store), directory, bad))
        })?
    };
    warnings.extend(doubts(&directory, &bad));
    Ok(json!({
        "configuration": file.map_or("defaults".into(), |file| file.display().to_string()),
        "store": kind,
        "generation": directory.generation(),
        "numbers": directory.len(),
        "patterns": directory.pattern_count(),
        "trunks": directory.trunks().all().len(),
        "gateways": directory.gateways().len(),
        "warnings": warnings,
    }))
}

async fn load(
    store: &Store,
    warnings: &mut Vec<String>,
) -> std::result::Result<(Directory, Vec<BadRow>), StoreError> {
    let due = store.due().await?;
    if !due.is_empty() {
        let due = due.join(", ");
        warnings
            .push(format!("migrations are due, the next start or `callgate migrate` applies them: {due}"));
        return Ok((Directory::default(), Vec::new()));
    }
    let mut load = store.load().await?;
    let mut builder = Builder::new(load.frame.clone());
    load.numbers(|number| builder.add(&number)).await?;
    Ok((builder.build(load.mark.generation), load.bad))
}

fn doubts(directory: &Directory, bad: &[BadRow]) -> Vec<String> {
    let mut doubts: Vec<String> = bad.iter().map(ToString::to_string).collect();
    doubts.extend(directory.skipped().map(|skipped| format!("{}: {}", skipped.sid, skipped.why)));
    for organization in directory.organizations() {
        if let Some(set) = directory.patterns_of(organization.sid) {
            let alone =
                set.ranked().iter().flat_map(|entry| lint::one(&entry.pattern.text, organization.match_mode));
            let notes = alone.chain(lint::together(set));
            doubts.extend(notes.map(|note| format!("{}: {note}", organization.domain)));
        }
    }
    if directory.emergency_gateway(None).is_none() {
        doubts.push(
            "no gateway serves emergency calls, so that they get 404: set emergency=true on one".into(),
        );
    }
    if directory.trunks().all().is_empty() {
        doubts.push("there is no trunk, so that every source is unknown: `callgate trunks add`".into());
    }
    for trunk in directory.trunks().all() {
        if trunk.digest.as_ref().is_some_and(|digest| digest.hash(DigestAlgorithm::Md5).is_none()) {
            doubts.push(format!(
                "trunk {0} has auth_username and no password, so that nobody proves to be it: \
                 `callgate trunks set {0} auth_password=…`",
                trunk.name
            ));
        }
    }
    doubts
}

fn store_kind(store: &Store) -> &'static str {
    if store.is_embedded() { "sqlite" } else { "postgres" }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
