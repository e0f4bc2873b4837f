//! A number's life, in Kazoo's states: made, reserved, put in service, given back to whoever reserved it
//! before, taken from the inventory.

use crate::ids::AccountSid;
use crate::routing::model::Status;
use crate::routing::pattern;
use crate::store::{AccountRow, NumberFilter, NumberRow, NumberState, Page};

use super::heritage::keep_capabilities;
use super::numbers::{aged, may_be_taken, release};
use super::{NewNumber, Principal, Refused, Service, ServiceError, Written};

/// One text has at most one row an organization, and one that is a provider's.
const MOST_OF_ONE_TEXT: u64 = 1_000;

/// What lookups say of a number that is somebody's or nobody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It routes to this account.
    Routes(AccountSid),
    /// Nobody has it.
    Unassigned,
    /// Its state does not route.
    NotInService(AccountSid),
    /// Its account is not active.
    AccountDisabled(AccountSid),
}

/// What the dialect does to a row before it is written.
pub type Edit<'a> = &'a (dyn Fn(&mut NumberRow) -> super::Result<()> + Sync);

impl Service {
    /// The number with one of these texts as `account` sees it: its own, or one below it. Also one that
    /// nobody has, where the asker may see those.
    ///
    /// # Errors
    /// [`Refused::NotFound`].
    pub async fn seen(
        &self,
        who: &Principal,
        account: &AccountRow,
        texts: &[String],
    ) -> Result<NumberRow, Refused> {
        let row = self.row_of(account, texts).await?.ok_or(Refused::NotFound)?;
        let seen = if row.state.is_held() {
            self.is_of(&row, account).await?
        } else {
            who.is_super_admin() && row.state != NumberState::Deleted
        };
        if seen { Ok(row) } else { Err(Refused::NotFound) }
    }

    /// Makes a number in `state`, or takes it from the inventory. `ported`: anybody may.
    ///
    /// # Errors
    /// [`Refused::Exists`], [`Refused::MayNotAdd`], and what the service refuses.
    pub async fn add_number(
        &self,
        who: &Principal,
        account: &AccountRow,
        text: &str,
        state: NumberState,
        edit: Edit<'_>,
    ) -> Result<Written<NumberRow>, Refused> {
        let existing = self.row_of(account, &[text.to_owned()]).await?;
        match existing.map(|row| row.state) {
            Some(NumberState::Available | NumberState::Aging) => {}
            Some(_) => return Err(Refused::Exists),
            None if state == NumberState::PortIn || self.may_add(who).await? => {}
            None => return Err(Refused::MayNotAdd),
        }
        self.make(who, account, text, state, edit).await
    }

    /// Reserves a number for `account`, or puts it in service there.
    ///
    /// # Errors
    /// [`Refused`], all but [`Refused::MayNotAdd`].
    pub async fn move_number(
        &self,
        who: &Principal,
        account: &AccountRow,
        texts: &[String],
        to: NumberState,
        edit: Edit<'_>,
    ) -> Result<Written<NumberRow>, Refused> {
        use NumberState::{Aging, Available, Discovery, InService, PortIn, Reserved};
        let row = self.row_of(account, texts).await?.ok_or(Refused::NotFound)?;
        match row.state {
            Available => return self.make(who, account, &row.number, to, edit).await,
            Aging if to == InService && may_be_taken(&row, account.id, aged()) => {
                return self.make(who, account, &row.number, to, edit).await;
            }
            Discovery => return self.acquire(who, account, row, to, edit).await,
            _ => {}
        }
        let own = row.account_id == account.id;
        let visible = row.state.is_held() && self.may_see(who, &row).await?;
        let related = match row.state {
            // What stands above passes its reserved numbers on.
            Reserved => visible || self.is_under(account, row.account_id).await?,
            _ => visible,
        };
        match (row.state, to) {
            _ if !related => Err(Refused::NotFound),
            (InService, InService) | (Reserved, Reserved) if own => match to {
                Reserved => Err(Refused::Unchanged),
                _ => Ok(Written {
                    value: row,
                    generation: self.directory.load().generation(),
                    warnings: Vec::new(),
                }),
            },
            (Reserved | InService, _) | (PortIn, InService) => {
                self.hand_over(who, account, row, to, edit).await
            }
            (from, to) => Err(Refused::Transition(from, to)),
        }
    }

