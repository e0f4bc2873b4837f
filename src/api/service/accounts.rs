//! Accounts: who owns numbers and answers for them.

use crate::ids::{AccountSid, OrganizationSid};
use crate::routing::model::Status;
use crate::store::{
    AccountRow, GatewayRow, Listed, NumberRow, OrganizationRow, Page, Role, dialling, new_token,
    new_webhook_secret, printed_webhook_secret,
};

use super::access::DEEPEST;
use super::numbers::release;
use super::rows::Operated;
use super::{Principal, Result, Service, ServiceError, Written, check_name};

/// More sub-accounts than this are not looked for under one account.
const MOST_UNDER_ONE: u64 = 100_000;

impl Operated for AccountRow {
    const KIND: &'static str = "account";

    fn blank() -> Self {
        Self::new(OrganizationSid(0), "")
    }

    fn called(&self) -> (&'static str, &str) {
        ("friendly_name", &self.friendly_name)
    }

    /// A new one without an organization is in its parent's, else in the default one.
    async fn complete(&mut self, service: &Service) -> Result<()> {
        if self.organization_id != OrganizationSid(0) {
            return Ok(());
        }
        let parent = match self.parent_id {
            Some(sid) => service.store.read::<AccountRow>(sid).await?.map(|row| row.organization_id),
            None => service.store.default_organization().await?.map(|row| row.id),
        };
        let missing = || ServiceError::field("organization_sid", "is missing: name the organization");
        self.organization_id = parent.ok_or_else(missing)?;
        Ok(())
    }

    fn seal(&mut self, before: Option<&Self>, service: &Service) -> Result<()> {
        Ok(service.store.seal_webhook_secrets(self, before)?)
    }

    async fn check(&self, before: Option<&Self>, who: &Principal, service: &Service) -> Result<Vec<String>> {
        service.check_organization(Some(self.organization_id)).await?;
        service.check_place(self).await?;
        check_dialling(self)?;
        service.check_account(who, before.unwrap_or(self), self).await?;
        service.remarks_on_group(self).await
    }

    async fn spread(&self, before: &Self, who: &Principal, service: &Service) -> Result<()> {
        if self.organization_id != before.organization_id {
            service.migrate_account(who, self.id, self.organization_id).await?;
        }
        if self.status != before.status {
            service.spread(who, self).await?;
        }
        Ok(())
    }

    fn removable(&self) -> Result<()> {
        let in_the_way = |fix| ServiceError::Taken { field: Self::KIND, value: self.id.to_string(), fix };
        if self.is_default {
            return Err(in_the_way("it is the default account, which owns what nobody else does"));
        }
        if self.status != Status::Closed {
            return Err(in_the_way(
                "it is not closed: set status=closed first, which gives its numbers back",
            ));
        }
        Ok(())
    }
}

impl Service {
    /// Creates a sub-account of `parent` with a fresh auth token, in the parent's organization unless
    /// a super-admin's `edit` names another.
    ///
    /// # Errors
    /// What `edit` says, a field that holds what it may not, or the asker may not.
    pub async fn create_account(
        &self,
        who: &Principal,
        parent: AccountSid,
        edit: impl Fn(&mut AccountRow) -> Result<()> + Sync,
    ) -> Result<Written<AccountRow>> {
        let parent = self.account_for(who, parent).await?;
        let mut row = AccountRow::new(parent.organization_id, "");
        row.parent_id = Some(parent.id);
        edit(&mut row)?;
        self.check_account(who, &parent, &row).await?;
        let token = new_token().map_err(crate::store::StoreError::from)?;
        self.store.give_token(&mut row, &token)?;
        let written = self.store.create(&who.actor(), row).await?;
        Ok(Written { value: written.row, generation: written.generation, warnings: Vec::new() })
    }

