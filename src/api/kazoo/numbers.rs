//! One number: read, made, changed, moved, given back.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::answer::Told;
use super::document::shown;
use super::fields::{self, Mode};
use super::normalize::{is_reconcilable, normalize};
use super::refusal::Refusal;
use super::serve::Call;
use super::{columns, e911};
use crate::api::service::{Lookup, Written};
use crate::store::{NumberRow, NumberState, Word};

/// The carrier of mobile numbers.
const MOBILE: &str = "mdn";

/// A number as it was written and as it is stored: by the rules, or as another dialect took it.
pub(super) struct Named {
    pub(super) e164: String,
    pub(super) texts: Vec<String>,
}

impl Named {
    pub(super) fn new(given: &str) -> Self {
        let e164 = normalize(given);
        let mut texts = vec![e164.clone()];
        if e164 != given {
            texts.push(given.to_owned());
        }
        Self { e164, texts }
    }
}

/// `…/{number}`, by method.
pub(super) async fn one(call: &Call<'_>, given: &str) -> Result<Told, Refusal> {
    match call.asked.method {
        Method::GET => read(call, given).await,
        Method::PUT => {
            let (object, warnings) = said(call, given, Mode::Replace, false).await?;
            let written = create(call, given, &object).await?;
            Ok(told(call, written, warnings))
        }
        Method::POST => change(call, given, Mode::Replace).await,
        Method::PATCH => change(call, given, Mode::Merge).await,
        _ => delete(call, given).await,
    }
}

/// A number's document.
pub(super) async fn read(call: &Call<'_>, given: &str) -> Result<Told, Refusal> {
    let named = Named::new(given);
    let seen = call.api.service.seen(&call.who, &call.account, &named.texts).await;
    let row = seen.map_err(|error| Refusal::of(error, &named.e164))?;
    Ok(Told::new(shown(&row, call.who.is_super_admin())))
}

async fn change(call: &Call<'_>, given: &str, mode: Mode) -> Result<Told, Refusal> {
    let (object, warnings) = said(call, given, mode, true).await?;
    Ok(told(call, edit(call, given, &object, mode).await?, warnings))
}

async fn delete(call: &Call<'_>, given: &str) -> Result<Told, Refusal> {
    let hard = call.asked.query.get("hard").is_some_and(|flag| flag == "true") && call.who.is_super_admin();
    let written = if hard {
        let named = Named::new(given);
        let seen = call.api.service.seen(&call.who, &call.account, &named.texts).await;
        erase(call, seen.map_err(|error| Refusal::of(error, &named.e164))?).await?
    } else {
        release(call, given).await?
    };
    let data = if hard { Value::from(shown(&written.value, true)) } else { json!({}) };
    Ok(Told { data, ..told(call, written, Vec::new()) })
}

/// `…/{number}/activate`.
pub(super) async fn activate(call: &Call<'_>, given: &str) -> Result<Told, Refusal> {
    let most = call.api.kazoo.activations_per_day;
    if !call.api.activations.take(call.account.id, most) {
        return Err(Refusal::too_many(86_400_u64.div_ceil(u64::from(most.max(1)))));
    }
    moved_by(call, given, NumberState::InService).await
}

/// `…/{number}/reserve`.
pub(super) async fn reserve(call: &Call<'_>, given: &str) -> Result<Told, Refusal> {
    moved_by(call, given, NumberState::Reserved).await
}

async fn moved_by(call: &Call<'_>, given: &str, to: NumberState) -> Result<Told, Refusal> {
    let (object, warnings) = said(call, given, Mode::Merge, false).await?;
    Ok(told(call, shift(call, given, to, &object).await?, warnings))
}

/// `…/{number}/port`: anybody may bring a number.
pub(super) async fn port(call: &Call<'_>, given: &str) -> Result<Told, Refusal> {
    let (object, warnings) = said(call, given, Mode::Replace, false).await?;
    Ok(told(call, add(call, given, NumberState::PortIn, &object).await?, warnings))
}

/// `…/{number}/identify`: whose it is, and whether it would route.
pub(super) async fn identify(call: &Call<'_>, given: &str) -> Result<Told, Refusal> {
    let named = Named::new(given);
    let looked = call.api.service.looked_up(&call.who, &call.account, &named.texts).await;
    let (row, lookup) = looked.map_err(|error| Refusal::of(error, &named.e164))?;
    let failed = |cause: &str, account: String| {
        Err(Refusal::client_error(json!({ "cause": cause, "account_id": account, "number": row.number })))
    };
    match lookup {
        Lookup::Routes(account) => {
            Ok(Told::new(json!({ "account_id": account.word(), "number": row.number })))
        }
        Lookup::Unassigned => Err(Refusal::client_error("unassigned".into())),
        Lookup::NotInService(account) => failed("not_in_service", account.word()),
        Lookup::AccountDisabled(account) => failed("account_disabled", account.word()),
    }
}

