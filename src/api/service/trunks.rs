//! Trunks: SIP peers that may send calls.

use std::sync::Arc;

use crate::ids::TrunkSid;
use crate::routing::model::Trunk;
use crate::routing::trunk::check as check_tie;
use crate::store::{Listed, OrganizationRow, Page, StoreError, TrunkRow, routed_trunk};

use super::{Principal, Result, Service, ServiceError, Written, check_name};

/// More trunks than this are not compared with one another.
const MOST: u64 = 100_000;

impl Service {
    /// Creates a trunk.
    ///
    /// # Errors
    /// What `edit` says, a field that holds what it may not, [`ServiceError::Taken`] for the name, or
    /// a tie with another trunk.
    pub async fn create_trunk<E: From<ServiceError> + Send>(
        &self,
        who: &Principal,
        edit: impl Fn(&mut TrunkRow) -> Result<(), E> + Sync,
    ) -> Result<Written<TrunkRow>, E> {
        let mut row = TrunkRow::new("", Vec::new());
        edit(&mut row)?;
        let warnings = self.check_trunk(&row).await?;
        let name = row.name.clone();
        let written = self.store.create(&who.actor(), row).await.map_err(|error| taken(error, name))?;
        Ok(Written { value: written.row, generation: written.generation, warnings })
    }

    /// Changes a trunk.
    ///
    /// # Errors
    /// As [`Service::create_trunk`]; [`ServiceError::NotFound`].
    pub async fn update_trunk<E: From<ServiceError> + Send>(
        &self,
        who: &Principal,
        id: &str,
        edit: impl Fn(&mut TrunkRow) -> Result<(), E> + Sync,
    ) -> Result<Written<TrunkRow>, E> {
        let before = self.trunk(id).await?;
        let mut after = before.clone();
        edit(&mut after)?;
        let warnings = self.check_trunk(&after).await?;
        let (row, generation) = self.rewrite(who, before, &edit).await?;
        Ok(Written { value: row, generation, warnings })
    }

    /// Removes a trunk.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn delete_trunk(&self, who: &Principal, id: &str) -> Result<Written<()>> {
        let row = self.trunk(id).await?;
        let generation = self.store.delete::<TrunkRow>(&who.actor(), row.id).await?;
        Ok(Written { value: (), generation, warnings: Vec::new() })
    }

    /// One trunk, by sid or name.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn trunk(&self, id: &str) -> Result<TrunkRow> {
        if let Ok(sid) = id.parse::<TrunkSid>()
            && let Some(row) = self.store.read::<TrunkRow>(sid).await?
        {
            return Ok(row);
        }
        let named = self.store.named::<TrunkRow>(id).await?;
        named.ok_or_else(|| ServiceError::not_found("trunk", id))
    }

    /// All trunks, oldest first.
    ///
    /// # Errors
    /// The store is away.
    pub async fn trunks(&self, page: Page) -> Result<Listed<TrunkRow>> {
        Ok(self.store.list::<TrunkRow>(page).await?)
    }

    async fn check_trunk(&self, row: &TrunkRow) -> Result<Vec<String>> {
        check_operators_name(&row.name)?;
        if let Some(sid) = row.organization_id {
            let there = self.store.read::<OrganizationRow>(sid).await?;
            there.ok_or_else(|| {
                ServiceError::field("organization_sid", format!("is {sid}, which is not there"))
            })?;
        }
        check_refusal("limit_code", row.limit_code)?;
        if let Some(code) = row.webhook_failure_status {
            check_refusal("webhook_failure_status", code)?;
        }
        let profile = [
            ("country_code", &row.country_code),
            ("international_prefix", &row.international_prefix),
            ("national_prefix", &row.national_prefix),
        ];
        for (field, digits) in profile {
            if !digits.bytes().all(|b| b.is_ascii_digit()) {
                return Err(ServiceError::field(field, format!("is `{digits}`: use digits only")));
            }
        }
        self.check_ties(row).await?;
        let mut warnings = Vec::new();
        if row.sources.is_empty() {
            warnings
                .push("the trunk has no sources, so that nothing can come from it: set sources".to_owned());
        }
        Ok(warnings)
    }

    async fn check_ties(&self, row: &TrunkRow) -> Result<()> {
        let others = self.trunks(Page::first(MOST)).await?.rows;
        let others: Vec<Arc<Trunk>> = others.into_iter().map(|row| Arc::new(routed_trunk(row))).collect();
        let tie = check_tie(&routed_trunk(row.clone()), &others);
        tie.map_err(|tie| ServiceError::field("sources", format!("tie with another trunk: {tie}")))
    }
}

/// Names are typed: no spaces, no surprises.
pub(super) fn check_operators_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '@' | ':');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(ServiceError::field("name", "is no name: use letters, digits, `-`, `_` and `.`"));
    }
    check_name("name", name)
}

fn check_refusal(field: &'static str, code: u16) -> Result<()> {
    if (400..700).contains(&code) && !matches!(code, 401 | 407) {
        return Ok(());
    }
    Err(ServiceError::field(field, format!("is {code}: use 400 to 699, neither 401 nor 407")))
}

pub(super) fn taken(error: StoreError, name: String) -> ServiceError {
    match error {
        StoreError::Duplicate { .. } => {
            ServiceError::Taken { field: "name", value: name, fix: "choose another" }
        }
        other => other.into(),
    }
}
