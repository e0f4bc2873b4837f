//! Many numbers in one request. What succeeded stays when others fail, which alone are told then.

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::answer::Told;
use super::document::shown;
use super::fields::Mode;
use super::normalize::normalize;
use super::numbers::{self, Named};
use super::refusal::Refusal;
use super::request::Asked;
use super::serve::Call;
use crate::api::service::Written;
use crate::store::{NumberRow, NumberState};

/// The most numbers of one request.
const MOST: usize = 1_000;

/// `…/collection`, by method.
pub(super) async fn many(call: &Call<'_>) -> Result<Told, Refusal> {
    let texts = wanted(call.asked)?;
    let (object, warnings) = numbers::checked(call, call.asked.object()?).await?;
    let mut outcome = Outcome { warnings, to_admin: call.who.is_super_admin(), ..Outcome::default() };
    for text in texts {
        let done = match call.asked.method {
            Method::GET => seen(call, &text).await,
            Method::PUT => numbers::create(call, &text, &object).await,
            Method::POST => numbers::edit(call, &text, &object, Mode::Replace).await,
            Method::PATCH => numbers::edit(call, &text, &object, Mode::Merge).await,
            _ => numbers::release(call, &text).await,
        };
        outcome.take(text, done);
    }
    outcome.told()
}

/// `…/collection/activate`.
pub(super) async fn activate(call: &Call<'_>) -> Result<Told, Refusal> {
    let texts = wanted(call.asked)?;
    let (object, warnings) = numbers::checked(call, call.asked.object()?).await?;
    let mut outcome = Outcome { warnings, to_admin: call.who.is_super_admin(), ..Outcome::default() };
    for text in texts {
        let done = numbers::shift(call, &text, NumberState::InService, &object).await;
        outcome.take(text, done);
    }
    outcome.told()
}

async fn seen(call: &Call<'_>, text: &str) -> Result<Written<NumberRow>, Refusal> {
    let named = Named::new(text);
    let seen = call.api.service.seen(&call.who, &call.account, &named.texts).await;
    let value = seen.map_err(|error| Refusal::of(error, &named.e164))?;
    Ok(Written { value, generation: 0, warnings: Vec::new() })
}

/// The numbers of a request: a list of texts, none twice however it is written. A query parts them by commas.
pub(super) fn wanted(asked: &Asked) -> Result<Vec<String>, Refusal> {
    let list = match asked.value("numbers") {
        None | Some(Value::Null) => {
            return Err(Refusal::field("numbers", "required", "list of numbers missing"));
        }
        Some(Value::Array(list)) => list,
        Some(Value::String(text)) if asked.method == Method::GET => text
            .split(',')
            .filter(|text| !text.is_empty())
            .map(|text| text.trim().replacen(' ', "+", 1).into())
            .collect(),
        Some(other) => {
            let told = json!({ "message": "numbers must be a list", "cause": other });
            return Err(Refusal::fields(vec![("numbers".to_owned(), "type", told)]));
        }
    };
    let texts: Option<Vec<String>> = list.iter().map(|item| item.as_str().map(str::to_owned)).collect();
    let texts = texts.ok_or_else(|| Refusal::field("numbers", "type", "numbers must be a list of texts"))?;
    if texts.is_empty() {
        return Err(Refusal::field("numbers", "minimum", "minimum 1 number required"));
    }
    if texts.len() > MOST {
        let sentence = format!("at most {MOST} numbers in one request");
        return Err(Refusal::field("numbers", "maximum", &sentence));
    }
    let mut read: Vec<String> = texts.iter().map(|text| normalize(text)).collect();
    read.sort_unstable();
    if read.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Refusal::field("numbers", "uniqueItems", "some numbers appear twice"));
    }
    Ok(texts)
}

#[derive(Default)]
struct Outcome {
    success: Map<String, Value>,
    failed: Map<String, Value>,
    generation: Option<u64>,
    warnings: Vec<String>,
    to_admin: bool,
}

impl Outcome {
    fn take(&mut self, text: String, done: Result<Written<NumberRow>, Refusal>) {
        match done {
            Ok(written) => {
                self.generation = self.generation.max(Some(written.generation).filter(|at| *at > 0));
                self.warnings.extend(written.warnings);
                self.success
                    .insert(written.value.number.clone(), shown(&written.value, self.to_admin).into());
            }
            Err(refusal) => {
                let mut told = refusal.data;
                if told.get("error").is_none() {
                    told = json!({
                        "code": refusal.status.as_u16(), "error": refusal.message,
                        "message": told.get("message").cloned().unwrap_or_else(|| refusal.message.clone().into()),
                        "cause": text,
                    });
                }
                self.failed.insert(text, told);
            }
        }
    }

    fn told(self) -> Result<Told, Refusal> {
        if !self.failed.is_empty() {
            return Err(Refusal::client_error(self.failed.into()));
        }
        let data = json!({ "success": self.success });
        Ok(Told { generation: self.generation, warnings: self.warnings, ..Told::new(data) })
    }
}
