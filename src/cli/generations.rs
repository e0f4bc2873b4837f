//! `callgate generations`: who changed what, what differs, and the way back.

use std::io::{IsTerminal, Write};
use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

use super::args::Generations;
use super::client::{Connection, Reply};
use super::commands::{CommandError, Printed, bool_word, get, items, with_query};
use super::print;

type Result<T> = std::result::Result<T, CommandError>;

/// The most rows of one page.
const PAGE: u64 = 1_000;

pub(crate) fn generations(socket: &Path, args: &Generations) -> Result<Printed> {
    match args {
        Generations::List { before, limit } => {
            let (before, limit) = (before.map(|before| before.to_string()), limit.to_string());
            let mut query = vec![("limit", limit.as_str())];
            query.extend(before.as_deref().map(|before| ("before", before)));
            let reply = get(socket, "/admin/v1/generations", &query)?;
            let columns = ["number", "at", "by", "action", "added", "changed", "removed"];
            let text = print::table(items(&reply.body, "generations"), &columns);
            Ok(Printed { reply, text })
        }
        Generations::Diff { from, to, limit } => diff(socket, *from, *to, *limit),
        Generations::Rollback { to, dry_run, yes } => rollback(socket, *to, *dry_run, *yes),
    }
}

/// Page after page, until there are so many rows.
fn diff(socket: &Path, from: u64, to: Option<u64>, limit: u64) -> Result<Printed> {
    let mut connection = Connection::open(socket)?;
    let (mut rows, mut to, mut after, mut unknown) = (Vec::new(), to, None::<String>, json!([]));
    while (rows.len() as u64) < limit {
        let page = (limit - rows.len() as u64).min(PAGE).to_string();
        let until = to.map(|to| to.to_string());
        let mut query = vec![("limit", page.as_str())];
        query.extend(until.as_deref().map(|to| ("to", to)));
        query.extend(after.as_deref().map(|after| ("after", after)));
        let path = with_query(&format!("/admin/v1/generations/{from}/diff"), &query);
        let Reply { mut body, .. } = connection.request(Method::GET, &path, None)?;
        // The pages of one difference end at one generation.
        to = body["to"].as_u64().or(to);
        unknown = body["unknown"].take();
        if let Value::Array(more) = body["rows"].take() {
            rows.extend(more);
        }
        after = body["next_after"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    let mut text: String = rows.iter().map(difference).collect();
    if rows.is_empty() {
        text.push_str("nothing differs\n");
    }
    if after.is_some() {
        text.push_str("… and more: raise --limit\n");
    }
    for generation in unknown.as_array().into_iter().flatten() {
        text.push_str(&format!("generation {generation} touched rows that the change log does not name\n"));
    }
    let body = json!({ "from": from, "to": to, "next_after": after, "unknown": unknown, "rows": rows });
    Ok(Printed { reply: Reply { body, warnings: Vec::new(), generation: None }, text })
}

/// `changed numbers PN… +1650…` and a line for each member.
fn difference(row: &Value) -> String {
    let (before, after) = (&row["before"], &row["after"]);
    let mut text = format!("{} {} {}", word(&row["kind"]), word(&row["table"]), word(&row["sid"]));
    if let Some(name) = row["name"].as_str().filter(|name| !name.is_empty()) {
        text.push_str(&format!(" {name}"));
    }
    text.push('\n');
    if row["kind"] == "changed" {
        for (member, value) in after.as_object().into_iter().flatten() {
            let was = print::cell(&before[member]);
            text.push_str(&format!("  {member}: {was} -> {}\n", print::cell(value)));
        }
    }
    text
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Says what would be undone, asks, and does it if nothing was changed meanwhile.
fn rollback(socket: &Path, to: u64, dry_run: bool, yes: bool) -> Result<Printed> {
    let mut connection = Connection::open(socket)?;
    let path = |dry_run: bool| {
        with_query(&format!("/admin/v1/generations/{to}/rollback"), &[("dry_run", bool_word(dry_run))])
    };
    let seen = connection.request(Method::POST, &path(true), None)?;
    let told = told(&seen.body);
    if dry_run || seen.body["from"] == seen.body["to"] {
        return Ok(Printed { text: told, reply: seen });
    }
    if !yes {
        if !std::io::stdin().is_terminal() {
            return Err(CommandError::Unasked);
        }
        eprint!("{told}Undo this? Type yes: ");
        let mut answer = String::new();
        let asked = std::io::stderr().flush().and_then(|()| std::io::stdin().read_line(&mut answer));
        if asked.is_err() || answer.trim() != "yes" {
            return Err(CommandError::Unasked);
        }
    }
    let newest = seen.body["from"].to_string();
    let reply = connection.request_matching(Method::POST, &path(false), None, Some(&newest))?;
    let text = self::told(&reply.body);
    Ok(Printed { reply, text })
}

fn told(body: &Value) -> String {
    let rows: String = items(body, "examples").iter().map(difference).collect();
    let verb = if body["dry_run"] == true { "would be" } else { "are" };
    format!(
        "{rows}from generation {} to {}: {} rows {verb} back, {} as they were, {} gone again\n",
        body["from"], body["to"], body["added"], body["changed"], body["removed"]
    )
}
