//! The commands that speak to the daemon over its socket.

use std::path::Path;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::args::{Bans, Calls, Deliveries, Explain, Messages, Numbers, Reload};
use super::client::{ClientError, Connection, Reply, request};
use super::print;
use super::rows::{add, remove, set};

/// What a command printed, in both forms.
pub(crate) struct Printed {
    pub(crate) reply: Reply,
    pub(crate) text: String,
}

/// Why a command did not come to an answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{} cannot be used", .0.display())]
    File(std::path::PathBuf, #[source] std::io::Error),
    #[error("{refused} lines were refused; {}", text.trim_end())]
    Refused { text: String, refused: u64 },
    #[error("nothing was undone: say --yes, or --dry-run to look first")]
    Unasked,
    #[error("`{0}` is no field: write KEY=VALUE, as voice_url=https://example.org/voice")]
    Field(String),
}

type Result<T> = std::result::Result<T, CommandError>;

pub(crate) fn explain(socket: &Path, args: &Explain) -> Result<Printed> {
    let mut query = vec![("number", args.number.as_str()), ("message", bool_word(args.message))];
    let given = [
        ("host", &args.host),
        ("source", &args.source),
        ("from_host", &args.from_host),
        ("trunk", &args.trunk),
    ];
    query.extend(given.into_iter().filter_map(|(name, value)| value.as_deref().map(|value| (name, value))));
    let reply = get(socket, "/admin/v1/explain", &query)?;
    let text = match reply.body["text"].as_str() {
        Some(text) => text.to_owned(),
        None => print::fields(&reply.body, 0),
    };
    Ok(Printed { reply, text })
}

pub(crate) fn reload(socket: &Path, args: &Reload) -> Result<Printed> {
    let path = with_query(
        "/admin/v1/reload",
        &[("check_only", bool_word(args.check_only)), ("force", bool_word(args.force))],
    );
    let reply = request(socket, Method::POST, &path, None)?;
    let text = print::fields(&reply.body, 0);
    Ok(Printed { reply, text })
}

pub(crate) fn calls(socket: &Path, args: &Calls) -> Result<Printed> {
    match args {
        Calls::List { limit, live, show_numbers } => {
            let limit = limit.to_string();
            let query = [
                ("limit", limit.as_str()),
                ("live", bool_word(*live)),
                ("numbers", bool_word(*show_numbers)),
            ];
            let reply = get(socket, "/admin/v1/calls", &query)?;
            let columns = ["sid", "status", "from", "to", "started", "duration", "sip_code", "reason"];
            let text = print::table(items(&reply.body, "calls"), &columns);
            Ok(Printed { reply, text })
        }
        Calls::Hangup { id } => {
            let path = format!("/admin/v1/calls/{}/hangup", segment(id));
            let reply = request(socket, Method::POST, &path, None)?;
            let text = print::fields(&reply.body, 0);
            Ok(Printed { reply, text })
        }
        Calls::Show { id, show_numbers } => {
            let path = format!("/admin/v1/calls/{}/trace", segment(id));
            let reply = get(socket, &path, &[("numbers", bool_word(*show_numbers))])?;
            let text = trace(&reply.body, "call");
            Ok(Printed { reply, text })
        }
    }
}

pub(crate) fn messages(socket: &Path, args: &Messages) -> Result<Printed> {
    match args {
        Messages::List { limit, show_numbers } => {
            let limit = limit.to_string();
            let query = [("limit", limit.as_str()), ("numbers", bool_word(*show_numbers))];
            let reply = get(socket, "/admin/v1/messages", &query)?;
            let columns =
                ["sid", "status", "from", "to", "came", "sip_code", "reason", "replies", "replies_failed"];
            let text = print::table(items(&reply.body, "messages"), &columns);
            Ok(Printed { reply, text })
        }
        Messages::Show { id, show_numbers } => {
            let path = format!("/admin/v1/messages/{}", segment(id));
            let reply = get(socket, &path, &[("numbers", bool_word(*show_numbers))])?;
            let text = trace(&reply.body, "message");
            Ok(Printed { reply, text })
        }
    }
}

