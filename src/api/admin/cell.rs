//! How one value of a column stands in JSON: read, printed and described in one place a type.
//!
//! Every value is also taken as a text, since the command line knows texts only.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::api::error::ApiError;
use crate::api::restcomm::params::shown;
use crate::flow::Transport;
use crate::ids::{AccountSid, ApplicationSid, GatewaySid, NumberSid, OrganizationSid, TrunkSid};
use crate::routing::model::{
    CallerFrom, CallerIdFormat, DialledFrom, Follow, ForwardedAs, MatchMode, Method, Nat, Status, TrunkMode,
};
use crate::store::{NumberState, Role, Sealed, Word};

type Result<T> = std::result::Result<T, ApiError>;

/// A value that stands in a field.
pub(super) trait Cell: Sized {
    /// Whether it is a secret.
    const SECRET: bool = false;

    /// The JSON schema of what is printed.
    fn printed() -> Value;

    /// The JSON schema of what is taken.
    fn taken() -> Value;

    /// As it is printed.
    fn print(&self) -> Value;

    /// What `value` means in the field `name`.
    fn read(name: &str, value: &Value) -> Result<Self>;
}

/// `expected` in the words of a refusal.
pub(super) fn not<T>(name: &str, value: &Value, expected: &str) -> Result<T> {
    let given = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    Err(ApiError::bad(format!("{name} is `{}`: use {expected}", shown(&given))))
}

/// A text without the spaces around it; null is empty.
pub(super) fn text<'a>(name: &str, value: &'a Value, expected: &str) -> Result<&'a str> {
    match value {
        Value::Null => Ok(""),
        Value::String(text) if text.contains('\0') => not(name, value, "a text without NUL"),
        Value::String(text) => Ok(text.trim()),
        _ => not(name, value, expected),
    }
}

/// A value that the store keeps as a word.
fn word<T: Word>(name: &str, value: &Value) -> Result<T> {
    match T::of_word(text(name, value, T::EXPECTED)?) {
        Some(read) => Ok(read),
        None => not(name, value, T::EXPECTED),
    }
}

impl Cell for String {
    fn printed() -> Value {
        json!({ "type": "string" })
    }

    fn taken() -> Value {
        json!({ "type": ["string", "null"] })
    }

    fn print(&self) -> Value {
        self.as_str().into()
    }

    fn read(name: &str, value: &Value) -> Result<Self> {
        text(name, value, "a text").map(str::to_owned)
    }
}

/// A secret: taken as a text, printed as no more than that it is there.
impl Cell for Sealed {
    const SECRET: bool = true;

    fn printed() -> Value {
        json!({ "const": true })
    }

    fn taken() -> Value {
        json!({ "type": "string" })
    }

    fn print(&self) -> Value {
        true.into()
    }

    fn read(name: &str, value: &Value) -> Result<Self> {
        match value {
            Value::String(text) if !text.contains('\0') => Ok(Self::clear(text)),
            _ => Err(ApiError::bad(format!("{name} is no text: use one without NUL"))),
        }
    }
}

impl Cell for bool {
    fn printed() -> Value {
        json!({ "type": "boolean" })
    }

    fn taken() -> Value {
        json!({ "enum": [true, false, "true", "false"] })
    }

    fn print(&self) -> Value {
        (*self).into()
    }

    fn read(name: &str, value: &Value) -> Result<Self> {
        match value {
            Value::Bool(flag) => Ok(*flag),
            Value::String(text) if text.trim() == "true" => Ok(true),
            Value::String(text) if text.trim() == "false" => Ok(false),
            _ => not(name, value, "true or false"),
        }
    }
}

macro_rules! counts {
    ($($type:ty),*) => {$(
        impl Cell for $type {
            fn printed() -> Value {
                json!({ "type": "integer", "minimum": 0, "maximum": <$type>::MAX })
            }

            fn taken() -> Value {
                json!({ "anyOf": [Self::printed(), { "type": "string", "pattern": "^[0-9]{1,10}$" }] })
            }

            fn print(&self) -> Value {
                (*self).into()
            }

            fn read(name: &str, value: &Value) -> Result<Self> {
                let read = match value {
                    // 30.0 is a whole number in JSON, too.
                    Value::Number(number) => number.as_u64().or_else(|| {
                        number.as_f64().filter(|n| n.fract() == 0.0 && (0.0..1e15).contains(n)).map(|n| n as u64)
                    }),
                    Value::String(text) => match text.trim() {
                        text if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
                        _ => None,
                    },
                    _ => None,
                };
                match read.and_then(|read| read.try_into().ok()) {
                    Some(read) => Ok(read),
                    None => not(name, value, "a whole number in range"),
                }
            }
        }
    )*};
}

