//! Many numbers in one request: each is made, changed, left as it is, or refused by itself.

use std::collections::{HashMap, HashSet};

use crate::ids::{AccountSid, NumberSid, OrganizationSid};
use crate::routing::pattern;
use crate::store::{AccountRow, NumberRow, NumberState, StoreError};

use super::caps::Gains;
use super::numbers::{aged, may_be_taken, taken};
use super::texts::{mended, problem_of};
use super::{Principal, Result, Service, ServiceError};

/// One number of a bulk request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BulkNumber {
    /// The text.
    pub text: String,
    /// Whose it is to be.
    pub account: AccountSid,
    /// A pure SIP number.
    pub is_sip: bool,
}

/// What is done about a number that somebody has already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is changed.
    Update,
    /// It is refused.
    Refuse,
}

/// What a bulk request came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bulk {
    /// How many were made.
    pub created: u64,
    /// How many were changed.
    pub updated: u64,
    /// How many were so already.
    pub unchanged: u64,
    /// Those that were refused: the place in the request, and why.
    pub refused: Vec<(usize, String)>,
    /// The generation that shows what was written; `None` where nothing was.
    pub generation: Option<u64>,
}

/// What is to be written.
#[derive(Default)]
struct Plan {
    rows: Vec<NumberRow>,
    instead: Vec<NumberSid>,
    changes: HashMap<NumberSid, usize>,
    gains: Gains,
    /// What the request named before, each with the organization it must be unique in.
    seen: HashSet<(String, Option<OrganizationSid>)>,
}

impl Service {
    /// Makes or changes numbers, those that are right in one transaction; `edit` lays what was given for
    /// the number at a place over its row, and its errors are told by `say`.
    ///
    /// # Errors
    /// The store is away, or somebody wrote one of them at the same time: nothing is written then.
    pub async fn upsert_numbers<E: From<ServiceError> + From<StoreError> + Send>(
        &self,
        who: &Principal,
        wanted: &[BulkNumber],
        existing: Existing,
        edit: impl Fn(usize, &mut NumberRow) -> Result<(), E> + Sync,
        say: impl Fn(&E) -> String + Sync,
    ) -> Result<Bulk, E> {
        let mut bulk = Bulk::default();
        let mut plan = Plan::default();
        let accounts = self.owners(who, wanted).await?;
        let known = self.known(wanted, &accounts).await?;
        for (at, number) in wanted.iter().enumerate() {
            let placed = match accounts.get(&number.account) {
                Some(Ok(account)) => {
                    self.place(at, number, account, existing, &known, &mut plan, &edit).await
                }
                Some(Err(problem)) => Err(ServiceError::field("account_sid", problem.clone()).into()),
                None => Err(ServiceError::not_found("account", number.account).into()),
            };
            match placed {
                Ok(true) => {}
                Ok(false) => bulk.unchanged += 1,
                Err(error) => bulk.refused.push((at, say(&error))),
            }
        }
        self.write_bulk(who, plan, &mut bulk, edit).await?;
        Ok(bulk)
    }

    async fn owners(
        &self,
        who: &Principal,
        wanted: &[BulkNumber],
    ) -> Result<HashMap<AccountSid, Result<AccountRow, String>>> {
        let mut accounts = HashMap::new();
        for number in wanted {
            if accounts.contains_key(&number.account) {
                continue;
            }
            let account = match self.account_for(who, number.account).await {
                Err(ServiceError::Store(error)) => return Err(error.into()),
                other => other.map_err(|error| error.to_string()),
            };
            accounts.insert(number.account, account);
        }
        Ok(accounts)
    }

    /// The rows that have one of the texts, by text.
    async fn known(
        &self,
        wanted: &[BulkNumber],
        accounts: &HashMap<AccountSid, Result<AccountRow, String>>,
    ) -> Result<HashMap<String, Vec<NumberRow>>> {
        let mut texts: HashMap<OrganizationSid, Vec<String>> = HashMap::new();
        for number in wanted {
            if let Some(Ok(account)) = accounts.get(&number.account) {
                texts.entry(account.organization_id).or_default().push(mended(&number.text).0);
            }
        }
        let mut known: HashMap<String, Vec<NumberRow>> = HashMap::new();
        for (organization, texts) in texts {
            for row in self.store.with_texts(organization, &texts).await? {
                let rows = known.entry(row.number.clone()).or_default();
                if rows.iter().all(|other| other.id != row.id) {
                    rows.push(row);
                }
            }
        }
        Ok(known)
    }

