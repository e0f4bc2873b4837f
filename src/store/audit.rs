//! Reading the audit: who changed what through callgate.

use crate::store::column::Column;
use crate::store::error::Result;
use crate::store::lists::Page;
use crate::store::open::Store;
use crate::store::sql::{Row, Sql};

/// Which entries are wanted; what is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By this account, or `operator`.
    pub actor: Option<String>,
    /// Of this table.
    pub subject: Option<String>,
    /// Of the row with this id: 32 hexadecimal digits.
    pub id: Option<String>,
    /// `create`, `update`, `delete` or `import`.
    pub action: Option<String>,
    /// Of this generation.
    pub generation: Option<u64>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When, in UTC.
    pub at: String,
    /// Who.
    pub actor: String,
    /// `create`, `update`, `delete` or `import`.
    pub action: String,
    /// The table.
    pub subject: String,
    /// The row.
    pub id: String,
    /// The generation that showed it.
    pub generation: u64,
    /// The row before, as JSON without secrets.
    pub before: Option<String>,
    /// The row after.
    pub after: Option<String>,
}

impl Store {
    /// Entries of the audit, the newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn audit(&self, filter: &AuditFilter, page: Page) -> Result<Vec<AuditEntry>> {
        let mut parts = vec![
            "SELECT at, actor, action, subject, subject_id, generation, before, after FROM audit WHERE TRUE ",
        ];
        let mut values = Vec::new();
        for (condition, value) in [
            ("AND actor = ? ", filter.actor.clone().map(|text| text.bind())),
            ("AND subject = ? ", filter.subject.clone().map(|text| text.bind())),
            ("AND subject_id = ? ", filter.id.clone().map(|text| text.bind())),
            ("AND action = ? ", filter.action.clone().map(|text| text.bind())),
            ("AND generation = ? ", filter.generation.map(|number| number.bind())),
        ] {
            if let Some(value) = value {
                parts.push(condition);
                values.push(value);
            }
        }
        parts.push("ORDER BY generation DESC, at DESC, id LIMIT ? OFFSET ?");
        values.extend([page.limit.bind(), page.offset.bind()]);
        Ok(self.directory.rows(Sql::asked(&parts), &values).await?.iter().map(read).collect())
    }
}

fn read(row: &Row) -> AuditEntry {
    let text = |at| row.text(at).ok().flatten().map(str::to_owned);
    let there = |at| text(at).unwrap_or_default();
    AuditEntry {
        at: there(0),
        actor: there(1),
        action: there(2),
        subject: there(3),
        id: there(4),
        generation: row.int(5).ok().flatten().and_then(|number| u64::try_from(number).ok()).unwrap_or(0),
        before: text(6),
        after: text(7),
    }
}
