//! Shapes of JSON, as schemas.

use serde_json::{Map, Value, json};

/// A component by its name.
pub(super) fn named(name: &str) -> Value {
    match name.strip_prefix("any of ") {
        Some(names) => json!({ "anyOf": names.split(", ").map(named).collect::<Vec<_>>() }),
        None => json!({ "$ref": format!("#/components/schemas/{name}") }),
    }
}

/// Any text.
pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// `true` or `false`.
pub(super) fn flag() -> Value {
    json!({ "type": "boolean" })
}

/// A whole number from 0 on, as far as the stores count.
pub(super) fn count() -> Value {
    json!({ "type": "integer", "minimum": 0, "maximum": i64::MAX })
}

/// A whole number in a range.
pub(super) fn within(from: u64, to: u64) -> Value {
    json!({ "type": "integer", "minimum": from, "maximum": to })
}

/// One of some words.
pub(super) fn words(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// One of the words that the code knows, or nothing.
pub(super) fn words_or_empty(words: &[&str]) -> Value {
    let mut all = words.to_vec();
    all.push("");
    json!({ "type": "string", "enum": all })
}

/// A text that matches.
pub(super) fn matching(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": pattern })
}

/// A sid that begins with `prefix`.
pub(super) fn sid(prefix: &str) -> Value {
    matching(&format!("^{prefix}[0-9a-f]{{32}}$"))
}

/// The same in a request, where capitals do, too.
pub(super) fn given_sid(prefix: &str) -> Value {
    matching(&format!("^{prefix}[0-9a-fA-F]{{32}}$"))
}

/// The same, or an empty text, which clears.
pub(super) fn given_sid_or_empty(prefix: &str) -> Value {
    matching(&format!("^({prefix}[0-9a-fA-F]{{32}})?$"))
}

/// A UUID.
pub(super) fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

/// A moment as RFC 3339 writes it.
pub(super) fn moment() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

/// A moment as RFC 2822 writes it.
pub(super) fn date() -> Value {
    matching("^[A-Z][a-z]{2}, [0-9]{1,2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4}$")
}

/// Or null.
pub(super) fn maybe(shape: Value) -> Value {
    json!({ "anyOf": [shape, { "type": "null" }] })
}

/// A list.
pub(super) fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// An object that has exactly these members; one whose name ends in `?` may be absent.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let required: Vec<String> =
        members.iter().filter(|(name, _)| !name.ends_with('?')).map(|(name, _)| (*name).to_owned()).collect();
    let properties: Map<String, Value> =
        members.into_iter().map(|(name, shape)| (name.trim_end_matches('?').to_owned(), shape)).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

/// An object that has at least these members.
pub(super) fn open_object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let mut shape = object(members);
    shape["additionalProperties"] = true.into();
    shape
}

/// An object with members of any name, all alike.
pub(super) fn map(of: Value) -> Value {
    json!({ "type": "object", "additionalProperties": of })
}

/// An object as it is sent: members of these shapes and no others, none of which must be there.
pub(super) fn given<const N: usize>(members: [(&str, Value); N]) -> Value {
    let mut shape = object(members);
    shape["required"] = json!([]);
    shape
}
