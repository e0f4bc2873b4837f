//! All routes in one place.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Uri};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use tower_service::Service as _;

use super::error::ApiError;
use super::state::Api;
use super::{admin, gate, ops, restcomm};

/// The whole API: the dialects under their bases, `/admin/v1`, and what needs no credentials.
pub fn router(api: &Api) -> Router {
    let mut routes = Router::new().nest("/admin/v1", admin::routes(api)).merge(ops::routes());
    for base in restcomm::BASES {
        routes = routes.nest(base, restcomm::routes(api));
    }
    let routes = routes
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(api.clone(), gate::observe))
        .with_state(api.clone());
    Router::new().fallback(move |request: Request<Body>| {
        let mut routes = routes.clone();
        async move { routes.call(without_suffix(request)).await }
    })
}

/// `.json` at the end of a Restcomm path says nothing that is not known: JSON is all there is.
fn without_suffix(mut request: Request<Body>) -> Request<Body> {
    let uri = request.uri();
    let path = uri.path();
    if !restcomm::BASES.iter().any(|base| path.starts_with(base)) {
        return request;
    }
    if let Some(path) = path.strip_suffix(".json") {
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        if let Ok(uri) = format!("{path}{query}").parse::<Uri>() {
            *request.uri_mut() = uri;
        }
    }
    request
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
