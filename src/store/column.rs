//! How one value of ours stands in one column: the store's wire forms, word by word.

use std::sync::Arc;

use crate::store::sql::{Row, Value};

/// What a column holds instead of what it should.
#[derive(Debug)]
pub struct Misread {
    /// What stands there.
    pub value: String,
    /// What should.
    pub expected: &'static str,
}

/// A value that stands in one column.
pub trait Column: Sized {
    /// NULL of its column's type.
    const NULL: Value;

    /// As it is bound.
    fn bind(&self) -> Value;

    /// As it is read.
    ///
    /// # Errors
    /// The column holds something else.
    fn read(row: &Row, column: usize) -> Result<Self, Misread>;
}

fn misread(expected: &'static str) -> impl FnOnce(String) -> Misread {
    move |value| Misread { value, expected }
}

fn must<T>(read: Result<Option<T>, String>, expected: &'static str) -> Result<T, Misread> {
    read.map_err(misread(expected))?.ok_or_else(|| Misread { value: "NULL".into(), expected })
}

impl Column for bool {
    const NULL: Value = Value::Bool(None);

    fn bind(&self) -> Value {
        Value::Bool(Some(*self))
    }

    fn read(row: &Row, column: usize) -> Result<Self, Misread> {
        must(row.bool(column), "true or false")
    }
}

impl Column for String {
    const NULL: Value = Value::Text(None);

    fn bind(&self) -> Value {
        Value::Text(Some(self.clone()))
    }

    fn read(row: &Row, column: usize) -> Result<Self, Misread> {
        must(row.text(column), "a text").map(str::to_owned)
    }
}

impl Column for Arc<str> {
    const NULL: Value = Value::Text(None);

    fn bind(&self) -> Value {
        Value::Shared(self.clone())
    }

    fn read(row: &Row, column: usize) -> Result<Self, Misread> {
        must(row.text(column), "a text").map(Self::from)
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Column for $type {
            const NULL: Value = Value::Int(None);

            fn bind(&self) -> Value {
                Value::Int(i64::try_from(*self).ok())
            }

            fn read(row: &Row, column: usize) -> Result<Self, Misread> {
                const EXPECTED: &str = concat!("an integer of the range of ", stringify!($type));
                let int = must(row.int(column), EXPECTED)?;
                int.try_into().map_err(|_| Misread { value: int.to_string(), expected: EXPECTED })
            }
        }
    )*};
}

integers!(i64, u16, u32, u64);

/// A value that has a text form of its own.
pub trait Word: Sized {
    /// What people are told to write.
    const EXPECTED: &'static str;

    /// All its text forms, where they can be counted.
    const WORDS: &'static [&'static str] = &[];

    /// Its text form.
    fn word(&self) -> String;

    /// What the text means.
    fn of_word(text: &str) -> Option<Self>;
}

impl<T: Word> Column for T {
    const NULL: Value = Value::Text(None);

    fn bind(&self) -> Value {
        Value::Text(Some(self.word()))
    }

    fn read(row: &Row, column: usize) -> Result<Self, Misread> {
        let text = must(row.text(column), T::EXPECTED)?;
        T::of_word(text).ok_or_else(|| Misread { value: text.to_owned(), expected: T::EXPECTED })
    }
}

/// NULL is `None`.
impl<T: Column> Column for Option<T> {
    const NULL: Value = T::NULL;

    fn bind(&self) -> Value {
        self.as_ref().map_or(T::NULL, Column::bind)
    }

    fn read(row: &Row, column: usize) -> Result<Self, Misread> {
        if row.is_null(column) { Ok(None) } else { T::read(row, column).map(Some) }
    }
}
