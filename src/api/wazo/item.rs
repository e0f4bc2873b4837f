//! How a number is printed, and where it is.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use serde::Serialize;

use crate::api::state::Api;
use crate::ids::NumberSid;
use crate::store::NumberRow;

use super::BASE;
use super::tenant::uuid;

/// A number, in the order of keys that Wazo prints.
#[derive(Debug, Serialize)]
pub(super) struct Item {
    uuid: String,
    tenant_uuid: String,
    number: String,
    caller_id_name: Option<String>,
    main: bool,
    shared: bool,
    links: [Link; 1],
}

/// Where a number is.
#[derive(Debug, Serialize)]
pub(super) struct Link {
    rel: &'static str,
    href: String,
}

/// What absolute addresses begin with: as the client wrote it, and as a front door in between says.
#[derive(Clone, Debug)]
pub(super) struct Here(Arc<str>);

impl FromRequestParts<Api> for Here {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Infallible> {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let scheme = match text("x-forwarded-proto") {
            Some(proto) if proto.eq_ignore_ascii_case("https") => "https",
            _ => "http",
        };
        let host = text(header::HOST.as_str()).unwrap_or("localhost");
        Ok(Self(format!("{scheme}://{host}{BASE}/phone-numbers/").into()))
    }
}

impl Here {
    /// The address of one number.
    pub(super) fn href(&self, sid: NumberSid) -> String {
        format!("{}{}", self.0, uuid(sid.0))
    }

    pub(super) fn link(&self, sid: NumberSid) -> Link {
        Link { rel: "phone_numbers", href: self.href(sid) }
    }

    pub(super) fn print(&self, row: NumberRow) -> Item {
        Item {
            uuid: uuid(row.id.0),
            tenant_uuid: uuid(row.account_id.0),
            links: [self.link(row.id)],
            number: row.number,
            caller_id_name: row.caller_id_name,
            main: row.main,
            shared: row.shared,
        }
    }
}
