//! The tables that operators edit row by row, alike for all of them.

use std::path::Path;

use hyper::Method;
use serde_json::{Value, json};

use super::args::{Accounts, Gateways, Rows};
use super::client::request;
use super::commands::{CommandError, Printed, get, items, object, segment};
use super::print;

type Result<T> = std::result::Result<T, CommandError>;

pub(crate) fn trunks(socket: &Path, args: &Rows) -> Result<Printed> {
    rows(
        socket,
        "trunks",
        args,
        &["name", "sid", "status", "organization_sid", "sources", "mode", "max_calls"],
    )
}

pub(crate) fn gateways(socket: &Path, args: &Gateways) -> Result<Printed> {
    const COLUMNS: &[&str] = &["name", "sid", "status", "organization_sid", "host", "port", "group_name"];
    let (id, word) = match args {
        Gateways::Rows(Rows::List) => {
            let mut printed = rows(socket, "gateways", &Rows::List, COLUMNS)?;
            printed.text = standings(items(&printed.reply.body, "gateways"));
            return Ok(printed);
        }
        Gateways::Rows(args) => return rows(socket, "gateways", args, COLUMNS),
        Gateways::Drain { id } => (id, "drain"),
        Gateways::Resume { id } => (id, "resume"),
    };
    let path = format!("/admin/v1/gateways/{}/{word}", segment(id));
    let reply = request(socket, Method::POST, &path, None)?;
    let text = standings(std::slice::from_ref(&reply.body));
    Ok(Printed { reply, text })
}

/// Gateways with what their standing says.
fn standings(rows: &[Value]) -> String {
    const COLUMNS: &[&str] = &[
        "name",
        "sid",
        "state",
        "since",
        "last_check",
        "active",
        "calls",
        "failures",
        "group_name",
        "host",
        "port",
        "priority",
    ];
    let told = |row: &Value| {
        let (mut row, standing) = (row.clone(), row["standing"].clone());
        for name in ["state", "since", "active", "calls", "failures"] {
            row[name] = standing[name].clone();
        }
        row["last_check"] = match &standing["last_check"] {
            Value::Object(check) if check["code"].is_null() => json!("silent"),
            check => check["code"].clone(),
        };
        row
    };
    print::table(&rows.iter().map(told).collect::<Vec<_>>(), COLUMNS)
}

pub(crate) fn organizations(socket: &Path, args: &Rows) -> Result<Printed> {
    rows(
        socket,
        "organizations",
        args,
        &["domain", "sid", "friendly_name", "status", "match_mode", "is_default"],
    )
}

pub(crate) fn accounts(socket: &Path, args: &Accounts) -> Result<Printed> {
    const COLUMNS: &[&str] =
        &["friendly_name", "sid", "status", "organization_sid", "parent_sid", "role", "gateway_group"];
    match args {
        Accounts::Rows(args) => rows(socket, "accounts", args, COLUMNS),
        Accounts::Rotate { id, webhook_secret } => {
            let what = if *webhook_secret { "webhook-secret" } else { "auth-token" };
            let path = format!("/admin/v1/accounts/{}/{what}", segment(id));
            let reply = request(socket, Method::POST, &path, None)?;
            let text = print::fields(&reply.body, 0);
            Ok(Printed { reply, text })
        }
    }
}

pub(crate) fn applications(socket: &Path, args: &Rows) -> Result<Printed> {
    rows(socket, "applications", args, &["friendly_name", "sid", "account_sid", "kind", "voice_url"])
}

fn rows(socket: &Path, kind: &str, args: &Rows, columns: &[&str]) -> Result<Printed> {
    match args {
        Rows::List => {
            let reply = get(socket, &format!("/admin/v1/{kind}"), &[])?;
            let text = print::table(items(&reply.body, kind), columns);
            Ok(Printed { reply, text })
        }
        Rows::Add { name, fields } => add(socket, kind, (columns[0], name), fields, columns),
        Rows::Show { id } => {
            let reply = get(socket, &format!("/admin/v1/{kind}/{}", segment(id)), &[])?;
            let text = print::fields(&reply.body, 0);
            Ok(Printed { reply, text })
        }
        Rows::Set { id, fields } => set(socket, kind, id, fields, columns),
        Rows::Rm { id } => remove(socket, kind, id),
    }
}

pub(crate) fn add(
    socket: &Path,
    kind: &str,
    name: (&str, &str),
    fields: &[String],
    columns: &[&str],
) -> Result<Printed> {
    let mut body = object(fields)?;
    body.insert(name.0.into(), json!(name.1));
    let reply = request(socket, Method::POST, &format!("/admin/v1/{kind}"), Some(&Value::Object(body)))?;
    let text = print::table(std::slice::from_ref(&reply.body), columns);
    Ok(Printed { reply, text })
}

pub(crate) fn set(
    socket: &Path,
    kind: &str,
    id: &str,
    fields: &[String],
    columns: &[&str],
) -> Result<Printed> {
    let path = format!("/admin/v1/{kind}/{}", segment(id));
    let reply = request(socket, Method::PATCH, &path, Some(&Value::Object(object(fields)?)))?;
    let text = print::table(std::slice::from_ref(&reply.body), columns);
    Ok(Printed { reply, text })
}

pub(crate) fn remove(socket: &Path, kind: &str, id: &str) -> Result<Printed> {
    let reply = request(socket, Method::DELETE, &format!("/admin/v1/{kind}/{}", segment(id)), None)?;
    let text = format!("removed {id}\n");
    Ok(Printed { reply, text })
}
