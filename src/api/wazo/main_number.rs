//! `/phone-numbers/main`: a tenant's canonical number.

use axum::extract::State;
use axum::response::Response;

use crate::api::body::Raw;
use crate::api::reply;
use crate::api::service::ServiceError;
use crate::api::state::Api;
use crate::ids::NumberSid;

use super::item::Here;
use super::numbers::{done, located};
use super::refusal::Refusal;
use super::schema::Body;
use super::tenant::{Tenant, uuid};

pub(super) async fn read(
    State(api): State<Api>,
    Tenant { who, account }: Tenant,
    here: Here,
) -> Result<Response, Refusal> {
    match api.service.main_number(&who, account).await {
        Err(ServiceError::NotFound { .. }) => Err(Refusal::not_found("'main': True")),
        other => Ok(reply::json(&here.print(other?))),
    }
}

/// Of exactly this tenant: a number of one below it cannot be its main one.
pub(super) async fn update(
    State(api): State<Api>,
    Tenant { who, account }: Tenant,
    here: Here,
    Raw(body): Raw,
) -> Result<Response, Refusal> {
    let sid = NumberSid(Body::read(&body)?.main()?);
    match api.service.set_main_number(&who, account, sid).await {
        Err(ServiceError::NotFound { .. }) => Err(Refusal::not_found(&format!("'uuid': '{}'", uuid(sid.0)))),
        other => Ok(located(reply::written(other?, Vec::new(), |_| done()), &here.href(sid))),
    }
}
