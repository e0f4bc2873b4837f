//! Every answer that a test of this folder gets is one that the document knows: its path, its status, its
//! type, its headers, its body.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hyper::Method;
use serde_json::{Map, Value};

use crate::client::Answer;
use crate::schema::faults;

/// The document as it is built.
pub static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&callgate::api::openapi::text()).unwrap());

/// Fails when the answer is not one that the document knows.
pub fn holds(method: &Method, target: &str, answer: &Answer) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let what = format!("{method} {target}: {} {}", answer.status, answer.text);
    let Some((_, item)) = template(path) else {
        let refused = [404, 401, 405, 503].contains(&answer.status.as_u16()) || *method == Method::OPTIONS;
        assert!(refused || answer.status == 403, "a path that is not in the document: {what}");
        return;
    };
    if is_tunnelled(path, query, answer) {
        return;
    }
    let name = if *method == Method::HEAD { "get".to_owned() } else { method.as_str().to_lowercase() };
    let Some(operation) = item.get(&name) else {
        return refused(item, method, path, answer, &what);
    };
    let Some(response) = operation["responses"].get(answer.status.as_str()) else {
        panic!("a status that is not in the document: {what}");
    };
    let named = response.get("$ref").and_then(Value::as_str);
    let response = named.map_or(response, |name| DOCUMENT.pointer(name.trim_start_matches('#')).unwrap());
    for (header, said) in response.get("headers").and_then(Value::as_object).into_iter().flatten() {
        assert!(
            said["required"] != true || answer.headers.contains_key(header),
            "{header} is missing: {what}"
        );
    }
    if *method != Method::HEAD {
        body(response, answer, &what);
    }
}

/// The document's path that this one is, and what it says of it; one without braces before others.
fn template(path: &str) -> Option<(&'static str, &'static Map<String, Value>)> {
    let restcomm = path.starts_with("/restcomm/") || path.starts_with("/api/2012");
    let bare = [".json", ".xml"].into_iter().find_map(|suffix| path.strip_suffix(suffix));
    let path = bare.filter(|_| restcomm).unwrap_or(path).trim_end_matches('/');
    let parts: Vec<&str> = path.split('/').collect();
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fits = |name: &str| {
        let named: Vec<&str> = name.split('/').collect();
        named.len() == parts.len() && named.iter().zip(&parts).all(|(a, b)| a.starts_with('{') || a == b)
    };
    let found = paths.iter().filter(|(name, _)| fits(name));
    let (name, item) = found.min_by_key(|(name, _)| name.matches('{').count())?;
    Some((name, item.as_object().unwrap()))
}

/// A method that the path does not take.
fn refused(item: &Map<String, Value>, method: &Method, path: &str, answer: &Answer, what: &str) {
    if *method == Method::OPTIONS && path.starts_with("/v2") {
        return;
    }
    // Who may not ask at all hears that first.
    if [401, 403, 503].contains(&answer.status.as_u16()) {
        return;
    }
    assert_eq!(answer.status, 405, "a method that is not in the document: {what}");
    let allow = answer.header("allow").unwrap_or_else(|| panic!("without Allow: {what}"));
    let mut allowed: BTreeSet<String> = allow.split(',').map(|one| one.trim().to_lowercase()).collect();
    for word in ["head", "options"] {
        if !item.contains_key(word) {
            allowed.remove(word);
        }
    }
    assert_eq!(allowed, item.keys().cloned().collect(), "{what}");
}

/// Kazoo's `verb` makes another method of a POST, and `jsonp` a script of an answer.
fn is_tunnelled(path: &str, query: &str, answer: &Answer) -> bool {
    let script = answer.header("content-type").is_some_and(|media| media.contains("javascript"));
    path.starts_with("/v2") && (query.contains("verb=") || script)
}

fn body(response: &Value, answer: &Answer, what: &str) {
    let Some(content) = response.get("content").and_then(Value::as_object) else {
        assert!(answer.text.is_empty(), "a body where there is to be none: {what}");
        return;
    };
    let media = answer.header("content-type").unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default();
    let said = content.get(media).unwrap_or_else(|| panic!("of type {media}: {what}"));
    if media == "application/json" {
        let found = faults(&DOCUMENT, &said["schema"], &answer.json());
        assert!(found.is_empty(), "{}: {what}", found.join("; "));
    }
}
