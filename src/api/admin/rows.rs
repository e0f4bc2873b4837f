//! One table as operators see it: list, create, read, change and delete are the same for all of them.

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};

use super::columns::{self, Shown, given, lay, print};
use super::etag::{self, IfMatch};
use super::fields::Fields;
use crate::api::auth::Admin;
use crate::api::body::JsonObject;
use crate::api::error::ApiError;
use crate::api::reply;
use crate::api::restcomm::params::Params;
use crate::api::service::Operated;
use crate::api::state::Api;
use crate::store::Page;

/// A table that is served whole, below its name.
pub(in crate::api) trait Resource: Operated + Shown {
    /// The name of the list.
    const ALL: &'static str;

    /// What this node knows beyond the row: the member's name and that of its shape.
    const BESIDE: Option<(&'static str, &'static str)> = None;

    /// That member's value. No part of the row's tag: it changes by itself.
    fn beside(&self, _api: &Api) -> Value {
        Value::Null
    }
}

/// `/trunks` and `/trunks/{id}`, say; the id is a sid or a name.
pub(super) fn routes<T: Resource>() -> Router<Api> {
    Router::new().route(&format!("/{}", T::ALL), get(list::<T>).post(create::<T>)).route(
        &format!("/{}/{{id}}", T::ALL),
        get(read::<T>).put(replace::<T>).patch(update::<T>).delete(delete::<T>),
    )
}

/// A row as it is answered.
pub(super) fn whole<T: Resource>(api: &Api, row: &T) -> Value {
    let mut shown = print(row);
    if let Some((name, _)) = T::BESIDE {
        shown[name] = row.beside(api);
    }
    shown
}

/// The same with the row's tag.
pub(super) fn tagged<T: Resource>(api: &Api, row: &T) -> Response {
    etag::tagged(reply::json(&whole(api, row)), &print(row))
}

/// The parameters of each list.
pub(in crate::api) const PAGE: &[&str] = &["limit", "offset"];

async fn list<T: Resource>(
    State(api): State<Api>,
    _admin: Admin,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), PAGE);
    let asked = super::query::page(&params)?;
    let limit = if params.change("limit").is_some() { asked.limit } else { super::MOST };
    let listed = api.service.rows::<T>(Page { limit, ..asked }).await?;
    let rows: Vec<Value> = listed.rows.iter().map(|row| whole(&api, row)).collect();
    let mut response = reply::json(&json!({ "total": listed.total, T::ALL: rows }));
    reply::warn(&mut response, &params.warnings);
    Ok(response)
}

async fn create<T: Resource>(
    State(api): State<Api>,
    admin: Admin,
    JsonObject(map): JsonObject,
) -> Result<Response, ApiError> {
    let fields = Fields::new(map, T::KNOWN)?;
    let written = api.service.create_row(&admin.0, |row: &mut T| lay(&fields, row)).await?;
    Ok(reply::written(written, Vec::new(), |row| reply::created(&whole(&api, &row))))
}

async fn read<T: Resource>(
    State(api): State<Api>,
    _admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    Ok(tagged(&api, &api.service.row::<T>(&id).await?))
}

async fn update<T: Resource>(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
    meant: IfMatch,
    JsonObject(map): JsonObject,
) -> Result<Response, ApiError> {
    let fields = Fields::new(map, T::KNOWN)?;
    let edit = |row: &mut T| {
        meant.holds(&print(row))?;
        lay(&fields, row)
    };
    let written = api.service.update_row(&admin.0, &id, edit).await?;
    Ok(reply::written(written, Vec::new(), |row| tagged(&api, &row)))
}

/// The row becomes what is sent; what is not said, is as in a new one.
async fn replace<T: Resource>(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
    meant: IfMatch,
    JsonObject(mut map): JsonObject,
) -> Result<Response, ApiError> {
    if let Some((name, _)) = T::BESIDE {
        map.remove(name);
    }
    let fields = Fields::new(given::<T>(map), T::KNOWN)?;
    let edit = |row: &mut T| {
        meant.holds(&print(row))?;
        columns::replace(&fields, &T::blank(), row)
    };
    let written = api.service.update_row(&admin.0, &id, edit).await?;
    Ok(reply::written(written, Vec::new(), |row| tagged(&api, &row)))
}

async fn delete<T: Resource>(
    State(api): State<Api>,
    admin: Admin,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let written = api.service.delete_row::<T>(&admin.0, &id).await?;
    Ok(reply::written(written, Vec::new(), |()| reply::no_content()))
}
