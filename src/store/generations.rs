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

/// The same for all lines of a page: one behind which more were looked at is the page's last.
const LOOKED_AT_IN_ALL: u64 = 40_000;

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

/// A page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generations {
    /// How far the change log reaches.
    pub reach: Reach,
    /// The newest first.
    pub list: Vec<Generation>,
    /// The next page begins before this generation; `None`: there is none.
    pub next: Option<u64>,
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
    /// The generations before `before` (all: `None`), the newest first, at most `limit`; fewer where much of what they
    /// did was written by hand.
    ///
    /// # Errors
    /// The database is away.
    pub async fn generations(&self, before: Option<u64>, limit: u64) -> Result<Generations> {
        let mut tx = self.directory.begin_ranges().await?;
        let reach = reach(&mut tx).await?;
        let mut until = before.map_or(reach.newest, |before| before.saturating_sub(1).min(reach.newest));
        let (mut list, mut looked_at) = (Vec::new(), 0);
        while (list.len() as u64) < limit && looked_at < LOOKED_AT_IN_ALL {
            let Some((one, entries)) = newest_until(&mut tx, until).await? else {
                return Ok(Generations { reach, list, next: None });
            };
            until = one.first - 1;
            looked_at += entries;
            list.push(one);
        }
        let next = list.last().map(|last: &Generation| last.first).filter(|first| *first > 1);
        Ok(Generations { reach, list, next })
    }
}

/// How far back the change log can tell.
pub(crate) async fn reach(tx: &mut Tx) -> Result<Reach> {
    let newest = tx.generation().await?;
    let rows = tx.rows("SELECT min(generation) FROM change_log", &[]).await?;
    let first = rows.first().map(|row| number(row, 0)).filter(|first| *first > 0);
    Ok(Reach { oldest: first.map_or(newest, |first| first - 1), newest })
}

/// The newest change that ends at `until` or before, and how many entries were looked at for it.
async fn newest_until(tx: &mut Tx, until: u64) -> Result<Option<(Generation, u64)>> {
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
        Some(recorded) if recorded.number >= newest => Ok(Some((recorded, 0))),
        recorded => {
            let above = recorded.map_or(0, |recorded| recorded.number);
            by_hand(tx, (above, newest), text(logged, 1)).await.map(Some)
        }
    }
}

/// What was written by hand in the moment `at`: the entries down from `newest`, above `above`. The server counts them.
async fn by_hand(tx: &mut Tx, (above, newest): (u64, u64), at: String) -> Result<(Generation, u64)> {
    const SOME: &str = "WITH latest AS (SELECT generation, at, op, kind FROM change_log \
        WHERE generation > $1 AND generation <= $2 ORDER BY generation DESC LIMIT $3), \
        own AS (SELECT min(generation) AS first FROM latest WHERE at = $4 OR generation = $2) \
        SELECT own.first, count(CASE WHEN op = 'insert' THEN 1 END), count(CASE WHEN op = 'update' THEN 1 END), \
        count(CASE WHEN op = 'delete' THEN 1 END), count(CASE WHEN kind = 'everything' THEN 1 END), count(*) \
        FROM latest JOIN own ON latest.generation >= own.first GROUP BY own.first";
    let values = [above.bind(), newest.bind(), LOOKED_AT.bind(), at.clone().bind()];
    let rows = tx.rows(SOME, &values).await?;
    let told = |column| rows.first().map_or(0, |row| number(row, column));
    let (added, changed, removed) = (told(1), told(2), told(3));
    let counts = [("create", added), ("update", changed), ("delete", removed)];
    let mut actions = counts.into_iter().filter(|(_, rows)| *rows > 0).map(|(action, _)| action);
    let action = match (told(4), actions.next(), actions.next()) {
        (1.., ..) => "everything",
        (0, Some(one), None) => one,
        _ => "mixed",
    };
    let (actor, action) = (BY_HAND.to_owned(), action.to_owned());
    let first = told(0).max(1).min(newest);
    Ok((Generation { number: newest, first, at, actor, action, added, changed, removed }, told(5)))
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
