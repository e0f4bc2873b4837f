//! What a table shows: a list of columns, from which a row is read, printed and described.

use serde_json::{Map, Value, json};

use super::fields::Fields;
use crate::api::error::ApiError;

/// One column of a row of `T`.
pub(in crate::api) struct Column<T> {
    /// Its name in JSON.
    pub(super) name: &'static str,
    /// The JSON schema of what is printed.
    pub(super) printed: fn() -> Value,
    /// As it is printed.
    pub(super) print: fn(&T) -> Value,
    /// Whether it is a secret: taken, and printed as no more than that it is there.
    pub(super) secret: bool,
    /// Makes it what it is in the first row.
    pub(super) copy: fn(&T, &mut T),
    /// What writes it; `None`: it is printed only.
    pub(super) write: Option<Write<T>>,
}

/// How a column is written.
pub(super) struct Write<T> {
    /// The JSON schema of what is taken.
    pub(super) taken: fn() -> Value,
    /// Writes what the fields say, if they say anything.
    pub(super) write: fn(&Fields, &mut T) -> Result<(), ApiError>,
}

/// A table as operators see it.
pub(in crate::api) trait Shown: Sized + 'static {
    /// Its columns, in the order they are printed.
    const COLUMNS: &'static [Column<Self>];
    /// The names of those one may write.
    const KNOWN: &'static [&'static str];
    /// Those that stay as they are when a row is replaced by one that does not say them.
    const KEPT: &'static [&'static str];
}

/// A row in JSON.
pub(super) fn print<T: Shown>(row: &T) -> Value {
    T::COLUMNS
        .iter()
        .map(|column| (column.name.to_owned(), (column.print)(row)))
        .collect::<Map<_, _>>()
        .into()
}

/// Lays what was given over a row.
pub(super) fn lay<T: Shown>(fields: &Fields, row: &mut T) -> Result<(), ApiError> {
    lay_some(fields, row, |_| true)
}

/// The same, for some columns only.
pub(super) fn lay_some<T: Shown>(
    fields: &Fields,
    row: &mut T,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), ApiError> {
    for column in T::COLUMNS.iter().filter(|column| wanted(column.name)) {
        if let Some(write) = &column.write {
            (write.write)(fields, row)?;
        }
    }
    Ok(())
}

/// Makes a row what was given and nothing else: what is not said is as in a row that nothing was said about.
/// Its identity, its secrets and [`Shown::KEPT`] stay.
pub(super) fn replace<T: Shown>(fields: &Fields, blank: &T, row: &mut T) -> Result<(), ApiError> {
    for column in T::COLUMNS {
        if column.write.is_some() && !column.secret && !T::KEPT.contains(&column.name) {
            (column.copy)(blank, row);
        }
    }
    lay(fields, row)
}

/// What is given of a row as it was printed: what one may not write is left out, and secrets that are as they were.
pub(super) fn given<T: Shown>(mut map: Map<String, Value>) -> Map<String, Value> {
    for column in T::COLUMNS {
        let stays = column.secret && map.get(column.name) == Some(&Value::Bool(true));
        if column.write.is_none() || stays {
            map.remove(column.name);
        }
    }
    map
}

/// The JSON schema of a row that replaces one: as it is printed, or as it is taken.
pub(in crate::api) fn replaced<T: Shown>() -> Value {
    let properties: Map<String, Value> = T::COLUMNS
        .iter()
        .map(|column| {
            let shape = match &column.write {
                None => json!({}),
                Some(write) if column.secret => json!({ "anyOf": [(write.taken)(), { "const": true }] }),
                Some(write) => (write.taken)(),
            };
            (column.name.to_owned(), shape)
        })
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// The JSON schema of a printed row.
pub(in crate::api) fn printed<T: Shown>() -> Value {
    let properties: Map<String, Value> =
        T::COLUMNS.iter().map(|column| (column.name.to_owned(), (column.printed)())).collect();
    let required: Vec<&str> = T::COLUMNS.iter().map(|column| column.name).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// The JSON schema of what is taken, of the columns that are `wanted`.
pub(in crate::api) fn taken<T: Shown>(wanted: impl Fn(&str) -> bool) -> Value {
    let written = T::COLUMNS.iter().filter(|column| wanted(column.name));
    let properties: Map<String, Value> = written
        .filter_map(|column| Some((column.name.to_owned(), (column.write.as_ref()?.taken)())))
        .collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// Declares what a table shows: columns printed only, then those one may write, then the last ones,
/// printed only; at the end, those that stay when a row is replaced. `name = field` where the column of the
/// table has another name.
macro_rules! columns {
    (
        $row:ty:
        $($first:ident $(= $first_field:ident)?),*;
        $($name:ident $(= $field:ident)?),*;
        $($last:ident $(= $last_field:ident)?),*;
        keeps $($kept:ident),*
    ) => {
        impl $crate::api::admin::columns::Shown for $row {
            const COLUMNS: &'static [$crate::api::admin::columns::Column<Self>] = &[
                $($crate::api::admin::columns::column!($row, None, $first $($first_field)?),)*
                $($crate::api::admin::columns::column!(
                    $row,
                    Some($crate::api::admin::columns::Write {
                        taken: || $crate::api::admin::columns::taken_of(
                            |row: &$row| &$crate::api::admin::columns::place!(row $name $($field)?)
                        ),
                        write: |fields, row| {
                            fields.set(stringify!($name), &mut $crate::api::admin::columns::place!(row $name $($field)?))
                        },
                    }),
                    $name $($field)?
                ),)*
                $($crate::api::admin::columns::column!($row, None, $last $($last_field)?),)*
            ];
            const KNOWN: &'static [&'static str] = &[$(stringify!($name)),*];
            const KEPT: &'static [&'static str] = &[$(stringify!($kept)),*];
        }
    };
}

macro_rules! column {
    ($row:ty, $write:expr, $name:ident $($field:ident)?) => {
        $crate::api::admin::columns::Column {
            name: stringify!($name),
            printed: || $crate::api::admin::columns::printed_of(
                |row: &$row| &$crate::api::admin::columns::place!(row $name $($field)?)
            ),
            print: |row| $crate::api::admin::cell::Cell::print(
                &$crate::api::admin::columns::place!(row $name $($field)?)
            ),
            secret: $crate::api::admin::columns::secret_of(
                |row: &$row| &$crate::api::admin::columns::place!(row $name $($field)?)
            ),
            copy: |from, to| {
                let cell = &$crate::api::admin::columns::place!(from $name $($field)?);
                $crate::api::admin::columns::place!(to $name $($field)?) = Clone::clone(cell);
            },
            write: $write,
        }
    };
}

macro_rules! place {
    ($row:ident $name:ident) => {
        $row.$name
    };
    ($row:ident $name:ident $field:ident) => {
        $row.$field
    };
}

pub(super) use {column, columns, place};

/// The schema of the type that a field has; the function is never called.
pub(super) fn printed_of<R, T: super::cell::Cell>(_: fn(&R) -> &T) -> Value {
    T::printed()
}

/// See [`printed_of`].
pub(super) const fn secret_of<R, T: super::cell::Cell>(_: fn(&R) -> &T) -> bool {
    T::SECRET
}

/// See [`printed_of`].
pub(super) fn taken_of<R, T: super::cell::Cell>(_: fn(&R) -> &T) -> Value {
    T::taken()
}
