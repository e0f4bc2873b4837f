//! The account's numbers, page by page.

use ring::digest::{SHA256, digest};
use serde_json::{Map, json};

use super::answer::Told;
use super::document::{filtered, listed};
use super::filter::Filter;
use super::refusal::Refusal;
use super::serve::Call;
use crate::routing::pattern::is_pattern;
use crate::store::{NumberFilter, NumberRow};

/// A page has this many numbers unless `page_size` says otherwise.
const USUAL: u64 = 50;

/// The most numbers of one answer.
const MOST: u64 = 10_000;

/// How many numbers one request with filters looks at to fill a page; an answer with fewer numbers than asked
/// for names the key to go on with.
const LOOKED_AT: u64 = 2_000;

/// Rows read in one go.
const BATCH: u64 = 500;

/// The account's numbers that the filters keep, with the key that the next page begins at.
pub(super) async fn list(call: &Call<'_>) -> Result<Told, Refusal> {
    let asked = call.asked;
    let filter = Filter::of(&asked.query)?;
    let all = asked.query.get("paginate").is_some_and(|flag| flag == "false");
    let size = if all { MOST } else { asked.count("page_size")?.unwrap_or(USUAL).clamp(1, MOST) };
    let start_key = asked.query.get("start_key").map(|key| key.replacen(' ', "+", 1));
    let mut at = start_key.clone().unwrap_or_default();
    let held =
        NumberFilter { account: Some(call.account.id), held: true, dialled: true, ..NumberFilter::default() };
    // One more says where the next page begins.
    let batch = if filter.is_empty() { BATCH.min(size + 1) } else { BATCH };
    let mut numbers = Map::new();
    let mut next = None;
    let mut looked = 0;
    let looks = if all || filter.is_empty() { MOST } else { LOOKED_AT };
    'pages: loop {
        let rows = call.api.service.store().numbers_from(&held, &at, batch).await?;
        let full = rows.len() as u64 == batch;
        for row in rows {
            // Right behind it.
            at = format!("{}\u{1}", row.number);
            looked += 1;
            if !is_shown(&row) || !(filter.is_empty() || filter.keeps(&filtered(&row))) {
                continue;
            }
            if numbers.len() as u64 >= size || looked > looks {
                next = Some(row.number.clone());
                break 'pages;
            }
            numbers.insert(row.number.clone(), listed(&row).into());
        }
        if !full {
            break;
        }
        if looked > looks {
            next = Some(at.trim_end_matches('\u{1}').to_owned());
            break;
        }
    }
    let mut beside = Map::new();
    if !all {
        beside.insert("page_size".into(), numbers.len().into());
        if let Some(key) = start_key {
            beside.insert("start_key".into(), key.into());
        }
    }
    if let Some(next) = next {
        beside.insert("next_start_key".into(), next.into());
    }
    let data = json!({ "numbers": numbers, "casquade_quantity": 0, "cascade_quantity": 0 });
    Ok(Told { revision: Some(revision(call)), beside, ..Told::new(data) })
}

/// `…/fix`: there are no copies here that could differ; answers the list.
pub(super) async fn fix(call: &Call<'_>) -> Result<Told, Refusal> {
    list(call).await
}

/// Patterns and numbers of other schemes than telephony's are no numbers of this dialect.
fn is_shown(row: &NumberRow) -> bool {
    !is_pattern(&row.number) && !row.number.contains(':')
}

/// `GENERATION-…`: differs whenever the directory does.
fn revision(call: &Call<'_>) -> String {
    let generation = call.api.handles.directory.load().generation();
    let text = format!("{}:{generation}", call.account.id);
    let hash = digest(&SHA256, text.as_bytes());
    let hex: String = hash.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{generation}-{hex}")
}
