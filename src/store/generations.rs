//! The generations there were: who made each, how many rows it touched.
//!
//! One change made through callgate is one entry, however many generation numbers its rows took. What was
//! written by hand in SQL is told by the change log alone: without a name, entries of the same moment together.

use crate::store::column::Column;
use crate::store::error::Result;
use crate::store::open::Store;
use crate::store::sql::{Row, Tx};

/// Entries written by hand that are looked at for one line of the list.
const LOOKED_AT: i64 = 10_000;

/// Who writes where callgate does not know: by hand, in SQL.
const BY_HAND: &str = "sql";

/// One change: what the generations from `first` to `number` are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The newest number; the one that its writer was answered.
    pub number: u64,
    /// The oldest number.
    pub first: u64,
    /// When, in UTC.
    pub at: String,
    /// The account, `operator`, or `sql` for what was written by hand.
    pub actor: String,
    /// `create`, `update`, `delete`, `import`, `rollback`, `mixed`; `everything` where the rows are not known.
    pub action: String,
    /// Rows that came.
    pub added: u64,
    /// Rows that were changed.
    pub changed: u64,
    /// Rows that went.
    pub removed: u64,
}

/// How far the change log reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The oldest generation whose rows it can tell.
    pub oldest: u64,
    /// The newest generation.
    pub newest: u64,
}

/// What one transaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    action: Option<&'static str>,
    pub(crate) added: u64,
    pub(crate) changed: u64,
    pub(crate) removed: u64,
}

impl Tally {
    /// With so many more rows of an action.
    pub(crate) fn and(mut self, action: &'static str, rows: u64) -> Self {
        match action {
            "update" => self.changed += rows,
            "delete" => self.removed += rows,
            _ => self.added += rows,
        }
        self.action =
            Some(self.action.map_or(action, |known| if known == action { action } else { "mixed" }));
        self
    }

    /// Of a rollback.
    pub(crate) fn rollback([added, changed, removed]: [u64; 3]) -> Self {
        Self { action: Some("rollback"), added, changed, removed }
    }
}

impl Store {
    /// The generations before `before` (all: `None`), the newest first, at most `limit`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn generations(&self, before: Option<u64>, limit: u64) -> Result<(Reach, Vec<Generation>)> {
        let mut tx = self.directory.begin_ranges().await?;
        let reach = reach(&mut tx).await?;
        let mut until = before.map_or(reach.newest, |before| before.saturating_sub(1).min(reach.newest));
        let mut list = Vec::new();
        while (list.len() as u64) < limit {
            let Some(one) = newest_until(&mut tx, until).await? else { break };
            until = one.first - 1;
            list.push(one);
        }
        Ok((reach, list))
    }
}

/// How far back the change log can tell.
pub(crate) async fn reach(tx: &mut Tx) -> Result<Reach> {
    let newest = tx.generation().await?;
    let rows = tx.rows("SELECT min(generation) FROM change_log", &[]).await?;
    let first = rows.first().map(|row| number(row, 0)).filter(|first| *first > 0);
    Ok(Reach { oldest: first.map_or(newest, |first| first - 1), newest })
}

/// The newest change that ends at `until` or before.
async fn newest_until(tx: &mut Tx, until: u64) -> Result<Option<Generation>> {
    const LOGGED: &str =
        "SELECT generation, at FROM change_log WHERE generation <= $1 ORDER BY generation DESC LIMIT 1";
    const RECORDED: &str = "SELECT number, first, at, actor, action, added, changed, removed FROM changes \
        WHERE number <= $1 ORDER BY number DESC LIMIT 1";
    let values = [until.bind()];
    let logged = tx.rows(LOGGED, &values).await?;
    let recorded = tx.rows(RECORDED, &values).await?;
    let recorded = recorded.first().map(|row| Generation {
        number: number(row, 0),
        first: number(row, 1),
        at: text(row, 2),
        actor: text(row, 3),
        action: text(row, 4),
        added: number(row, 5),
        changed: number(row, 6),
        removed: number(row, 7),
    });
    let Some(logged) = logged.first() else { return Ok(None) };
    let newest = number(logged, 0);
    match recorded {
        Some(recorded) if recorded.number >= newest => Ok(Some(recorded)),
        recorded => {
            let above = recorded.map_or(0, |recorded| recorded.number);
            by_hand(tx, (above, newest), text(logged, 1)).await.map(Some)
        }
    }
}

