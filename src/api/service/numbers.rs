//! Numbers: exact ones, patterns, the catch-all.

use jiff::{SignedDuration, Timestamp};

use crate::ids::{AccountSid, ApplicationSid, NumberSid};
use crate::routing::model::MatchMode;
use crate::routing::{lint, pattern};
use crate::store::{
    AccountRow, ApplicationRow, Listed, NumberFilter, NumberKind, NumberRow, NumberState, OrganizationRow,
    Page, StoreError,
};

use super::texts::{check_sip_uri, mended, problem_of};
use super::{Principal, Refused, Result, Service, ServiceError, Written, check_name, numbering, urls};

/// One text has at most one row an organization, and one that is a provider's.
const MOST_OF_ONE_TEXT: u64 = 1_000;

/// How often a number is looked at anew when somebody changed it meanwhile.
const LOOKS: usize = 5;

/// How long a released number waits before anybody else may have it.
const AGING: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A number to be created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNumber {
    /// The text.
    pub text: String,
    /// A pure SIP number; `None`: a provider number, unless the text is a pattern.
    pub is_sip: Option<bool>,
    /// Its state.
    pub state: NumberState,
    /// The kind it must be of.
    pub kind: Option<NumberKind>,
    /// A customer asks: where the inventory is strict, a provider number must be in it.
    pub bought: bool,
}

impl Service {
    /// Creates a number of `account`; `edit` lays what the asker gave over the defaults. An available
    /// number is claimed, one that the account released is taken back, as new.
    ///
    /// # Errors
    /// What `edit` says, a field that holds what it may not, [`ServiceError::Taken`] where the number
    /// is there already, [`ServiceError::Unobtainable`] where it is not to be had, or the asker may not.
    pub async fn create_number<E: From<ServiceError> + Send>(
        &self,
        who: &Principal,
        account: AccountSid,
        new: NewNumber,
        edit: impl Fn(&mut NumberRow) -> Result<(), E> + Sync,
    ) -> Result<Written<NumberRow>, E> {
        let account = self.account_for(who, account).await?;
        let (text, mut warnings) = mended(&new.text);
        pattern::check(&text).map_err(|bad| ServiceError::field("number", problem_of(&bad.to_string())))?;
        if let Some(wanted) = new.kind {
            check_kind(&text, wanted)?;
        }
        let mut row = NumberRow::new(account.id, account.organization_id, text.as_str());
        let is_pattern = pattern::is_pattern(&text);
        if is_pattern && new.is_sip == Some(false) {
            warnings.push(format!("`{text}` is a pattern, which isSIP=true goes with: it was set"));
        }
        row.is_sip = is_pattern || new.is_sip.unwrap_or(false);
        row.state = new.state;
        let waiting = self.waiting(&row).await?;
        if let Some(waiting) = &waiting {
            super::heritage::inherit(waiting, &mut row);
        }
        edit(&mut row)?;
        warnings.extend(self.check_number(&row, &account).await?);
        if row.state.is_held() {
            self.check_caps_of(&account, &row).await?;
        }
        let written = match waiting {
            Some(waiting) => {
                let (aged, receiver) = (aged(), row.account_id);
                let still = move |now: &NumberRow| may_be_taken(now, receiver, aged);
                let replaced = self.store.replace(&who.actor(), waiting.id, still, row).await;
                replaced.map_err(|error| taken(error, &text))?.ok_or_else(|| occupied(&text))?
            }
            None if self.strict && new.bought && !row.is_sip => {
                let problem = format!("PhoneNumber `{text}` is not in the inventory");
                return Err(ServiceError::Unobtainable(problem).into());
            }
            None => self.store.create(&who.actor(), row).await.map_err(|error| taken(error, &text))?,
        };
        Ok(Written { value: written.row, generation: written.generation, warnings })
    }

    /// The row in the way of `row`, if it is one that may be taken.
    async fn waiting(&self, row: &NumberRow) -> Result<Option<NumberRow>> {
        let organization = row.is_sip.then_some(row.organization_id);
        let filter =
            NumberFilter { number: Some(row.number.clone()), organization, ..NumberFilter::default() };
        let found = self.store.numbers(&filter, Page::first(MOST_OF_ONE_TEXT)).await?.rows;
        let aged = aged();
        let same_scope =
            |other: &&NumberRow| (other.is_sip || pattern::is_pattern(&other.number)) == row.is_sip;
        let free = |other: &&NumberRow| may_be_taken(other, row.account_id, aged);
        Ok(found.iter().filter(same_scope).find(free).cloned())
    }

