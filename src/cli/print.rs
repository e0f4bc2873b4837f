//! Answers as people read them: tables, and lines of a trace.

use serde_json::Value;

/// Prints `rows` with the given columns, each as wide as its widest value.
pub(crate) fn table(rows: &[Value], columns: &[&str]) -> String {
    let mut lines = vec![columns.iter().map(|name| name.to_uppercase()).collect::<Vec<_>>()];
    lines.extend(rows.iter().map(|row| columns.iter().map(|name| cell(&row[*name])).collect()));
    let width =
        |at: usize| lines.iter().map(|line: &Vec<String>| line[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// One value in one cell.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::String(text) if text.is_empty() => "-".into(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "-".into(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// The fields of one object, one a line; nested ones are indented.
pub(crate) fn fields(value: &Value, indent: usize) -> String {
    let Value::Object(map) = value else { return format!("{:indent$}{}\n", "", cell(value)) };
    let width = map.keys().map(String::len).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in map {
        match value {
            Value::Object(_) => {
                text.push_str(&format!("{:indent$}{name}\n{}", "", fields(value, indent + 2)));
            }
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_string()) => {
                text.push_str(&format!("{:indent$}{name}\n", ""));
                for item in items {
                    match item {
                        Value::Object(_) => {
                            text.push_str(&format!("{}\n", fields(item, indent + 2).trim_end()))
                        }
                        plain => text.push_str(&format!("{:1$}{2}\n", "", indent + 2, cell(plain))),
                    }
                }
            }
            plain => text.push_str(&format!("{:indent$}{name:<width$}  {}\n", "", cell(plain))),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_is_as_wide_as_its_widest_value() {
        let rows =
            [json!({"name": "carrier", "sources": ["192.0.2.1/32", "2001:db8::/32"], "max_calls": null})];
        assert_eq!(
            table(&rows, &["name", "max_calls", "sources"]),
            "NAME     MAX_CALLS  SOURCES\ncarrier  -          192.0.2.1/32,2001:db8::/32\n"
        );
    }

    #[test]
    fn fields_stand_one_a_line() {
        let value = json!({"a": 1, "list": ["x", "y"], "inner": {"bb": true}});
        assert_eq!(fields(&value, 0), "a      1\ninner\n  bb  true\nlist\n  x\n  y\n");
    }
}
