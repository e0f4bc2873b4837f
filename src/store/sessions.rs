//! Tokens that are given for a while. Only their keyed hashes are kept.

use jiff::Timestamp;

use crate::ids::AccountSid;
use crate::store::column::Column;
use crate::store::error::Result;
use crate::store::lists::readable;
use crate::store::open::Store;
use crate::store::rows::AccountRow;
use crate::store::sql::{Purpose, Sql};
use crate::store::table::Table;

/// How many accounts of one name or organization are looked at.
const MOST_NAMED: u64 = 1_000;

impl Store {
    /// Keeps a token of an account until `expires`, and forgets those that have expired by `now`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn open_session(
        &self,
        account: AccountSid,
        token: &str,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<()> {
        let mut tx = self.directory.begin(Purpose::Write).await?;
        tx.execute("DELETE FROM sessions WHERE expires_at <= $1", &[now.bind()]).await?;
        tx.execute(
            "INSERT INTO sessions (token_hash, account_id, expires_at) VALUES ($1, $2, $3)",
            &[self.vault.lookups(token).into_iter().next().bind(), account.bind(), expires.bind()],
        )
        .await?;
        tx.commit().await
    }

    /// The account a token was given to and when it expires, unless that is before `now`.
    ///
    /// # Errors
    /// The row cannot be read, or the database is away.
    pub async fn session(&self, token: &str, now: Timestamp) -> Result<Option<(AccountRow, Timestamp)>> {
        for lookup in self.vault.lookups(token) {
            let sql = "SELECT account_id, expires_at FROM sessions WHERE token_hash = $1 AND expires_at > $2";
            let rows = self.directory.rows(sql, &[lookup.bind(), now.bind()]).await?;
            let Some(row) = rows.first() else { continue };
            let read = AccountSid::read(row, 0).ok().zip(Timestamp::read(row, 1).ok());
            let Some((account, expires)) = read else { continue };
            let account = self.read::<AccountRow>(account).await?;
            return Ok(account.map(|account| (account, expires)));
        }
        Ok(None)
    }

    /// Lets a token live until `expires`.
    ///
    /// # Errors
    /// The database is away.
    pub async fn extend_session(&self, token: &str, expires: Timestamp) -> Result<()> {
        let mut tx = self.directory.begin(Purpose::Write).await?;
        for lookup in self.vault.lookups(token) {
            let sql = "UPDATE sessions SET expires_at = $2 WHERE token_hash = $1";
            tx.execute(sql, &[lookup.bind(), expires.bind()]).await?;
        }
        tx.commit().await
    }

    /// Ends a token; whether there was one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn close_session(&self, token: &str) -> Result<bool> {
        let mut tx = self.directory.begin(Purpose::Write).await?;
        let mut closed = 0;
        for lookup in self.vault.lookups(token) {
            closed += tx.execute("DELETE FROM sessions WHERE token_hash = $1", &[lookup.bind()]).await?;
        }
        tx.commit().await?;
        Ok(closed > 0)
    }

    /// Accounts of this name, in any case of letters, oldest first.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn accounts_named(&self, name: &str) -> Result<Vec<AccountRow>> {
        const WHERE: &str = "WHERE lower(friendly_name) = lower($1) ORDER BY created_at, id LIMIT $2";
        let sql = Sql::of(&[AccountRow::SELECT, WHERE]);
        Ok(readable(&self.directory.rows(sql, &[name.to_owned().bind(), MOST_NAMED.bind()]).await?))
    }

    /// Accounts of the organization with this domain, oldest first.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn accounts_of_domain(&self, domain: &str) -> Result<Vec<AccountRow>> {
        const WHERE: &str = "WHERE organization_id IN (SELECT id FROM organizations WHERE domain = lower($1)) \
             ORDER BY created_at, id LIMIT $2";
        let sql = Sql::of(&[AccountRow::SELECT, WHERE]);
        Ok(readable(&self.directory.rows(sql, &[domain.to_owned().bind(), MOST_NAMED.bind()]).await?))
    }
}
