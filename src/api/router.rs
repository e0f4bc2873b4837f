//! All routes in one place.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tower_service::Service as _;

use super::error::ApiError;
use super::restcomm::xml::{self, Wire};
use super::state::Api;
use super::{admin, gate, kazoo, ops, restcomm, wazo};

/// The whole API: the dialects under their bases, `/admin/v1`, and what needs no credentials.
pub fn router(api: &Api) -> Router {
    let mut routes = Router::new().nest("/admin/v1", admin::routes(api)).merge(ops::routes());
    routes = routes.route("/v2", any(kazoo::serve)).route("/v2/{*rest}", any(kazoo::serve));
    for base in restcomm::BASES {
        routes = routes.nest(base, restcomm::routes(api));
    }
    let routes = routes
        .nest(wazo::BASE, wazo::routes(api))
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(api.clone(), gate::observe))
        .with_state(api.clone());
    Router::new().fallback(move |request: Request<Body>| {
        let mut routes = routes.clone();
        async move {
            let (request, wire) = without_suffix(request);
            let response = routes.call(request).await?;
            Ok::<_, std::convert::Infallible>(if wire.is_some_and(|wire| wire.xml) {
                xml::retell(response).await
            } else {
                response
            })
        }
    })
}

/// Restcomm's paths may end in `.json` or `.xml`, which say what the answer is to be; the routes below
/// know neither.
fn without_suffix(mut request: Request<Body>) -> (Request<Body>, Option<Wire>) {
    let uri = request.uri();
    if !restcomm::BASES.iter().any(|base| uri.path().starts_with(base)) {
        return (request, None);
    }
    let (wire, path) = Wire::of(uri.path(), request.headers());
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(uri) = format!("{path}{query}").parse::<Uri>() {
        *request.uri_mut() = uri;
    }
    request.extensions_mut().insert(wire);
    (request, Some(wire))
}

async fn nothing_here(uri: Uri) -> Response {
    let path = restcomm::params::shown(uri.path());
    ApiError::not_found(format!("there is nothing at {path}; /openapi.json lists what there is"))
        .into_response()
}

async fn wrong_method(uri: Uri) -> Response {
    let path = restcomm::params::shown(uri.path());
    let message = format!("{path} does not take this method; /openapi.json lists those it takes");
    ApiError::new(axum::http::StatusCode::METHOD_NOT_ALLOWED, message).into_response()
}
