//! A small reader of JSON schemas, as far as the document uses them.

use regex::Regex;
use serde_json::Value;

/// What of `value` is not as `schema` says, with where it stands; `document` resolves references.
pub fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(document, schema, value, "$", &mut faults);
    faults
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    for (word, said) in schema.as_object().expect("a schema is an object") {
        match word.as_str() {
            "$ref" => {
                let name = said.as_str().unwrap().trim_start_matches('#');
                let named = document.pointer(name).unwrap_or_else(|| panic!("{name} is not there"));
                check(document, named, value, at, faults);
            }
            "anyOf" => {
                let each = said.as_array().unwrap().iter().map(|one| {
                    let mut found = Vec::new();
                    check(document, one, value, at, &mut found);
                    found
                });
                let each: Vec<Vec<String>> = each.collect();
                if each.iter().all(|found| !found.is_empty()) {
                    faults.push(format!("{at} is none of {}: {}", each.len(), each.concat().join("; ")));
                }
            }
            "type" if !is(said, value) => faults.push(format!("{at} is {value}, not {said}")),
            "enum" if !said.as_array().unwrap().contains(value) => {
                faults.push(format!("{at} is {value}, none of {said}"));
            }
            "const" if said != value => faults.push(format!("{at} is {value}, not {said}")),
            "properties" => members(document, schema, value, at, faults),
            "required" => {
                for name in said.as_array().unwrap().iter().filter_map(Value::as_str) {
                    if value.as_object().is_some_and(|members| !members.contains_key(name)) {
                        faults.push(format!("{at}.{name} is missing"));
                    }
                }
            }
            "additionalProperties" => others(document, schema, said, value, at, faults),
            "items" => {
                for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(document, said, item, &format!("{at}[{place}]"), faults);
                }
            }
            "pattern" => {
                let matches = |text: &str| Regex::new(said.as_str().unwrap()).unwrap().is_match(text);
                if value.as_str().is_some_and(|text| !matches(text)) {
                    faults.push(format!("{at} is {value}, and no {said}"));
                }
            }
            "minimum" if value.as_f64() < said.as_f64() && value.is_number() => {
                faults.push(format!("{at} is {value}, less than {said}"));
            }
            "maximum" if value.as_f64() > said.as_f64() && value.is_number() => {
                faults.push(format!("{at} is {value}, more than {said}"));
            }
            "format" if value.is_string() && !has_format(said, value.as_str().unwrap()) => {
                faults.push(format!("{at} is {value}, no {said}"));
            }
            "type" | "enum" | "const" | "minimum" | "maximum" | "format" | "description" => {}
            // In requests only.
            "minLength" | "maxLength" | "minItems" | "maxItems" | "contentMediaType" => {}
            other => panic!("{other} is a word this reader does not know"),
        }
    }
}

fn is(said: &Value, value: &Value) -> bool {
    let one = |name: &str| match name {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        other => panic!("{other} is no type"),
    };
    match said {
        Value::String(name) => one(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(one),
        _ => panic!("{said} is no type"),
    }
}

fn members(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        if let Some(said) = schema["properties"].get(name) {
            check(document, said, member, &format!("{at}.{name}"), faults);
        }
    }
}

fn others(document: &Value, schema: &Value, said: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    for (name, member) in value.as_object().into_iter().flatten() {
        if schema.get("properties").is_some_and(|known| known.get(name).is_some()) {
            continue;
        }
        match said {
            Value::Bool(true) => {}
            Value::Bool(false) => faults.push(format!("{at}.{name} is not in the document")),
            said => check(document, said, member, &format!("{at}.{name}"), faults),
        }
    }
}

fn has_format(format: &Value, text: &str) -> bool {
    match format.as_str().unwrap() {
        "uuid" => Regex::new("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$").unwrap().is_match(text),
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_word_can_find_a_fault() {
        let document =
            json!({ "components": { "schemas": { "Small": { "type": "integer", "maximum": 3 } } } });
        let small = json!({ "$ref": "#/components/schemas/Small" });
        for (schema, right, wrong) in [
            (small.clone(), json!(3), json!(4)),
            (json!({ "type": ["string", "null"] }), json!(null), json!(1)),
            (json!({ "enum": ["a"] }), json!("a"), json!("b")),
            (json!({ "const": true }), json!(true), json!(false)),
            (json!({ "anyOf": [small.clone(), { "type": "null" }] }), json!(null), json!("x")),
            (json!({ "items": small.clone() }), json!([1]), json!([1, 9])),
            (json!({ "pattern": "^a$" }), json!("a"), json!("b")),
            (json!({ "format": "date-time" }), json!("2026-01-31T12:00:00Z"), json!("31.1.2026")),
            (json!({ "required": ["a"] }), json!({ "a": 1 }), json!({ "b": 1 })),
            (json!({ "properties": { "a": small.clone() } }), json!({ "a": 1 }), json!({ "a": 9 })),
            (
                json!({ "additionalProperties": false, "properties": { "a": {} } }),
                json!({ "a": 1 }),
                json!({ "b": 1 }),
            ),
            (json!({ "additionalProperties": small }), json!({ "a": 1 }), json!({ "a": "1" })),
        ] {
            assert_eq!(faults(&document, &schema, &right), [""; 0], "{schema}");
            assert_ne!(faults(&document, &schema, &wrong), [""; 0], "{schema}");
        }
    }
}
