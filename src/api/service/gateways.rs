//! Gateways: where `<Number>` and emergency calls leave.

use crate::store::GatewayRow;

use super::rows::Operated;
use super::{Result, Service, ServiceError};

impl Operated for GatewayRow {
    const KIND: &'static str = "gateway";

    fn blank() -> Self {
        Self::new("", "")
    }

    fn name(&self) -> &str {
        &self.name
    }

    async fn check(&self, service: &Service) -> Result<Vec<String>> {
        if url::Host::parse(&self.host).is_err() && self.host.parse::<std::net::IpAddr>().is_err() {
            return Err(ServiceError::field(
                "host",
                "is no host name and no address: use sip.example.org or 192.0.2.1",
            ));
        }
        service.check_organization(self.organization_id).await?;
        Ok(Vec::new())
    }
}
