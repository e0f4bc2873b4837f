//! Every number that somebody has, many in one row: a row by itself costs sqlx far more than reading it costs
//! the server (measured at ten million: 93 s of CPU row by row, 12.6 s for the packed SELECT alone).
//!
//! SQLite packs a range of rowids into one text; PostgreSQL has COPY for the same. Empty text and NULL
//! are one in both, as routing reads them.

use futures_util::TryStreamExt;
use sqlx::{Postgres, Row as _, Sqlite, Transaction};

use crate::store::column::Column as _;
use crate::store::error::Result;
use crate::store::model::RoutedRow;
use crate::store::rows::NumberState;
use crate::store::sql::{Row, Sql, Tx, Value, breathe};
use crate::store::table::Table;

/// Between the columns of a number, where SQLite packs them.
const BETWEEN_COLUMNS: u8 = 0x1f;
/// Between two numbers.
const BETWEEN_NUMBERS: u8 = 0x1e;
/// How many columns a number has here.
const COLUMNS: usize = 25;

/// One number's columns as texts.
#[derive(Debug)]
pub(super) struct Packed<'t> {
    line: &'t str,
    columns: [&'t str; COLUMNS],
}

impl<'t> Packed<'t> {
    /// A line of exactly the columns there are.
    fn split(line: &'t str, separator: u8) -> Option<Self> {
        let (mut columns, mut column, mut start) = ([""; COLUMNS], 0, 0);
        // By bytes: the columns are a few bytes each, too short for what finds a char in a text (measured: 6 % of a load).
        for (at, _) in line.bytes().enumerate().filter(|(_, byte)| *byte == separator) {
            *columns.get_mut(column)? = &line[start..at];
            (column, start) = (column + 1, at + 1);
        }
        *columns.get_mut(column)? = &line[start..];
        (column + 1 == COLUMNS).then_some(Self { line, columns })
    }

    /// A column; `None` where it is empty or NULL.
    pub(super) fn text(&self, column: usize) -> Option<&'t str> {
        Some(self.columns[column]).filter(|text| !text.is_empty())
    }

    /// The columns from the first to the last given, as they stand in the line.
    pub(super) fn span(&self, first: usize, last: usize) -> &'t str {
        let at = |text: &str| text.as_ptr() as usize - self.line.as_ptr() as usize;
        let end = self.columns[last];
        &self.line[at(self.columns[first])..at(end) + end.len()]
    }

    /// The same as any row, each text as `plain` has it.
    pub(super) fn row(&self, plain: impl Fn(&str) -> String) -> Row {
        let values = self.columns.iter().zip(RoutedRow::NULLS).map(|(text, null)| match (null, *text) {
            (_, "") => null.clone(),
            (Value::Bool(_), "1" | "t") => Value::Bool(Some(true)),
            (Value::Bool(_), "0" | "f") => Value::Bool(Some(false)),
            (_, text) => Value::Text(Some(plain(text))),
        });
        Row::Kept(values.collect())
    }
}

/// What came of a server: most numbers packed; by themselves those that cannot be told apart packed.
#[derive(Debug)]
pub(super) enum Came<'t> {
    Packed(&'t Packed<'t>),
    Row(Row),
}

impl Tx {
    /// Hands every number that somebody has to `take`, in no order.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub(super) async fn each_number(&mut self, take: impl FnMut(Came<'_>)) -> Result<()> {
        match self {
            Self::Sqlite(_) => self.each_pack(take).await,
            Self::Postgres(tx) => each_copied(tx, take).await,
        }
    }

    async fn each_pack(&mut self, mut take: impl FnMut(Came<'_>)) -> Result<()> {
        let Self::Sqlite(tx) = self else { return Ok(()) };
        for first in each_plain_pack(tx, &mut take).await? {
            let sql =
                Sql::of(&[RoutedRow::SELECT, "WHERE rowid BETWEEN $1 AND $1 + 511 ", NumberState::AND_HELD]);
            self.each(sql, &[first.bind()], |row| take(Came::Row(row))).await?;
        }
        Ok(())
    }
}

