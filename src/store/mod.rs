//! SQL: one interface over SQLite and PostgreSQL.
//!
//! Embedded, there are two files: the one people edit and the projection of the journal; on
//! PostgreSQL both are groups of tables of one database. Every statement is written once.
//!
//! - `sql`, `statement`: statements, values and rows, the same toward both servers. `error`: what goes wrong.
//! - `column`, `words`, `header_rules`, `table`: how values stand in columns, and what a table is.
//! - `rows`, `entity`: the tables that people edit. `open`, `migrate`: the store and its schema.
//! - `load`, `packed`, `changes`, `watch`, `model`: what routing knows, whole, step by step, and when to look.
//! - `generations`, `difference`, `rollback`: what the change log says of former generations, and the way back.
//! - `last_good`, `bytes`: the directory kept on disk, for a start without the database or with what changed since;
//!   `mark`: what its generation is known by. `config`: `[store]`.
//! - `backup`: copies of the embedded files.
//! - `number_filter`, `numbers`: numbers, many at a time; `list`: such a list as SQL; `ladder`, `ladders`: where its
//!   pages are.
//! - `calls/`: the projection of the journal. `write`, `bulk`, `idempotency`, `audit`, `lists`, `inventory`: what the
//!   service layer does with them. `keys`, `secrets`: secrets at rest.
//!   `sessions`: tokens given for a while.

mod audit;
mod backup;
mod bulk;
mod bytes;
pub mod calls;
mod changes;
mod column;
mod config;
mod difference;
mod entity;
mod error;
mod generations;
mod header_rules;
mod idempotency;
mod inventory;
mod keys;
mod ladder;
mod ladders;
pub mod last_good;
mod list;
mod lists;
mod load;
mod mark;
mod migrate;
mod model;
mod number_filter;
mod numbers;
mod open;
mod packed;
mod rollback;
mod rows;
mod secrets;
mod sessions;
mod sql;
mod statement;
mod table;
mod watch;
mod words;
mod write;

pub use audit::{AuditEntry, AuditFilter};
pub use backup::EmbeddedFiles;
pub use bulk::Many;
pub use changes::{Changes, Step};
pub use column::Word;
pub use config::{RetentionSection, SecretsSection, StoreSection};
pub use difference::{Differences, Place as ChangePlace, RowChange};
pub use entity::Entity;
pub use error::{BadRow, Result, StoreError};
pub use generations::{Generation, Generations, Reach};
pub use header_rules::header_rules;
pub use inventory::{Classified, NumberKind, Wanted};
pub use keys::{new_token, new_webhook_secret, printed_webhook_secret};
pub use lists::{Listed, Named, Naming, Page};
pub use load::{FrameRows, Load};
pub use mark::Mark;
pub(crate) use model::{dialling, trunk as routed_trunk};
pub use number_filter::{NumberFilter, NumberOrder};
pub use numbers::Place;
pub use open::{Store, StoreConfig};
pub use rollback::{Obstacle, Rollback, RolledBack};
pub use rows::{
    AccountRow, ApplicationRow, Fields, GatewayRow, NumberRow, NumberState, OrganizationRow, Role, TrunkRow,
};
pub use secrets::{Sealed, SecretError, Vault, random_id, write_private};
pub use watch::Watch;
pub use write::Written;
