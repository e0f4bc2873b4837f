//! Gateways: where `<Number>` and emergency calls leave.

use crate::store::GatewayRow;

use super::rows::{Operated, check_operators_name};
use super::{Principal, Result, Service, ServiceError};

impl Operated for GatewayRow {
    const KIND: &'static str = "gateway";

    fn blank() -> Self {
        Self::new("", "")
    }

    fn called(&self) -> (&'static str, &str) {
        ("name", &self.name)
    }

    fn seal(&mut self, _: Option<&Self>, service: &Service) -> Result<()> {
        Ok(service.store.seal_password(self)?)
    }

    async fn check(&self, _: Option<&Self>, _: &Principal, service: &Service) -> Result<Vec<String>> {
        check_operators_name(&self.name)?;
        if url::Host::parse(&self.host).is_err() && self.host.parse::<std::net::IpAddr>().is_err() {
            return Err(ServiceError::field(
                "host",
                "is no host name and no address: use sip.example.org or 192.0.2.1",
            ));
        }
        if self.group_name.trim().is_empty() {
            let fix = "is empty: the group of all that name none is `default`";
            return Err(ServiceError::field("group_name", fix));
        }
        if self.username.is_none() && (self.password.is_some() || self.realm.is_some()) {
            return Err(ServiceError::field("username", "is missing: a password and a realm belong to one"));
        }
        service.check_organization(self.organization_id).await?;
        Ok(Vec::new())
    }
}