    /// Changes a number that `who` may touch.
    ///
    /// # Errors
    /// As [`Service::create_number`]; [`ServiceError::NotFound`] for a number that is not there or
    /// not `account`'s.
    pub async fn update_number<E: From<ServiceError> + Send>(
        &self,
        who: &Principal,
        account: AccountSid,
        sid: NumberSid,
        edit: impl Fn(&mut NumberRow) -> Result<(), E> + Sync,
    ) -> Result<Written<NumberRow>, E> {
        let before = self.any_number(who, account, sid).await?;
        let edit = |row: &mut NumberRow| {
            let owner = row.account_id;
            edit(row)?;
            if row.account_id != owner {
                // Whose main number it was is no longer its owner.
                row.main = false;
            }
            Ok::<(), E>(())
        };
        let mut after = before.clone();
        edit(&mut after)?;
        if after.number != before.number {
            pattern::check(&after.number)
                .map_err(|bad| ServiceError::field("number", problem_of(&bad.to_string())))?;
        }
        let owner = self.account_for(who, after.account_id).await?;
        if after.state.is_held() && (owner.id != before.account_id || !before.state.is_held()) {
            self.check_caps_of(&owner, &after).await?;
        }
        let warnings = self.check_number(&after, &owner).await?;
        let text = after.number.clone();
        let (row, generation) = self.rewrite(who, before, &edit).await?;
        debug_assert_eq!(row.number, text);
        Ok(Written { value: row, generation, warnings })
    }

    /// Removes a number for good.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], or the asker may not.
    pub async fn delete_number(
        &self,
        who: &Principal,
        account: AccountSid,
        sid: NumberSid,
    ) -> Result<Written<()>> {
        self.any_number(who, account, sid).await?;
        let generation = self.store.delete::<NumberRow>(&who.actor(), sid).await?;
        Ok(Written { value: (), generation, warnings: Vec::new() })
    }

    /// Gives a number back: it no longer routes. Where another account reserved it before, that one has it again,
    /// reserved; else only its account may have it again for 30 days.
    ///
    /// # Errors
    /// As [`Service::delete_number`].
    pub async fn release_number(
        &self,
        who: &Principal,
        account: AccountSid,
        sid: NumberSid,
    ) -> Result<Written<()>> {
        for _ in 0..LOOKS {
            let row = self.number(who, account, sid).await?;
            match self.hand_back(who, row).await {
                Ok(written) => {
                    return Ok(Written { value: (), generation: written.generation, warnings: Vec::new() });
                }
                // Somebody changed it between the look and the write.
                Err(Refused::Conflict) => {}
                Err(Refused::Service(error)) => return Err(error),
                Err(_) => return Err(ServiceError::not_found("number", sid)),
            }
        }
        Err(ServiceError::Failed("the number is being changed by others all the time: repeat the request"))
    }

    /// One number that `account` has.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], also for another account's number and a released one; the asker may
    /// not.
    pub async fn number(&self, who: &Principal, account: AccountSid, sid: NumberSid) -> Result<NumberRow> {
        let row = self.any_number(who, account, sid).await?;
        if row.state.is_held() { Ok(row) } else { Err(ServiceError::not_found("number", sid)) }
    }

    /// One number of `account`, whatever its state.
    pub(super) async fn any_number(
        &self,
        who: &Principal,
        account: AccountSid,
        sid: NumberSid,
    ) -> Result<NumberRow> {
        self.account_for(who, account).await?;
        let row = self.store.read::<NumberRow>(sid).await?;
        row.filter(|row| row.account_id == account).ok_or_else(|| ServiceError::not_found("number", sid))
    }

    /// The numbers that `account` has and the filter lets through; sub-accounts' are not among them.
    ///
    /// # Errors
    /// The asker may not, or the store is away.
    pub async fn numbers(
        &self,
        who: &Principal,
        account: AccountSid,
        mut filter: NumberFilter,
        page: Page,
    ) -> Result<Listed<NumberRow>> {
        filter.account = Some(self.account_for(who, account).await?.id);
        filter.held = true;
        if filter.kind.is_some() {
            self.classify(filter.account).await?;
        }
        Ok(self.store.numbers(&filter, page).await?)
    }

    /// The friendly name of an application, where there is one.
    ///
    /// # Errors
    /// The store is away.
    pub async fn application_name(&self, sid: Option<ApplicationSid>) -> Result<Option<String>> {
        let Some(sid) = sid else { return Ok(None) };
        Ok(self.store.read::<ApplicationRow>(sid).await?.map(|row| row.friendly_name))
    }

