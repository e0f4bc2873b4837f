//! Who asks, and whose things they may touch.

use std::hint::black_box;

use ring::digest::{SHA256, digest};

use crate::ids::AccountSid;
use crate::routing::model::Status;
use crate::store::{AccountRow, Role};

use super::{Principal, Result, Service, ServiceError};

/// How deep sub-accounts may be nested.
pub(super) const DEEPEST: usize = 16;

impl Service {
    /// The asker behind an account's sid and auth token.
    ///
    /// # Errors
    /// [`ServiceError::Unauthorized`], whatever of the two is wrong; [`ServiceError::Forbidden`] for
    /// an account that is not active, [`ServiceError::TooMany`]; the store is away.
    pub async fn authenticate(&self, sid: AccountSid, token: &str) -> Result<Principal> {
        let account = self.store.read::<AccountRow>(sid).await?;
        let expected = account.as_ref().map(|row| self.store.auth_token(row)).transpose()?.flatten();
        // An unknown account takes as long as a wrong token.
        let same = is_same(expected.as_deref().unwrap_or_default(), token);
        let (Some(account), Some(_), true) = (account, expected, same) else {
            return Err(ServiceError::Unauthorized);
        };
        self.admitted(&account)
    }

    /// The asker behind an auth token, or a token given for a while, alone. It is found by its keyed hash, so that the time taken says
    /// nothing about other tokens.
    ///
    /// # Errors
    /// As [`Service::authenticate`].
    pub async fn authenticate_token(&self, token: &str) -> Result<Principal> {
        if token.is_empty() {
            return Err(ServiceError::Unauthorized);
        }
        let Some(account) = self.store.account_by_token(token).await? else {
            return self.admitted(&self.session(token).await?);
        };
        let expected = self.store.auth_token(&account)?;
        if !expected.is_some_and(|expected| is_same(&expected, token)) {
            return Err(ServiceError::Unauthorized);
        }
        self.admitted(&account)
    }

    /// The account `sid`, if `who` is it, an ancestor of it, an admin of its organization, or may do
    /// everything.
    ///
    /// # Errors
    /// [`ServiceError::Forbidden`], also for an account that is not there, unless the asker may see
    /// every account: then [`ServiceError::NotFound`].
    pub async fn account_for(&self, who: &Principal, sid: AccountSid) -> Result<AccountRow> {
        const NOT_YOURS: ServiceError =
            ServiceError::Forbidden("only the account itself and its parents may use this resource");
        let account = self.store.read::<AccountRow>(sid).await?;
        let Principal::Account { sid: own, organization, role } = who else {
            return account.ok_or_else(|| ServiceError::not_found("account", sid));
        };
        if *role == Role::SuperAdmin {
            return account.ok_or_else(|| ServiceError::not_found("account", sid));
        }
        let account = account.ok_or(NOT_YOURS)?;
        let admin = *role == Role::Admin && account.organization_id == *organization;
        if sid == *own || (admin && account.role != Role::SuperAdmin) || self.is_under(&account, *own).await?
        {
            return Ok(account);
        }
        Err(NOT_YOURS)
    }

    /// An account that is active may ask, as often as it may.
    fn admitted(&self, account: &AccountRow) -> Result<Principal> {
        if account.status != Status::Active {
            return Err(ServiceError::Forbidden("Provided Account is not active"));
        }
        match account.max_requests_per_second {
            Some(most) if !self.requests.take(account.id, most) => return Err(ServiceError::TooMany(most)),
            _ => {}
        }
        let AccountRow { id: sid, organization_id: organization, role, .. } = *account;
        Ok(Principal::Account { sid, organization, role })
    }

    /// Whether an account is a sub-account of `ancestor`, at any depth.
    ///
    /// # Errors
    /// The store is away.
    pub(super) async fn is_under(&self, account: &AccountRow, ancestor: AccountSid) -> Result<bool> {
        Ok(self.above(account).await?.contains(&ancestor))
    }

    /// The accounts above one, the nearest first, as many as accounts are nested deep.
    ///
    /// # Errors
    /// The store is away.
    pub(super) async fn above(&self, account: &AccountRow) -> Result<Vec<AccountSid>> {
        let (mut above, mut parent) = (Vec::new(), account.parent_id);
        while let Some(sid) = parent.filter(|_| above.len() < DEEPEST) {
            above.push(sid);
            parent = self.store.read::<AccountRow>(sid).await?.and_then(|row| row.parent_id);
        }
        Ok(above)
    }
}

/// Compares in a time that depends on neither text: digests of equal length, every byte looked at.
pub(super) fn is_same(expected: &str, given: &str) -> bool {
    let (expected, given) = (digest(&SHA256, expected.as_bytes()), digest(&SHA256, given.as_bytes()));
    let pairs = expected.as_ref().iter().zip(given.as_ref());
    black_box(pairs.fold(0, |differing, (a, b)| differing | (a ^ b))) == 0
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn only_the_same_token_is_the_same() {
        assert!(is_same("77f8c12cc7b8f8423e5c38b035249166", "77f8c12cc7b8f8423e5c38b035249166"));
        assert!(!is_same("77f8c12cc7b8f8423e5c38b035249166", "77f8c12cc7b8f8423e5c38b03524916"));
        assert!(!is_same("", "x"));
    }
}
