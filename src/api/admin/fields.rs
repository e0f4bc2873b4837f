//! The fields of a JSON object, each to be taken by its name.

use serde_json::{Map, Value};

use crate::api::error::ApiError;
use crate::api::restcomm::params::{nearest, shown};

use super::cell::Cell;

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

    /// Writes what is given for `name`, if anything is.
    pub(super) fn set<T: Cell>(&self, name: &str, field: &mut T) -> Result<()> {
        if let Some(value) = self.get(name) {
            *field = T::read(name, value)?;
        }
        Ok(())
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
    fn a_wrong_name_and_a_wrong_value_are_named() {
        assert_eq!(
            fields(json!({"source": 1})).unwrap_err().message,
            "source is no field here; did you mean sources?"
        );
        let mut calls = None::<u32>;
        let error = fields(json!({"max_calls": "many"})).unwrap().set("max_calls", &mut calls).unwrap_err();
        assert_eq!(error.message, "max_calls is `many`: use a whole number in range");
    }
}
