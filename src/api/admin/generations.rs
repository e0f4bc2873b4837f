//! `/admin/v1/generations`: who made each, what differs between two, and the way back.

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use crate::api::auth::Admin;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::restcomm::params::{Params, shown};
use crate::api::state::Api;
use crate::store::{ChangePlace, Generation, Obstacle, Reach, Rollback, RolledBack, RowChange};

/// The parameters of the list.
pub(in crate::api) const FILTERS: &[&str] = &["before", "limit"];

/// The parameters of a difference.
pub(in crate::api) const BETWEEN: &[&str] = &["to", "after", "limit"];

/// The generations, the newest first.
pub(super) async fn list(
    State(api): State<Api>,
    _admin: Admin,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), FILTERS);
    let limit = super::query::limit(&params)?;
    let before = params.count("before")?;
    let found = api.service.store().generations(before, limit).await?;
    let list: Vec<Value> = found.list.iter().map(print).collect();
    let reach = found.reach;
    let body = json!({
        "current": reach.newest, "oldest": reach.oldest, "next_before": found.next, "generations": list,
    });
    let mut response = reply::json(&body);
    reply::warn(&mut response, &params.warnings);
    response.headers_mut().insert(header::ETAG, tag(reach.newest));
    Ok(response)
}

fn print(one: &Generation) -> Value {
    json!({
        "number": one.number, "first": one.first, "at": one.at, "by": one.actor, "action": one.action,
        "added": one.added, "changed": one.changed, "removed": one.removed,
    })
}

/// What differs at `to`, or now, from how it was at one generation.
pub(super) async fn diff(
    State(api): State<Api>,
    _admin: Admin,
    Path(from): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), BETWEEN);
    let from = generation(&from)?;
    let to = params.count("to")?;
    let after = params.change("after").flatten().map(|text| place(&text)).transpose()?;
    let limit = super::query::limit(&params)?.max(1);
    let found = api.service.store().difference((from, to), after.as_ref(), limit).await?;
    let found = found.map_err(|reach| beyond(&reach))?;
    let rows: Vec<Value> = found.rows.into_iter().map(difference).collect();
    let body = json!({
        "from": from,
        "to": to.unwrap_or(found.reach.newest),
        "next_after": found.next.map(|place| format!("{}.{}", place.generation, place.id)),
        "unknown": found.unknown,
        "rows": rows,
    });
    let mut response = reply::json(&body);
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

/// One row that differs; of one that is there on both sides, only what differs.
fn difference(row: RowChange) -> Value {
    let kind = match (&row.before, &row.after) {
        (None, _) => "added",
        (_, None) => "removed",
        _ => "changed",
    };
    let row = row.narrowed();
    json!({
        "table": row.table, "sid": row.sid, "name": row.name, "kind": kind,
        "before": row.before, "after": row.after,
    })
}

/// Undoes everything that came after a generation.
pub(super) async fn rollback(
    State(api): State<Api>,
    admin: Admin,
    Path(to): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), &["dry_run"]);
    // A misspelt dry_run would change what was only to be looked at.
    if let Some(warning) = params.warnings.first() {
        return Err(ApiError::bad(warning.clone()));
    }
    let dry_run = params.flag("dry_run")?.unwrap_or(false);
    let wanted = Rollback { to: generation(&to)?, newest: newest(&headers)?, dry_run };
    let done = api.service.store().roll_back(&admin.0.actor(), wanted).await?;
    let done = done.map_err(|obstacle| match obstacle {
        Obstacle::Newer(_) => ApiError::new(StatusCode::PRECONDITION_FAILED, obstacle.to_string()),
        Obstacle::Beyond(reach) => beyond(&reach),
        other => ApiError::new(StatusCode::CONFLICT, other.to_string()),
    })?;
    if let Some(generation) = done.generation {
        tracing::info!(to = wanted.to, generation, by = admin.0.actor(), "rolled back");
    }
    Ok(told(wanted, done))
}

fn told(wanted: Rollback, done: RolledBack) -> Response {
    let examples: Vec<Value> = done.examples.into_iter().map(difference).collect();
    let mut response = reply::json(&json!({
        "from": done.from, "to": wanted.to, "dry_run": wanted.dry_run, "generation": done.generation,
        "added": done.added, "changed": done.changed, "removed": done.removed, "examples": examples,
    }));
    let headers = response.headers_mut();
    if let Some(generation) = done.generation {
        headers.insert(reply::GENERATION, HeaderValue::from(generation));
    }
    headers.insert(header::ETAG, tag(done.generation.unwrap_or(done.from)));
    response
}

/// `"812"`, the newest generation as the list tags it.
fn newest(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    match value.to_str().unwrap_or("").trim() {
        "*" => Ok(None),
        text => match text.trim_matches('"').parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(ApiError::new(
                StatusCode::PRECONDITION_FAILED,
                "If-Match names no generation: use the ETag of GET /admin/v1/generations",
            )),
        },
    }
}

fn tag(generation: u64) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{generation}\"")).expect("digits in quotes are ASCII")
}

fn generation(text: &str) -> Result<u64, ApiError> {
    let number = text.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
    number.ok_or_else(|| {
        ApiError::not_found(format!("there is no generation `{}`: use its number", shown(text)))
    })
}

/// `GENERATION.ID`, as `next_after` has it.
fn place(text: &str) -> Result<ChangePlace, ApiError> {
    let read = text.split_once('.').and_then(|(generation, id)| {
        let generation = generation.parse().ok().filter(|number| i64::try_from(*number).is_ok())?;
        let plain = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
        plain.then(|| ChangePlace { generation, id: id.to_owned() })
    });
    read.ok_or_else(|| {
        ApiError::bad(format!("after is `{}`: use the next_after of the page before", shown(text)))
    })
}

fn beyond(reach: &Reach) -> ApiError {
    ApiError::not_found(Obstacle::Beyond(*reach).to_string())
}