    /// Checks a row as it is to be written; what is worth saying about it.
    pub(super) async fn check_number(&self, row: &NumberRow, account: &AccountRow) -> Result<Vec<String>> {
        let mut warnings = Vec::new();
        if let Some(name) = &row.friendly_name {
            check_name("friendly_name", name)?;
        }
        for (field, url) in [
            ("voice_url", &row.voice_url),
            ("voice_fallback_url", &row.voice_fallback_url),
            ("status_callback", &row.status_callback),
            ("sms_url", &row.sms_url),
            ("sms_fallback_url", &row.sms_fallback_url),
            ("ussd_url", &row.ussd_url),
            ("ussd_fallback_url", &row.ussd_fallback_url),
            ("refer_url", &row.refer_url),
        ] {
            urls::check(field, url.as_deref(), &self.guard, &mut warnings)?;
        }
        if let Some(target) = &row.fallback_target {
            check_sip_uri("fallback_target", target)?;
        }
        for (field, sid) in [
            ("voice_application_sid", row.voice_application_id),
            ("sms_application_sid", row.sms_application_id),
            ("ussd_application_sid", row.ussd_application_id),
            ("refer_application_sid", row.refer_application_id),
        ] {
            self.check_application(field, sid, account).await?;
        }
        warnings.extend(self.remarks(row).await?);
        Ok(warnings)
    }

    /// A number may name applications of its own account, of its ancestors, and of accounts in its
    /// organization.
    pub(super) async fn check_application(
        &self,
        field: &'static str,
        sid: Option<ApplicationSid>,
        account: &AccountRow,
    ) -> Result<()> {
        let Some(sid) = sid else { return Ok(()) };
        let unknown =
            || ServiceError::field(field, format!("is {sid}, which is no application of this account"));
        let application = self.store.read::<ApplicationRow>(sid).await?.ok_or_else(unknown)?;
        if application.account_id == account.id {
            return Ok(());
        }
        let owner = self.store.read::<AccountRow>(application.account_id).await?.ok_or_else(unknown)?;
        if owner.organization_id == account.organization_id { Ok(()) } else { Err(unknown()) }
    }

    /// What the linter says about the text by itself and among those of its organization.
    async fn remarks(&self, row: &NumberRow) -> Result<Vec<String>> {
        if !pattern::is_pattern(&row.number) {
            return Ok(Vec::new());
        }
        let organization = self.store.read::<OrganizationRow>(row.organization_id).await?;
        let mode = organization.map_or(MatchMode::Full, |organization| organization.match_mode);
        let directory = self.directory.load_full();
        let notes = match directory.patterns_of(row.organization_id) {
            Some(set) => lint::joining(set, &row.number, mode),
            None => lint::one(&row.number, mode),
        };
        Ok(notes.iter().map(ToString::to_string).collect())
    }
}

/// A number that is given back. It names no application any more: what nobody sees must not keep one
/// from being removed.
pub(super) fn release(row: &mut NumberRow) {
    row.state = NumberState::Aging;
    row.main = false;
    row.voice_application_id = None;
    row.sms_application_id = None;
    row.ussd_application_id = None;
    row.refer_application_id = None;
}

/// Whether `account` may have a number that is there: an available one, one of its own that it released,
/// or one that has aged.
pub(super) fn may_be_taken(row: &NumberRow, account: AccountSid, aged: Timestamp) -> bool {
    match row.state {
        NumberState::Available | NumberState::Released | NumberState::Deleted => true,
        NumberState::Aging => row.account_id == account || row.updated_at < aged,
        _ => false,
    }
}

/// What was given back before this moment is free for everybody.
pub(super) fn aged() -> Timestamp {
    Timestamp::now().checked_sub(AGING).unwrap_or(Timestamp::MIN)
}

fn check_kind(text: &str, wanted: NumberKind) -> Result<()> {
    let found = numbering::classified(text).kind;
    if found.is(wanted) {
        return Ok(());
    }
    let kind = |kind| match kind {
        NumberKind::Local => "a local number",
        NumberKind::TollFree => "a toll-free number",
        NumberKind::Mobile => "a mobile number",
        NumberKind::Either => "a local or mobile number",
        NumberKind::None => "no number of the numbering plan",
    };
    Err(ServiceError::Unobtainable(format!(
        "PhoneNumber `{text}` is {}, and {} is asked for",
        kind(found),
        kind(wanted)
    )))
}

pub(super) fn taken(error: StoreError, text: &str) -> ServiceError {
    match error {
        StoreError::Duplicate { .. } => occupied(text),
        other => other.into(),
    }
}

pub(super) fn occupied(text: &str) -> ServiceError {
    ServiceError::Taken {
        field: "number",
        value: text.to_owned(),
        fix: "choose another, or change the one that is there",
    }
}
