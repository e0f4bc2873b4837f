//! `Organizations`, as far as routing needs them.

use axum::extract::{Path, RawQuery, State};
use axum::response::Response;

use crate::api::body::Form;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::service::Principal;
use crate::api::state::Api;
use crate::store::Page as Rows;

use super::params::Params;
use super::tenant::{ORGANIZATION, apply_organization, print_organization, status};
use super::{Base, refuse, show, sid};

/// The most organizations of one list, which has no pages.
const MOST: u64 = 10_000;

/// The parameter of the list.
pub(crate) const FILTERS: &[&str] = &["Status"];

pub(super) async fn list(
    State(api): State<Api>,
    who: Principal,
    Base(base): Base,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), FILTERS);
    let listed =
        api.service.organizations(&who, status(&params)?, Rows::first(MOST)).await.map_err(refuse)?;
    let printed: Vec<_> = listed.rows.into_iter().map(|row| print_organization(row, &base)).collect();
    let mut response = show("Organizations", &printed);
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

/// `PUT /Organizations/{domain}`.
pub(super) async fn create(
    State(api): State<Api>,
    who: Principal,
    Base(base): Base,
    Path(domain): Path<String>,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let params = Params::parse(&body, ORGANIZATION);
    let edit = |row: &mut _| apply_organization(&params, row);
    let written = api.service.create_organization(&who, &domain, edit).await.map_err(refuse)?;
    Ok(reply::written(written, params.warnings, |row| show("Organization", &print_organization(row, &base))))
}

pub(super) async fn read(
    State(api): State<Api>,
    who: Principal,
    Base(base): Base,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let row = api.service.organization(&who, sid("organization", &id)?).await.map_err(refuse)?;
    Ok(show("Organization", &print_organization(row, &base)))
}

pub(super) async fn update(
    State(api): State<Api>,
    who: Principal,
    Base(base): Base,
    Path(id): Path<String>,
    Form(body): Form,
) -> Result<Response, ApiError> {
    let params = Params::parse(&body, ORGANIZATION);
    let edit = |row: &mut _| apply_organization(&params, row);
    let id = sid("organization", &id)?;
    let written = api.service.update_organization(&who, id, edit).await.map_err(refuse)?;
    Ok(reply::written(written, params.warnings, |row| show("Organization", &print_organization(row, &base))))
}

/// `PUT /Organizations/{sid}/Migrate` moves the passwords of an organization's SIP clients to its domain. There
/// are no clients here: callgate is no registrar.
pub(super) async fn migrate(
    State(api): State<Api>,
    who: Principal,
    Base(base): Base,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    if !who.is_super_admin() {
        return Err(ApiError::forbidden("only the super-admin account may use this resource"));
    }
    let row = api.service.organization(&who, sid("organization", &id)?).await.map_err(refuse)?;
    let mut response = show("Organization", &print_organization(row, &base));
    reply::warn(&mut response, &["there are no clients here whose passwords could be migrated".to_owned()]);
    Ok(response)
}
