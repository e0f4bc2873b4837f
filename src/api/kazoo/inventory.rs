//! What may be had: the inventory, and the carrier where there is one. Where numbers are.

use std::str::FromStr;

use phonenumber::country;
use phonenumber::metadata::DATABASE;
use serde_json::{Map, Value, json};

use super::answer::Told;
use super::classify::pretty;
use super::collection::wanted;
use super::normalize::{is_reconcilable, normalize, ten_digits};
use super::refusal::Refusal;
use super::request::Asked;
use super::serve::Call;
use crate::api::state::Api;
use crate::outbound::ProviderError;
use crate::store::{NumberRow, NumberState, Page, Word};

/// The most numbers of one search.
const MOST: u64 = 500;

/// `GET /v2/phone_numbers?prefix=…`: what may be had, in the order of the numbers.
pub(super) async fn search(api: &Api, asked: &Asked) -> Result<Told, Refusal> {
    let country = asked.query.get("country").map_or("US", String::as_str).to_ascii_uppercase();
    let digits = prefix_of(asked)?;
    let quantity = asked.count("quantity")?.unwrap_or(1).clamp(1, MOST);
    let offset = asked.count("offset")?.unwrap_or(0);
    let dial = dial_code(&country)?;
    if offset == 0 {
        discover(api, &country, &digits, quantity).await?;
    }
    let page = Page { offset, limit: quantity };
    let rows = api.service.to_be_had(&format!("{dial}{digits}"), page).await?;
    Ok(Told::new(rows.iter().map(offered).collect::<Vec<Value>>()))
}

/// The digits to search by.
fn prefix_of(asked: &Asked) -> Result<String, Refusal> {
    let given = asked.query.get("prefix").map(String::as_str).unwrap_or_default();
    let digits: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    let digits = digits.strip_prefix("+1").unwrap_or(&digits);
    let refuse = |rule: &str, sentence: &str| Err(Refusal::field("prefix", rule, sentence));
    match digits.len() {
        0 => refuse("required", "Field is required but missing"),
        1 | 2 => refuse("minLength", "String must be at least 3 characters"),
        3..=10 if digits.bytes().all(|b| b.is_ascii_digit()) => Ok(digits.to_owned()),
        3..=10 => refuse("type", "Value did not match type(s): digits"),
        _ => refuse("maxLength", "String must not be more than 10 characters"),
    }
}

/// `+1` for the United States.
pub(super) fn dial_code(country: &str) -> Result<String, Refusal> {
    let known = country::Id::from_str(country).ok().and_then(|id| DATABASE.by_id(id.as_ref()));
    let code = known.map(|metadata| format!("+{}", metadata.country_code()));
    code.ok_or_else(|| Refusal::field("country", "enum", "Value not found in enumerated list of values"))
}

/// Asks the carrier, where there is one, and keeps what it shows as `discovery`.
async fn discover(api: &Api, country: &str, digits: &str, quantity: u64) -> Result<(), Refusal> {
    let Some(carrier) = &api.handles.providers.carrier else { return Ok(()) };
    let quantity = quantity.to_string();
    let query = [("prefix", digits), ("quantity", quantity.as_str()), ("country", country)];
    let answer = match carrier.get_kept("numbers", &query, carrier.timeout()).await {
        Ok(answer) => answer,
        // A carrier that is slow or down does not hide what is here.
        Err(error) => {
            tracing::warn!(%error, "the carrier was not searched");
            return Ok(());
        }
    };
    let Some(Value::Array(found)) = answer.get("data") else { return Ok(()) };
    let mut offers = Vec::new();
    for offer in found.iter().take(usize::try_from(MOST).unwrap_or(usize::MAX)) {
        let Some(text) = offer.get("number").and_then(Value::as_str).map(normalize) else { continue };
        if is_reconcilable(&text)
            && let Value::Object(offer) = offer
        {
            offers.push((text, offer.clone()));
        }
    }
    Ok(api.service.discovered(offers).await?)
}

/// A number as a search shows it.
fn offered(row: &NumberRow) -> Value {
    let text = row.number.as_str();
    let digits = text.trim_start_matches('+');
    let (ten, formatted) = match ten_digits(text) {
        Some(ten) => (ten, pretty(text, "S#-###-###-####")),
        None => (digits, text.to_owned()),
    };
    let hex = row.id.word().to_uppercase();
    let id = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    let place = json!({ "lata": "", "name": "", "state": "" });
    json!({
        "e164": text,
        "formatted_number": formatted,
        "npa_nxx": ten.get(..6).unwrap_or(ten),
        "number": text,
        "number_id": id,
        "rate_center": row.fields.get("rate_center").cloned().unwrap_or(place),
        "status": "Available",
        "ten_digit": ten,
    })
}

