//! Conversations as text. A case begins with `== NAME`. `sql …` is done by hand. A step is
//! `WHO METHOD PATH [JSON]`, its answer `-> STATUS [JSON]`: what is expected must be there, more may be.
//!
//! WHO is MASTER, RESELLER (below it), CHILD (below that), UNRELATED or NOBODY; their names in braces are
//! their ids. {N}, {M} and {O} are numbers of the case's own; in a path their `+` is escaped. In what is
//! expected `*` stands for anything, `-` for nothing.

use std::collections::HashMap;

use http_body_util::Full;
use hyper::Method;
use hyper::body::Bytes;
use serde_json::Value;

use crate::client::{Answer, over_tcp};
use crate::world::{Api, Caller};

/// A request with a token, under `/v2`.
pub async fn ask(api: &Api, token: Option<&str>, method: &str, path: &str, body: Option<&str>) -> Answer {
    let method: Method = method.parse().unwrap();
    let mut request = hyper::Request::builder().method(method).uri(format!("/v2{path}"));
    request = request.header("host", "callgate.test");
    if let Some(token) = token {
        request = request.header("x-auth-token", token);
    }
    if body.is_some() {
        // As curl's -d says it.
        request = request.header("content-type", "application/x-www-form-urlencoded");
    }
    let body = Full::new(Bytes::from(body.unwrap_or_default().to_owned()));
    over_tcp(api.address, request.body(body).unwrap()).await
}

pub fn token(caller: &Caller) -> &str {
    &caller.credentials.0.as_ref().unwrap().1
}

pub fn id(caller: &Caller) -> &str {
    &caller.sid[2..]
}

/// The four accounts of every conversation.
pub async fn family(api: &Api) -> HashMap<&'static str, Caller> {
    let reseller = api.tenant("Reseller", None).await;
    let child = api.below(&reseller, "Child").await;
    let unrelated = api.tenant("Unrelated", None).await;
    let mut family = HashMap::from([("MASTER", api.admin.clone())]);
    family.extend([("RESELLER", reseller), ("CHILD", child), ("UNRELATED", unrelated)]);
    family
}

/// Holds all conversations of a text; every failure is told.
pub async fn hold(api: &Api, text: &str) {
    let family = family(api).await;
    let mut failures = Vec::new();
    let mut held = 0;
    for (at, case) in text.split("\n== ").skip(1).enumerate() {
        let (name, steps) = case.split_once('\n').unwrap();
        held += 1;
        if let Err(problem) = converse(api, &family, at, steps).await {
            failures.push(format!("{name}: {problem}"));
        }
    }
    assert!(failures.is_empty(), "{} of {held} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(held > 0);
}

async fn converse(
    api: &Api,
    family: &HashMap<&'static str, Caller>,
    at: usize,
    steps: &str,
) -> Result<(), String> {
    let fill = |text: &str, escaped: bool| {
        let plus = if escaped { "%2B" } else { "+" };
        let mut text = text.to_owned();
        for (name, area) in [("{N}", 212), ("{M}", 213), ("{O}", 214)] {
            text = text.replace(name, &format!("{plus}1{area}555{at:04}"));
        }
        for (name, digits) in [("{n}", 212), ("{m}", 213)] {
            text = text.replace(name, &format!("{digits}555{at:04}"));
        }
        for (name, caller) in family {
            text = text.replace(&format!("{{{name}}}"), id(caller));
        }
        text
    };
    let mut last: Option<(String, Answer)> = None;
    for line in steps.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(sql) = line.strip_prefix("sql ") {
            api.world.by_hand(&fill(sql, false))?;
        } else if let Some(expected) = line.strip_prefix("-> ") {
            let (step, answer) = last.as_ref().ok_or("an answer without a step")?;
            judge(answer, &fill(expected, false)).map_err(|problem| format!("{step}\n    {problem}"))?;
        } else {
            let mut words = line.splitn(4, ' ');
            let (who, method, path) =
                (words.next().unwrap(), words.next().ok_or(line)?, words.next().ok_or(line)?);
            let token = family.get(who).map(token);
            let body = words.next().map(|body| fill(body, false));
            let answer = ask(api, token, method, &fill(path, true), body.as_deref()).await;
            last = Some((line.to_owned(), answer));
        }
    }
    Ok(())
}

fn judge(answer: &Answer, expected: &str) -> Result<(), String> {
    let (status, body) = expected.split_once(' ').unwrap_or((expected, ""));
    if answer.status.as_str() != status {
        return Err(format!("answered {}: {}", answer.status, answer.text));
    }
    if body.is_empty() {
        return Ok(());
    }
    let expected: Value = serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))?;
    let got: Value =
        serde_json::from_str(&answer.text).map_err(|error| format!("{error}: {}", answer.text))?;
    matches(&expected, Some(&got), "").map_err(|problem| format!("{problem}\n    in {got}"))
}

/// Whether `got` holds what is expected.
pub fn matches(expected: &Value, got: Option<&Value>, at: &str) -> Result<(), String> {
    match (expected, got) {
        (Value::String(sign), None) if sign == "-" => Ok(()),
        (_, None) => Err(format!("{at} is not there")),
        (Value::String(sign), Some(_)) if sign == "*" => Ok(()),
        (Value::Object(members), Some(Value::Object(found))) => {
            let mut each = members.iter();
            each.try_for_each(|(name, value)| matches(value, found.get(name), &format!("{at}.{name}")))
        }
        (Value::Array(items), Some(Value::Array(found))) if items.len() == found.len() => {
            let mut pairs = items.iter().zip(found).enumerate();
            pairs.try_for_each(|(index, (item, found))| matches(item, Some(found), &format!("{at}[{index}]")))
        }
        (expected, Some(got)) if expected == got => Ok(()),
        (expected, Some(got)) => Err(format!("{at} is {got}, not {expected}")),
    }
}
