//! Which documents a list keeps: conditions of the query, all of which must hold.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// One condition.
#[derive(Clone, Debug, PartialEq)]
enum Condition {
    /// The value at the key is one of these, compared as texts.
    Is(String, Vec<String>),
    /// It is none of them.
    IsNot(String, Vec<String>),
    /// The key is there.
    HasKey(String),
    /// It is not.
    LacksKey(String),
    /// The value is there and not empty.
    HasValue(String),
    /// It is not.
    LacksValue(String),
    /// The number at the key is at least this.
    From(&'static str, i64),
    /// At most this.
    To(&'static str, i64),
}

/// The conditions of a query.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filter(Vec<Condition>);

impl Filter {
    /// Reads them; other parameters are left alone.
    pub(super) fn of(query: &BTreeMap<String, String>) -> Result<Self, Refusal> {
        let mut conditions = Vec::new();
        for (name, value) in query {
            let key = || value.clone();
            let moment = |field| {
                let bad = |_| Refusal::field(name, "type", "Value did not match type(s): integer");
                value.parse::<i64>().map(|at| (field, at)).map_err(bad)
            };
            conditions.push(match name.as_str() {
                "has_key" => Condition::HasKey(key()),
                "key_missing" => Condition::LacksKey(key()),
                "has_value" => Condition::HasValue(key()),
                "value_missing" | "missing_value" => Condition::LacksValue(key()),
                "created_from" => moment("created").map(|(field, at)| Condition::From(field, at))?,
                "created_to" => moment("created").map(|(field, at)| Condition::To(field, at))?,
                "modified_from" => moment("updated").map(|(field, at)| Condition::From(field, at))?,
                "modified_to" => moment("updated").map(|(field, at)| Condition::To(field, at))?,
                other => match (other.strip_prefix("filter_not_"), other.strip_prefix("filter_")) {
                    (Some(key), _) => Condition::IsNot(key.to_owned(), wanted(value)),
                    (None, Some(key)) => Condition::Is(key.to_owned(), wanted(value)),
                    (None, None) => continue,
                },
            });
        }
        Ok(Self(conditions))
    }

    /// Whether a document is kept.
    pub(super) fn keeps(&self, document: &Map<String, Value>) -> bool {
        self.0.iter().all(|condition| condition.holds(document))
    }

    /// Whether there is no condition.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Condition {
    fn holds(&self, document: &Map<String, Value>) -> bool {
        let number = |key: &str| at(document, key).and_then(Value::as_i64).unwrap_or(0);
        match self {
            Self::Is(key, values) => values.contains(&text(at(document, key))),
            Self::IsNot(key, values) => !values.contains(&text(at(document, key))),
            Self::HasKey(key) => at(document, key).is_some(),
            Self::LacksKey(key) => at(document, key).is_none(),
            Self::HasValue(key) => !is_empty(at(document, key)),
            Self::LacksValue(key) => is_empty(at(document, key)),
            Self::From(key, least) => number(key) >= *least,
            Self::To(key, most) => number(key) <= *most,
        }
    }
}

/// The values that are asked for: a JSON list means any of them.
fn wanted(value: &str) -> Vec<String> {
    match serde_json::from_str::<Value>(value) {
        Ok(Value::Array(values)) => values.iter().map(|value| text(Some(value))).collect(),
        _ => vec![value.to_owned()],
    }
}

/// The value at a key whose dots descend.
fn at<'a>(document: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    let mut parts = key.split('.');
    let mut value = document.get(parts.next()?)?;
    for part in parts {
        value = value.get(part)?;
    }
    Some(value)
}

/// A value as a text; none is the empty one.
fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Whether nothing is said: none, null, or something without content.
fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        Some(Value::Bool(flag)) => !flag,
        Some(Value::Number(number)) => number.as_i64() == Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn keeps(name: &str, value: &str) -> bool {
        let document = json!({
            "colour": "blue", "one": { "two": { "three": "deep" } }, "created": 63_600_000_000_i64,
            "updated": 63_600_000_900_i64, "none": "", "used_by": "callflow",
        });
        let query = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        Filter::of(&query).unwrap().keeps(document.as_object().unwrap())
    }

    #[test]
    fn conditions_keep_and_drop() {
        for (name, value, expected) in [
            ("filter_colour", "blue", true),
            ("filter_colour", "red", false),
            ("filter_colour", r#"["red","blue"]"#, true),
            ("filter_not_colour", "red", true),
            ("filter_not_colour", "blue", false),
            ("filter_one.two.three", "deep", true),
            ("filter_not_one.two.three", "deep", false),
            ("filter_used_by", "callflow", true),
            ("filter_nothing", "", true),
            ("has_key", "colour", true),
            ("has_key", "one", true),
            ("has_key", "one.two", true),
            ("has_key", "other", false),
            ("key_missing", "one.two.three", false),
            ("key_missing", "other", true),
            ("key_missing", "one.other", true),
            ("key_missing", "one.two.other", true),
            ("has_value", "none", false),
            ("value_missing", "none", true),
            ("missing_value", "colour", false),
            ("created_from", "63600000000", true),
            ("created_from", "63600000001", false),
            ("created_to", "63600000000", true),
            ("created_to", "63599999999", false),
            ("modified_to", "63600000900", true),
            ("modified_from", "63600000901", false),
            ("prefix", "415", true),
        ] {
            assert_eq!(keeps(name, value), expected, "{name}={value}");
        }
    }

    #[test]
    fn a_moment_that_is_none_is_refused() {
        let query = BTreeMap::from([("created_from".to_owned(), "yesterday".to_owned())]);
        assert_eq!(Filter::of(&query).unwrap_err().status, 400);
    }
}
