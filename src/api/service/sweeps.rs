//! Changes to all numbers that match, and released numbers brought back.

use crate::ids::{ApplicationSid, NumberSid};
use crate::store::{AccountRow, AuditFilter, NumberFilter, NumberRow, NumberState, Page, StoreError, Word};

use super::caps::Gains;
use super::{Principal, Result, Service, ServiceError, Written};

/// The most numbers that one change may match.
const MOST: usize = 100_000;

/// Rows read in one go.
const READ: u64 = 1_000;

/// How many examples a sweep shows.
const SHOWN: usize = 20;

/// How far back in a number's history its last holder is looked for.
const HISTORY: u64 = 50;

/// What a change to all that match came to, or would.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// How many matched.
    pub matched: u64,
    /// How many of them are changed.
    pub changed: u64,
    /// The first of these, before and after.
    pub examples: Vec<(NumberRow, NumberRow)>,
    /// The generation that shows it; `None` where nothing was written.
    pub generation: Option<u64>,
}

impl Service {
    /// Changes all numbers the filter lets through, in one transaction; with `dry_run` it is only said what
    /// would change.
    ///
    /// # Errors
    /// What `edit` says of any of them, more than 100,000 that match, or the asker may not: nothing is
    /// written then.
    pub async fn sweep_numbers<E: From<ServiceError> + From<StoreError> + Send>(
        &self,
        who: &Principal,
        filter: &NumberFilter,
        dry_run: bool,
        edit: impl Fn(&mut NumberRow) -> Result<(), E> + Sync,
    ) -> Result<Sweep, E> {
        let mut sweep = Sweep::default();
        let mut ids: Vec<NumberSid> = Vec::new();
        let mut after = None;
        let mut owner: Option<AccountRow> = None;
        let mut gains = Gains::default();
        loop {
            let (rows, next) = self.store.numbers_after(filter, after.as_ref(), READ).await?;
            after = next;
            sweep.matched += rows.len() as u64;
            for row in rows {
                let mut changed = row.clone();
                edit(&mut changed)?;
                if changed == row {
                    continue;
                }
                if owner.as_ref().is_none_or(|owner| owner.id != changed.account_id) {
                    owner = Some(self.account_for(who, changed.account_id).await?);
                }
                if let Some(owner) = &owner {
                    self.check_number(&changed, owner).await?;
                }
                gains.add(Some(&row), &changed);
                ids.push(row.id);
                if sweep.examples.len() < SHOWN {
                    sweep.examples.push((row, changed));
                }
            }
            if ids.len() > MOST {
                let problem = "more than 100,000 numbers match: narrow it by number, account or state";
                return Err(ServiceError::field("where", problem).into());
            }
            if after.is_none() {
                break;
            }
        }
        self.check_gains(&gains).await?;
        sweep.changed = ids.len() as u64;
        if !dry_run && !ids.is_empty() {
            let written = self.store.modify_many(&who.actor(), &ids, &edit).await?;
            sweep.generation = Some(written.generation);
        }
        Ok(sweep)
    }

    /// Brings a number back that was given back: as it was, in the hands of the account that had it.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; a field error for a number that was not given back; a cap of the account.
    pub async fn restore_number(&self, who: &Principal, sid: NumberSid) -> Result<Written<NumberRow>> {
        let row = self.store.read::<NumberRow>(sid).await?;
        let row = row.ok_or_else(|| ServiceError::not_found("number", sid))?;
        let owner = self.account_for(who, row.account_id).await?;
        if !matches!(row.state, NumberState::Aging | NumberState::Released) {
            let problem =
                format!("is {}: only a number that was given back can be restored", row.state.word());
            return Err(ServiceError::field("state", problem));
        }
        let was = self.last_held(&row).await?;
        let mut back = row.clone();
        back.state = was.as_ref().map_or(NumberState::InService, |was| was.state);
        if let Some(was) = was {
            back.voice_application_id = self.still(was.voice, &owner).await?;
            back.sms_application_id = self.still(was.sms, &owner).await?;
            back.ussd_application_id = self.still(was.ussd, &owner).await?;
            back.refer_application_id = self.still(was.refer, &owner).await?;
        }
        self.check_caps_of(&owner, &back).await?;
        let warnings = self.check_number(&back, &owner).await?;
        let bring = |now: &mut NumberRow| {
            if now.state.is_held() {
                return Err(ServiceError::field("state", "changed meanwhile: look at the number again"));
            }
            *now = back;
            Ok(())
        };
        let written = self.store.change::<NumberRow, ServiceError>(&who.actor(), sid, bring).await??;
        Ok(Written { value: written.row, generation: written.generation, warnings })
    }

    /// The application, unless it is gone.
    async fn still(&self, sid: Option<ApplicationSid>, owner: &AccountRow) -> Result<Option<ApplicationSid>> {
        match self.check_application("application_sid", sid, owner).await {
            Ok(()) => Ok(sid),
            Err(ServiceError::Field { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the audit says of the number when somebody had it last.
    async fn last_held(&self, row: &NumberRow) -> Result<Option<Held>> {
        let filter = AuditFilter {
            subject: Some("numbers".to_owned()),
            id: Some(row.id.word()),
            ..AuditFilter::default()
        };
        let entries = self.store.audit(&filter, Page::first(HISTORY)).await?;
        let rows = entries.iter().filter_map(|entry| entry.before.as_deref().and_then(Held::read));
        Ok(rows.into_iter().find(|held| held.state.is_held()))
    }
}

/// What giving back takes from a number.
struct Held {
    state: NumberState,
    voice: Option<ApplicationSid>,
    sms: Option<ApplicationSid>,
    ussd: Option<ApplicationSid>,
    refer: Option<ApplicationSid>,
}

impl Held {
    fn read(form: &str) -> Option<Self> {
        let row: serde_json::Value = serde_json::from_str(form).ok()?;
        let sid = |name: &str| row[name].as_str().and_then(ApplicationSid::of_word);
        Some(Self {
            state: NumberState::of_word(row["state"].as_str()?)?,
            voice: sid("voice_application_id"),
            sms: sid("sms_application_id"),
            ussd: sid("ussd_application_id"),
            refer: sid("refer_application_id"),
        })
    }
}
