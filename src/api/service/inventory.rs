//! The inventory: numbers that nobody has.

use crate::ids::AccountSid;
use crate::store::{NumberRow, Page, Wanted, random_id};

use super::numbers::{NewNumber, aged};
use super::{Principal, Result, Service, ServiceError, Written};

/// Among how many numbers of an area one is drawn.
const DRAWN_FROM: u64 = 100;

/// How often another one is drawn when somebody was faster.
const DRAWS: usize = 8;

impl Service {
    /// Numbers that `account` could have, in the order of their texts.
    ///
    /// # Errors
    /// The asker may not, or the store is away.
    pub async fn available(
        &self,
        who: &Principal,
        account: AccountSid,
        wanted: &Wanted,
        page: Page,
    ) -> Result<Vec<NumberRow>> {
        self.account_for(who, account).await?;
        self.classify(None).await?;
        Ok(self.store.available(wanted, aged(), page).await?)
    }

    /// The countries of which numbers may be had: the United States, and those of the inventory.
    ///
    /// # Errors
    /// As [`Service::available`].
    pub async fn available_countries(&self, who: &Principal, account: AccountSid) -> Result<Vec<String>> {
        self.account_for(who, account).await?;
        self.classify(None).await?;
        let mut countries = vec!["US".to_owned()];
        let stocked = self.store.available_countries().await?.into_keys();
        countries.extend(stocked.filter(|country| country != "US"));
        Ok(countries)
    }

    /// Creates some number of a North American area out of the inventory: `new` says the rest.
    ///
    /// # Errors
    /// [`ServiceError::Unobtainable`] where the area has none; as [`Service::create_number`].
    pub async fn create_number_of_area<E: From<ServiceError> + Send>(
        &self,
        who: &Principal,
        account: AccountSid,
        area: &str,
        new: NewNumber,
        edit: impl Fn(&mut NumberRow) -> Result<(), E> + Sync,
    ) -> Result<Written<NumberRow>, E>
    where
        for<'a> &'a E: Into<Option<&'a ServiceError>>,
    {
        if area.len() != 3 || !area.bytes().all(|b| b.is_ascii_digit()) {
            let problem = format!("AreaCode `{area}` is none: give three digits of the US or Canada");
            return Err(ServiceError::Unobtainable(problem).into());
        }
        for _ in 0..DRAWS {
            let Some(text) = self.draw(who, account, area).await? else { break };
            let new = NewNumber { text, ..new.clone() };
            match self.create_number(who, account, new, &edit).await {
                Err(error) if matches!((&error).into(), Some(ServiceError::Taken { .. })) => {}
                done => return done,
            }
        }
        let problem =
            format!("AreaCode {area}: there is no number of this area to be had; give a PhoneNumber");
        Err(ServiceError::Unobtainable(problem).into())
    }

    /// A number of the area, by chance.
    async fn draw(&self, who: &Principal, account: AccountSid, area: &str) -> Result<Option<String>> {
        let mut found = Vec::new();
        for country in ["US", "CA"] {
            let wanted = Wanted {
                country: Some(country.to_owned()),
                prefix: Some(format!("+1{area}")),
                ..Wanted::default()
            };
            found.extend(self.available(who, account, &wanted, Page::first(DRAWN_FROM)).await?);
        }
        if found.is_empty() {
            return Ok(None);
        }
        let chance = random_id().map_err(crate::store::StoreError::from)?;
        let at = usize::try_from(chance % found.len() as u128).unwrap_or(0);
        Ok(Some(found.swap_remove(at).number))
    }
}
