//! One request, gate by gate: credentials, path, method, body, account; then the operation.

use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Request};
use axum::response::Response;
use serde_json::json;

use super::answer::{Told, preflight, respond};
use super::filter::Filter;
use super::place::{Place, Read};
use super::refusal::Refusal;
use super::request::{Asked, COUNTS};
use super::{classify, collection, inventory, list, login, numbers, place, tree};
use crate::api::gate;
use crate::api::service::{Principal, ServiceError};
use crate::api::state::Api;
use crate::ids::AccountSid;
use crate::store::{AccountRow, Word};

/// Who asks, for which account, what.
pub(super) struct Call<'a> {
    pub(super) api: &'a Api,
    pub(super) who: Principal,
    pub(super) account: AccountRow,
    pub(super) asked: &'a Asked,
}

/// Everything below `/v2`.
pub(in crate::api) async fn serve(State(api): State<Api>, request: Request<Body>) -> Response {
    if request.method() == Method::OPTIONS {
        return preflight();
    }
    let mut asked = match Asked::head(&request) {
        Ok(asked) => asked,
        Err(refusal) => return respond(&Asked::unread(request.method()), Err(refusal)),
    };
    let outcome = match gate::enter(&api) {
        Some(_inside) => pass(&api, &mut asked, request.into_body()).await,
        None => Err(Refusal::new(
            503,
            "overloaded",
            json!({ "message": "too many requests at once: repeat in a second" }),
        )),
    };
    respond(&asked, outcome)
}

async fn pass(api: &Api, asked: &mut Asked, body: Body) -> Result<Told, Refusal> {
    // The method and the token may stand in the body; what is wrong with it is told behind those gates.
    let read = place::read(&asked.path);
    let bare = read.as_ref().is_some_and(Read::may_be_bare);
    let body = asked.read(body, api, bare).await;
    let open = read.as_ref().is_some_and(Read::is_open);
    let login = read.as_ref().is_some_and(|read| matches!(read.place, Place::UserAuth | Place::ApiAuth));
    let who = match &asked.token {
        Some(token) if !login => Some(api.service.authenticate_token(token).await?),
        None if asked.local => Some(Principal::Operator),
        _ if open => None,
        _ => return Err(Refusal::invalid_credentials()),
    };
    let read = read.ok_or_else(Refusal::no_such_path)?;
    read.takes(&asked.method)?;
    body?;
    let Some(who) = who else { return openly(api, asked, read.place).await };
    let account = account(api, &who, read.account.as_deref()).await?;
    let searched = read.account.is_none() || asked.query.contains_key("prefix");
    if read.place == Place::Numbers {
        understood(asked)?;
    }
    let request = Call { api, who, account, asked };
    match read.place {
        Place::Numbers if searched => inventory::search(api, asked).await,
        Place::Numbers => list::list(&request).await,
        Place::Fix => list::fix(&request).await,
        Place::Number(number) => numbers::one(&request, &number).await,
        Place::FixOne(number) => numbers::read(&request, &number).await,
        Place::Activate(number) => numbers::activate(&request, &number).await,
        Place::Reserve(number) => numbers::reserve(&request, &number).await,
        Place::Port(number) => numbers::port(&request, &number).await,
        Place::Identify(number) => numbers::identify(&request, &number).await,
        Place::Collection => collection::many(&request).await,
        Place::CollectionActivate => collection::activate(&request).await,
        Place::Check => inventory::check(&request).await,
        Place::Locality => inventory::locality(&request).await,
        Place::Carriers => inventory::carriers(&request).await,
        Place::Account => tree::account(&request).await,
        Place::Children => tree::children(&request).await,
        Place::Descendants => tree::descendants(&request).await,
        Place::Parents => tree::parents(&request).await,
        Place::TokenAuth => login::token(&request).await,
        open => openly(api, asked, open).await,
    }
}

/// The parameters of lists and searches share a path, and are looked at whichever is meant.
fn understood(asked: &Asked) -> Result<(), Refusal> {
    for name in COUNTS {
        asked.count(name)?;
    }
    if let Some(country) = asked.query.get("country") {
        inventory::dial_code(&country.to_ascii_uppercase())?;
    }
    Filter::of(&asked.query).map(drop)
}

/// What needs no token.
async fn openly(api: &Api, asked: &Asked, place: Place) -> Result<Told, Refusal> {
    match place {
        Place::Numbers => {
            understood(asked)?;
            inventory::search(api, asked).await
        }
        Place::Prefix => inventory::prefix(api, asked).await,
        Place::Classifiers => Ok(Told::new(classify::all())),
        Place::Classify(number) => Ok(Told::new(classify::classify(&number))),
        Place::UserAuth => login::by_user(api, asked).await,
        Place::ApiAuth => login::by_key(api, asked).await,
        _ => Err(Refusal::invalid_credentials()),
    }
}

/// The account of the path, where the asker may act for it; without one, the asker's own.
async fn account(api: &Api, who: &Principal, named: Option<&str>) -> Result<AccountRow, Refusal> {
    let sid = match (named, who) {
        (Some(text), _) => {
            AccountSid::of_word(text).or_else(|| text.parse().ok()).ok_or_else(Refusal::forbidden)?
        }
        (None, Principal::Account { sid, .. }) => *sid,
        (None, Principal::Operator) => {
            let found = api.service.store().default_account().await?;
            return found.ok_or_else(Refusal::bad_identifier);
        }
    };
    api.service.account_for(who, sid).await.map_err(|error| match error {
        ServiceError::Forbidden(_) => Refusal::forbidden(),
        other => other.into(),
    })
}
