//! Statements made of constant text.

use std::borrow::Cow;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// Constant SQL text. There is no way to make one from anything but literals of the program.
#[derive(Clone, Debug)]
pub struct Sql(Cow<'static, str>);

impl Sql {
    /// One statement of several constant parts.
    #[must_use]
    pub fn of(parts: &[&'static str]) -> Self {
        Self(parts.concat().into())
    }

    /// One statement of several constant parts, each `?` of them numbered in order: conditions that do
    /// not narrow can be left out.
    #[must_use]
    pub fn asked(parts: &[&'static str]) -> Self {
        let mut text = String::new();
        for (at, piece) in parts.concat().split('?').enumerate() {
            if at > 0 {
                text.push('$');
                text.push_str(&at.to_string());
            }
            text.push_str(piece);
        }
        Self(text.into())
    }

    /// `head VALUES (…), (…) … tail`, for `rows` rows of `columns` columns, with the server's own
    /// placeholders: `$1` on PostgreSQL. SQLite takes those for names and looks each one up among
    /// all at every execution (measured: a third of the projection's time), so it gets bare `?`.
    #[must_use]
    pub(crate) fn values(
        head: &'static str,
        columns: usize,
        rows: usize,
        tail: &'static str,
        numbered: bool,
    ) -> Self {
        let mut text = String::with_capacity(head.len() + tail.len() + 16 + rows * (columns * 6 + 4));
        text.push_str(head);
        for row in 0..rows {
            text.push_str(if row == 0 { " VALUES (" } else { ", (" });
            for column in 1..=columns {
                if column > 1 {
                    text.push(',');
                }
                if numbered {
                    text.push('$');
                    text.push_str(&(row * columns + column).to_string());
                } else {
                    text.push('?');
                }
            }
            text.push(')');
        }
        text.push_str(tail);
        Self(text.into())
    }
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self(text.into())
    }
}

impl SqlSafeStr for Sql {
    fn into_sql_str(self) -> SqlStr {
        // Only constants of the program and placeholder numbers get in.
        AssertSqlSafe(self.0).into_sql_str()
    }
}
