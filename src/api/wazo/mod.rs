//! The Wazo dialect: `phone-numbers` as wazo-confd serves them, thin over `service`.
//!
//! - `numbers`, `ranges`, `main_number`: the handlers. `tenant`: whose numbers a request speaks of.
//! - `schema`: bodies, checked field by field. `query`: the parameters of the list. `item`: how a number
//!   is printed. `refusal`: errors, which are arrays of texts here.

mod item;
mod main_number;
mod numbers;
mod query;
mod ranges;
mod refusal;
mod schema;
mod tenant;

use axum::Router;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::body::texts_only;
use super::gate;
use super::state::Api;

pub(super) use query::FILTERS;
pub(super) use schema::{MAIN, NUMBER, RANGE};

/// What the dialect's paths begin with, as behind the Wazo stack's own front door.
pub(super) const BASE: &str = "/api/confd/1.1";

/// The routes under [`BASE`].
pub(super) fn routes(api: &Api) -> Router<Api> {
    Router::new()
        .route("/phone-numbers", get(numbers::list).post(numbers::create).options(options))
        .route("/phone-numbers/ranges", post(ranges::create).options(options))
        .route("/phone-numbers/main", get(main_number::read).put(main_number::update).options(options))
        .route(
            "/phone-numbers/{uuid}",
            get(numbers::read).put(numbers::update).delete(numbers::delete).options(options),
        )
        .route_layer(from_fn_with_state(api.clone(), gate::limit))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn(texts_only))
        .layer(map_response(refusal::retell))
        .layer(map_response(anywhere))
}

/// What a browser asks before it asks: nothing but headers, and no token.
async fn options() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type, X-Auth-Token, Wazo-Tenant"),
        (header::ACCESS_CONTROL_MAX_AGE, "3600"),
    ];
    (StatusCode::OK, headers).into_response()
}

/// Pages from anywhere may ask: the token is in a header, which no browser sends by itself.
async fn anywhere(mut response: Response) -> Response {
    let any = HeaderValue::from_static("*");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    response
}

async fn nothing_here() -> Response {
    let lines = vec!["Resource Not Found - there is nothing here".to_owned()];
    refusal::Refusal::new(StatusCode::NOT_FOUND, lines).into_response()
}

async fn wrong_method(_: Method) -> Response {
    let body = serde_json::json!({ "message": "The method is not allowed for the requested URL." });
    (StatusCode::METHOD_NOT_ALLOWED, axum::Json(body)).into_response()
}