    /// Changes what `edit` does of a number that `account` sees.
    ///
    /// # Errors
    /// [`Refused::NotFound`], [`Refused::Conflict`], and what the service refuses.
    pub async fn edit_number(
        &self,
        who: &Principal,
        account: &AccountRow,
        texts: &[String],
        edit: Edit<'_>,
    ) -> Result<Written<NumberRow>, Refused> {
        let before = self.seen(who, account, texts).await?;
        let owner = self.account_for(who, before.account_id).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        self.put(who, before, after, &owner).await
    }

    /// Gives a number back: to the account that reserved it before, else to nobody.
    ///
    /// # Errors
    /// [`Refused::NotFound`], also for a state that has nothing to give; [`Refused::Transition`].
    pub async fn give_back(
        &self,
        who: &Principal,
        account: &AccountRow,
        texts: &[String],
    ) -> Result<Written<NumberRow>, Refused> {
        let before = self.seen(who, account, texts).await?;
        if !before.state.is_held() {
            return Err(Refused::NotFound);
        }
        if matches!(before.state, NumberState::PortOut | NumberState::Disconnected) {
            return Err(Refused::Transition(before.state, NumberState::Released));
        }
        self.hand_back(who, before).await
    }

    /// To the account that reserved it before, else to nobody.
    pub(super) async fn hand_back(
        &self,
        who: &Principal,
        before: NumberRow,
    ) -> Result<Written<NumberRow>, Refused> {
        let (next, history) = self.next_in_line(&before).await?;
        let Some(next) = next else {
            let mut after = before.clone();
            after.reserve_history = Vec::new();
            after.used_by = None;
            release(&mut after);
            return self.write(who, before, after).await;
        };
        let mut after = NumberRow::new(next.id, next.organization_id, before.number.as_str());
        after.id = before.id;
        after.is_sip = before.is_sip;
        after.state = NumberState::Reserved;
        after.previous_account_id = Some(before.account_id);
        after.reserve_history = history;
        after.ported_in = before.ported_in;
        after.carrier.clone_from(&before.carrier);
        keep_capabilities(&before, &mut after);
        self.write(who, before, after).await
    }

    /// What a lookup of the number would say.
    ///
    /// # Errors
    /// [`Refused::NotFound`] where there is none, or its account is none that the asker may see.
    pub async fn looked_up(
        &self,
        who: &Principal,
        account: &AccountRow,
        texts: &[String],
    ) -> Result<(NumberRow, Lookup), Refused> {
        let row = self.row_of(account, texts).await?.ok_or(Refused::NotFound)?;
        if !row.state.is_held() {
            return Ok((row, Lookup::Unassigned));
        }
        if !self.may_see(who, &row).await? {
            return Err(Refused::NotFound);
        }
        let owner = self.store.read::<AccountRow>(row.account_id).await?;
        let active = owner.is_some_and(|owner| owner.status == Status::Active);
        let lookup = match row.state {
            NumberState::InService | NumberState::PortIn | NumberState::PortOut if active => {
                Lookup::Routes(row.account_id)
            }
            NumberState::InService | NumberState::PortIn | NumberState::PortOut => {
                Lookup::AccountDisabled(row.account_id)
            }
            _ => Lookup::NotInService(row.account_id),
        };
        Ok((row, lookup))
    }

    /// Whether the asker may add numbers that are not there.
    ///
    /// # Errors
    /// The store is away.
    pub async fn may_add(&self, who: &Principal) -> super::Result<bool> {
        match who {
            Principal::Account { sid, .. } if !who.is_super_admin() => {
                Ok(self.store.read::<AccountRow>(*sid).await?.is_some_and(|row| row.allow_additions))
            }
            _ => Ok(true),
        }
    }

    /// The row that the first of these texts has, as far as it concerns `account`: its own first.
    async fn row_of(&self, account: &AccountRow, texts: &[String]) -> super::Result<Option<NumberRow>> {
        for text in texts {
            let filter = NumberFilter { number: Some(text.clone()), ..NumberFilter::default() };
            let mut rows = self.store.numbers(&filter, Page::first(MOST_OF_ONE_TEXT)).await?.rows;
            rows.retain(|row| {
                let reaches = !row.is_sip || row.organization_id == account.organization_id;
                reaches && !pattern::is_pattern(&row.number)
            });
            rows.sort_by_key(|row| (!row.state.is_held(), row.account_id != account.id, row.is_sip));
            if !rows.is_empty() {
                return Ok(Some(rows.swap_remove(0)));
            }
        }
        Ok(None)
    }

    /// Whether a number is `account`'s or of one below it.
    async fn is_of(&self, row: &NumberRow, account: &AccountRow) -> super::Result<bool> {
        if row.account_id == account.id {
            return Ok(true);
        }
        match self.store.read::<AccountRow>(row.account_id).await? {
            Some(owner) => self.is_under(&owner, account.id).await,
            None => Ok(false),
        }
    }