/// `…/check`: which of the numbers may still be had.
pub(super) async fn check(call: &Call<'_>) -> Result<Told, Refusal> {
    let texts = wanted(call.asked)?;
    let mut told = Map::new();
    let mut unknown = Vec::new();
    for text in &texts {
        let here = call.api.service.may_be_had(&normalize(text)).await?;
        if here.is_none() {
            unknown.push(text.clone());
        }
        let word = if here == Some(true) { "success" } else { "error" };
        told.insert(text.clone(), word.into());
    }
    if let Some(carrier) = &call.api.handles.providers.carrier
        && !unknown.is_empty()
    {
        let e164: Vec<String> = unknown.iter().map(|text| normalize(text)).collect();
        let body = json!({ "data": { "numbers": e164 } });
        let answer = carrier.post("check", &body).await;
        let answer =
            answer.inspect_err(|error| tracing::warn!(%error, "the carrier was not asked what it has"));
        for (text, e164) in unknown.iter().zip(&e164) {
            let word = answer.as_ref().ok().and_then(|answer| answer.get("data")?.get(e164)?.as_str());
            if word == Some("success") {
                told.insert(text.clone(), "success".into());
            }
        }
    }
    Ok(Told::new(told))
}

/// Buys a number of the carrier's; numbers that are not are nothing to buy.
pub(super) async fn acquire(call: &Call<'_>, number: &str) -> Result<(), Refusal> {
    let Some(carrier) = &call.api.handles.providers.carrier else { return Ok(()) };
    if !call.api.service.is_discovered(number).await? {
        return Ok(());
    }
    let body = json!({ "data": { "number": number, "account_id": call.account.id.word() } });
    let bought = carrier.post("acquire", &body).await;
    bought.map(drop).map_err(|error| {
        tracing::warn!(%error, "the carrier did not give a number that it showed");
        let data = json!({
            "code": 502, "error": "unspecified_fault", "message": "fault by carrier", "cause": number,
        });
        Refusal::new(502, "unspecified_fault", data)
    })
}

/// `…/locality`: where numbers are, by the provider.
pub(super) async fn locality(call: &Call<'_>) -> Result<Told, Refusal> {
    let texts = wanted(call.asked)?;
    let Some(provider) = &call.api.handles.providers.locality else {
        return Err(Refusal::no_provider("could not get locality url: set providers.locality-url"));
    };
    let high = call.asked.text("quality")?.is_some_and(|quality| quality == "high");
    let path = if high { "locality/metadata?quality=high" } else { "locality/metadata" };
    let key = |text: &str| format!("{path} {text}");
    let missing: Vec<&String> = texts.iter().filter(|text| provider.known(&key(text)).is_none()).collect();
    if !missing.is_empty() {
        let answer = provider.post(path, &json!({ "data": missing })).await.map_err(|error| {
            tracing::warn!(%error, "the locality provider failed");
            Refusal::no_provider("number locality lookup failed")
        })?;
        for text in missing {
            let found = answer.get("data").and_then(|data| data.get(text)).cloned();
            provider.keep(key(text), found.unwrap_or_else(|| json!({ "number": text, "status": "error" })));
        }
    }
    let found = texts.iter().map(|text| (text.clone(), provider.known(&key(text)).unwrap_or_default()));
    Ok(Told::new(found.collect::<Map<String, Value>>()))
}

/// `…/prefix?city=`: the area codes of a city, by the carrier.
pub(super) async fn prefix(api: &Api, asked: &Asked) -> Result<Told, Refusal> {
    let city = asked.query.get("city").filter(|city| !city.is_empty()).ok_or_else(Refusal::bad_identifier)?;
    let country = asked.query.get("country").map_or("US", String::as_str);
    let Some(carrier) = &api.handles.providers.carrier else {
        return Err(Refusal::no_provider(
            "Unable to acquire numbers missing carrier url: set providers.carrier-url",
        ));
    };
    let query = [("country", country), ("city", city.as_str())];
    match carrier.get_kept("prefix", &query, carrier.timeout()).await {
        Ok(answer) => Ok(Told::new(answer.get("data").cloned().unwrap_or_default())),
        Err(ProviderError::Status { status: 404, .. }) => Err(Refusal::bad_identifier()),
        Err(error) => {
            tracing::warn!(%error, "the carrier was not asked for a city's area codes");
            Err(Refusal::no_provider("the carrier did not answer: repeat later"))
        }
    }
}

/// `…/carriers_info`.
pub(super) async fn carriers(call: &Call<'_>) -> Result<Told, Refusal> {
    use NumberState::{Aging, Available, InService, PortIn, Reserved};
    let states: &[NumberState] = match (call.who.is_super_admin(), call.api.service.may_add(&call.who).await?)
    {
        (true, _) => &[Aging, Available, InService, PortIn, Reserved],
        (false, true) => &[InService, Reserved],
        (false, false) => &[],
    };
    let states: Vec<String> = states.iter().map(Word::word).collect();
    let mut carriers = vec!["local"];
    carriers.extend(call.api.handles.providers.carrier.as_ref().map(|_| "other"));
    carriers.extend(call.api.kazoo.carriers.iter().map(String::as_str));
    Ok(Told::new(json!({
        "maximal_prefix_length": 10, "usable_carriers": carriers, "usable_creation_states": states,
    })))
}
