//! Numbers as a tenant has them: several texts in one go, unique in the organization, one of them main.

use std::collections::HashMap;

use crate::ids::{AccountSid, NumberSid};
use crate::store::{AccountRow, Listed, Many, NumberFilter, NumberRow, NumberState, Page, StoreError};

use super::numbers::{aged, may_be_taken, occupied, taken};
use super::{Principal, Result, Service, ServiceError, Written};

/// What creating several numbers came to.
#[derive(Clone, Debug)]
pub struct Made {
    /// The new ones, in the order they were asked for.
    pub created: Vec<NumberRow>,
    /// Those the account had already, in that order.
    pub existing: Vec<NumberRow>,
    /// The generation that shows them; `None` where nothing was written.
    pub generation: Option<u64>,
}

impl Service {
    /// Creates the numbers that `account` does not have yet, all or none; `edit` lays what the asker gave
    /// over the defaults. A number of the inventory is claimed; any other becomes unique in the
    /// organization only, so that several may have the same one.
    ///
    /// # Errors
    /// [`ServiceError::Taken`] where another account of the organization has one, a cap of the account, or
    /// the asker may not.
    pub async fn create_numbers_of_tenant(
        &self,
        who: &Principal,
        account: AccountSid,
        texts: &[String],
        edit: impl Fn(&mut NumberRow) + Sync,
    ) -> Result<Made> {
        let account = self.account_for(who, account).await?;
        let found = self.store.with_texts(account.organization_id, texts).await?;
        let mut known: HashMap<&str, Vec<&NumberRow>> = HashMap::new();
        for row in &found {
            known.entry(&row.number).or_default().push(row);
        }
        let (mut rows, mut instead, mut existing) = (Vec::new(), Vec::new(), Vec::new());
        for text in texts {
            match place(&account, text, known.get(text.as_str()).map_or(&[], Vec::as_slice))? {
                Place::Existing(row) => existing.push(row.clone()),
                Place::New { is_sip, over } => {
                    let mut row = NumberRow::new(account.id, account.organization_id, text.as_str());
                    row.is_sip = is_sip;
                    edit(&mut row);
                    rows.push(row);
                    instead.extend(over);
                }
            }
        }
        if rows.is_empty() {
            return Ok(Made { created: rows, existing, generation: None });
        }
        self.check_caps(&account, rows.len() as u64, 0).await?;
        let first = rows[0].number.clone();
        let written = self.store.create_many(&who.actor(), &instead, rows).await;
        let Many { rows, generation } = written.map_err(|error| match error {
            StoreError::NotFound { .. } => occupied(&first),
            other => taken(other, &first),
        })?;
        Ok(Made { created: rows, existing, generation: Some(generation) })
    }

    /// Whether the organization of `row` has no other number with this text.
    ///
    /// # Errors
    /// [`ServiceError::Taken`], or the store is away.
    pub async fn must_be_free(&self, row: &NumberRow, text: &str) -> Result<()> {
        let found = self.store.with_texts(row.organization_id, &[text.to_owned()]).await?;
        let other = |other: &NumberRow| other.id != row.id && other.organization_id == row.organization_id;
        if found.iter().any(|found| other(found) && found.state.is_held()) {
            return Err(occupied(text));
        }
        Ok(())
    }

    /// The numbers that an account has and the filter lets through; with `recurse` those of accounts under it
    /// too.
    ///
    /// # Errors
    /// The asker may not, or the store is away.
    pub async fn numbers_of_tenant(
        &self,
        who: &Principal,
        account: AccountSid,
        recurse: bool,
        mut filter: NumberFilter,
        page: Page,
    ) -> Result<Listed<NumberRow>> {
        self.account_for(who, account).await?;
        if recurse {
            filter.under = Some(account);
        } else {
            filter.account = Some(account);
        }
        filter.held = true;
        Ok(self.store.numbers(&filter, page).await?)
    }

    /// One number that `account`, or one under it, has.
    ///
    /// # Errors
    /// As [`Service::number`].
    pub async fn number_under(
        &self,
        who: &Principal,
        account: AccountSid,
        sid: NumberSid,
    ) -> Result<NumberRow> {
        self.account_for(who, account).await?;
        let unknown = || ServiceError::not_found("number", sid);
        let row = self.store.read::<NumberRow>(sid).await?.filter(|row| row.state.is_held());
        let row = row.ok_or_else(unknown)?;
        if row.account_id == account {
            return Ok(row);
        }
        let owner = self.store.read::<AccountRow>(row.account_id).await?.ok_or_else(unknown)?;
        if self.is_under(&owner, account).await? { Ok(row) } else { Err(unknown()) }
    }

    /// The account's main number.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] where it has none; the asker may not.
    pub async fn main_number(&self, who: &Principal, account: AccountSid) -> Result<NumberRow> {
        self.account_for(who, account).await?;
        let main = self.main_of(account).await?;
        main.ok_or_else(|| ServiceError::not_found("main number of", account))
    }

    /// Makes a number of the account its main one, which is shared from then on; the former one stays
    /// shared.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] for a number that is not this account's own; the asker may not.
    pub async fn set_main_number(
        &self,
        who: &Principal,
        account: AccountSid,
        sid: NumberSid,
    ) -> Result<Written<NumberRow>> {
        self.account_for(who, account).await?;
        let unknown = || ServiceError::not_found("number", sid);
        let Many { mut rows, generation } =
            self.store.choose_main(&who.actor(), account, sid).await?.ok_or_else(unknown)?;
        let value = rows.pop().ok_or_else(unknown)?;
        Ok(Written { value, generation, warnings: Vec::new() })
    }

    async fn main_of(&self, account: AccountSid) -> Result<Option<NumberRow>> {
        let filter =
            NumberFilter { account: Some(account), main: Some(true), held: true, ..NumberFilter::default() };
        Ok(self.store.numbers(&filter, Page::first(1)).await?.rows.pop())
    }
}

/// Where a text that is asked for goes.
enum Place<'a> {
    /// The account has it.
    Existing(&'a NumberRow),
    /// It is made, over a row that nobody has.
    New { is_sip: bool, over: Option<NumberSid> },
}

fn place<'a>(account: &AccountRow, text: &str, rows: &[&'a NumberRow]) -> Result<Place<'a>> {
    let own = |row: &&&NumberRow| row.organization_id == account.organization_id && row.state.is_held();
    if let Some(row) = rows.iter().find(own) {
        return if row.account_id == account.id { Ok(Place::Existing(row)) } else { Err(occupied(text)) };
    }
    let aged = aged();
    let free = |row: &&&NumberRow| may_be_taken(row, account.id, aged);
    if let Some(row) = rows.iter().filter(|row| !row.is_sip).find(free) {
        return Ok(Place::New { is_sip: false, over: Some(row.id) });
    }
    let waiting = rows.iter().find(|row| row.is_sip && row.organization_id == account.organization_id);
    if waiting.is_some_and(|row| row.state != NumberState::Available && !may_be_taken(row, account.id, aged))
    {
        return Err(occupied(text));
    }
    Ok(Place::New { is_sip: true, over: waiting.map(|row| row.id) })
}
