//! Organizations: SIP domains and the rules that hold in them.

use crate::ids::OrganizationSid;
use crate::routing::model::Status;
use crate::store::{AccountRow, ApplicationRow, Listed, OrganizationRow, Page, Role, StoreError};

use super::rows::Operated;
use super::texts::check_sip_uri;
use super::{Principal, Result, Service, ServiceError, Written, check_name, urls};

const NOT_YOURS: ServiceError = ServiceError::Forbidden("only the super-admin account may use this resource");

impl Operated for OrganizationRow {
    const KIND: &'static str = "organization";

    fn blank() -> Self {
        Self::new("")
    }

    fn called(&self) -> (&'static str, &str) {
        ("domain", &self.domain)
    }

    async fn complete(&mut self, _: &Service) -> Result<()> {
        if self.friendly_name.is_empty() {
            self.friendly_name = plain_domain(&self.domain);
        }
        Ok(())
    }

    fn seal(&mut self, _: Option<&Self>, _: &Service) -> Result<()> {
        self.domain = plain_domain(&self.domain);
        Ok(())
    }

    async fn check(&self, _: Option<&Self>, _: &Principal, service: &Service) -> Result<Vec<String>> {
        check(self)?;
        service.check_default_application(self).await?;
        let mut warnings = Vec::new();
        urls::check("base_url", self.base_url.as_deref(), &service.guard, &mut warnings)?;
        Ok(warnings)
    }

    fn removable(&self) -> Result<()> {
        if !self.is_default {
            return Ok(());
        }
        let fix = "it is the default organization, which unknown hosts belong to";
        Err(ServiceError::Taken { field: Self::KIND, value: self.domain.clone(), fix })
    }
}

/// Domains are lower case, and their dot at the end is understood.
fn plain_domain(text: &str) -> String {
    text.trim_end_matches('.').to_ascii_lowercase()
}

impl Service {
    /// An organization's default application is one of an account in it.
    async fn check_default_application(&self, row: &OrganizationRow) -> Result<()> {
        let Some(sid) = row.default_application_id else { return Ok(()) };
        let unknown = || {
            let problem = format!("is {sid}, which is no application of an account in it");
            ServiceError::field("default_application_sid", problem)
        };
        let application = self.store.read::<ApplicationRow>(sid).await?.ok_or_else(unknown)?;
        let owner = self.store.read::<AccountRow>(application.account_id).await?.ok_or_else(unknown)?;
        if owner.organization_id == row.id { Ok(()) } else { Err(unknown()) }
    }

    /// Creates an organization. The super-admin's alone.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`], [`ServiceError::Taken`], or a field that holds what it may not.
    pub async fn create_organization(
        &self,
        who: &Principal,
        domain: &str,
        edit: impl Fn(&mut OrganizationRow) -> Result<()> + Sync,
    ) -> Result<Written<OrganizationRow>> {
        if !who.is_super_admin() {
            return Err(NOT_YOURS);
        }
        let mut row = OrganizationRow::new(plain_domain(domain));
        edit(&mut row)?;
        check(&row)?;
        let domain = row.domain.clone();
        let written = self.store.create(&who.actor(), row).await.map_err(|error| taken(error, domain))?;
        Ok(Written { value: written.row, generation: written.generation, warnings: Vec::new() })
    }

    /// Changes an organization. The super-admin's alone.
    ///
    /// # Errors
    /// As [`Service::create_organization`]; [`ServiceError::NotFound`].
    pub async fn update_organization(
        &self,
        who: &Principal,
        sid: OrganizationSid,
        edit: impl Fn(&mut OrganizationRow) -> Result<()> + Sync,
    ) -> Result<Written<OrganizationRow>> {
        if !who.is_super_admin() {
            return Err(NOT_YOURS);
        }
        let before = self.organization(who, sid).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        check(&after)?;
        let domain = after.domain.clone();
        let written = self.rewrite(who, before, &edit).await;
        let (row, generation) = written.map_err(|error: ServiceError| match error {
            ServiceError::Store(error) => taken(error, domain),
            other => other,
        })?;
        Ok(Written { value: row, generation, warnings: Vec::new() })
    }

    /// One organization: an admin's own, or any for the super-admin.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Forbidden`].
    pub async fn organization(&self, who: &Principal, sid: OrganizationSid) -> Result<OrganizationRow> {
        let own = match who {
            Principal::Operator => true,
            Principal::Account { organization, role, .. } => match role {
                Role::SuperAdmin => true,
                Role::Admin => *organization == sid,
                Role::Developer => false,
            },
        };
        if !own {
            return Err(ServiceError::Forbidden("only admins of the organization may use this resource"));
        }
        let row = self.store.read::<OrganizationRow>(sid).await?;
        row.ok_or_else(|| ServiceError::not_found("organization", sid))
    }

    /// All organizations, those with `status` where one is given. The super-admin's alone.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`], or the store is away.
    pub async fn organizations(
        &self,
        who: &Principal,
        status: Option<Status>,
        page: Page,
    ) -> Result<Listed<OrganizationRow>> {
        if !who.is_super_admin() {
            return Err(NOT_YOURS);
        }
        let mut listed = self.store.list::<OrganizationRow>(page).await?;
        if let Some(status) = status {
            listed.rows.retain(|row| row.status == status);
        }
        Ok(listed)
    }
}

fn check(row: &OrganizationRow) -> Result<()> {
    check_name("friendly_name", &row.friendly_name)?;
    let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
    if row.domain.is_empty() || row.domain.len() > 255 || !row.domain.chars().all(host) {
        return Err(ServiceError::field("domain", "is no host name: use letters, digits, dots and hyphens"));
    }
    if let Some(registrar) = &row.registrar {
        check_sip_uri("registrar", registrar)?;
    }
    Ok(())
}

fn taken(error: StoreError, domain: String) -> ServiceError {
    match error {
        StoreError::Duplicate { .. } => {
            ServiceError::Taken { field: "domain", value: domain, fix: "choose another" }
        }
        other => other.into(),
    }
}
