//! What one account may have.

use crate::routing::pattern;
use crate::store::{AccountRow, NumberRow};

use super::{Result, Service, ServiceError};

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
