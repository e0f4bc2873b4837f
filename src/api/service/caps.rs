//! What one account may have.

use crate::ids::AccountSid;
use crate::routing::pattern;
use crate::store::{AccountRow, NumberRow};

use std::collections::HashMap;

use super::{Result, Service, ServiceError};

/// Exact numbers and patterns that accounts get by one request.
#[derive(Debug, Default)]
pub(super) struct Gains(HashMap<AccountSid, (u64, u64)>);

impl Gains {
    /// Counts a row as it will be, where its account does not have it yet.
    pub(super) fn add(&mut self, before: Option<&NumberRow>, after: &NumberRow) {
        let had = before.is_some_and(|row| row.state.is_held() && row.account_id == after.account_id);
        if !after.state.is_held() || had {
            return;
        }
        let count = self.0.entry(after.account_id).or_default();
        if pattern::is_pattern(&after.number) { count.1 += 1 } else { count.0 += 1 }
    }
}

impl Service {
    /// Whether `account` may have so many more exact numbers and patterns.
    ///
    /// # Errors
    /// [`ServiceError::Full`], which names the cap.
    pub(super) async fn check_caps(&self, account: &AccountRow, numbers: u64, patterns: u64) -> Result<()> {
        if numbers > 0
            && let Some(most) = account.max_numbers.map(u64::from)
        {
            self.check_cap(account, "max_numbers", most, numbers, false).await?;
        }
        if patterns > 0
            && let Some(most) = account.max_patterns.map(u64::from)
        {
            self.check_cap(account, "max_patterns", most, patterns, true).await?;
        }
        Ok(())
    }

    /// Whether each account may have what it gets.
    ///
    /// # Errors
    /// As [`Service::check_caps`].
    pub(super) async fn check_gains(&self, gains: &Gains) -> Result<()> {
        for (sid, (numbers, patterns)) in &gains.0 {
            if let Some(account) = self.store.read::<AccountRow>(*sid).await? {
                self.check_caps(&account, *numbers, *patterns).await?;
            }
        }
        Ok(())
    }

    /// The same for one row.
    pub(super) async fn check_caps_of(&self, account: &AccountRow, row: &NumberRow) -> Result<()> {
        let patterns = u64::from(pattern::is_pattern(&row.number));
        self.check_caps(account, 1 - patterns, patterns).await
    }

    async fn check_cap(
        &self,
        account: &AccountRow,
        name: &'static str,
        most: u64,
        more: u64,
        patterns: bool,
    ) -> Result<()> {
        let has = self.store.count_numbers(account.id, patterns, most).await?;
        if has + more <= most {
            return Ok(());
        }
        Err(ServiceError::Full { name, most })
    }
}
