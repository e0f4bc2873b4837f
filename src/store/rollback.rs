//! Undoing all that came after a generation, in one transaction that leads to a new one.
//!
//! The entries of the change log are undone one by one, the newest first: each step leads to a state that there
//! was, so that what refers to something, or must be unique, never is in the way of its own past.

use jiff::Timestamp;

use crate::store::audit::Entry;
use crate::store::column::{Column, Word};
use crate::store::difference::{RowChange, page, unknown};
use crate::store::entity::{Entity, of_image, of_table};
use crate::store::error::{Result, StoreError};
use crate::store::generations::{Reach, Tally, number, reach, text};
use crate::store::open::Store;
use crate::store::sql::{Row, Tx};
use crate::store::write::standing;

/// The most entries of one rollback: it holds up every other writer.
const MOST: u64 = 50_000;

/// Entries and rows that are in memory at a time.
const STEP: u64 = 500;

/// Rows that are told of.
const TOLD: usize = 20;

/// What is to be undone.
#[derive(Clone, Copy, Debug)]
pub struct Rollback {
    /// The generation that everything is to be as in.
    pub to: u64,
    /// The newest generation as the asker knows it; `None`: whatever it is.
    pub newest: Option<u64>,
    /// Find out, and change nothing.
    pub dry_run: bool,
}

/// What was undone, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledBack {
    /// The newest generation before.
    pub from: u64,
    /// The generation that has it; `None`: nothing was written.
    pub generation: Option<u64>,
    /// Rows that came back.
    pub added: u64,
    /// Rows that are as they were.
    pub changed: u64,
    /// Rows that went.
    pub removed: u64,
    /// The first of them.
    pub examples: Vec<RowChange>,
}

/// Why nothing was undone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The newest generation is another one than the asker knows.
    #[error("the newest generation is {0}: look at what it changed, then repeat with it")]
    Newer(u64),
    /// The change log does not reach there.
    #[error("the change log reaches from generation {} to {}: name one of these", .0.oldest, .0.newest)]
    Beyond(Reach),
    /// Too much at once.
    #[error(
        "{0} changes of rows came after it, more than {MOST} at once: restore a backup, or undo them by hand"
    )]
    TooMany(u64),
    /// Nobody knows which rows.
    #[error(
        "generation {0} emptied a table, or one statement of it touched very many rows: which, the change log does not say"
    )]
    Unknown(u64),
    /// What belongs to nobody else would belong to nobody.
    #[error("generation {0} had no default account or organization: name a later one")]
    NoDefault(u64),
    /// A row is not what the change log left.
    #[error("{table} {sid}, changed in generation {generation}: {why}")]
    Row {
        /// Its table.
        table: String,
        /// Its sid, or its id where the table is unknown.
        sid: String,
        /// The generation that would be undone.
        generation: u64,
        /// What is in the way.
        why: String,
    },
}

impl Store {
    /// Undoes everything that came after a generation, or nothing.
    ///
    /// # Errors
    /// The database is away; the obstacle is inside.
    pub async fn roll_back(
        &self,
        actor: &str,
        wanted: Rollback,
    ) -> Result<std::result::Result<RolledBack, Obstacle>> {
        let mut tx = self.writers_turn().await?;
        tx.by_ranges().await?;
        if let Tx::Postgres(_) = tx {
            // Nobody writes by hand meanwhile either.
            tx.execute("UPDATE generation SET number = number", &[]).await?;
        }
        let reach = reach(&mut tx).await?;
        let (low, high) = (wanted.to, reach.newest);
        if let Some(obstacle) = refusal(&mut tx, wanted, reach).await? {
            return Ok(Err(obstacle));
        }
        let owners = owners(&mut tx).await?;
        if let Err(obstacle) = undo_all(&mut tx, (low, high)).await? {
            return Ok(Err(obstacle));
        }
        if let Some(row) = left_over(&mut tx, low, high).await? {
            return Ok(Err(row));
        }
        if self::owners(&mut tx).await? < owners {
            return Ok(Err(Obstacle::NoDefault(low)));
        }
        let (counts, examples) = note(&mut tx, actor, high).await?;
        let [added, changed, removed] = counts;
        let generation = tx.generation().await?;
        let done = generation > high && !wanted.dry_run;
        if done {
            tx.record(actor, &Tally::rollback(counts), generation).await?;
            tx.commit().await?;
        }
        let generation = done.then_some(generation);
        Ok(Ok(RolledBack { from: high, generation, added, changed, removed, examples }))
    }
}

