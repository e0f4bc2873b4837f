//! What differs between two generations, row by row, read out of the change log a page at a time.
//!
//! A row's state at a generation is what the first entry after it says stood there before; where there is none,
//! it is the row as it is now. So nothing is read but the entries between, and for each row one entry or itself.

use serde_json::{Map, Value as Json};

use crate::store::column::{Column, Word};
use crate::store::entity::{Entity, members, of_image, of_table};
use crate::store::error::Result;
use crate::store::generations::{Reach, number, reach, text};
use crate::store::open::Store;
use crate::store::sql::Tx;
use crate::store::write::standing;

/// When it was written last is no difference.
const UNREMARKABLE: &str = "updated_at";

/// Entries that touch no known rows are told of so many times at most.
const UNKNOWN_TOLD: u64 = 20;

/// Where a page ends: behind this row of this generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The generation.
    pub generation: u64,
    /// The row's id, 32 hexadecimal digits.
    pub id: String,
}

/// One row that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// Its table.
    pub table: &'static str,
    /// Its printed sid.
    pub sid: String,
    /// What it is called, last: its number, domain or name.
    pub name: String,
    /// Its columns before, without secrets; `None`: it was not there.
    pub before: Option<Map<String, Json>>,
    /// Its columns after; `None`: it is not there.
    pub after: Option<Map<String, Json>>,
}

impl RowChange {
    /// Only what differs of a row that is there on both sides.
    #[must_use]
    pub fn narrowed(mut self) -> Self {
        if let (Some(before), Some(after)) = (&mut self.before, &mut self.after) {
            let same = |name: &String| name != UNREMARKABLE && before.get(name) == after.get(name);
            let names: Vec<String> = before.keys().filter(|name| same(name)).cloned().collect();
            for name in names.iter().map(String::as_str).chain([UNREMARKABLE]) {
                before.remove(name);
                after.remove(name);
            }
        }
        self
    }

    /// Whether anything differs.
    fn is_one(&self) -> bool {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => {
                before.iter().any(|(name, value)| name != UNREMARKABLE && after.get(name) != Some(value))
            }
            (None, None) => false,
            _ => true,
        }
    }

    /// The other way round.
    fn turned(self) -> Self {
        Self { before: self.after, after: self.before, ..self }
    }
}

/// A page of rows that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differences {
    /// How far the change log reaches.
    pub reach: Reach,
    /// The rows, in the order they were first touched. There may be fewer than asked for, and more pages.
    pub rows: Vec<RowChange>,
    /// Where the next page begins.
    pub next: Option<Place>,
    /// Generations between whose rows are not known: a table was emptied, or one statement by hand touched very
    /// many rows. The first 20.
    pub unknown: Vec<u64>,
}

impl Store {
    /// What differs at `to` from how it was at `from`, `limit` rows at most. `None`: the change log does not reach
    /// so far back, or one of them is yet to come; the reach says which.
    ///
    /// # Errors
    /// The database is away.
    pub async fn difference(
        &self,
        (from, to): (u64, Option<u64>),
        after: Option<&Place>,
        limit: u64,
    ) -> Result<std::result::Result<Differences, Reach>> {
        let mut tx = self.directory.begin_ranges().await?;
        let reach = reach(&mut tx).await?;
        let to = to.unwrap_or(reach.newest);
        let (low, high) = (from.min(to), from.max(to));
        if low < reach.oldest || high > reach.newest {
            return Ok(Err(reach));
        }
        let (rows, next) = page(&mut tx, (low, high), after, limit).await?;
        let rows = if from > to { rows.into_iter().map(RowChange::turned).collect() } else { rows };
        let unknown = unknown(&mut tx, (low, high)).await?;
        Ok(Ok(Differences { reach, rows, next, unknown }))
    }
}

/// Generations behind the first and up to the second whose rows are not known.
pub(crate) async fn unknown(tx: &mut Tx, (low, high): (u64, u64)) -> Result<Vec<u64>> {
    const UNKNOWN: &str = "SELECT generation FROM change_log WHERE generation > $1 AND generation <= $2 \
        AND kind = 'everything' ORDER BY generation LIMIT $3";
    let rows = tx.rows(UNKNOWN, &[low.bind(), high.bind(), UNKNOWN_TOLD.bind()]).await?;
    Ok(rows.iter().map(|row| number(row, 0)).collect())
}

/// A page of the rows that were touched behind the first and up to the second generation, and differ.
pub(crate) async fn page(
    tx: &mut Tx,
    (low, high): (u64, u64),
    after: Option<&Place>,
    limit: u64,
) -> Result<(Vec<RowChange>, Option<Place>)> {
    const TOUCHED: &str = "SELECT generation, id, subject, op, before FROM change_log AS touched \
        WHERE op IS NOT NULL AND generation >= $2 AND generation <= $5 AND (generation > $2 OR id > $3) \
        AND NOT EXISTS (SELECT 1 FROM change_log AS earlier WHERE earlier.id = touched.id \
        AND earlier.op IS NOT NULL AND earlier.generation > $1 AND earlier.generation < touched.generation) \
        ORDER BY generation, id LIMIT $4";
    let (generation, id) = after.map_or((low + 1, ""), |place| (place.generation, place.id.as_str()));
    let values = [low.bind(), generation.bind(), id.to_owned().bind(), limit.bind(), high.bind()];
    let touched = tx.rows(TOUCHED, &values).await?;
    let mut changes = Vec::with_capacity(touched.len());
    for row in &touched {
        let (id, op, image) = (text(row, 1), text(row, 3), text(row, 4));
        let before = (op != "insert").then_some(image);
        changes.extend(change(tx, &text(row, 2), &id, before, high).await?.filter(RowChange::is_one));
    }
    let last = touched.last().filter(|_| touched.len() as u64 == limit);
    Ok((changes, last.map(|row| Place { generation: number(row, 0), id: text(row, 1) })))
}

/// A row as it was and as it is at `high`.
async fn change(
    tx: &mut Tx,
    table: &str,
    id: &str,
    before: Option<String>,
    high: u64,
) -> Result<Option<RowChange>> {
    of_table!(table, Row => of::<Row>(tx, id, before, high).await, else Ok(None))
}

async fn of<T: Entity>(
    tx: &mut Tx,
    id: &str,
    before: Option<String>,
    high: u64,
) -> Result<Option<RowChange>> {
    const NEXT: &str = "SELECT op, before FROM change_log WHERE id = $1 AND op IS NOT NULL AND generation > $2 \
        ORDER BY generation LIMIT 1";
    let Some(sid) = T::Id::of_word(id) else { return Ok(None) };
    let read = |image: String| of_image::<T>(&image, None);
    let next = tx.rows(NEXT, &[id.to_owned().bind(), high.bind()]).await?;
    let after = match next.first() {
        Some(row) if text(row, 0) == "insert" => None,
        Some(row) => read(text(row, 1)),
        None => standing::<T>(tx, sid).await?,
    };
    let before = before.and_then(read);
    let name = after.as_ref().or(before.as_ref()).map_or_else(String::new, |row| row.known_as().to_owned());
    let (before, after) = (before.as_ref().map(members), after.as_ref().map(members));
    Ok(Some(RowChange { table: T::NAME, sid: sid.to_string(), name, before, after }))
}
