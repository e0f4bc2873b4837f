//! Where a value comes from: the environment, else the file, else the default.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{Config, Problem};

/// `CALLGATE__SECTION__KEY` values by section and key, as written.
pub(super) type Overrides = BTreeMap<String, BTreeMap<String, String>>;

/// Those of the environment.
pub(super) fn overrides(environment: &BTreeMap<String, String>, problems: &mut Vec<Problem>) -> Overrides {
    let mut overrides = Overrides::new();
    for (name, value) in environment {
        let Some(path) = name.strip_prefix("CALLGATE__") else { continue };
        let dashed = path.to_ascii_lowercase().replace("__", "\0").replace('_', "-");
        match dashed.split_once('\0') {
            Some((section, key)) if Config::SECTIONS.contains(&section) => {
                overrides.entry(section.to_owned()).or_default().insert(key.to_owned(), value.clone());
            }
            _ => problems.push(Problem {
                key: name.clone(),
                sentence: "names no key: write CALLGATE__SECTION__KEY, as CALLGATE__SIP__LISTEN".into(),
            }),
        }
    }
    overrides
}

/// One section of the file, with what the environment says instead.
pub(super) fn section<S: DeserializeOwned + Default>(
    name: &str,
    table: &mut Table,
    overrides: &Overrides,
    problems: &mut Vec<Problem>,
) -> S {
    let mut values = match table.remove(name) {
        None => Table::new(),
        Some(Value::Table(values)) => values,
        Some(_) => {
            problems.push(Problem {
                key: name.to_owned(),
                sentence: "is a section: write [".to_owned() + name + "]",
            });
            return S::default();
        }
    };
    for (key, text) in overrides.get(name).into_iter().flatten() {
        values.insert(key.clone(), from_environment::<S>(key, text));
    }
    // Key by key, so that every wrong one is named and not only the first.
    for (key, value) in &values {
        if let Err(error) = alone::<S>(key, value.clone()) {
            problems.push(Problem { key: format!("{name}.{key}"), sentence: said(&error) });
        }
    }
    Value::Table(values).try_into().unwrap_or_default()
}

fn alone<S: DeserializeOwned>(key: &str, value: Value) -> Result<S, toml::de::Error> {
    Value::Table(Table::from_iter([(key.to_owned(), value)])).try_into()
}

/// A variable's text as the TOML value it is where the key takes that, else as a string.
fn from_environment<S: DeserializeOwned>(key: &str, text: &str) -> Value {
    let read = format!("v = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("v"));
    let string = Value::String(text.to_owned());
    match read {
        Some(value) if alone::<S>(key, value.clone()).is_ok() || alone::<S>(key, string.clone()).is_err() => {
            value
        }
        _ => string,
    }
}

/// Replaces `${NAME}` in every text below `value`.
pub(super) fn expand(
    value: &mut Value,
    key: &str,
    environment: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) {
    match value {
        Value::String(text) if text.contains("${") => match expanded(text, environment) {
            Ok(new) => *text = new,
            Err(sentence) => problems.push(Problem { key: key.to_owned(), sentence }),
        },
        Value::Array(items) => items.iter_mut().for_each(|item| expand(item, key, environment, problems)),
        Value::Table(table) => {
            table
                .iter_mut()
                .for_each(|(name, item)| expand(item, &format!("{key}.{name}"), environment, problems));
        }
        _ => {}
    }
}

fn expanded(text: &str, environment: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, tail) = after.split_once('}').ok_or("`${` without `}`")?;
        let value = environment.get(name).ok_or_else(|| {
            format!("the environment has no variable {name}: set it, or write the value here")
        })?;
        out.push_str(before);
        out.push_str(value);
        rest = tail;
    }
    Ok(out + rest)
}

/// The parser's own sentence on one line.
fn said(error: &toml::de::Error) -> String {
    error.message().lines().collect::<Vec<_>>().join(" ")
}
