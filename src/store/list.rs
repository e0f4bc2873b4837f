//! A list of numbers as SQL: what it holds, in which order, and the statements that read parts of it.

use crate::store::column::Column;
use crate::store::error::Result;
use crate::store::rows::NumberRow;
use crate::store::sql::{Row, Sql, Tx, Value};
use crate::store::table::Table;

/// A list of numbers: where it is looked for, what of that is wanted, in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List {
    /// Conditions that the index begins with: each entry of that part of it is walked.
    pub within: Conditions,
    /// The other conditions.
    pub only: Conditions,
    /// Its order, and so its index.
    pub order: Order,
    /// Whether `only` depends on more than the numbers table: a change of accounts makes it another list.
    pub follows_accounts: bool,
}

/// Conditions, each of which begins with `AND` and ends with a space; `?` are their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    sql: Vec<&'static str>,
    values: Vec<Value>,
}

/// The order of a list. Each is an index's, and no two numbers are equal in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// By text.
    Number,
    /// By what people call them.
    Called,
    /// By caller id name.
    Caller,
}

/// What the index of [`Order::Caller`] holds.
pub(crate) const HAS_CALLER: &str = "AND caller_id_name IS NOT NULL ";

/// The parts of a statement, `?` for its values, and these.
type Statement = (Vec<&'static str>, Vec<Value>);

const PAGE: &str = "LIMIT ? OFFSET ?";

/// Where a row stands: the values of the order's columns.
pub(crate) type Key = Vec<String>;

/// Entries of an index from rung to rung of a ladder. A page costs a walk of as many at most.
pub(crate) const STEP: u64 = 2_000;
/// The same in SQL.
const ONE_STEP_ON: &str = "LIMIT 1 OFFSET 2000";

impl List {
    /// The same rows in the order of their texts.
    pub(crate) fn by_number(&self) -> Self {
        let mut list = Self { order: Order::Number, ..self.clone() };
        if self.order == Order::Caller {
            // Only the index by caller id name is one of those that have one.
            list.within.sql.retain(|condition| *condition != HAS_CALLER);
            list.only.and(HAS_CALLER, []);
        }
        list
    }

    /// Where a row stands; `None`: it is not within.
    pub(crate) async fn key(&self, tx: &mut Tx, id: Value) -> Result<Option<Key>> {
        let mut parts = vec![self.order.columns(), "WHERE TRUE "];
        parts.extend(&self.within.sql);
        parts.push("AND id = ?");
        let values: Vec<Value> = self.within.values.iter().cloned().chain([id]).collect();
        let rows = tx.rows(Sql::asked(&parts), &values).await?;
        Ok(rows.first().map(|row| self.order.key(row)))
    }

    /// Rows from the first on, or with `reverse` from the last on, walked to without a ladder; behind `key`,
    /// where one is given.
    pub(crate) async fn walked(
        &self,
        tx: &mut Tx,
        reverse: bool,
        key: Option<&Key>,
        (offset, limit): (u64, u64),
    ) -> Result<Vec<Row>> {
        let (mut parts, mut values) = self.parts(NumberRow::SELECT);
        if let Some(key) = key {
            parts.push(if reverse { self.order.less() } else { self.order.greater() });
            values.extend(bound(key));
        }
        parts.push(if reverse { self.order.descending() } else { self.order.ascending() });
        parts.push(PAGE);
        values.extend([limit.bind(), offset.bind()]);
        tx.rows(Sql::asked(&parts), &values).await
    }

    /// What the server does for each statement of a ladder: a step, a count, a page.
    pub(crate) async fn plans(&self, tx: &mut Tx) -> Result<Vec<String>> {
        let from = vec!["+1".to_owned(); self.order.lowest().len()];
        let mut plans = Vec::new();
        for (sql, values) in [
            self.step_sql(&from, Some(&from)),
            self.count_sql(&from, Some(&from)),
            self.rows_sql(&from, Some(&from), 50),
        ] {
            plans.push(tx.plan(&sql, &values).await?);
        }
        Ok(plans)
    }

    /// The entry of the index that stands a step behind a place, wanted or not.
    pub(crate) async fn step(&self, tx: &mut Tx, from: &Key, until: Option<&Key>) -> Result<Option<Key>> {
        let (sql, values) = self.step_sql(from, until);
        Ok(tx.rows(Sql::asked(&sql), &values).await?.first().map(|row| self.order.key(row)))
    }

    /// Whether every entry of the index is a row of the list.
    pub(crate) fn takes_all(&self) -> bool {
        self.only.sql.is_empty()
    }

    /// How many rows stand from a place to another.
    pub(crate) async fn count(&self, tx: &mut Tx, from: &Key, until: Option<&Key>) -> Result<u64> {
        let (sql, values) = self.count_sql(from, until);
        let rows = tx.rows(Sql::asked(&sql), &values).await?;
        let count = rows.first().map(|row| row.count(0)).transpose()?.unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// How many rows there are, counted up to `most` and no further.
    pub(crate) async fn count_up_to(&self, tx: &mut Tx, most: u64) -> Result<u64> {
        let (mut parts, mut values) = self.parts("SELECT count(*) FROM (SELECT 1 FROM numbers ");
        parts.push("LIMIT ?) AS some_of_them");
        values.push(most.bind());
        let rows = tx.rows(Sql::asked(&parts), &values).await?;
        let count = rows.first().map(|row| row.count(0)).transpose()?.unwrap_or(0);
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Rows from a place to another, `limit` behind the first `offset`.
    pub(crate) async fn rows(
        &self,
        tx: &mut Tx,
        from: &Key,
        until: Option<&Key>,
        (offset, limit): (u64, u64),
    ) -> Result<Vec<Row>> {
        // What is passed by is passed in the index: the rows themselves may stand anywhere.
        let first = match offset {
            0 => from.clone(),
            _ => {
                let (mut sql, mut values) = self.between(self.parts(self.order.columns()), from, until);
                sql.extend([self.order.ascending(), "LIMIT 1 OFFSET ?"]);
                values.push(offset.bind());
                let rows = tx.rows(Sql::asked(&sql), &values).await?;
                let Some(row) = rows.first() else { return Ok(Vec::new()) };
                self.order.key(row)
            }
        };
        let (sql, values) = self.rows_sql(&first, until, limit);
        tx.rows(Sql::asked(&sql), &values).await
    }

    fn step_sql(&self, from: &Key, until: Option<&Key>) -> Statement {
        let mut parts = vec![self.order.columns(), "WHERE TRUE "];
        parts.extend(&self.within.sql);
        let mut statement = self.between((parts, self.within.values.clone()), from, until);
        statement.0.extend([self.order.ascending(), ONE_STEP_ON]);
        statement
    }

    fn count_sql(&self, from: &Key, until: Option<&Key>) -> Statement {
        self.between(self.parts(NumberRow::COUNT), from, until)
    }

    fn rows_sql(&self, from: &Key, until: Option<&Key>, limit: u64) -> Statement {
        let (mut parts, mut values) = self.between(self.parts(NumberRow::SELECT), from, until);
        parts.extend([self.order.ascending(), "LIMIT ?"]);
        values.push(limit.bind());
        (parts, values)
    }

    /// All conditions, behind a head.
    fn parts(&self, head: &'static str) -> Statement {
        let mut parts = vec![head, "WHERE TRUE "];
        parts.extend(&self.within.sql);
        parts.extend(&self.only.sql);
        (parts, self.within.values.iter().chain(&self.only.values).cloned().collect())
    }

    fn between(&self, (mut parts, mut values): Statement, from: &Key, until: Option<&Key>) -> Statement {
        if *from != self.order.lowest() {
            parts.push(self.order.from());
            values.extend(bound(from));
        }
        if let Some(until) = until {
            parts.push(self.order.less());
            values.extend(bound(until));
        }
        (parts, values)
    }
}

/// The values of a bound.
fn bound(key: &Key) -> impl Iterator<Item = Value> + '_ {
    key.first().into_iter().chain(key).map(|text| text.clone().bind())
}

impl Conditions {
    /// One more.
    pub(crate) fn and(&mut self, condition: &'static str, values: impl IntoIterator<Item = Value>) {
        self.sql.push(condition);
        self.values.extend(values);
    }
}

impl Order {
    /// Before every row.
    pub(crate) fn lowest(self) -> Key {
        match self {
            Self::Number => vec![String::new(); 2],
            Self::Called | Self::Caller => vec![String::new(); 3],
        }
    }

    /// The key of a row that was asked for by [`Order::columns`].
    fn key(self, row: &Row) -> Key {
        let text = |at| row.text(at).ok().flatten().unwrap_or_default().to_owned();
        (0..self.lowest().len()).map(text).collect()
    }

    fn columns(self) -> &'static str {
        match self {
            Self::Number => "SELECT number, scope FROM numbers ",
            Self::Called => "SELECT called, number, scope FROM numbers ",
            Self::Caller => "SELECT caller_id_name, number, scope FROM numbers ",
        }
    }

    /// Each bound is said of the first column by itself too: PostgreSQL guesses by that how much it lets through.
    fn from(self) -> &'static str {
        match self {
            Self::Number => "AND number >= ? AND (number, scope) >= (?, ?) ",
            Self::Called => "AND called >= ? AND (called, number, scope) >= (?, ?, ?) ",
            Self::Caller => "AND caller_id_name >= ? AND (caller_id_name, number, scope) >= (?, ?, ?) ",
        }
    }

    fn greater(self) -> &'static str {
        match self {
            Self::Number => "AND number >= ? AND (number, scope) > (?, ?) ",
            Self::Called => "AND called >= ? AND (called, number, scope) > (?, ?, ?) ",
            Self::Caller => "AND caller_id_name >= ? AND (caller_id_name, number, scope) > (?, ?, ?) ",
        }
    }

    fn less(self) -> &'static str {
        match self {
            Self::Number => "AND number <= ? AND (number, scope) < (?, ?) ",
            Self::Called => "AND called <= ? AND (called, number, scope) < (?, ?, ?) ",
            Self::Caller => "AND caller_id_name <= ? AND (caller_id_name, number, scope) < (?, ?, ?) ",
        }
    }

    fn ascending(self) -> &'static str {
        match self {
            Self::Number => "ORDER BY number, scope ",
            Self::Called => "ORDER BY called, number, scope ",
            Self::Caller => "ORDER BY caller_id_name, number, scope ",
        }
    }

    fn descending(self) -> &'static str {
        match self {
            Self::Number => "ORDER BY number DESC, scope DESC ",
            Self::Called => "ORDER BY called DESC, number DESC, scope DESC ",
            Self::Caller => "ORDER BY caller_id_name DESC, number DESC, scope DESC ",
        }
    }
}