pub(crate) fn deliveries(socket: &Path, args: &Deliveries) -> Result<Printed> {
    let (pending, limit) = match args {
        Deliveries::List { pending, limit } => (pending, limit),
        Deliveries::Show { id, show_numbers } => {
            let path = format!("/admin/v1/deliveries/{}", segment(id));
            let reply = get(socket, &path, &[("numbers", bool_word(*show_numbers))])?;
            let text = print::fields(&reply.body, 0);
            return Ok(Printed { reply, text });
        }
        Deliveries::Replay { .. } => return replay(socket, args),
        Deliveries::Disabled => {
            let reply = get(socket, "/admin/v1/deliveries/disabled", &[])?;
            let text = print::table(items(&reply.body, "disabled"), &["account_sid", "url"]);
            return Ok(Printed { reply, text });
        }
        Deliveries::Enable { url, account } => {
            let mut fields = Map::from_iter([("url".to_owned(), json!(url))]);
            fields.extend(account.as_ref().map(|account| ("account".to_owned(), json!(account))));
            let reply = request(socket, Method::POST, "/admin/v1/deliveries/enable", Some(&fields.into()))?;
            let text = print::fields(&reply.body, 0);
            return Ok(Printed { reply, text });
        }
    };
    let limit = limit.to_string();
    let state = if *pending { "pending" } else { "dead" };
    let reply = get(socket, "/admin/v1/deliveries", &[("state", state), ("limit", &limit)])?;
    let columns = ["id", "status", "state", "attempts", "url", "last_error"];
    let text = print::table(items(&reply.body, "deliveries"), &columns);
    Ok(Printed { reply, text })
}

/// Sends dead letters once more, one after the other, so that those of a call keep their order.
fn replay(socket: &Path, args: &Deliveries) -> Result<Printed> {
    let Deliveries::Replay { ids, url, call, account, state, limit } = args else {
        unreachable!("it is called for a replay")
    };
    let mut ids = ids.clone();
    if ids.is_empty() {
        let limit = limit.to_string();
        let mut query = vec![("state", "dead"), ("limit", limit.as_str())];
        let given = [("url", url), ("call", call), ("account", account)];
        query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))));
        let found = get(socket, "/admin/v1/deliveries", &query)?;
        let rows = items(&found.body, "deliveries").iter().rev();
        let meant = rows.filter(|row| state.as_deref().is_none_or(|state| row["state"] == state));
        ids = meant.filter_map(|row| Some(row["id"].as_str()?.to_owned())).collect();
    }
    let mut connection = Connection::open(socket)?;
    let mut sent = Vec::new();
    for id in &ids {
        let path = format!("/admin/v1/deliveries/{}/replay", segment(id));
        sent.push(connection.request(Method::POST, &path, None)?.body);
    }
    let delivered = sent.iter().filter(|one| one["delivered"] == true).count();
    let text = print::table(&sent, &["id", "delivered", "http_status", "error", "took_ms"]);
    let body = json!({ "delivered": delivered, "failed": sent.len() - delivered, "replayed": sent });
    Ok(Printed { reply: Reply { body, warnings: Vec::new(), generation: None }, text })
}

pub(crate) fn bans(socket: &Path, args: &Bans) -> Result<Printed> {
    match args {
        Bans::List => {
            let reply = get(socket, "/admin/v1/bans", &[])?;
            let columns = ["source", "over", "cause", "since", "seconds_left", "dropped"];
            let text = print::table(items(&reply.body, "bans"), &columns);
            Ok(Printed { reply, text })
        }
        Bans::Lift { source } => {
            let path = format!("/admin/v1/bans/{}", segment(&source.to_string()));
            let reply = request(socket, Method::DELETE, &path, None)?;
            Ok(Printed { reply, text: format!("{source} is answered again\n") })
        }
    }
}

