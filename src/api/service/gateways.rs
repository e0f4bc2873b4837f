//! Gateways: where `<Number>` and emergency calls leave.

use crate::ids::GatewaySid;
use crate::store::{GatewayRow, Listed, OrganizationRow, Page};

use super::trunks::{check_operators_name, taken};
use super::{Principal, Result, Service, ServiceError, Written};

impl Service {
    /// Creates a gateway.
    ///
    /// # Errors
    /// What `edit` says, a field that holds what it may not, or [`ServiceError::Taken`] for the name.
    pub async fn create_gateway<E: From<ServiceError> + Send>(
        &self,
        who: &Principal,
        edit: impl Fn(&mut GatewayRow) -> Result<(), E> + Sync,
    ) -> Result<Written<GatewayRow>, E> {
        let mut row = GatewayRow::new("", "");
        edit(&mut row)?;
        self.check_gateway(&row).await?;
        let name = row.name.clone();
        let written = self.store.create(&who.actor(), row).await.map_err(|error| taken(error, name))?;
        Ok(Written { value: written.row, generation: written.generation, warnings: Vec::new() })
    }

    /// Changes a gateway.
    ///
    /// # Errors
    /// As [`Service::create_gateway`]; [`ServiceError::NotFound`].
    pub async fn update_gateway<E: From<ServiceError> + Send>(
        &self,
        who: &Principal,
        id: &str,
        edit: impl Fn(&mut GatewayRow) -> Result<(), E> + Sync,
    ) -> Result<Written<GatewayRow>, E> {
        let before = self.gateway(id).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        self.check_gateway(&after).await?;
        let (row, generation) = self.rewrite(who, before, &edit).await?;
        Ok(Written { value: row, generation, warnings: Vec::new() })
    }

    /// Removes a gateway.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn delete_gateway(&self, who: &Principal, id: &str) -> Result<Written<()>> {
        let row = self.gateway(id).await?;
        let generation = self.store.delete::<GatewayRow>(&who.actor(), row.id).await?;
        Ok(Written { value: (), generation, warnings: Vec::new() })
    }

    /// One gateway, by sid or name.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn gateway(&self, id: &str) -> Result<GatewayRow> {
        if let Ok(sid) = id.parse::<GatewaySid>()
            && let Some(row) = self.store.read::<GatewayRow>(sid).await?
        {
            return Ok(row);
        }
        let named = self.store.named::<GatewayRow>(id).await?;
        named.ok_or_else(|| ServiceError::not_found("gateway", id))
    }

    /// All gateways, oldest first.
    ///
    /// # Errors
    /// The store is away.
    pub async fn gateways(&self, page: Page) -> Result<Listed<GatewayRow>> {
        Ok(self.store.list::<GatewayRow>(page).await?)
    }

    async fn check_gateway(&self, row: &GatewayRow) -> Result<()> {
        check_operators_name(&row.name)?;
        if url::Host::parse(&row.host).is_err() && row.host.parse::<std::net::IpAddr>().is_err() {
            return Err(ServiceError::field(
                "host",
                "is no host name and no address: use sip.example.org or 192.0.2.1",
            ));
        }
        if let Some(sid) = row.organization_id {
            let there = self.store.read::<OrganizationRow>(sid).await?;
            there.ok_or_else(|| {
                ServiceError::field("organization_sid", format!("is {sid}, which is not there"))
            })?;
        }
        Ok(())
    }
}
