//! The audit, who changed what through callgate: written and read.

use crate::store::column::{Column, Word};
use crate::store::entity::{Entity, audit_form};
use crate::store::error::Result;
use crate::store::generations::Tally;
use crate::store::lists::Page;
use crate::store::open::Store;
use crate::store::sql::{Row, Sql, Tx, Value};

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

/// How many entries one statement takes.
const ENTRIES: usize = 500;

/// One entry on its way in, still without its writer and generation.
pub(crate) struct Entry {
    /// What was done.
    pub action: &'static str,
    /// How many rows it speaks of.
    pub rows: u64,
    /// The table.
    pub table: &'static str,
    /// The row's id.
    pub id: String,
    /// The row before, as JSON without secrets.
    pub before: Option<String>,
    /// The row after.
    pub after: Option<String>,
}

impl Entry {
    /// Of one row.
    pub(crate) fn of<T: Entity>(
        action: &'static str,
        id: T::Id,
        before: Option<&T>,
        after: Option<&T>,
    ) -> Self {
        let form = |row: Option<&T>| row.map(audit_form);
        Self { action, rows: 1, table: T::NAME, id: id.word(), before: form(before), after: form(after) }
    }
}

impl Tx {
    /// Writes down what this transaction did and who did it; the generation of its changes.
    pub(crate) async fn note(&mut self, actor: &str, entries: Vec<Entry>) -> Result<u64> {
        let generation = self.generation().await?;
        let tally = entries.iter().fold(Tally::default(), |tally, entry| tally.and(entry.action, entry.rows));
        self.record(actor, &tally, generation).await?;
        self.audit(actor, generation, entries).await?;
        Ok(generation)
    }

    /// The same for the audit alone.
    pub(crate) async fn audit(&mut self, actor: &str, generation: u64, entries: Vec<Entry>) -> Result<()> {
        const HEAD: &str =
            "INSERT INTO audit (actor, action, subject, subject_id, generation, before, after)";
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            let values: Vec<Value> = entries
                .by_ref()
                .take(ENTRIES)
                .flat_map(|entry| {
                    [
                        actor.to_owned().bind(),
                        entry.action.to_owned().bind(),
                        entry.table.to_owned().bind(),
                        entry.id.bind(),
                        generation.bind(),
                        entry.before.bind(),
                        entry.after.bind(),
                    ]
                })
                .collect();
            self.insert(HEAD, 7, values, "").await?;
        }
        Ok(())
    }
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
