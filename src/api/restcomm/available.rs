//! `AvailablePhoneNumbers`, and which kind of numbers a path speaks of.

use axum::extract::{FromRequestParts, MatchedPath, Path, RawQuery, State};
use axum::http::request::Parts;
use axum::response::Response;
use serde::Serialize;

use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::service::Principal;
use crate::api::state::Api;
use crate::store::{NumberKind, NumberRow, Page, Wanted};

use super::number::friendly;
use super::params::{Params, shown};
use super::{Owner, refuse, show};

/// The parameters of a search.
pub(crate) const SEARCH: &[&str] = &[
    "AreaCode",
    "Contains",
    "VoiceEnabled",
    "SmsEnabled",
    "MmsEnabled",
    "FaxEnabled",
    "UssdEnabled",
    "Beta",
    "RangeSize",
    "RangeIndex",
    "NearNumber",
    "NearLatLong",
    "Distance",
    "InPostalCode",
    "InRegion",
    "InRateCenter",
    "InLata",
];

/// What only a provider of places could answer.
const PLACES: [&str; 8] = [
    "UssdEnabled",
    "NearNumber",
    "NearLatLong",
    "Distance",
    "InPostalCode",
    "InRegion",
    "InRateCenter",
    "InLata",
];

/// The most numbers of one answer.
const MOST: u64 = 1_000;

/// Which kind of numbers a path speaks of: its `/Local`, `/TollFree` or `/Mobile`.
pub(super) struct Kind {
    pub(super) wanted: Option<NumberKind>,
    pub(super) path: &'static str,
}

impl FromRequestParts<Api> for Kind {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, ApiError> {
        let path = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let all = [
            ("/Local", NumberKind::Local),
            ("/TollFree", NumberKind::TollFree),
            ("/Mobile", NumberKind::Mobile),
        ];
        let found = all.into_iter().find(|(end, _)| path.ends_with(end));
        Ok(Self { wanted: found.map(|(_, kind)| kind), path: found.map_or("", |(end, _)| end) })
    }
}

/// One available number, its keys as Restcomm writes them here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    friendly_name: String,
    phone_number: String,
    iso_country: String,
    voice_capable: bool,
    sms_capable: bool,
    mms_capable: bool,
    fax_capable: bool,
}

/// A bare array of what the inventory has.
pub(super) async fn search(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Path((_, country)): Path<(String, String)>,
    kind: Kind,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let mut params = Params::parse(query.unwrap_or_default().as_bytes(), SEARCH);
    if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_alphabetic()) {
        let message = format!("`{}` is no country: use two letters, as US", shown(&country));
        return Err(ApiError::bad(message));
    }
    let country = country.to_ascii_uppercase();
    for name in PLACES {
        if params.get(name).is_some_and(|value| !value.is_empty()) {
            params.warnings.push(format!("{name} is not known of the inventory's numbers and was ignored"));
        }
    }
    // None of them is beta.
    params.flag("Beta")?;
    let wanted = Wanted {
        discovered: false,
        country: Some(country.clone()),
        kind: kind.wanted,
        prefix: area(&params, &country)?,
        part: contains(&params)?,
        voice: params.flag("VoiceEnabled")?,
        sms: params.flag("SmsEnabled")?,
        mms: params.flag("MmsEnabled")?,
        fax: params.flag("FaxEnabled")?,
    };
    let rows = api.service.available(&who, account, &wanted, range(&params)?).await.map_err(refuse)?;
    let printed: Vec<Printed> = rows.into_iter().map(|row| print(row, &country)).collect();
    let mut response = show("AvailablePhoneNumbers", &printed);
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

/// `RangeSize` numbers (50), the `RangeIndex`th such range (0).
fn range(params: &Params) -> Result<Page, ApiError> {
    let limit = params.count("RangeSize")?.unwrap_or(50);
    if limit == 0 || limit > MOST {
        return Err(ApiError::bad(format!("RangeSize is {limit}: use 1 to {MOST}")));
    }
    let index = params.count("RangeIndex")?.unwrap_or(0);
    // The stores count no further than that.
    Ok(Page { offset: index.saturating_mul(limit).min(i64::MAX.unsigned_abs()), limit })
}

/// Three digits after North America's country code.
fn area(params: &Params, country: &str) -> Result<Option<String>, ApiError> {
    let Some(area) = params.get("AreaCode").map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if !matches!(country, "US" | "CA") || area.len() != 3 || !area.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("AreaCode is `{}`: use three digits, in the US and Canada only", shown(area));
        return Err(ApiError::bad(message));
    }
    Ok(Some(format!("+1{area}")))
}

/// Digits, `*` for any one digit, and letters for the keys that bear them.
fn contains(params: &Params) -> Result<Option<String>, ApiError> {
    let Some(text) = params.get("Contains").map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let key = |c: char| match c.to_ascii_lowercase() {
        c @ ('0'..='9' | '*') => Some(c),
        'a'..='c' => Some('2'),
        'd'..='f' => Some('3'),
        'g'..='i' => Some('4'),
        'j'..='l' => Some('5'),
        'm'..='o' => Some('6'),
        'p'..='s' => Some('7'),
        't'..='v' => Some('8'),
        'w'..='z' => Some('9'),
        _ => None,
    };
    let keys: Option<String> = text.trim_start_matches('+').chars().map(key).collect();
    keys.map(Some).ok_or_else(|| {
        ApiError::bad(format!("Contains is `{}`: use digits, letters and `*` for any digit", shown(text)))
    })
}

fn print(row: NumberRow, country: &str) -> Printed {
    Printed {
        friendly_name: row.friendly_name.unwrap_or_else(|| friendly(&row.number).to_owned()),
        iso_country: country.to_owned(),
        voice_capable: row.voice_capable,
        sms_capable: row.sms_capable,
        mms_capable: row.mms_capable,
        fax_capable: row.fax_capable,
        phone_number: row.number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<Option<String>, ApiError> {
        contains(&Params::parse(query.as_bytes(), SEARCH))
    }

    #[test]
    fn letters_are_the_keys_that_bear_them() {
        assert_eq!(of("Contains=555*TAXI").unwrap().as_deref(), Some("555*8294"));
        assert_eq!(of("Contains=").unwrap(), None);
        assert_eq!(of("Contains=5-5").unwrap_err().status, 400);
    }
}
