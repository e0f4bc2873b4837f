//! Lines of numbers: one each, blocks, ranges, or CSV with a header.

use serde_json::{Map, Value, json};

/// The most numbers of one block or range.
const MOST: u64 = 10_000_000;

/// What one line stands for.
#[derive(Clone, Debug, PartialEq)]
pub enum Line {
    /// Nothing: empty, or a remark.
    Nothing,
    /// One number, with other fields where the header names them.
    One(Value),
    /// Many numbers in a row.
    Many(Many),
}

/// Numbers in a row: what they begin with, then counted digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Many {
    head: String,
    width: usize,
    next: u64,
    last: u64,
}

impl Iterator for Many {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if self.next > self.last {
            return None;
        }
        let text = format!("{}{:0width$}", self.head, self.next, width = self.width);
        self.next += 1;
        Some(text)
    }
}

/// The columns of a CSV's header: a line that holds a column `number` is one.
#[must_use]
pub fn header(line: &str) -> Option<Vec<String>> {
    let columns: Vec<String> = cells(line).ok()?.iter().map(|c| c.trim().to_ascii_lowercase()).collect();
    columns.iter().any(|column| column == "number").then_some(columns)
}

/// Reads one line; `columns` are the header's, where there is one.
///
/// # Errors
/// A sentence that says why the line stands for nothing.
pub fn read(line: &str, columns: Option<&[String]>) -> Result<Line, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with("# ") || line == "#" {
        return Ok(Line::Nothing);
    }
    let Some(columns) = columns else { return text(line) };
    let cells = cells(line)?;
    if cells.len() > columns.len() {
        return Err(format!("{} values under {} columns", cells.len(), columns.len()));
    }
    let given = columns.iter().zip(cells).filter(|(_, cell)| !cell.is_empty());
    let mut map: Map<String, Value> = given.map(|(column, cell)| (column.clone(), json!(cell))).collect();
    if map.len() == 1
        && let Some(number) = map.get("number").and_then(Value::as_str)
    {
        return text(number);
    }
    if !map.contains_key("number") {
        return Err("no number".to_owned());
    }
    if let Some(Value::String(number)) = map.get_mut("number") {
        *number = number.trim().to_owned();
    }
    Ok(Line::One(map.into()))
}

/// `+16508250000`, `+1650825xxxx`, `+16508250000-+16508250999` or with `..`; what is none of them is one
/// number, and the daemon says what it thinks of it.
fn text(line: &str) -> Result<Line, String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let bare = |text: &'static str| move |line: &str| line.strip_prefix(text).map(str::to_owned);
    let plus = bare("+");
    if let Some((start, end)) = line.split_once("..").or_else(|| line.split_once('-')) {
        let (start, end) = (start.trim(), end.trim());
        let first = plus(start).unwrap_or_else(|| start.to_owned());
        let last = plus(end).unwrap_or_else(|| end.to_owned());
        if digits(&first) && digits(&last) {
            let sign = if start.starts_with('+') { "+" } else { "" };
            return range(sign, &first, &last);
        }
    }
    let stem = line.trim_end_matches(['x', 'X']);
    let width = line.len() - stem.len();
    if width > 0 && digits(stem.strip_prefix('+').unwrap_or(stem)) {
        let last = u32::try_from(width).ok().and_then(|width| 10u64.checked_pow(width));
        let last = last.filter(|size| *size <= MOST).ok_or("more than 10,000,000 numbers in one block")? - 1;
        return Ok(Line::Many(Many { head: stem.to_owned(), width, next: 0, last }));
    }
    Ok(Line::One(json!(line)))
}

fn range(sign: &str, first: &str, last: &str) -> Result<Line, String> {
    if first.len() != last.len() || first > last {
        return Err("a range needs two ends of the same length, the lower one first".to_owned());
    }
    let common = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count().min(first.len() - 1);
    let number = |text: &str| text[common..].parse::<u64>().map_err(|_| "the range is too long".to_owned());
    let (next, last) = (number(first)?, number(last)?);
    if last - next >= MOST {
        return Err("more than 10,000,000 numbers in one range".to_owned());
    }
    let head = format!("{sign}{}", &first[..common]);
    Ok(Line::Many(Many { head, width: first.len() - common, next, last }))
}

/// The cells of one line; a cell in quotes may hold commas, and two quotes for one (RFC 4180).
fn cells(line: &str) -> Result<Vec<String>, String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let cell = cells.last_mut().expect("there is always one");
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cell.push('"');
            }
            '"' if quoted || cell.is_empty() => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            letter => cell.push(letter),
        }
    }
    if quoted { Err("a quote is not closed".to_owned()) } else { Ok(cells) }
}

/// One value as a cell.
#[must_use]
pub fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(line: &str) -> Vec<String> {
        match read(line, None).unwrap() {
            Line::Many(many) => many.collect(),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn blocks_and_ranges_are_counted_out() {
        assert_eq!(many("+1650825x").len(), 10);
        assert_eq!(many("+1650825xxx").last().unwrap(), "+1650825999");
        assert_eq!(many("0998-1001"), ["0998", "0999", "1000", "1001"]);
        assert_eq!(many("+16508250000 .. +16508250001"), ["+16508250000", "+16508250001"]);
        assert_eq!(many("7-7"), ["7"]);
        assert!(read("99-101", None).is_err() && read("9-1", None).is_err());
        assert!(read("+1xxxxxxxxxx", None).is_err());
    }

    #[test]
    fn what_is_no_block_is_one_number() {
        for text in ["+16508251255", "^16.*", "alice", "mms:+1-650", "xx"] {
            assert_eq!(read(text, None), Ok(Line::One(json!(text))), "{text}");
        }
        assert_eq!(read("# a remark", None), Ok(Line::Nothing));
        assert_eq!(read("#55", None), Ok(Line::One(json!("#55"))));
    }

    #[test]
    fn a_header_names_fields() {
        let columns = header("Number,friendly_name,voice_url").unwrap();
        assert_eq!(header("+16508251255,x"), None);
        let row = read("+1650,\"Sales, \"\"west\"\"\",http://a/", Some(&columns)).unwrap();
        let wanted = json!({"number": "+1650", "friendly_name": "Sales, \"west\"", "voice_url": "http://a/"});
        assert_eq!(row, Line::One(wanted));
        assert!(matches!(read("+165x,,", Some(&columns)), Ok(Line::Many(_))));
        assert!(read(",a,b", Some(&columns)).is_err());
        assert!(read("1,2,3,4", Some(&columns)).is_err());
        assert!(read("\"1,2", Some(&columns)).is_err());
        assert_eq!(cell(&json!("a,\"b\"")), "\"a,\"\"b\"\"\"");
    }
}