pub(crate) fn numbers(socket: &Path, args: &Numbers) -> Result<Printed> {
    const COLUMNS: &[&str] =
        &["number", "sid", "account_sid", "is_sip", "state", "voice_url", "voice_application_sid"];
    match args {
        Numbers::List { number, account, limit } => {
            let limit = limit.to_string();
            let mut query = vec![("limit", limit.as_str())];
            query.extend(number.as_deref().map(|number| ("number", number)));
            query.extend(account.as_deref().map(|account| ("account", account)));
            let reply = get(socket, "/admin/v1/numbers", &query)?;
            let text = print::table(items(&reply.body, "numbers"), COLUMNS);
            Ok(Printed { reply, text })
        }
        Numbers::Add { number, fields } => add(socket, "numbers", ("number", number), fields, COLUMNS),
        Numbers::Set { words, filter: None, .. } => {
            let (id, fields) = words.split_first().expect("clap asks for one at least");
            set(socket, "numbers", id, fields, COLUMNS)
        }
        Numbers::Set { words, filter: Some(filter), dry_run } => sweep(socket, filter, words, *dry_run),
        Numbers::Restore { id } => {
            let path = format!("/admin/v1/numbers/{}/restore", segment(id));
            let reply = request(socket, Method::POST, &path, None)?;
            let text = print::table(std::slice::from_ref(&reply.body), COLUMNS);
            Ok(Printed { reply, text })
        }
        Numbers::Rm { id } => remove(socket, "numbers", id),
        Numbers::Import(args) => super::stock::import(socket, args),
        Numbers::Export(args) => super::stock::export(socket, args),
        Numbers::Lint => {
            let reply = get(socket, "/admin/v1/lint", &[])?;
            let notes = items(&reply.body, "notes");
            let text = if notes.is_empty() {
                "nothing to say\n".to_owned()
            } else {
                print::table(notes, &["kind", "number", "sid", "message"])
            };
            Ok(Printed { reply, text })
        }
    }
}

/// All that match, in one generation.
fn sweep(socket: &Path, filter: &str, fields: &[String], dry_run: bool) -> Result<Printed> {
    let mut query = vec![("dry_run", bool_word(dry_run))];
    for part in filter.split(',') {
        query.push(part.split_once('=').ok_or_else(|| CommandError::Field(part.to_owned()))?);
    }
    let path = with_query("/admin/v1/numbers", &query);
    let reply = request(socket, Method::PATCH, &path, Some(&Value::Object(object(fields)?)))?;
    let text = print::fields(&reply.body, 0);
    Ok(Printed { reply, text })
}

pub(crate) fn get(socket: &Path, path: &str, query: &[(&str, &str)]) -> Result<Reply> {
    Ok(request(socket, Method::GET, &with_query(path, query), None)?)
}

pub(crate) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    format!("{path}?{query}")
}

/// One path segment, everything but letters, digits and a few marks escaped.
pub(crate) fn segment(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const KEEP: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
    utf8_percent_encode(text, KEEP).to_string()
}

/// `KEY=VALUE` pairs; the daemon reads the values as the field's type needs.
pub(crate) fn object(fields: &[String]) -> Result<Map<String, Value>> {
    fields
        .iter()
        .map(|field| {
            let (key, value) = field.split_once('=').ok_or_else(|| CommandError::Field(field.clone()))?;
            Ok((key.trim().replace('-', "_"), json!(value)))
        })
        .collect()
}

pub(crate) fn items<'a>(body: &'a Value, name: &str) -> &'a [Value] {
    body[name].as_array().map_or(&[], Vec::as_slice)
}

pub(super) const fn bool_word(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

fn trace(body: &Value, what: &str) -> String {
    let mut text = print::fields(&body[what], 0);
    text.push('\n');
    for line in items(body, "lines") {
        text.push_str(&format!("{}  {}\n", print::cell(&line["at"]), print::cell(&line["text"])));
    }
    for attempt in items(body, "deliveries") {
        text.push_str(&print::fields(attempt, 2));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_survives_a_path_segment() {
        assert_eq!(segment("^*77...33#$"), "%5E%2A77...33%23%24");
    }

    #[test]
    fn fields_are_pairs() {
        assert_eq!(object(&["voice-url=http://a/?b=c".into()]).unwrap()["voice_url"], "http://a/?b=c");
        assert!(object(&["voice_url".into()]).is_err());
    }
}