    /// Changes an account.
    ///
    /// # Errors
    /// As [`Service::create_account`].
    pub async fn update_account(
        &self,
        who: &Principal,
        sid: AccountSid,
        edit: impl Fn(&mut AccountRow) -> Result<()> + Sync,
    ) -> Result<Written<AccountRow>> {
        let before = self.account_for(who, sid).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        self.check_account(who, &before, &after).await?;
        if after.status != before.status {
            self.spread(who, &after).await?;
        }
        let (row, generation) = self.rewrite(who, before, &edit).await?;
        Ok(Written { value: row, generation, warnings: Vec::new() })
    }

    /// Moves an account, those under it and all their numbers to another organization. The
    /// super-admin's alone.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`], [`ServiceError::NotFound`], a super-admin account, or a number that
    /// the other organization has already: nothing has moved then.
    pub async fn migrate_account(
        &self,
        who: &Principal,
        sid: AccountSid,
        organization: OrganizationSid,
    ) -> Result<u64> {
        if !who.is_super_admin() {
            return Err(ServiceError::Forbidden("only the super-admin account may use this resource"));
        }
        if self.account_for(who, sid).await?.role == Role::SuperAdmin {
            return Err(ServiceError::field("account_sid", "is the super-admin's: it stays where it is"));
        }
        let there = self.store.read::<OrganizationRow>(organization).await?;
        there.ok_or_else(|| ServiceError::not_found("organization", organization))?;
        let tree: Vec<AccountSid> = self.tree(sid).await?.into_iter().map(|row| row.id).collect();
        let move_there = |row: &mut AccountRow| {
            row.organization_id = organization;
            Ok::<(), ServiceError>(())
        };
        Ok(self.store.modify_many(&who.actor(), &tree, move_there).await?.generation)
    }

    /// Gives an account's status to it and all accounts under it, in one go; closing gives their numbers
    /// back. One that was closed before stays so, with its numbers given back already.
    async fn spread(&self, who: &Principal, top: &AccountRow) -> Result<()> {
        let tree = self.tree(top.id).await?;
        let closes = top.status == Status::Closed;
        let follows =
            |row: &&AccountRow| row.id == top.id || row.status != top.status && row.status != Status::Closed;
        let accounts: Vec<AccountSid> = tree.iter().filter(follows).map(|row| row.id).collect();
        let release = closes.then_some(release as fn(&mut NumberRow));
        self.store.set_status(&who.actor(), &accounts, top.status, release).await?;
        Ok(())
    }

    /// An account and all those under it, parents first.
    pub(super) async fn tree(&self, top: AccountSid) -> Result<Vec<AccountRow>> {
        Ok(self.store.accounts_below(top, MOST_UNDER_ONE).await?)
    }

    /// Replaces an account's auth token by a fresh one.
    ///
    /// # Errors
    /// The asker may not, or the store is away.
    pub async fn renew_token(&self, who: &Principal, sid: AccountSid) -> Result<Written<AccountRow>> {
        self.account_for(who, sid).await?;
        let token = new_token().map_err(crate::store::StoreError::from)?;
        let written = self.store.set_auth_token(&who.actor(), sid, &token).await?;
        Ok(Written { value: written.row, generation: written.generation, warnings: Vec::new() })
    }

    /// Gives an account a fresh webhook secret, which is answered; the one it had goes on signing beside it
    /// until the next change.
    ///
    /// # Errors
    /// The asker may not, or the store is away.
    pub async fn renew_webhook_secret(&self, who: &Principal, sid: AccountSid) -> Result<Written<String>> {
        self.account_for(who, sid).await?;
        let secret = new_webhook_secret().map_err(crate::store::StoreError::from)?;
        let written = self.store.rotate_webhook_secret(&who.actor(), sid, &secret).await?;
        let value = printed_webhook_secret(&secret);
        Ok(Written { value, generation: written.generation, warnings: Vec::new() })
    }

    /// Refuses a parent that is not there, or is the account itself or below it.
    async fn check_place(&self, row: &AccountRow) -> Result<()> {
        let Some(parent) = row.parent_id else { return Ok(()) };
        let refuse = |problem| Err(ServiceError::field("parent_sid", problem));
        let Some(parent) = self.store.read::<AccountRow>(parent).await? else {
            return refuse(format!("is {parent}, which is not there"));
        };
        let above = self.above(&parent).await?;
        if parent.id == row.id || above.contains(&row.id) {
            return refuse(format!("is {}, which is the account itself or one under it", parent.id));
        }
        if above.len() + 1 >= DEEPEST {
            return refuse(format!("is {}: accounts are nested {DEEPEST} deep at most", parent.id));
        }
        Ok(())
    }

