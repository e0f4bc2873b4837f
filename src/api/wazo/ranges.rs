//! `/phone-numbers/ranges`: many numbers in a row.

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use crate::api::body::Raw;
use crate::api::reply;
use crate::api::service::{ServiceError, Written};
use crate::api::state::Api;

use super::item::{Here, Link};
use super::refusal::Refusal;
use super::schema::Body;
use super::tenant::{Tenant, uuid};

/// The most numbers of one range.
const MOST: u128 = 10_000;

/// What was made: new numbers, then links to these and to those that were there.
#[derive(Serialize)]
struct Made {
    created: Vec<Created>,
    links: Vec<Link>,
    total: usize,
}

#[derive(Serialize)]
struct Created {
    uuid: String,
}

pub(super) async fn create(
    State(api): State<Api>,
    Tenant { who, account }: Tenant,
    here: Here,
    Raw(body): Raw,
) -> Result<Response, Refusal> {
    let (start, end) = Body::read(&body)?.ends()?;
    let texts =
        texts(&start, &end).map_err(|problem| Refusal::input(vec![format!("_schema: ['{problem}']")]))?;
    let made = api.service.create_numbers_of_tenant(&who, account, &texts, |_| ()).await;
    let made = made.map_err(|error| match error {
        ServiceError::Taken { value, .. } => Refusal::exists(&value, &uuid(account.0)),
        other => other.into(),
    })?;
    let all = made.created.iter().chain(&made.existing);
    let links: Vec<Link> = all.map(|row| here.link(row.id)).collect();
    let created = made.created.iter().map(|row| Created { uuid: uuid(row.id.0) }).collect();
    let body = Made { created, total: links.len(), links };
    let Some(generation) = made.generation else { return Ok(reply::created(&body)) };
    let written = Written { value: body, generation, warnings: Vec::new() };
    Ok(reply::written(written, Vec::new(), |body| reply::created(&body)))
}

/// The numbers from `start` to `end`, compared as numbers: leading zeros stay, and either both ends have
/// a `+` or none.
fn texts(start: &str, end: &str) -> Result<Vec<String>, &'static str> {
    const ORDER: &str = "start phone number must precede end phone number";
    const SIZE: &str = "range size must be between 1 and 10000";
    let (plus, first) = start.strip_prefix('+').map_or(("", start), |digits| ("+", digits));
    let (same, last) = end.strip_prefix('+').map_or(("", end), |digits| ("+", digits));
    if plus != same {
        return Err("both ends of a range have a + or none has");
    }
    // Digits before those that count must be the same: 128 of them are more than a number can hold.
    let common = first.bytes().zip(last.bytes()).take_while(|(a, b)| a == b).count();
    let common = if first.len() == last.len() { common.min(first.len() - 1) } else { 0 };
    let number = |digits: &str| {
        digits
            .trim_start_matches('0')
            .parse::<u128>()
            .ok()
            .or_else(|| digits.bytes().all(|b| b == b'0').then_some(0))
    };
    let (low, high) = match (number(&first[common..]), number(&last[common..])) {
        (Some(low), Some(high)) => (low, high),
        _ if first <= last => return Err(SIZE),
        _ => return Err(ORDER),
    };
    if low > high {
        return Err(ORDER);
    }
    if high - low >= MOST {
        return Err(SIZE);
    }
    let width = first.len() - common;
    Ok((low..=high).map(|n| format!("{plus}{}{n:0width$}", &first[..common])).collect())
}

#[cfg(test)]
mod tests {
    use super::texts;

    #[test]
    fn a_range_counts_as_numbers_do() {
        for (start, end, wanted) in [
            ("99", "101", &["99", "100", "101"][..]),
            ("0900", "0902", &["0900", "0901", "0902"]),
            ("+0998", "+1000", &["+0998", "+0999", "+1000"]),
            ("007", "007", &["007"]),
            ("1", "3", &["1", "2", "3"]),
            ("+18001234569", "+18001234570", &["+18001234569", "+18001234570"]),
        ] {
            assert_eq!(texts(start, end).unwrap(), wanted, "{start}..{end}");
        }
        let long = "1".repeat(127);
        let (start, end) = (format!("{long}8"), format!("{long}9"));
        assert_eq!(texts(&start, &end).unwrap(), [start, end]);
    }

    #[test]
    fn its_ends_are_in_order_and_alike_and_not_far_apart() {
        for (start, end, problem) in [
            ("101", "99", "start phone number must precede end phone number"),
            ("+700", "703", "both ends of a range have a + or none has"),
            ("700", "+703", "both ends of a range have a + or none has"),
            ("+14450000000", "+14450010000", "range size must be between 1 and 10000"),
            ("1", &"9".repeat(128), "range size must be between 1 and 10000"),
        ] {
            assert_eq!(texts(start, end).unwrap_err(), problem, "{start}..{end}");
        }
        assert_eq!(texts("+14450000000", "+14450009999").unwrap().len(), 10_000);
    }
}