    /// Puts one number into the plan; whether there is anything to be written.
    #[expect(clippy::too_many_arguments, reason = "one number, and all that is known of the others")]
    async fn place<E: From<ServiceError> + Send>(
        &self,
        at: usize,
        number: &BulkNumber,
        account: &AccountRow,
        existing: Existing,
        known: &HashMap<String, Vec<NumberRow>>,
        plan: &mut Plan,
        edit: &(impl Fn(usize, &mut NumberRow) -> Result<(), E> + Sync),
    ) -> Result<bool, E> {
        let (text, _) = mended(&number.text);
        pattern::check(&text).map_err(|bad| ServiceError::field("number", problem_of(&bad.to_string())))?;
        let mut row = NumberRow::new(account.id, account.organization_id, text.as_str());
        row.is_sip = number.is_sip || pattern::is_pattern(&text);
        let same = |other: &&NumberRow| {
            let is_sip = other.is_sip || pattern::is_pattern(&other.number);
            is_sip == row.is_sip && (!is_sip || other.organization_id == row.organization_id)
        };
        let found = known.get(&text).and_then(|rows| rows.iter().find(same));
        edit(at, &mut row)?;
        if !plan.seen.insert((text.clone(), row.is_sip.then_some(row.organization_id))) {
            // Of a number that stands twice in the request the first counts.
            return match existing {
                Existing::Update => Ok(false),
                Existing::Refuse => Err(there(&text).into()),
            };
        }
        if let Some(found) = found.filter(|found| stands(found, row.state, account.id)) {
            return self.change(at, found, existing, plan, edit).await;
        }
        self.check_number(&row, account).await?;
        plan.instead.extend(found.map(|found| found.id));
        plan.rows.push(row);
        Ok(true)
    }

    async fn change<E: From<ServiceError> + Send>(
        &self,
        at: usize,
        found: &NumberRow,
        existing: Existing,
        plan: &mut Plan,
        edit: &(impl Fn(usize, &mut NumberRow) -> Result<(), E> + Sync),
    ) -> Result<bool, E> {
        if existing == Existing::Refuse {
            return Err(there(&found.number).into());
        }
        let mut after = found.clone();
        edit(at, &mut after)?;
        if after == *found {
            return Ok(false);
        }
        let owner = self.store.read::<AccountRow>(after.account_id).await.map_err(ServiceError::from)?;
        let owner = owner.ok_or_else(|| ServiceError::not_found("account", after.account_id))?;
        self.check_number(&after, &owner).await?;
        plan.gains.add(Some(found), &after);
        plan.changes.insert(found.id, at);
        Ok(true)
    }

    async fn write_bulk<E: From<ServiceError> + From<StoreError> + Send>(
        &self,
        who: &Principal,
        mut plan: Plan,
        bulk: &mut Bulk,
        edit: impl Fn(usize, &mut NumberRow) -> Result<(), E> + Sync,
    ) -> Result<(), E> {
        plan.instead.sort_unstable();
        plan.instead.dedup();
        if plan.rows.is_empty() && plan.changes.is_empty() {
            return Ok(());
        }
        plan.rows.iter().for_each(|row| plan.gains.add(None, row));
        self.check_gains(&plan.gains).await?;
        bulk.created = plan.rows.len() as u64;
        let first = plan.rows.first().map(|row| row.number.clone()).unwrap_or_default();
        let refused = |error| E::from(taken(error, &first));
        let is_stock = |row: &NumberRow| {
            let bare = NumberRow::new(row.account_id, row.organization_id, row.number.as_str());
            !row.state.is_held() && *row == NumberRow { state: row.state, is_sip: row.is_sip, ..bare }
        };
        if plan.changes.is_empty() && plan.instead.is_empty() && plan.rows.iter().all(is_stock) {
            let written =
                self.store.create_stock(&who.actor(), plan.rows, &bulk.refused).await.map_err(refused)?;
            bulk.generation = Some(written.generation);
            return Ok(());
        }
        let ids: Vec<NumberSid> = plan.changes.keys().copied().collect();
        let change = |row: &mut NumberRow| match plan.changes.get(&row.id) {
            Some(at) => edit(*at, row),
            None => Ok(()),
        };
        let rows = (plan.instead.as_slice(), plan.rows);
        let (created, changed) = self.store.upsert_many(&who.actor(), rows, &ids, change).await?;
        bulk.updated = changed.len() as u64;
        bulk.generation = Some(created.generation);
        Ok(())
    }
}

/// Whether a row that is there is the number that is meant, and not one that makes room for it.
fn stands(found: &NumberRow, wanted: NumberState, account: AccountSid) -> bool {
    found.state.is_held() || !wanted.is_held() || !may_be_taken(found, account, aged())
}

fn there(text: &str) -> ServiceError {
    ServiceError::Taken { field: "number", value: text.to_owned(), fix: "it is there already" }
}
