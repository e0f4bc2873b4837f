//! The Restcomm dialect: thin over `service`.
//!
//! - `number`, `application`, `tenant`: what clients may send and how rows are printed.
//! - `numbers`, `available`, `applications`, `organizations`, `accounts`, `calls`,
//!   `notifications`: the handlers.
//! - `params`: what clients send. `paging`: the list object. `date`: dates as documented. `xml`: answers as XML.

mod accounts;
mod application;
mod applications;
mod available;
mod calls;
pub(crate) mod date;
mod notifications;
mod number;
mod numbers;
mod organizations;
pub(crate) mod paging;
pub(crate) mod params;
mod tenant;
pub(crate) mod xml;

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, NestedPath, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post, put};

use super::body::texts_only;
use super::error::ApiError;
use super::gate;
use super::reply;
use super::service::ServiceError;
use super::state::Api;
use crate::ids::AccountSid;

pub(super) use accounts::MIGRATE;
pub(super) use application::KNOWN as APPLICATION;
pub(super) use applications::FILTERS as APPLICATION_FILTERS;
pub(super) use available::SEARCH;
pub(super) use calls::{CHANGES as CALL_CHANGES, FILTERS as CALL_FILTERS};
pub(super) use notifications::FILTERS as NOTIFICATION_FILTERS;
pub(super) use number::{FILTERS as NUMBER_FILTERS, KNOWN as NUMBER};
pub(super) use organizations::FILTERS as ORGANIZATION_FILTERS;
pub(super) use tenant::{ACCOUNT, ORGANIZATION};

/// Both bases the documentation uses; an answer's URIs begin with the one the request used.
pub(super) const BASES: [&str; 2] = ["/restcomm/2012-04-24", "/api/2012-04-24"];

/// The routes under one base.
pub(super) fn routes(api: &Api) -> Router<Api> {
    Router::new()
        .route("/Accounts", get(accounts::list).post(accounts::create_own))
        .route("/Accounts/{account}", get(accounts::read).post(accounts::update).put(accounts::update))
        .route("/Accounts/{account}/Accounts", get(accounts::list_under).post(accounts::create))
        .route("/Accounts/{account}/IncomingPhoneNumbers", get(numbers::list).post(numbers::create))
        .route("/Accounts/{account}/IncomingPhoneNumbers/migrate", post(accounts::migrate))
        .route("/Accounts/{account}/IncomingPhoneNumbers/AvailableCountries", get(numbers::countries))
        .route("/Accounts/{account}/IncomingPhoneNumbers/Local", get(numbers::list).post(numbers::create))
        .route("/Accounts/{account}/IncomingPhoneNumbers/TollFree", get(numbers::list).post(numbers::create))
        .route("/Accounts/{account}/IncomingPhoneNumbers/Mobile", get(numbers::list).post(numbers::create))
        .route("/Accounts/{account}/AvailablePhoneNumbers/{country}/Local", get(available::search))
        .route("/Accounts/{account}/AvailablePhoneNumbers/{country}/TollFree", get(available::search))
        .route("/Accounts/{account}/AvailablePhoneNumbers/{country}/Mobile", get(available::search))
        .route(
            "/Accounts/{account}/IncomingPhoneNumbers/{sid}",
            get(numbers::read).post(numbers::update).put(numbers::update).delete(numbers::delete),
        )
        .route("/Accounts/{account}/Applications", get(applications::list).post(applications::create))
        .route(
            "/Accounts/{account}/Applications/{sid}",
            get(applications::read)
                .post(applications::update)
                .put(applications::update)
                .delete(applications::delete),
        )
        .route("/Accounts/{account}/Calls", get(calls::list))
        .route("/Accounts/{account}/Calls/{sid}", get(calls::read).post(calls::update).put(calls::update))
        .route("/Accounts/{account}/Calls/{sid}/Notifications", get(notifications::list))
        .route("/Accounts/{account}/Notifications", get(notifications::list))
        .route("/Accounts/{account}/Notifications/{sid}", get(notifications::read))
        .route("/Organizations", get(organizations::list))
        .route("/Organizations/{id}/Migrate", put(organizations::migrate))
        .route(
            "/Organizations/{id}",
            put(organizations::create).get(organizations::read).post(organizations::update),
        )
        .route_layer(from_fn_with_state(api.clone(), gate::limit))
        .layer(from_fn(texts_only))
}

/// What the request's path begins with.
pub(super) struct Base(pub(super) Arc<str>);

impl FromRequestParts<Api> for Base {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let nested = NestedPath::from_request_parts(parts, api).await;
        let path = nested.map_err(|error| ApiError::not_found(error.to_string()))?;
        Ok(Self(path.as_str().into()))
    }
}

/// The `{account}` of the path.
pub(super) struct Owner(pub(super) AccountSid);

impl FromRequestParts<Api> for Owner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let Path(pairs) = Path::<Vec<(String, String)>>::from_request_parts(parts, api)
            .await
            .map_err(|error| ApiError::bad(error.body_text()))?;
        let text = pairs.into_iter().find(|(name, _)| name == "account").map(|(_, value)| value);
        let text = text.unwrap_or_default();
        // A sid that is none is nobody's: as for an account that is not there.
        let unknown = |_| ApiError::forbidden(format!("there is no account `{}` here", params::shown(&text)));
        text.parse().map(Self).map_err(unknown)
    }
}

/// 200 with a body whose element in XML is `root`.
pub(super) fn show(root: &'static str, body: &impl serde::Serialize) -> Response {
    let mut response = reply::json(body);
    response.extensions_mut().insert(xml::Root(root));
    response
}

/// The last part of the path as a sid; what is none is not there.
pub(super) fn sid<T: std::str::FromStr>(kind: &str, text: &str) -> Result<T, ApiError> {
    let unknown = |_| ApiError::not_found(format!("there is no {kind} `{}` here", params::shown(text)));
    text.parse().map_err(unknown)
}

/// A refusal of the service in this dialect: parameters by their own names, 21452 for a number that
/// cannot be had.
pub(super) fn refuse(error: ServiceError) -> ApiError {
    match error {
        ServiceError::Field { field, problem } => ApiError::bad(format!("{} {problem}", parameter(field))),
        ServiceError::Taken { field: "number", value, fix } => {
            ApiError::coded(StatusCode::BAD_REQUEST, 21452, format!("PhoneNumber `{value}` is taken: {fix}"))
        }
        ServiceError::Full { .. } => ApiError {
            error: Some("DID_QUOTA_EXCEEDED"),
            ..ApiError::coded(StatusCode::FORBIDDEN, 21452, error.to_string())
        },
        other => other.into(),
    }
}

/// `voice_url` is `VoiceUrl` here; a few have names of their own.
fn parameter(field: &str) -> String {
    match field {
        "number" => return "PhoneNumber".to_owned(),
        "friendly_name" => return "FriendlyName".to_owned(),
        "domain" => return "DomainName".to_owned(),
        _ => {}
    }
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    field.split('_').map(capital).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_parameters_names() {
        assert_eq!(parameter("voice_application_sid"), "VoiceApplicationSid");
        assert_eq!(parameter("rcml_url"), "RcmlUrl");
        assert_eq!(parameter("number"), "PhoneNumber");
    }

    #[test]
    fn a_taken_number_is_21452() {
        let error =
            refuse(ServiceError::Taken { field: "number", value: "+1".into(), fix: "choose another" });
        assert_eq!((error.status.as_u16(), error.code), (400, 21452));
    }
}
