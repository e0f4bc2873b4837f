//! What a generation is known by, beside its number.
//!
//! A database that was put back from a backup, or is another one, counts the same numbers for other changes. Whoever kept a
//! directory on disk asks for what changed since under both.

use crate::store::column::Column;
use crate::store::error::Result;
use crate::store::sql::Tx;

/// A generation, and the change that made it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Its number.
    pub generation: u64,
    /// What the change log has under it: how many entries, when, and of which rows; empty where it has none. The version of
    /// callgate is before it, as another one may read the same rows differently.
    pub change: String,
}

impl Tx {
    /// The newest generation this transaction sees, with its change.
    pub(crate) async fn mark(&mut self) -> Result<Mark> {
        let generation = self.generation().await?;
        self.mark_of(generation).await
    }

    /// A generation with its change, as the log has it now.
    pub(crate) async fn mark_of(&mut self, generation: u64) -> Result<Mark> {
        const CHANGE: &str =
            "SELECT count(*), min(at), min(id), max(id), min(kind) FROM change_log WHERE generation = $1";
        let rows = self.rows(CHANGE, &[generation.bind()]).await?;
        let Some(row) = rows.first().filter(|row| row.count(0).is_ok_and(|entries| entries > 0)) else {
            return Ok(Mark { generation, change: String::new() });
        };
        let mut change = format!("{} {}", env!("CARGO_PKG_VERSION"), row.count(0)?);
        for column in 1..=4 {
            change.push(' ');
            change
                .push_str(row.text(column).map_err(|text| sqlx::Error::Decode(text.into()))?.unwrap_or("-"));
        }
        Ok(Mark { generation, change })
    }
}
