//! Trunks: SIP peers that may send calls.

use std::sync::Arc;

use crate::routing::model::Trunk;
use crate::routing::trunk::check as check_tie;
use crate::store::{Page, TrunkRow, routed_trunk};

use super::rows::{Operated, check_operators_name};
use super::{Principal, Result, Service, ServiceError};

/// More trunks than this are not compared with one another.
const MOST: u64 = 100_000;

impl Operated for TrunkRow {
    const KIND: &'static str = "trunk";

    fn blank() -> Self {
        Self::new("", Vec::new())
    }

    fn called(&self) -> (&'static str, &str) {
        ("name", &self.name)
    }

    fn seal(&mut self, before: Option<&Self>, service: &Service) -> Result<()> {
        // The kept hashes are of the name and realm that were.
        let moved = |before: &Self| {
            before.auth_username != self.auth_username || before.auth_realm != self.auth_realm
        };
        let fresh = self.auth_password.as_ref().is_some_and(|password| password.as_clear().is_some());
        if self.auth_password.is_some() && !fresh && before.is_some_and(moved) {
            let fix = "is to be given again: it belongs to auth_username and auth_realm, which change";
            return Err(ServiceError::field("auth_password", fix));
        }
        Ok(service.store.seal_trunk_password(self)?)
    }

    async fn check(&self, _: Option<&Self>, _: &Principal, service: &Service) -> Result<Vec<String>> {
        check_operators_name(&self.name)?;
        check_digest(self)?;
        service.check_organization(self.organization_id).await?;
        check_refusal("limit_code", self.limit_code)?;
        if let Some(code) = self.webhook_failure_status {
            check_refusal("webhook_failure_status", code)?;
        }
        let profile = [
            ("country_code", &self.country_code),
            ("international_prefix", &self.international_prefix),
            ("national_prefix", &self.national_prefix),
        ];
        for (field, digits) in profile {
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(ServiceError::field(field, format!("is `{digits}`: use digits only")));
            }
        }
        check_ties(self, service).await?;
        let mut warnings = Vec::new();
        if self.sources.is_empty() && self.auth_username.is_none() && self.tls_name.is_none() {
            warnings
                .push("the trunk has no sources, so that nothing can come from it: set sources".to_owned());
        }
        Ok(warnings)
    }
}

/// The user name and realm stand in quotes on the wire, and a name without password nobody can prove.
fn check_digest(row: &TrunkRow) -> Result<()> {
    let quoted = |text: &str| !text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\' | 0x7f));
    if !quoted(&row.auth_realm) || row.auth_realm.is_empty() {
        return Err(ServiceError::field(
            "auth_realm",
            "is empty or has a quote, a backslash or a control character",
        ));
    }
    match &row.auth_username {
        Some(name) if !quoted(name) => {
            Err(ServiceError::field("auth_username", "has a quote, a backslash or a control character"))
        }
        Some(_) if row.auth_password.is_none() => Err(ServiceError::field(
            "auth_password",
            "is missing: without it nobody can prove to be the trunk",
        )),
        None if row.auth_password.is_some() => {
            Err(ServiceError::field("auth_username", "is missing: a password belongs to one"))
        }
        _ => Ok(()),
    }
}

async fn check_ties(row: &TrunkRow, service: &Service) -> Result<()> {
    let others = service.rows::<TrunkRow>(Page::first(MOST)).await?.rows;
    let others: Vec<Arc<Trunk>> = others.into_iter().map(|row| Arc::new(routed_trunk(row))).collect();
    let tie = check_tie(&routed_trunk(row.clone()), &others);
    tie.map_err(|tie| ServiceError::field("sources", format!("tie with another trunk: {tie}")))
}

fn check_refusal(field: &'static str, code: u16) -> Result<()> {
    if (400..700).contains(&code) && !matches!(code, 401 | 407) {
        return Ok(());
    }
    Err(ServiceError::field(field, format!("is {code}: use 400 to 699, neither 401 nor 407")))
}
