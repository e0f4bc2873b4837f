//! One macro that says once what a table is: the struct, its columns and its plain statements.

use crate::store::error::BadRow;
use crate::store::sql::{Row, Value};

/// A row of a table whose first column is its `id`.
pub trait Table: Sized {
    /// The table.
    const NAME: &'static str;
    /// The columns, the id first.
    const COLUMNS: &'static [&'static str];
    /// NULL of each column's type.
    const NULLS: &'static [Value];
    /// `SELECT columns FROM table`, to be gone on with.
    const SELECT: &'static str;
    /// `SELECT count(*) FROM table`, to be gone on with.
    const COUNT: &'static str;
    /// `INSERT INTO table (columns)`, to be gone on with VALUES.
    const INSERT_INTO: &'static str;
    /// Inserts one row, every column given.
    const INSERT: &'static str;
    /// Writes every column of the row with the id.
    const UPDATE: &'static str;
    /// Deletes the row with the id.
    const DELETE: &'static str;

    /// Every column, in order.
    fn values(&self) -> Vec<Value> {
        let mut values = Vec::with_capacity(Self::COLUMNS.len());
        self.put(&mut values);
        values
    }

    /// Adds every column, in order.
    fn put(&self, values: &mut Vec<Value>);

    /// A row of [`Table::SELECT`].
    ///
    /// # Errors
    /// A column holds what it should not.
    fn read(row: &Row) -> Result<Self, BadRow>;
}

/// Declares a row type. Each column carries its place, which is also its placeholder.
macro_rules! table {
    (
        $(#[$doc:meta])*
        $name:ident in $table:literal {
            $(#[$id_doc:meta])* 1 $id:ident: $id_type:ty,
            $($(#[$field_doc:meta])* $place:literal $field:ident: $type:ty,)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name {
            $(#[$id_doc])*
            pub $id: $id_type,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl $crate::store::table::Table for $name {
            const NAME: &'static str = $table;
            const COLUMNS: &'static [&'static str] = &[stringify!($id), $(stringify!($field)),*];
            const NULLS: &'static [$crate::store::sql::Value] = &[
                <$id_type as $crate::store::column::Column>::NULL,
                $(<$type as $crate::store::column::Column>::NULL),*
            ];
            const SELECT: &'static str = concat!(
                "SELECT ", stringify!($id), $(", ", stringify!($field),)* " FROM ", $table, " "
            );
            const COUNT: &'static str = concat!("SELECT count(*) FROM ", $table, " ");
            const INSERT_INTO: &'static str = concat!(
                "INSERT INTO ", $table, " (", stringify!($id), $(", ", stringify!($field),)* ")"
            );
            const INSERT: &'static str = concat!(
                "INSERT INTO ", $table, " (", stringify!($id), $(", ", stringify!($field),)*
                ") VALUES ($1", $(", $", $place,)* ")"
            );
            const UPDATE: &'static str = concat!(
                "UPDATE ", $table, " SET ", stringify!($id), " = $1",
                $(", ", stringify!($field), " = $", $place,)*
                " WHERE ", stringify!($id), " = $1"
            );
            const DELETE: &'static str = concat!("DELETE FROM ", $table, " WHERE ", stringify!($id), " = $1");

            fn put(&self, values: &mut Vec<$crate::store::sql::Value>) {
                use $crate::store::column::Column;
                values.push(self.$id.bind());
                $(values.push(self.$field.bind());)*
            }

            fn read(
                row: &$crate::store::sql::Row,
            ) -> Result<Self, $crate::store::error::BadRow> {
                use $crate::store::table::cell;
                Ok(Self {
                    $id: cell::<Self, _>(row, 0)?,
                    $($field: cell::<Self, _>(row, $place - 1)?,)*
                })
            }
        }
    };
}
pub(crate) use table;

/// One column of a row, its misreading told with the row's id.
pub(crate) fn cell<T: Table, C: crate::store::column::Column>(row: &Row, at: usize) -> Result<C, BadRow> {
    C::read(row, at).map_err(|misread| BadRow {
        table: T::NAME,
        id: row.text(0).ok().flatten().unwrap_or("without id").to_owned(),
        column: T::COLUMNS[at],
        value: misread.value,
        expected: misread.expected,
    })
}
