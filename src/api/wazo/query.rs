//! The parameters of the list: what is wanted, in which order, which part of it.

use crate::api::restcomm::params::Params;
use crate::store::{NumberFilter, NumberOrder, Page};

use super::refusal::Refusal;

/// The parameters of the list. Of a repeated one the first counts; others are left out of account.
pub(crate) const FILTERS: &[&str] = &[
    "search",
    "number",
    "caller_id_name",
    "main",
    "shared",
    "order",
    "direction",
    "limit",
    "offset",
    "recurse",
];

/// The most rows of one answer.
pub(super) const MOST: u64 = 10_000;

/// What a list is asked for.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) filter: NumberFilter,
    pub(super) page: Page,
    /// Numbers of sub-accounts too.
    pub(super) recurse: bool,
}

impl Query {
    pub(super) fn read(query: &str) -> Result<Self, Refusal> {
        let params = Params::parse(query.as_bytes(), FILTERS);
        let text = |name| params.get(name).map(str::to_owned);
        let (order, reverse) = (order(&params)?, direction(&params)?);
        let limit = match whole(&params, "limit")? {
            Some(0) => {
                let line = "field 'limit': wrong type. Should be a positive number".to_owned();
                return Err(Refusal::input(vec![line]));
            }
            limit => limit.unwrap_or(MOST),
        };
        let filter = NumberFilter {
            search: text("search").filter(|text| !text.is_empty()),
            number: text("number"),
            caller_id_name: text("caller_id_name"),
            main: flag(&params, "main")?,
            shared: flag(&params, "shared")?,
            plain: true,
            order,
            reverse,
            ..NumberFilter::default()
        };
        let page = Page { offset: whole(&params, "offset")?.unwrap_or(0), limit: limit.min(MOST) };
        Ok(Self { filter, page, recurse: flag(&params, "recurse")?.unwrap_or(false) })
    }
}

fn order(params: &Params) -> Result<NumberOrder, Refusal> {
    match params.get("order") {
        None | Some("" | "number") => Ok(NumberOrder::Number),
        Some("caller_id_name") => Ok(NumberOrder::CallerIdName),
        Some("shared") => Ok(NumberOrder::Shared),
        Some("main") => Ok(NumberOrder::Main),
        Some(other) => Err(Refusal::input(vec![format!(
            "order: column '{}' was not found",
            crate::api::restcomm::params::shown(other)
        )])),
    }
}

fn direction(params: &Params) -> Result<bool, Refusal> {
    match params.get("direction") {
        None | Some("asc") => Ok(false),
        Some("desc") => Ok(true),
        Some(_) => Err(Refusal::input(vec!["direction: must be 'asc' or 'desc'".to_owned()])),
    }
}

/// A whole number that a database can count to.
fn whole(params: &Params, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = params.get(name) else { return Ok(None) };
    match text.trim().parse::<i64>() {
        Ok(number) => u64::try_from(number).map(Some).map_err(|_| {
            Refusal::input(vec![format!(
                "{name}: [{{'constraint_id': 'range', 'constraint': {{'min': 0}}, \
                 'message': 'Must be greater than or equal to 0.'}}]"
            )])
        }),
        Err(_) => Err(not_valid(name, "integer")),
    }
}

/// A boolean in any of the words that PostgreSQL and Python read as one.
fn flag(params: &Params, name: &str) -> Result<Option<bool>, Refusal> {
    let Some(text) = params.get(name) else { return Ok(None) };
    match text.trim().to_ascii_lowercase().as_str() {
        "t" | "tr" | "tru" | "true" | "y" | "ye" | "yes" | "on" | "1" => Ok(Some(true)),
        "f" | "fa" | "fal" | "fals" | "false" | "n" | "no" | "of" | "off" | "0" => Ok(Some(false)),
        _ => Err(not_valid(name, "boolean")),
    }
}

fn not_valid(name: &str, kind: &str) -> Refusal {
    Refusal::input(vec![format!(
        "{name}: {{'message': 'Not a valid {kind}.', 'constraint_id': 'type', 'constraint': '{kind}'}}"
    )])
}