/// Ranges of 512 rowids, gaps left out; each with how many numbers it holds, and them.
fn packs() -> Sql {
    let between = [", char(31), "];
    let columns = RoutedRow::COLUMNS.iter().flat_map(|column| between.into_iter().chain([*column])).skip(1);
    let mut parts = vec![
        "WITH RECURSIVE part(first) AS (SELECT min(rowid) FROM numbers UNION ALL \
         SELECT (SELECT min(rowid) FROM numbers WHERE rowid > part.first + 511) FROM part \
         WHERE part.first <= 9223372036854775296) \
         SELECT first, (SELECT count(*) || char(30) || group_concat(concat(",
    ];
    parts.extend(columns);
    parts.extend([
        "), char(30)) FROM numbers WHERE rowid BETWEEN part.first AND part.first + 511 ",
        NumberState::AND_HELD,
        ") FROM part WHERE first IS NOT NULL",
    ]);
    Sql::of(&parts)
}

/// The packs whose numbers can be told apart; the first rowid of each other one: a text there holds a
/// separator, or is not UTF-8.
async fn each_plain_pack(
    tx: &mut Transaction<'static, Sqlite>,
    take: &mut impl FnMut(Came<'_>),
) -> Result<Vec<i64>> {
    let (mut taken, mut mixed) = (0, Vec::new());
    let mut rows = sqlx::query(packs()).fetch(&mut **tx);
    while let Some(row) = rows.try_next().await? {
        let first: i64 = row.try_get(0)?;
        // NULL: nobody has any of them.
        let Ok(pack) = row.try_get::<Option<&str>, _>(1) else {
            mixed.push(first);
            continue;
        };
        let between = char::from(BETWEEN_NUMBERS);
        let Some((count, lines)) = pack.and_then(|pack| pack.split_once(between)) else { continue };
        let has = |separator: u8| lines.bytes().filter(|byte| *byte == separator).count();
        let (columns, numbers) = (has(BETWEEN_COLUMNS), has(BETWEEN_NUMBERS) + 1);
        if count.parse() != Ok(numbers) || columns != numbers * (COLUMNS - 1) {
            mixed.push(first);
            continue;
        }
        for line in lines.split(between) {
            if let Some(number) = Packed::split(line, BETWEEN_COLUMNS) {
                take(Came::Packed(&number));
            }
            breathe(&mut taken).await;
        }
    }
    Ok(mixed)
}

async fn each_copied(tx: &mut Transaction<'static, Postgres>, mut take: impl FnMut(Came<'_>)) -> Result<()> {
    let copy =
        ["COPY (", RoutedRow::SELECT, "WHERE ", NumberState::HELD, ") TO STDOUT (FORMAT text, NULL '')"];
    let mut taken = 0;
    let mut lines = tx.copy_out_raw(&copy.concat()).await?;
    while let Some(line) = lines.try_next().await? {
        // PostgreSQL keeps valid UTF-8 only, and gives it in the encoding the connection asked for.
        let line = std::str::from_utf8(&line).map_err(|error| sqlx::Error::Decode(error.into()))?;
        let line = line.trim_end_matches('\n');
        let number =
            Packed::split(line, b'\t').ok_or_else(|| sqlx::Error::Decode("a column too many".into()))?;
        match line.contains('\\') {
            true => take(Came::Row(number.row(unescaped))),
            false => take(Came::Packed(&number)),
        }
        breathe(&mut taken).await;
    }
    Ok(())
}

/// A text as it was before COPY escaped what parts its columns and lines.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        plain.push(match char {
            '\\' => match rest.next() {
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('v') => '\u{b}',
                other => other.unwrap_or('\\'),
            },
            plain => plain,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(separator: &str) -> String {
        (0..COLUMNS).map(|at| at.to_string()).collect::<Vec<_>>().join(separator)
    }

    #[test]
    fn a_line_is_split_into_exactly_its_columns() {
        let text = line("\t");
        let packed = Packed::split(&text, b'\t').unwrap();
        assert_eq!((packed.text(3), packed.span(6, 8)), (Some("3"), "6\t7\t8"));
        assert!(Packed::split(&format!("{text}\t"), b'\t').is_none());
        assert!(Packed::split("1\t2", b'\t').is_none());
    }

    #[test]
    fn what_copy_escaped_is_plain_again() {
        assert_eq!(unescaped(r"a\\b\tc\nd\\\\"), "a\\b\tc\nd\\\\");
    }
}
