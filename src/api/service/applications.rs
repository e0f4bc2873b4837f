//! Applications: URLs that many numbers share.

use crate::ids::{AccountSid, ApplicationSid};
use crate::store::{AccountRow, ApplicationRow, Listed, Naming, NumberFilter, NumberRow, Page};

use super::rows::Operated;
use super::{Principal, Result, Service, ServiceError, Written, check_name, urls};

/// What an application may be for.
const KINDS: [&str; 3] = ["voice", "sms", "ussd"];

impl Operated for ApplicationRow {
    const KIND: &'static str = "application";

    fn blank() -> Self {
        Self::new(AccountSid(0), "")
    }

    fn called(&self) -> (&'static str, &str) {
        ("friendly_name", &self.friendly_name)
    }

    /// A new one without an account is the default account's.
    async fn complete(&mut self, service: &Service) -> Result<()> {
        if self.account_id == AccountSid(0) {
            let owner = service.store.default_account().await?;
            let missing = || ServiceError::field("account_sid", "is missing: name the account");
            self.account_id = owner.ok_or_else(missing)?.id;
        }
        Ok(())
    }

    async fn check(&self, before: Option<&Self>, _: &Principal, service: &Service) -> Result<Vec<String>> {
        let sid = self.account_id;
        let missing = || ServiceError::field("account_sid", format!("is {sid}, which is not there"));
        let owner = service.store.read::<AccountRow>(sid).await?.ok_or_else(missing)?;
        if let Some(before) = before.filter(|before| before.account_id != sid) {
            let former = service.store.read::<AccountRow>(before.account_id).await?;
            let elsewhere = former.is_none_or(|former| former.organization_id != owner.organization_id);
            if elsewhere && service.store.naming(self.id).await?.is_some() {
                let problem = "is in another organization, while rows of this one still name the application";
                return Err(ServiceError::field("account_sid", problem));
            }
        }
        if !KINDS.contains(&self.kind.as_str()) {
            return Err(ServiceError::field("kind", format!("is `{}`: use voice, sms or ussd", self.kind)));
        }
        service.check_application_row(self)
    }
}

impl Service {
    /// Creates an application of `account`; `edit` lays what the asker gave over the defaults.
    ///
    /// # Errors
    /// What `edit` says, a field that holds what it may not, or the asker may not.
    pub async fn create_application<E: From<ServiceError> + Send>(
        &self,
        who: &Principal,
        account: AccountSid,
        edit: impl Fn(&mut ApplicationRow) -> Result<(), E> + Sync,
    ) -> Result<Written<ApplicationRow>, E> {
        let account = self.account_for(who, account).await?;
        let mut row = ApplicationRow::new(account.id, "");
        edit(&mut row)?;
        let warnings = self.check_application_row(&row)?;
        let written = self.store.create(&who.actor(), row).await.map_err(ServiceError::from)?;
        Ok(Written { value: written.row, generation: written.generation, warnings })
    }

    /// Changes an application of `account`.
    ///
    /// # Errors
    /// As [`Service::create_application`]; [`ServiceError::NotFound`].
    pub async fn update_application<E: From<ServiceError> + Send>(
        &self,
        who: &Principal,
        account: AccountSid,
        sid: ApplicationSid,
        edit: impl Fn(&mut ApplicationRow) -> Result<(), E> + Sync,
    ) -> Result<Written<ApplicationRow>, E> {
        let before = self.application(who, account, sid).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        let warnings = self.check_application_row(&after)?;
        let (row, generation) = self.rewrite(who, before, &edit).await?;
        Ok(Written { value: row, generation, warnings })
    }

    /// Removes an application that nothing names.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Taken`] while a number, an account or an organization
    /// names it.
    pub async fn delete_application(
        &self,
        who: &Principal,
        account: AccountSid,
        sid: ApplicationSid,
    ) -> Result<Written<()>> {
        self.application(who, account, sid).await?;
        if let Some(naming) = self.store.naming(sid).await? {
            let fix = match naming {
                Naming::Voice => "a number still names it for voice; change that number first",
                Naming::Sms => "a number still names it for SMS; change that number first",
                Naming::Ussd => "a number still names it for USSD; change that number first",
                Naming::Refer => "a number still names it for REFER; change that number first",
                Naming::Account => "an account has it as its default; change that account first",
                Naming::Organization => {
                    "an organization has it as its default; change that organization first"
                }
            };
            return Err(ServiceError::Taken { field: "application", value: sid.to_string(), fix });
        }
        let generation = self.store.delete::<ApplicationRow>(&who.actor(), sid).await?;
        Ok(Written { value: (), generation, warnings: Vec::new() })
    }

    /// One application of `account`.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], also for another account's; the asker may not.
    pub async fn application(
        &self,
        who: &Principal,
        account: AccountSid,
        sid: ApplicationSid,
    ) -> Result<ApplicationRow> {
        self.account_for(who, account).await?;
        let row = self.store.read::<ApplicationRow>(sid).await?;
        row.filter(|row| row.account_id == account).ok_or_else(|| ServiceError::not_found("application", sid))
    }

    /// The applications of `account`, oldest first.
    ///
    /// # Errors
    /// The asker may not, or the store is away.
    pub async fn applications(
        &self,
        who: &Principal,
        account: AccountSid,
        friendly_name: Option<&str>,
        page: Page,
    ) -> Result<Listed<ApplicationRow>> {
        let account = self.account_for(who, account).await?;
        Ok(self.store.applications(account.id, friendly_name, page).await?)
    }

    /// Numbers that name an application for voice, at most `limit`.
    ///
    /// # Errors
    /// The store is away.
    pub async fn numbers_naming(&self, sid: ApplicationSid, limit: u64) -> Result<Vec<NumberRow>> {
        let filter = NumberFilter { application: Some(sid), ..NumberFilter::default() };
        Ok(self.store.numbers(&filter, Page::first(limit)).await?.rows)
    }

    fn check_application_row(&self, row: &ApplicationRow) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        if row.friendly_name.is_empty() {
            return Err(ServiceError::field("friendly_name", "can not be null."));
        }
        check_name("friendly_name", &row.friendly_name)?;
        for (field, url) in [
            ("rcml_url", &row.voice_url),
            ("voice_fallback_url", &row.voice_fallback_url),
            ("status_callback", &row.status_callback),
            ("sms_url", &row.sms_url),
            ("sms_fallback_url", &row.sms_fallback_url),
            ("refer_url", &row.refer_url),
        ] {
            urls::check(field, url.as_deref(), &self.guard, &mut warnings)?;
        }
        Ok(warnings)
    }
}