    /// A group of gateways that has none leaves the account without a way out.
    async fn remarks_on_group(&self, row: &AccountRow) -> Result<Vec<String>> {
        let Some(group) = &row.gateway_group else { return Ok(Vec::new()) };
        let gateways = self.rows::<GatewayRow>(Page::first(MOST_UNDER_ONE)).await?.rows;
        if gateways.iter().any(|gateway| gateway.group_name == *group) {
            return Ok(Vec::new());
        }
        Ok(vec![format!("no gateway is in the group {group}: its calls to Numbers find no way out")])
    }

    /// The asker's account and those under it; every account for the operator.
    ///
    /// # Errors
    /// The store is away.
    pub async fn accounts(&self, who: &Principal, page: Page) -> Result<Listed<AccountRow>> {
        match who {
            Principal::Account { sid, role, .. } if *role != Role::SuperAdmin => {
                Ok(self.store.accounts_under(*sid, page).await?)
            }
            _ => Ok(self.store.list::<AccountRow>(page).await?),
        }
    }

    /// An account and those right under it.
    ///
    /// # Errors
    /// The asker may not, or the store is away.
    pub async fn accounts_of(
        &self,
        who: &Principal,
        account: AccountSid,
        page: Page,
    ) -> Result<Listed<AccountRow>> {
        self.account_for(who, account).await?;
        match who {
            // Its own list is the one without an account in the path.
            Principal::Account { sid, .. } if *sid == account => self.accounts(who, page).await,
            _ => Ok(self.store.accounts_under(account, page).await?),
        }
    }

    /// The auth token as its owner may see it.
    ///
    /// # Errors
    /// The key file does not open it.
    pub fn token_of(&self, row: &AccountRow) -> Result<Option<String>> {
        Ok(self.store.auth_token(row)?)
    }

    async fn check_account(&self, who: &Principal, before: &AccountRow, after: &AccountRow) -> Result<()> {
        check_name("friendly_name", &after.friendly_name)?;
        if after.organization_id != before.organization_id {
            if !who.is_super_admin() {
                return Err(ServiceError::Forbidden(
                    "only the super-admin moves accounts between organizations",
                ));
            }
            let there = self.store.read::<OrganizationRow>(after.organization_id).await?;
            there.ok_or_else(|| ServiceError::not_found("organization", after.organization_id))?;
        }
        if after.role != Role::Developer && after.role != before.role && !who.is_super_admin() {
            return Err(ServiceError::Forbidden("only the super-admin gives roles"));
        }
        let own = matches!(who, Principal::Account { sid, .. } if *sid == after.id);
        if own && after.status != before.status {
            return Err(ServiceError::Forbidden("an account does not change its own status"));
        }
        if own && !who.is_super_admin() && (caps(after) != caps(before) || dials(after) != dials(before)) {
            return Err(ServiceError::Forbidden("an account does not change its own limits"));
        }
        self.check_application("default_application_sid", after.default_application_id, after).await
    }
}

/// What its documents may dial.
fn dials(row: &AccountRow) -> ([&Vec<String>; 3], Option<u32>) {
    ([&row.dial_domains, &row.dial_prefixes, &row.dial_countries], row.dial_per_minute)
}

/// What could never match is a mistake.
fn check_dialling(row: &AccountRow) -> Result<()> {
    match dialling(row).mistake() {
        None => Ok(()),
        Some(wrong) => {
            Err(ServiceError::field(wrong.list, format!("has `{}`: use {}", wrong.text, wrong.expected)))
        }
    }
}

/// What bounds an account.
fn caps(row: &AccountRow) -> [Option<u32>; 5] {
    [row.max_calls, row.max_calls_per_second, row.max_numbers, row.max_patterns, row.max_requests_per_second]
}
