//! Tokens that are given for a while: to those who show an account's token, or a digest of it.

use jiff::{SignedDuration, Timestamp};
use md5::{Digest, Md5};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use crate::ids::AccountSid;
use crate::store::{AccountRow, NumberFilter, Page, StoreError, Word, new_token};

use super::access::is_same;
use super::{Result, Service, ServiceError};

/// How long an unused token lives.
const IDLE: SignedDuration = SignedDuration::from_hours(1);

/// Use lengthens a token's life only when this much of it is gone: a write each time would be too much.
const WORTH_WRITING: SignedDuration = SignedDuration::from_mins(5);

/// A digest of `name:password`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hashed {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
}

/// Whose user logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// The account's name or id.
    Name(String),
    /// The domain of its organization.
    Realm(String),
    /// One of its numbers, in the forms it may be stored in.
    Number(Vec<String>),
}

impl Service {
    /// A token for an hour, for whoever shows the digest of an account's user and its auth token. The
    /// user is the account itself: its id, its sid or its name in lower case.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`], whatever is wrong; the store is away.
    pub async fn log_in(&self, claim: &Claim, credentials: &str, by: Hashed) -> Result<(AccountRow, String)> {
        let mut found = None;
        // All are looked at, so that the time taken does not tell which was right.
        for account in self.claimed(claim).await? {
            let Some(password) = self.store.auth_token(&account)? else { continue };
            let users = [
                account.id.word(),
                account.id.to_string().to_lowercase(),
                account.friendly_name.to_lowercase(),
            ];
            for user in users {
                if is_same(&hashed(by, &format!("{user}:{password}")), &credentials.to_ascii_lowercase()) {
                    found = found.or(Some(account.clone()));
                }
            }
        }
        self.give_session(found.ok_or(ServiceError::Unauthorized)?).await
    }

    /// A token for an hour, for whoever shows the account's auth token.
    ///
    /// # Errors
    /// As [`Service::log_in`].
    pub async fn log_in_by_key(&self, key: &str) -> Result<(AccountRow, String)> {
        let account = self.store.account_by_token(key).await?.ok_or(ServiceError::Unauthorized)?;
        self.give_session(account).await
    }

    /// Ends a token that was given for a while; whether there was one.
    ///
    /// # Errors
    /// The store is away.
    pub async fn log_out(&self, token: &str) -> Result<bool> {
        Ok(self.store.close_session(token).await?)
    }

    /// The account behind a token that was given for a while; it lives an hour from now on.
    pub(super) async fn session(&self, token: &str) -> Result<AccountRow> {
        let now = Timestamp::now();
        let (account, expires) = self.store.session(token, now).await?.ok_or(ServiceError::Unauthorized)?;
        let fresh = now + IDLE;
        if fresh.duration_since(expires) > WORTH_WRITING {
            self.store.extend_session(token, fresh).await?;
        }
        Ok(account)
    }

    async fn give_session(&self, account: AccountRow) -> Result<(AccountRow, String)> {
        if account.status != crate::routing::model::Status::Active {
            return Err(ServiceError::Forbidden("Provided Account is not active"));
        }
        let token = new_token().map_err(StoreError::from)?;
        let now = Timestamp::now();
        self.store.open_session(account.id, &token, now, now + IDLE).await?;
        Ok((account, token))
    }

    async fn claimed(&self, claim: &Claim) -> Result<Vec<AccountRow>> {
        Ok(match claim {
            Claim::Name(name) => {
                let id = name.parse().ok().or_else(|| AccountSid::of_word(name));
                let by_id = match id {
                    Some(id) => self.store.read::<AccountRow>(id).await?,
                    None => None,
                };
                by_id.into_iter().chain(self.store.accounts_named(name).await?).collect()
            }
            Claim::Realm(domain) => self.store.accounts_of_domain(domain).await?,
            Claim::Number(texts) => {
                let mut owners = Vec::new();
                for text in texts {
                    let filter = NumberFilter { number: Some(text.clone()), ..NumberFilter::default() };
                    let rows = self.store.numbers(&filter, Page::first(16)).await?.rows;
                    for row in rows.into_iter().filter(|row| row.state.is_held()) {
                        owners.extend(self.store.read::<AccountRow>(row.account_id).await?);
                    }
                }
                owners
            }
        })
    }
}

fn hashed(by: Hashed, text: &str) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    match by {
        Hashed::Md5 => hex(&Md5::digest(text.as_bytes())),
        Hashed::Sha1 => hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_everybody() {
        assert_eq!(hashed(Hashed::Md5, "abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(hashed(Hashed::Sha1, "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    }
}
