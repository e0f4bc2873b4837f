//! `Accounts`, as far as routing needs them.

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;

use crate::api::auth;
use crate::api::body::Form;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::service::{Principal, Written};
use crate::api::state::Api;
use crate::ids::AccountSid;
use crate::store::{AccountRow, Page as Rows};

use super::params::Params;
use super::tenant::{ACCOUNT, apply_account, print_account};
use super::{Base, Owner, refuse, show};

/// The most accounts of one list, which has no pages.
const MOST: u64 = 10_000;

pub(super) async fn list(
    State(api): State<Api>,
    who: Principal,
    Base(base): Base,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), &[]);
    let listed = api.service.accounts(&who, Rows::first(MOST)).await.map_err(refuse)?;
    let printed: Vec<_> = listed.rows.into_iter().map(|row| print_account(row, None, &base)).collect();
    let mut response = show("Accounts", &printed);
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

/// An account that the asker may act for, and its sub-accounts.
pub(super) async fn list_under(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
) -> Result<Response, ApiError> {
    let listed = api.service.accounts_of(&who, account, Rows::first(MOST)).await.map_err(refuse)?;
    let printed: Vec<_> = listed.rows.into_iter().map(|row| print_account(row, None, &base)).collect();
    Ok(show("Accounts", &printed))
}

/// A sub-account of the asker's own account; of the default account for the operator.
pub(super) async fn create_own(
    State(api): State<Api>,
    who: Principal,
    Base(base): Base,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let parent = match &who {
        Principal::Account { sid, .. } => *sid,
        Principal::Operator => {
            let found = api.service.store().default_account().await.map_err(|error| refuse(error.into()))?;
            found
                .map(|row| row.id)
                .ok_or_else(|| ApiError::not_found("there is no default account to be under"))?
        }
    };
    make(&api, &who, parent, &base, &body).await
}

pub(super) async fn create(
    State(api): State<Api>,
    who: Principal,
    Owner(parent): Owner,
    Base(base): Base,
    Form(body): Form,
) -> Result<Response, ApiError> {
    make(&api, &who, parent, &base, &body).await
}

pub(super) async fn read(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let row = api.service.account_for(&who, account).await.map_err(refuse)?;
    let token = own_token(&api, &row, &headers)?;
    Ok(show("Account", &print_account(row, token, &base)))
}

pub(super) async fn update(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Base(base): Base,
    headers: HeaderMap,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let params = Params::parse(&body, ACCOUNT);
    let edit = |row: &mut AccountRow| apply_account(&params, row);
    let mut written = api.service.update_account(&who, account, edit).await.map_err(refuse)?;
    let token = if params.flag("RenewAuthToken")?.unwrap_or(false) {
        written = api.service.renew_token(&who, account).await.map_err(refuse)?;
        api.service.token_of(&written.value).map_err(refuse)?
    } else {
        own_token(&api, &written.value, &headers)?
    };
    Ok(answer(written, token, params.warnings, &base))
}

/// The parameter of [`migrate`].
pub(crate) const MIGRATE: &[&str] = &["OrganizationSid"];

/// `IncomingPhoneNumbers/migrate`: a number is always where its account is, so that the accounts move.
pub(super) async fn migrate(
    State(api): State<Api>,
    who: Principal,
    Owner(account): Owner,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let params = Params::parse(&body, MIGRATE);
    if !who.is_super_admin() {
        return Err(ApiError::forbidden("only the super-admin account may use this resource"));
    }
    let text = params.get("OrganizationSid").unwrap_or_default();
    let organization = text.parse().map_err(|error| ApiError::bad(format!("OrganizationSid: {error}")))?;
    let generation = api.service.migrate_account(&who, account, organization).await.map_err(refuse)?;
    let written = Written { value: (), generation, warnings: Vec::new() };
    Ok(reply::written(written, params.warnings, |()| reply::empty()))
}

async fn make(
    api: &Api,
    who: &Principal,
    parent: AccountSid,
    base: &str,
    body: &[u8],
) -> Result<Response, ApiError> {
    let params = Params::parse(body, ACCOUNT);
    if params.get("FriendlyName").is_none_or(str::is_empty) {
        return Err(ApiError::bad("FriendlyName is missing: give the account a name"));
    }
    let edit = |row: &mut AccountRow| apply_account(&params, row);
    let written = api.service.create_account(who, parent, edit).await.map_err(refuse)?;
    let token = api.service.token_of(&written.value).map_err(refuse)?;
    Ok(answer(written, token, params.warnings, base))
}

fn answer(
    written: Written<AccountRow>,
    token: Option<String>,
    warnings: Vec<String>,
    base: &str,
) -> Response {
    let Written { value, generation, warnings: remarks } = written;
    let written = Written { value: print_account(value, token, base), generation, warnings: remarks };
    reply::written(written, warnings, |printed| show("Account", &printed))
}

/// A token is told when it is made. After that only who shows it reads it, as published clients do with
/// their own account: a parent, or who holds a token for an hour, must not learn what signs webhooks.
fn own_token(api: &Api, row: &AccountRow, headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let token = api.service.token_of(row).map_err(refuse)?;
    Ok(token.filter(|token| auth::presented(headers).is_some_and(|shown| shown == *token)))
}