/// What was written by hand in the moment `at`: the entries down from `newest`, above `above`.
async fn by_hand(tx: &mut Tx, (above, newest): (u64, u64), at: String) -> Result<Generation> {
    const SOME: &str = "SELECT generation, at, op, kind FROM change_log WHERE generation > $1 AND generation <= $2 \
        ORDER BY generation DESC LIMIT $3";
    let values = [above.bind(), newest.bind(), LOOKED_AT.bind()];
    let mut one = Generation {
        number: newest,
        first: newest,
        at,
        actor: BY_HAND.to_owned(),
        action: String::new(),
        added: 0,
        changed: 0,
        removed: 0,
    };
    let mut tally = Tally::default();
    for row in &tx.rows(SOME, &values).await? {
        if text(row, 1) != one.at && number(row, 0) != one.first {
            break;
        }
        one.first = number(row, 0);
        if text(row, 3) == "everything" {
            one.action = "everything".to_owned();
        }
        tally = match text(row, 2).as_str() {
            "insert" => tally.and("create", 1),
            "update" => tally.and("update", 1),
            "delete" => tally.and("delete", 1),
            _ => tally,
        };
    }
    if one.action.is_empty() {
        one.action = tally.action.unwrap_or("mixed").to_owned();
    }
    Ok(Generation { added: tally.added, changed: tally.changed, removed: tally.removed, ..one })
}

impl Tx {
    /// Writes down who made the change that ends with `generation`. Several in one transaction are one.
    pub(crate) async fn record(&mut self, actor: &str, tally: &Tally, generation: u64) -> Result<()> {
        const HEAD: &str = "INSERT INTO changes (first, number, actor, action, added, changed, removed) \
            SELECT own.first, $1, $2, $3, $4, $5, $6 FROM ";
        const SQLITE: &str = "(SELECT CAST(value AS INTEGER) + 1 AS first FROM store WHERE name = 'writers') AS own WHERE own.first <= $1";
        // Somebody else's statements may have come between the begin and the first of one's own.
        const POSTGRES: &str = "(SELECT min(generation) AS first FROM change_log WHERE tx = txid_current() AND generation > \
            (SELECT CAST(value AS BIGINT) FROM store WHERE name = 'writers')) AS own WHERE own.first <= $1";
        const TAIL: &str = " ON CONFLICT (first) DO UPDATE SET number = excluded.number, \
            action = CASE changes.action WHEN excluded.action THEN changes.action ELSE 'mixed' END, \
            added = changes.added + excluded.added, changed = changes.changed + excluded.changed, \
            removed = changes.removed + excluded.removed";
        let Some(action) = tally.action else { return Ok(()) };
        let own = match self {
            Self::Sqlite(_) => SQLITE,
            Self::Postgres(_) => POSTGRES,
        };
        let values = [
            generation.bind(),
            actor.to_owned().bind(),
            action.to_owned().bind(),
            tally.added.bind(),
            tally.changed.bind(),
            tally.removed.bind(),
        ];
        self.execute(crate::store::sql::Sql::of(&[HEAD, own, TAIL]), &values).await.map(drop)
    }
}

/// A count or a generation.
pub(crate) fn number(row: &Row, at: usize) -> u64 {
    row.int(at).ok().flatten().and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

/// A text; NULL is empty.
pub(crate) fn text(row: &Row, at: usize) -> String {
    row.text(at).ok().flatten().unwrap_or_default().to_owned()
}
