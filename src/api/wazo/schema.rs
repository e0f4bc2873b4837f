//! Bodies, checked field by field, in the words of Wazo's own checker. Keys that are unknown or only
//! read are left out of account.

use axum::http::StatusCode;
use serde_json::{Map, Value};

use super::refusal::Refusal;
use super::tenant::id;
use crate::api::body::holds_nul;

/// What a number takes.
pub(crate) const NUMBER: &[&str] = &["number", "caller_id_name", "shared"];
/// What a range takes.
pub(crate) const RANGE: &[&str] = &["start_number", "end_number"];
/// What the choice of the main number takes.
pub(crate) const MAIN: &[&str] = &["phone_number_uuid"];

/// The most digits of a number, its `+` counted.
const LONGEST_NUMBER: usize = 128;

/// The most characters of a caller id name.
const LONGEST_NAME: usize = 256;

/// What is to be changed of a number: what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    pub(super) number: Option<String>,
    pub(super) caller_id_name: Option<Option<String>>,
    pub(super) shared: Option<bool>,
}

/// A body, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Body {
    map: Map<String, Value>,
    wrong: Vec<String>,
}

impl Body {
    /// A JSON object whatever the Content-Type says. What is empty in JSON is an empty object.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        const UNREADABLE: &str =
            "The browser (or proxy) sent a request that this server could not understand.";
        match serde_json::from_slice::<Value>(bytes) {
            Ok(value) if holds_nul(&value) => {
                Err(Refusal::input(vec!["_schema: ['texts must not hold NUL']".to_owned()]))
            }
            Ok(Value::Object(map)) => Ok(Self { map, wrong: Vec::new() }),
            Ok(value) if is_empty(&value) => Ok(Self::default()),
            Ok(_) => Err(Refusal::input(vec!["_schema: ['Invalid input type.']".to_owned()])),
            Err(_) => Err(Refusal::new(StatusCode::BAD_REQUEST, vec![UNREADABLE.to_owned()])),
        }
    }

    /// The fields of a number; `required`: one that is new needs its text.
    pub(super) fn changes(mut self, required: bool) -> Result<Changes, Refusal> {
        let changes = Changes {
            number: self.number("number", required),
            caller_id_name: self.caller_id_name(),
            shared: self.shared(),
        };
        self.finish(changes)
    }

    /// Both ends of a range.
    pub(super) fn ends(mut self) -> Result<(String, String), Refusal> {
        let ends = RANGE.iter().map(|name| self.number(name, true).unwrap_or_default());
        let [start, end] = ends.collect::<Vec<_>>().try_into().expect("a range has two ends");
        self.finish((start, end))
    }

    /// The number that is to be the main one.
    pub(super) fn main(mut self) -> Result<u128, Refusal> {
        let found = match self.map.get(MAIN[0]) {
            None => Err("Missing data for required field."),
            Some(Value::Null) => Err("Field may not be null."),
            Some(Value::String(text)) => id(text).ok_or("Not a valid UUID."),
            Some(_) => Err("Not a valid UUID."),
        };
        let uuid = found.unwrap_or_else(|problem| {
            self.wrong.push(format!("{}: ['{problem}']", MAIN[0]));
            0
        });
        self.finish(uuid)
    }

    fn number(&mut self, name: &str, required: bool) -> Option<String> {
        let text = match self.map.remove(name) {
            None if required => return self.wrong(name, &["Missing data for required field."]),
            None => return None,
            Some(Value::Null) => return self.wrong(name, &["Field may not be null."]),
            Some(Value::String(text)) => text,
            Some(_) => return self.wrong(name, &["Not a valid string."]),
        };
        let mut problems = Vec::new();
        if !(1..=LONGEST_NUMBER).contains(&text.chars().count()) {
            problems.push("Length must be between 1 and 128.");
        }
        let digits = text.strip_prefix('+').unwrap_or(&text);
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            problems.push("not a valid digit-only phone number");
        }
        if problems.is_empty() { Some(text) } else { self.wrong(name, &problems) }
    }

    fn caller_id_name(&mut self) -> Option<Option<String>> {
        const NAME: &str = "caller_id_name";
        match self.map.remove(NAME)? {
            Value::Null => Some(None),
            Value::String(text) if !(1..=LONGEST_NAME).contains(&text.chars().count()) => {
                self.wrong(NAME, &["Length must be between 1 and 256."])
            }
            // It is written into a SIP header.
            Value::String(text) if text.chars().any(char::is_control) => {
                self.wrong(NAME, &["must not hold control characters"])
            }
            Value::String(text) => Some(Some(text)),
            _ => self.wrong(NAME, &["Not a valid string."]),
        }
    }

    fn shared(&mut self) -> Option<bool> {
        match self.map.remove("shared")? {
            Value::Bool(shared) => Some(shared),
            Value::Null => self.wrong("shared", &["Field may not be null."]),
            _ => self.wrong("shared", &["Not a valid boolean."]),
        }
    }

    fn wrong<T>(&mut self, name: &str, problems: &[&str]) -> Option<T> {
        self.wrong.push(format!("{name}: ['{}']", problems.join("', '")));
        None
    }

    fn finish<T>(self, value: T) -> Result<T, Refusal> {
        if self.wrong.is_empty() { Ok(value) } else { Err(Refusal::input(self.wrong)) }
    }
}

/// What a program that treats emptiness as nothing takes for nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(array) => array.is_empty(),
        Value::Bool(true) | Value::Object(_) => false,
    }
}