async fn refusal(tx: &mut Tx, wanted: Rollback, reach: Reach) -> Result<Option<Obstacle>> {
    const ENTRIES: &str = "SELECT count(*) FROM (SELECT 1 FROM change_log WHERE op IS NOT NULL AND generation > $1 \
        LIMIT $2) AS some_of_them";
    if wanted.newest.is_some_and(|newest| newest != reach.newest) {
        return Ok(Some(Obstacle::Newer(reach.newest)));
    }
    if wanted.to < reach.oldest || wanted.to > reach.newest {
        return Ok(Some(Obstacle::Beyond(reach)));
    }
    if let Some(generation) = unknown(tx, (wanted.to, reach.newest)).await?.first() {
        return Ok(Some(Obstacle::Unknown(*generation)));
    }
    let counted = tx.rows(ENTRIES, &[wanted.to.bind(), (MOST * 20).bind()]).await?;
    let entries = counted.first().map_or(0, |row| number(row, 0));
    Ok((entries > MOST).then_some(Obstacle::TooMany(entries)))
}

/// How many there are of the default account and the default organization.
async fn owners(tx: &mut Tx) -> Result<u64> {
    const OWNERS: &str = "SELECT (SELECT count(*) FROM accounts WHERE is_default) \
        + (SELECT count(*) FROM organizations WHERE is_default)";
    Ok(tx.rows(OWNERS, &[]).await?.first().map_or(0, |row| number(row, 0)))
}

/// Undoes the entries behind the first and up to the second generation, the newest first.
async fn undo_all(tx: &mut Tx, (low, high): (u64, u64)) -> Result<std::result::Result<(), Obstacle>> {
    const ENTRIES: &str = "SELECT generation, id, subject, op, before FROM change_log WHERE op IS NOT NULL \
        AND generation > $1 AND generation <= $2 AND (generation < $2 OR id < $3) \
        ORDER BY generation DESC, id DESC LIMIT $4";
    // Behind every id.
    let mut place = (high, "g".to_owned());
    loop {
        let values = [low.bind(), place.0.bind(), place.1.clone().bind(), STEP.bind()];
        let entries = tx.rows(ENTRIES, &values).await?;
        for entry in &entries {
            if let Err(why) = undo(tx, entry).await? {
                let (generation, table) = (number(entry, 0), text(entry, 2));
                let sid = sid(&table, &text(entry, 1));
                return Ok(Err(Obstacle::Row { table, sid, generation, why }));
            }
        }
        let Some(last) = entries.last() else { return Ok(Ok(())) };
        place = (number(last, 0), text(last, 1));
    }
}

