//! What anybody may have, as an open search shows it: the inventory, and what a carrier showed.

use jiff::{SignedDuration, Timestamp};

use crate::store::{Fields, NumberFilter, NumberRow, NumberState, Page, Wanted};

use super::numbers::aged;
use super::{Result, Service};

/// What a carrier showed is forgotten after this.
const DISCOVERED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Who writes down what a carrier showed.
const CARRIER: &str = "carrier";

impl Service {
    /// Numbers beginning with `prefix` that may be had, in their order.
    ///
    /// # Errors
    /// The store is away.
    pub async fn to_be_had(&self, prefix: &str, page: Page) -> Result<Vec<NumberRow>> {
        let wanted = Wanted { prefix: Some(prefix.to_owned()), discovered: true, ..Wanted::default() };
        Ok(self.store.available(&wanted, aged(), page).await?)
    }

    /// Whether a number may be had; `None`: it is not here.
    ///
    /// # Errors
    /// The store is away.
    pub async fn may_be_had(&self, number: &str) -> Result<Option<bool>> {
        let row = self.providers_row(number).await?;
        Ok(row.map(|row| match row.state {
            NumberState::Available | NumberState::Discovery => true,
            NumberState::Aging => row.updated_at < aged(),
            _ => false,
        }))
    }

    /// Whether a number is one that a carrier showed.
    ///
    /// # Errors
    /// The store is away.
    pub async fn is_discovered(&self, number: &str) -> Result<bool> {
        Ok(self.providers_row(number).await?.is_some_and(|row| row.state == NumberState::Discovery))
    }

    /// Writes down what a carrier shows, each number with what it says of it, and forgets what it showed
    /// before yesterday.
    ///
    /// # Errors
    /// The store is away.
    pub async fn discovered(&self, offers: Vec<(String, Fields)>) -> Result<()> {
        let before = Timestamp::now().checked_sub(DISCOVERED_FOR).unwrap_or(Timestamp::MIN);
        self.store.forget_discovered(before).await?;
        let Some(owner) = self.store.default_account().await? else { return Ok(()) };
        for (text, fields) in offers {
            if self.providers_row(&text).await?.is_some() {
                continue;
            }
            let mut row = NumberRow::new(owner.id, owner.organization_id, text);
            row.state = NumberState::Discovery;
            row.fields = fields;
            match self.store.create(CARRIER, row).await {
                // Another search was faster.
                Ok(_) | Err(crate::store::StoreError::Duplicate { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn providers_row(&self, number: &str) -> Result<Option<NumberRow>> {
        let filter = NumberFilter { number: Some(number.to_owned()), ..NumberFilter::default() };
        let rows = self.store.numbers(&filter, Page::first(16)).await?.rows;
        Ok(rows.into_iter().find(|row| !row.is_sip))
    }
}