counts!(u16, u32);

macro_rules! sids {
    ($($type:ident),*) => {$(
        impl Cell for $type {
            fn printed() -> Value {
                json!({ "type": "string", "pattern": format!("^{}[0-9a-f]{{32}}$", Self::PREFIX) })
            }

            fn taken() -> Value {
                json!({ "type": "string", "pattern": format!("^{}[0-9a-fA-F]{{32}}$", Self::PREFIX) })
            }

            fn print(&self) -> Value {
                self.to_string().into()
            }

            fn read(name: &str, value: &Value) -> Result<Self> {
                let text = text(name, value, "a sid")?;
                text.parse().map_err(|error| ApiError::bad(format!("{name}: {error}")))
            }
        }
    )*};
}

sids!(AccountSid, ApplicationSid, GatewaySid, NumberSid, OrganizationSid, TrunkSid);

macro_rules! words {
    ($($type:ty),*) => {$(
        impl Cell for $type {
            fn printed() -> Value {
                json!({ "enum": <Self as Word>::WORDS })
            }

            fn taken() -> Value {
                Self::printed()
            }

            fn print(&self) -> Value {
                self.word().into()
            }

            fn read(name: &str, value: &Value) -> Result<Self> {
                word(name, value)
            }
        }
    )*};
}

words!(
    CallerFrom,
    CallerIdFormat,
    Follow,
    ForwardedAs,
    MatchMode,
    Method,
    Nat,
    NumberState,
    Role,
    Status,
    Transport,
    TrunkMode
);

impl Cell for DialledFrom {
    fn printed() -> Value {
        json!({ "type": "string", "pattern": "^(request-uri|to|header: *[^ ].*)$" })
    }

    fn taken() -> Value {
        Self::printed()
    }

    fn print(&self) -> Value {
        self.word().into()
    }

    fn read(name: &str, value: &Value) -> Result<Self> {
        word(name, value)
    }
}

/// Null and an empty text clear.
impl<T: Cell> Cell for Option<T> {
    const SECRET: bool = T::SECRET;

    fn printed() -> Value {
        json!({ "anyOf": [T::printed(), { "type": "null" }] })
    }

    fn taken() -> Value {
        json!({ "anyOf": [T::taken(), { "enum": [null, ""] }] })
    }

    fn print(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::print)
    }

    fn read(name: &str, value: &Value) -> Result<Self> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) if text.trim().is_empty() => Ok(None),
            _ => T::read(name, value).map(Some),
        }
    }
}

/// Dates are printed only.
impl Cell for Timestamp {
    fn printed() -> Value {
        json!({ "type": "string", "format": "date-time" })
    }

    fn taken() -> Value {
        Self::printed()
    }

    fn print(&self) -> Value {
        self.word().into()
    }

    fn read(name: &str, value: &Value) -> Result<Self> {
        word(name, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_typed_values_mean_the_same() {
        for value in [json!(30), json!("30"), json!(30.0)] {
            assert_eq!(Option::<u32>::read("max_calls", &value).unwrap(), Some(30));
        }
        for value in [json!(true), json!("true")] {
            assert!(bool::read("trusted", &value).unwrap());
        }
        for value in [json!(null), json!("")] {
            assert_eq!(Option::<u32>::read("max_calls", &value).unwrap(), None);
        }
    }

    #[test]
    fn a_wrong_value_is_named() {
        let say = |value| Option::<u16>::read("max_calls", &value).unwrap_err().message;
        assert_eq!(say(json!("many")), "max_calls is `many`: use a whole number in range");
        for wrong in [json!(-1), json!(1.5), json!(70_000), json!("+5"), json!([5]), json!({})] {
            assert!(say(wrong).ends_with("use a whole number in range"));
        }
        assert!(String::read("name", &json!(5)).is_err());
        assert!(String::read("name", &json!("a\0b")).is_err());
    }
}
