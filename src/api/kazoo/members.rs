//! The members of an object that mean something here, each read by its type: one of another type is refused by
//! name, never overlooked. What is absent or null was not said.

use serde_json::{Map, Value, json};

use super::document::truth;
use super::refusal::Refusal;

/// What was sent under `name` is not of the type that is meant.
pub(super) fn of_another_type(kind: &str) -> Value {
    json!({ "message": format!("Value did not match type(s): {kind}") })
}

/// The members of one object, and what is wrong with them so far.
pub(super) struct Members<'a> {
    object: Option<&'a Map<String, Value>>,
    /// What goes before the names of members in a refusal: `cnam.`, say.
    within: String,
    wrong: Vec<(String, &'static str, Value)>,
}

impl<'a> Members<'a> {
    /// Those of an object.
    pub(super) fn of(object: &'a Map<String, Value>) -> Self {
        Self { object: Some(object), within: String::new(), wrong: Vec::new() }
    }

    /// Those of the object that is the member `name`; one that is not there has none.
    pub(super) fn within(&mut self, name: &str) -> Self {
        let object = self.object(name);
        Self { object, within: format!("{}{name}.", self.within), wrong: Vec::new() }
    }

    /// A text.
    pub(super) fn text(&mut self, name: &str) -> Option<&'a str> {
        self.read(name, "string", Value::as_str)
    }

    /// A text that says something.
    pub(super) fn words(&mut self, name: &str) -> Option<&'a str> {
        self.text(name).map(str::trim).filter(|text| !text.is_empty())
    }

    /// A text that must be there and say something.
    pub(super) fn needed(&mut self, name: &str) -> Option<&'a str> {
        let text = self.text(name).filter(|text| !text.is_empty());
        if text.is_none() && !self.is_wrong(name) {
            self.refuse(name, "required", json!({ "message": "Field is required but missing" }));
        }
        text
    }

    /// A boolean, or a text of one.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        self.read(name, "boolean", truth)
    }

    /// An object.
    pub(super) fn object(&mut self, name: &str) -> Option<&'a Map<String, Value>> {
        self.read(name, "object", Value::as_object)
    }

    /// A text of `from` to `to` characters.
    pub(super) fn sized(&mut self, name: &str, from: usize, to: usize) -> Option<&'a str> {
        let text = self.text(name)?;
        let count = text.chars().count();
        let (rule, target, sentence) = match count {
            _ if count < from => ("minLength", from, format!("String must be at least {from} characters")),
            _ if count > to => ("maxLength", to, format!("String must not be more than {to} characters")),
            _ => return Some(text),
        };
        self.refuse(name, rule, json!({ "message": sentence, "target": target }));
        None
    }

    /// One of some words; what is not said is none.
    pub(super) fn one_of(&mut self, name: &str, words: &[&'static str]) -> Option<&'a str> {
        let text = self.text(name)?;
        if !words.contains(&text) {
            let told = json!({ "message": "Value not found in enumerated list of values", "target": words });
            self.refuse(name, "enum", told);
        }
        Some(text)
    }

    /// A member that does not keep a rule.
    pub(super) fn refuse(&mut self, name: &str, rule: &'static str, told: Value) {
        self.wrong.push((format!("{}{name}", self.within), rule, told));
    }

    /// With what is wrong with others.
    pub(super) fn and(mut self, other: Members<'_>) -> Self {
        self.wrong.extend(other.wrong);
        self
    }

    /// Refuses what was wrong.
    pub(super) fn done(self) -> Result<(), Refusal> {
        if self.wrong.is_empty() { Ok(()) } else { Err(Refusal::fields(self.wrong)) }
    }

    fn is_wrong(&self, name: &str) -> bool {
        let name = format!("{}{name}", self.within);
        self.wrong.iter().any(|(wrong, ..)| *wrong == name)
    }

    fn read<T>(&mut self, name: &str, kind: &str, as_type: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        let value = self.object?.get(name).filter(|value| !value.is_null())?;
        let read = as_type(value);
        if read.is_none() {
            self.refuse(name, "type", of_another_type(kind));
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_another_type_is_refused_by_name() {
        let given = json!({ "name": 3, "on": "perhaps", "deep": { "text": [] }, "flat": "x", "gone": null });
        let mut members = Members::of(given.as_object().unwrap());
        assert_eq!((members.text("name"), members.flag("on")), (None, None));
        assert_eq!((members.text("gone"), members.flag("absent")), (None, None));
        let mut deep = members.within("deep");
        assert_eq!(deep.text("text"), None);
        let flat = members.within("flat");
        let refusal = members.and(deep).and(flat).done().unwrap_err();
        let told = refusal.data.as_object().unwrap();
        assert_eq!(told.keys().collect::<Vec<_>>(), ["deep.text", "flat", "name", "on"]);
        assert_eq!(told["on"]["type"]["message"], "Value did not match type(s): boolean");
    }

    #[test]
    fn what_is_needed_is_missed_or_of_another_type_but_not_both() {
        let given = json!({ "number": 3, "empty": "" });
        let mut members = Members::of(given.as_object().unwrap());
        for name in ["number", "empty", "absent"] {
            assert_eq!(members.needed(name), None);
        }
        let told = members.done().unwrap_err().data;
        assert_eq!(told["number"], json!({ "type": of_another_type("string") }));
        assert!(told["empty"]["required"].is_object() && told["absent"]["required"].is_object());
    }
}
