//! JSON fields into columns: each value as the column's type needs it, also from a text, since the
//! command line knows texts only.

use serde_json::{Map, Value};

use crate::api::error::ApiError;
use crate::api::restcomm::params::{nearest, shown};
use crate::store::Word;

/// The fields of one object, each to be taken once.
#[derive(Clone, Debug)]
pub(super) struct Fields {
    map: Map<String, Value>,
    known: &'static [&'static str],
}

type Result<T> = std::result::Result<T, ApiError>;

impl Fields {
    /// Refuses a name that is not known, naming the nearest one.
    pub(super) fn new(map: Map<String, Value>, known: &'static [&'static str]) -> Result<Self> {
        for name in map.keys() {
            if !known.contains(&name.as_str()) {
                let hint = nearest(name, known).map(|near| format!("; did you mean {near}?"));
                let all = || format!(": there are {}", known.join(", "));
                return Err(ApiError::bad(format!(
                    "{} is no field here{}",
                    shown(name),
                    hint.unwrap_or_else(all)
                )));
            }
        }
        Ok(Self { map, known })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        debug_assert!(self.known.contains(&name), "{name} is not among the known fields");
        self.map.get(name)
    }

    /// A text; null and empty are empty.
    pub(super) fn text(&self, name: &str, field: &mut String) -> Result<()> {
        if let Some(value) = self.get(name) {
            *field = word(name, value)?.unwrap_or_default();
        }
        Ok(())
    }

    /// A text that may be absent; null and empty clear.
    pub(super) fn text_or_none(&self, name: &str, field: &mut Option<String>) -> Result<()> {
        if let Some(value) = self.get(name) {
            *field = word(name, value)?.filter(|text| !text.is_empty());
        }
        Ok(())
    }

    /// A value that has a word for itself.
    pub(super) fn word<T: Word>(&self, name: &str, field: &mut T) -> Result<()> {
        if let Some(value) = self.get(name) {
            let text = word(name, value)?.unwrap_or_default();
            *field = T::of_word(&text).ok_or_else(|| not(name, &text, T::EXPECTED))?;
        }
        Ok(())
    }

    /// The same where it may be absent; null and empty clear.
    pub(super) fn word_or_none<T: Word>(&self, name: &str, field: &mut Option<T>) -> Result<()> {
        if let Some(value) = self.get(name) {
            *field = match word(name, value)?.filter(|text| !text.is_empty()) {
                Some(text) => Some(T::of_word(&text).ok_or_else(|| not(name, &text, T::EXPECTED))?),
                None => None,
            };
        }
        Ok(())
    }

    /// A sid in its printed form; null and empty clear.
    pub(super) fn sid_or_none<T: std::str::FromStr<Err = crate::ids::BadSid>>(
        &self,
        name: &str,
        field: &mut Option<T>,
    ) -> Result<()> {
        if let Some(value) = self.get(name) {
            let text = word(name, value)?.filter(|text| !text.is_empty());
            let read = |text: String| text.parse().map_err(|error| ApiError::bad(format!("{name}: {error}")));
            *field = text.map(read).transpose()?;
        }
        Ok(())
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &str, field: &mut bool) -> Result<()> {
        if let Some(value) = self.get(name) {
            let text = word(name, value)?.unwrap_or_default();
            *field = text.parse().map_err(|_| not(name, &text, "true or false"))?;
        }
        Ok(())
    }

    /// A whole number of the column's range.
    pub(super) fn count<T: std::str::FromStr>(&self, name: &str, field: &mut T) -> Result<()> {
        if let Some(value) = self.get(name) {
            let text = word(name, value)?.unwrap_or_default();
            *field = text.parse().map_err(|_| not(name, &text, "a whole number in range"))?;
        }
        Ok(())
    }

    /// The same where it may be absent; null and empty clear.
    pub(super) fn count_or_none<T: std::str::FromStr>(
        &self,
        name: &str,
        field: &mut Option<T>,
    ) -> Result<()> {
        if let Some(value) = self.get(name) {
            let text = word(name, value)?.filter(|text| !text.is_empty());
            let read = |text: String| text.parse().map_err(|_| not(name, &text, "a whole number in range"));
            *field = text.map(read).transpose()?;
        }
        Ok(())
    }
}

fn not(name: &str, text: &str, expected: &str) -> ApiError {
    ApiError::bad(format!("{name} is `{}`: use {expected}", shown(text)))
}

/// A value as a text: lists of texts are joined, lists of objects stay JSON.
fn word(name: &str, value: &Value) -> Result<Option<String>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.trim().to_owned())),
        Value::Bool(flag) => Ok(Some(flag.to_string())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            Ok(Some(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")))
        }
        Value::Array(_) => Ok(Some(value.to_string())),
        Value::Object(_) => Err(ApiError::bad(format!("{name} is an object: use a plain value or a list"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KNOWN: &[&str] = &["sources", "max_calls", "trusted"];

    fn fields(value: Value) -> Result<Fields> {
        Fields::new(value.as_object().unwrap().clone(), KNOWN)
    }

    #[test]
    fn texts_and_typed_values_mean_the_same() {
        for value in
            [json!({"max_calls": 30, "trusted": true}), json!({"max_calls": "30", "trusted": "true"})]
        {
            let fields = fields(value).unwrap();
            let (mut calls, mut trusted) = (None::<u32>, false);
            fields.count_or_none("max_calls", &mut calls).unwrap();
            fields.flag("trusted", &mut trusted).unwrap();
            assert_eq!((calls, trusted), (Some(30), true));
        }
    }

    #[test]
    fn a_wrong_name_and_a_wrong_value_are_named() {
        assert_eq!(
            fields(json!({"source": 1})).unwrap_err().message,
            "source is no field here; did you mean sources?"
        );
        let mut calls = None::<u32>;
        let error =
            fields(json!({"max_calls": "many"})).unwrap().count_or_none("max_calls", &mut calls).unwrap_err();
        assert_eq!(error.message, "max_calls is `many`: use a whole number in range");
    }
}