/// What the client says of a number, checked, its addresses looked at; with remarks. `stays`: fields that it
/// leaves out of an address may be those that are stored.
async fn said(
    call: &Call<'_>,
    given: &str,
    mode: Mode,
    stays: bool,
) -> Result<(Map<String, Value>, Vec<String>), Refusal> {
    let object = call.asked.object()?;
    if stays && mode == Mode::Merge && e911::FIELDS.iter().any(|name| object.contains_key(*name)) {
        let named = Named::new(given);
        let seen = call.api.service.seen(&call.who, &call.account, &named.texts).await;
        let row = seen.map_err(|error| Refusal::of(error, &named.e164))?;
        return checked(call, e911::completed(object, &row.fields)).await;
    }
    checked(call, object).await
}

/// The client's fields, checked, for any number.
pub(super) async fn checked(
    call: &Call<'_>,
    mut object: Map<String, Value>,
) -> Result<(Map<String, Value>, Vec<String>), Refusal> {
    let state = object.get("create_with_state").cloned();
    fields::check_carrier(&mut object, call.who.is_super_admin(), &call.api.kazoo.carriers)?;
    let mut object = fields::checked(object)?;
    let warnings = e911::settle(call.api, &mut object).await?;
    if let Some(state) = state {
        object.insert("create_with_state".into(), state);
    }
    Ok((object, warnings))
}

/// Makes a number.
pub(super) async fn create(
    call: &Call<'_>,
    given: &str,
    object: &Map<String, Value>,
) -> Result<Written<NumberRow>, Refusal> {
    let state = fields::first_state(object, call.who.is_super_admin())?;
    add(call, given, state, object).await
}

async fn add(
    call: &Call<'_>,
    given: &str,
    state: NumberState,
    object: &Map<String, Value>,
) -> Result<Written<NumberRow>, Refusal> {
    let named = Named::new(given);
    if !is_reconcilable(&named.e164) {
        return Err(Refusal::not_reconcilable(given));
    }
    let object = without_state(object);
    let edit = |row: &mut NumberRow| fields::apply(&object, Mode::Replace, row);
    let made = call.api.service.add_number(&call.who, &call.account, &named.e164, state, &edit).await;
    made.map_err(|error| Refusal::of(error, &named.e164))
}

/// Changes a number's fields.
pub(super) async fn edit(
    call: &Call<'_>,
    given: &str,
    object: &Map<String, Value>,
    mode: Mode,
) -> Result<Written<NumberRow>, Refusal> {
    let named = Named::new(given);
    let object = without_state(object);
    let edit = |row: &mut NumberRow| fields::apply(&object, mode, row);
    let written = call.api.service.edit_number(&call.who, &call.account, &named.texts, &edit).await;
    written.map_err(|error| Refusal::of(error, &named.e164))
}

/// Moves a number to the account, reserved or in service.
pub(super) async fn shift(
    call: &Call<'_>,
    given: &str,
    to: NumberState,
    object: &Map<String, Value>,
) -> Result<Written<NumberRow>, Refusal> {
    let named = Named::new(given);
    if !named.texts.iter().any(|text| is_reconcilable(text)) {
        return Err(Refusal::no_such_number());
    }
    let object = without_state(object);
    super::inventory::acquire(call, &named.e164).await?;
    let edit = |row: &mut NumberRow| fields::apply(&object, Mode::Merge, row);
    let written = call.api.service.move_number(&call.who, &call.account, &named.texts, to, &edit).await;
    written.map_err(|error| Refusal::of(error, &named.e164))
}

/// Gives a number back; a mobile one is gone with it.
pub(super) async fn release(call: &Call<'_>, given: &str) -> Result<Written<NumberRow>, Refusal> {
    let named = Named::new(given);
    let seen = call.api.service.seen(&call.who, &call.account, &named.texts).await;
    let row = seen.map_err(|error| Refusal::of(error, &named.e164))?;
    if row.carrier.as_deref() == Some(MOBILE) && row.state.is_held() {
        return erase(call, row).await;
    }
    let written = call.api.service.give_back(&call.who, &call.account, &named.texts).await;
    let mut written = written.map_err(|error| Refusal::of(error, &named.e164))?;
    if !written.value.state.is_held() {
        // What waits here for its return is nobody's to read any more.
        written.value.fields.clear();
        for name in columns::NAMES {
            columns::set(&mut written.value, name, &Value::Null)?;
        }
    }
    Ok(written)
}

async fn erase(call: &Call<'_>, mut row: NumberRow) -> Result<Written<NumberRow>, Refusal> {
    let written = call.api.service.delete_number(&call.who, row.account_id, row.id).await?;
    row.state = NumberState::Deleted;
    Ok(Written { value: row, generation: written.generation, warnings: Vec::new() })
}

fn without_state(object: &Map<String, Value>) -> Map<String, Value> {
    let mut object = object.clone();
    object.remove("create_with_state");
    object
}

fn told(call: &Call<'_>, written: Written<NumberRow>, mut warnings: Vec<String>) -> Told {
    warnings.extend(written.warnings);
    let document = shown(&written.value, call.who.is_super_admin());
    Told { generation: Some(written.generation), warnings, ..Told::new(document) }
}
