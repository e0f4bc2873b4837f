//! Columns that hold lists, in JSON.

use std::sync::Arc;

use serde_json::{Value, json};

use super::cell::{Cell, not, text};
use crate::api::error::ApiError;
use crate::routing::model::{HeaderRules, NumberRule, Prefix};
use crate::routing::peer_policy::MOST_RULES;
use crate::store::{Word, header_rules};

type Result<T> = std::result::Result<T, ApiError>;

/// A list of texts, also as one text that parts them by commas and spaces.
macro_rules! lists {
    ($($type:ty: $item:expr),*) => {$(
        impl Cell for $type {
            fn printed() -> Value {
                json!({ "type": "array", "items": { "type": "string" } })
            }

            fn taken() -> Value {
                json!({ "type": ["string", "array", "null"], "items": { "type": "string" } })
            }

            fn print(&self) -> Value {
                self.iter().map($item).collect()
            }

            fn read(name: &str, value: &Value) -> Result<Self> {
                let joined = match value {
                    Value::Array(items) if items.iter().all(Value::is_string) => {
                        items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
                    }
                    _ => text(name, value, Self::EXPECTED)?.to_owned(),
                };
                match Self::of_word(&joined) {
                    Some(read) if !joined.contains('\0') => Ok(read),
                    _ => not(name, value, Self::EXPECTED),
                }
            }
        }
    )*};
}

lists! {
    Vec<Prefix>: |prefix| Value::from(format!("{}/{}", prefix.address, prefix.length)),
    Vec<Arc<str>>: |text| Value::from(text.as_ref()),
    Vec<String>: |text| Value::from(text.as_str())
}

impl Cell for Vec<NumberRule> {
    fn printed() -> Value {
        let size = || json!({ "type": "integer", "minimum": 0, "maximum": 255 });
        let rule = json!({
            "type": "object",
            "properties": {
                "prefix": { "type": "string" }, "min_length": size(), "max_length": size(),
                "strip": size(), "prepend": { "type": "string" },
            },
            "additionalProperties": false,
        });
        json!({ "type": "array", "items": rule })
    }

    fn taken() -> Value {
        json!({ "anyOf": [Self::printed(), { "type": "string", "contentMediaType": "application/json" }] })
    }

    fn print(&self) -> Value {
        serde_json::from_str(&self.word()).unwrap_or(Value::Null)
    }

    fn read(name: &str, value: &Value) -> Result<Self> {
        let read = match value {
            Value::Array(_) => Self::of_word(&value.to_string()),
            Value::String(text) => Self::of_word(text),
            _ => None,
        };
        read.map_or_else(|| not(name, value, Self::EXPECTED), Ok)
    }
}

impl Cell for HeaderRules {
    fn printed() -> Value {
        let rule = json!({
            "type": "object",
            "properties": {
                "header": { "type": "string" }, "direction": { "enum": ["in", "out"] },
                "action": { "enum": ["pass", "drop", "set"] }, "value": { "type": "string" },
            },
            "required": ["header", "direction", "action"],
            "additionalProperties": false,
        });
        json!({ "type": "array", "items": rule, "maxItems": MOST_RULES })
    }

    fn taken() -> Value {
        json!({ "anyOf": [Self::printed(), { "type": "string", "contentMediaType": "application/json" }] })
    }

    fn print(&self) -> Value {
        serde_json::from_str(&self.word()).unwrap_or(Value::Null)
    }

    fn read(name: &str, value: &Value) -> Result<Self> {
        let text = match value {
            Value::Array(_) => value.to_string(),
            Value::String(text) => text.clone(),
            _ => return not(name, value, Self::EXPECTED),
        };
        header_rules(&text).map_err(|why| ApiError::bad(format!("{name} {why}")))
    }
}