async fn undo(tx: &mut Tx, entry: &Row) -> Result<std::result::Result<(), String>> {
    let (id, table, op, image) = (text(entry, 1), text(entry, 2), text(entry, 3), text(entry, 4));
    let unknown = Ok(Err("its table is unknown to this callgate".to_owned()));
    let done = of_table!(table.as_str(), T => undo_row::<T>(tx, &id, &op, &image).await, else unknown);
    match done {
        Ok(done) => Ok(done),
        Err(
            error @ (StoreError::Duplicate { .. } | StoreError::Constraint { .. } | StoreError::BadRow(_)),
        ) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

async fn undo_row<T: Entity>(
    tx: &mut Tx,
    id: &str,
    op: &str,
    image: &str,
) -> Result<std::result::Result<(), String>> {
    let Some(sid) = T::Id::of_word(id) else { return Ok(Err("its id is none".to_owned())) };
    let stands = standing::<T>(tx, sid).await?;
    if op == "insert" {
        if stands.is_none() {
            return Ok(Err("it is gone, which the change log does not know of".to_owned()));
        }
        tx.execute(T::DELETE, &[id.to_owned().bind()]).await?;
        return Ok(Ok(()));
    }
    let Some(mut former) = of_image::<T>(image, stands.as_ref()) else {
        return Ok(Err("what it was cannot be read: a newer or older callgate wrote it down".to_owned()));
    };
    match (&stands, op) {
        (None, "update") => return Ok(Err("it is gone, which the change log does not know of".to_owned())),
        (Some(_), "delete") => {
            return Ok(Err("it is there again, which the change log does not know of".to_owned()));
        }
        (Some(stands), _) if *stands == former => return Ok(Ok(())),
        _ => {}
    }
    former.stamp(former.created(), Timestamp::now());
    let statement = if stands.is_some() { T::UPDATE } else { T::INSERT };
    tx.execute(statement, &former.values()).await?;
    Ok(Ok(()))
}

/// The first row that is not as it was at `low`, once all behind `low` is undone. The rows that the undoing
/// itself touched are among them.
async fn left_over(tx: &mut Tx, low: u64, high: u64) -> Result<Option<Obstacle>> {
    let newest = tx.generation().await?;
    let mut after = None;
    loop {
        let (rows, next) = page(tx, (low, newest), after.as_ref(), STEP).await?;
        if let Some(row) = rows.into_iter().next() {
            let row = row.narrowed();
            let names: Vec<&str> = row.before.iter().flat_map(|map| map.keys().map(String::as_str)).collect();
            let why = match row.after.is_some() && !names.is_empty() {
                true => format!("{} cannot be brought back as it was", names.join(", ")),
                false => "it cannot be brought back as it was".to_owned(),
            };
            return Ok(Some(Obstacle::Row {
                table: row.table.to_owned(),
                sid: row.sid,
                generation: high,
                why,
            }));
        }
        match next {
            Some(place) => after = Some(place),
            None => return Ok(None),
        }
    }
}

/// Writes what the rollback changed into the audit; how many rows came, changed and went, and the first of them.
async fn note(tx: &mut Tx, actor: &str, high: u64) -> Result<([u64; 3], Vec<RowChange>)> {
    let newest = tx.generation().await?;
    let (mut counts, mut examples, mut after) = ([0; 3], Vec::new(), None);
    loop {
        let (rows, next) = page(tx, (high, newest), after.as_ref(), STEP).await?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            counts[match (&row.before, &row.after) {
                (None, _) => 0,
                (Some(_), Some(_)) => 1,
                (Some(_), None) => 2,
            }] += 1;
            let form = |map: &Option<_>| map.clone().map(|map| serde_json::Value::Object(map).to_string());
            entries.push(Entry {
                action: "rollback",
                rows: 1,
                table: row.table,
                id: row.sid[2..].to_owned(),
                before: form(&row.before),
                after: form(&row.after),
            });
            if examples.len() < TOLD {
                examples.push(row.narrowed());
            }
        }
        tx.audit(actor, newest, entries).await?;
        match next {
            Some(place) => after = Some(place),
            None => return Ok((counts, examples)),
        }
    }
}

/// An id as it is printed.
fn sid(table: &str, id: &str) -> String {
    fn printed<T: Entity>(id: &str) -> Option<String> {
        T::Id::of_word(id).map(|id| id.to_string())
    }
    let printed = of_table!(table, T => printed::<T>(id), else None);
    printed.unwrap_or_else(|| id.to_owned())
}
