//! Accounts: who owns numbers and answers for them.

use crate::ids::{AccountSid, OrganizationSid};
use crate::routing::model::Status;
use crate::store::{AccountRow, Listed, OrganizationRow, Page, Role, new_token};

use super::{Principal, Result, Service, ServiceError, Written, check_name};

/// More sub-accounts than this are not looked for under one account.
const MOST_UNDER_ONE: u64 = 100_000;

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
        let status = before.status;
        let (row, mut generation) = self.rewrite(who, before, &edit).await?;
        if row.status != status {
            generation = self.spread(who, &row).await?.unwrap_or(generation);
        }
        Ok(Written { value: row, generation, warnings: Vec::new() })
    }

    /// Moves an account, those under it and all their numbers to another organization. The
    /// super-admin's alone.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`], [`ServiceError::NotFound`], a super-admin account, or a number that
    /// the other organization has already: accounts before that one have moved then.
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
        let mut generation = 0;
        for account in self.tree(sid).await? {
            let moved = |row: &mut AccountRow| row.organization_id = organization;
            generation = self.store.modify::<AccountRow>(&who.actor(), account.id, moved).await?.generation;
        }
        Ok(generation)
    }

    /// Gives an account's status to all accounts under it; closing gives their numbers back. The last
    /// generation, where anything was written.
    async fn spread(&self, who: &Principal, top: &AccountRow) -> Result<Option<u64>> {
        let mut generation = None;
        for account in self.tree(top.id).await? {
            if account.status != top.status && account.status != Status::Closed {
                let given = |row: &mut AccountRow| row.status = top.status;
                let written = self.store.modify::<AccountRow>(&who.actor(), account.id, given).await?;
                generation = Some(written.generation);
            }
            if top.status == Status::Closed {
                generation = self.release_all(who, account.id).await?.or(generation);
            }
        }
        Ok(generation)
    }

    /// An account and all those under it, parents first.
    async fn tree(&self, top: AccountSid) -> Result<Vec<AccountRow>> {
        let mut rows: Vec<AccountRow> = self.store.read::<AccountRow>(top).await?.into_iter().collect();
        let mut at = 0;
        while at < rows.len() {
            let under = self.store.accounts_under(rows[at].id, Page::first(MOST_UNDER_ONE)).await?.rows;
            for row in under {
                if rows.iter().all(|known| known.id != row.id) {
                    rows.push(row);
                }
            }
            at += 1;
        }
        Ok(rows)
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
        self.check_application("default_application_sid", after.default_application_id, after).await
    }
}