    /// Whether the asker may act for the number's account.
    async fn may_see(&self, who: &Principal, row: &NumberRow) -> super::Result<bool> {
        match self.account_for(who, row.account_id).await {
            Ok(_) => Ok(true),
            Err(ServiceError::Forbidden(_) | ServiceError::NotFound { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    async fn make(
        &self,
        who: &Principal,
        account: &AccountRow,
        text: &str,
        state: NumberState,
        edit: Edit<'_>,
    ) -> Result<Written<NumberRow>, Refused> {
        let new = NewNumber { text: text.to_owned(), is_sip: None, state, kind: None, bought: false };
        let whole = |row: &mut NumberRow| {
            if state == NumberState::Reserved {
                row.reserve_history = vec![account.id];
            }
            edit(row)
        };
        self.create_number(who, account.id, new, whole).await.map_err(|error| match error {
            ServiceError::Taken { .. } => Refused::Exists,
            other => other.into(),
        })
    }

    /// Takes a number that a carrier showed.
    async fn acquire(
        &self,
        who: &Principal,
        account: &AccountRow,
        found: NumberRow,
        to: NumberState,
        edit: Edit<'_>,
    ) -> Result<Written<NumberRow>, Refused> {
        let mut row = NumberRow::new(account.id, account.organization_id, found.number.as_str());
        row.state = to;
        if to == NumberState::Reserved {
            row.reserve_history = vec![account.id];
        }
        keep_capabilities(&found, &mut row);
        row.carrier = Some("other".into());
        edit(&mut row)?;
        self.check_caps_of(account, &row).await?;
        let warnings = self.check_number(&row, account).await?;
        let still = |now: &NumberRow| now.state == NumberState::Discovery;
        let replaced = self.store.replace(&who.actor(), found.id, still, row).await?;
        let written = replaced.ok_or(Refused::Conflict)?;
        Ok(Written { value: written.row, generation: written.generation, warnings })
    }

    async fn hand_over(
        &self,
        who: &Principal,
        account: &AccountRow,
        before: NumberRow,
        to: NumberState,
        edit: Edit<'_>,
    ) -> Result<Written<NumberRow>, Refused> {
        let mut after = before.clone();
        if after.account_id != account.id {
            after.previous_account_id = Some(after.account_id);
            after.account_id = account.id;
            after.organization_id = account.organization_id;
            after.used_by = None;
        }
        if to == NumberState::Reserved && after.reserve_history.first() != Some(&account.id) {
            after.reserve_history.insert(0, account.id);
        }
        after.ported_in |= before.state == NumberState::PortIn;
        after.state = to;
        edit(&mut after)?;
        if before.account_id != account.id {
            self.check_caps_of(account, &after).await?;
        }
        self.put(who, before, after, account).await
    }

    /// Whom the number falls back to, with the history it has then.
    async fn next_in_line(&self, row: &NumberRow) -> super::Result<(Option<AccountRow>, Vec<AccountSid>)> {
        let mut history = row.reserve_history.clone();
        if history.first() == Some(&row.account_id) {
            history.remove(0);
        }
        while let Some(head) = history.first() {
            let next = self.store.read::<AccountRow>(*head).await?;
            if let Some(next) = next.filter(|next| next.status == Status::Active) {
                return Ok((Some(next), history));
            }
            history.remove(0);
        }
        Ok((None, history))
    }

    async fn put(
        &self,
        who: &Principal,
        before: NumberRow,
        after: NumberRow,
        owner: &AccountRow,
    ) -> Result<Written<NumberRow>, Refused> {
        let warnings = self.check_number(&after, owner).await?;
        Ok(Written { warnings, ..self.write(who, before, after).await? })
    }

    /// Writes `after` if the row is still as it was looked at.
    async fn write(
        &self,
        who: &Principal,
        before: NumberRow,
        after: NumberRow,
    ) -> Result<Written<NumberRow>, Refused> {
        let change = |row: &mut NumberRow| {
            if *row != before {
                return Err(Refused::Conflict);
            }
            *row = after;
            Ok(())
        };
        let written = match self.store.change::<NumberRow, _>(&who.actor(), before.id, change).await {
            Err(crate::store::StoreError::Duplicate { .. }) => return Err(Refused::Exists),
            Err(crate::store::StoreError::NotFound { .. }) => return Err(Refused::NotFound),
            other => other??,
        };
        Ok(Written { value: written.row, generation: written.generation, warnings: Vec::new() })
    }
}
