//! Secrets of accounts, trunks and gateways: given, looked up and opened.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::rand::{SecureRandom, SystemRandom};

use crate::ids::{AccountSid, GatewaySid, TrunkSid};
use crate::routing::model::{Credentials, SigningKeys, TrunkDigest};
use crate::store::column::{Column, Word};
use crate::store::entity::Entity;
use crate::store::error::Result;
use crate::store::open::Store;
use crate::store::rows::{AccountRow, GatewayRow, TrunkRow};
use crate::store::secrets::{Sealed, SecretError, Vault, random_id};
use crate::store::sql::Sql;
use crate::store::table::Table;
use crate::store::write::Written;

impl Store {
    /// Puts a token, sealed, into a row that is about to be created or changed.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn give_token(&self, row: &mut AccountRow, token: &str) -> Result<()> {
        if !row.has_id() {
            row.set_id(random_id()?);
        }
        row.auth_token = Some(self.vault.seal(&place(row.id, "auth_token"), token.as_bytes())?);
        row.auth_token_hash = self.vault.lookups(token).into_iter().next();
        Ok(())
    }

    /// Seals the password that a gateway's row was just given as [`Sealed::clear`].
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn seal_password(&self, row: &mut GatewayRow) -> Result<()> {
        let Some(clear) = row.password.as_ref().and_then(Sealed::as_clear).map(str::to_owned) else {
            return Ok(());
        };
        if !row.has_id() {
            row.set_id(random_id()?);
        }
        row.password = Some(self.vault.seal(&GatewayRow::place(row.id), clear.as_bytes())?);
        Ok(())
    }

    /// Hashes and seals the password that a trunk's row was just given as [`Sealed::clear`]: what is only
    /// checked is kept as its hashes, which belong to the user name and realm of the row.
    ///
    /// # Errors
    /// The system has no randomness.
    pub fn seal_trunk_password(&self, row: &mut TrunkRow) -> Result<()> {
        let Some(clear) = row.auth_password.as_ref().and_then(Sealed::as_clear) else { return Ok(()) };
        let username = row.auth_username.as_deref().unwrap_or_default();
        let hashes = TrunkDigest::new(username, &row.auth_realm, clear).hashes();
        if !row.has_id() {
            row.set_id(random_id()?);
        }
        row.auth_password = Some(self.vault.seal(&TrunkRow::place(row.id), hashes.as_bytes())?);
        Ok(())
    }

    /// Seals the webhook secrets that an account's row was just given as [`Sealed::clear`]. A new one lets the
    /// one of `before` go on signing beside it, unless the row says what is to.
    ///
    /// # Errors
    /// One is no secret, or the system has no randomness.
    pub fn seal_webhook_secrets(&self, row: &mut AccountRow, before: Option<&AccountRow>) -> Result<()> {
        if !row.has_id() {
            row.set_id(random_id()?);
        }
        let place = place(row.id, "webhook_secret");
        let is_new = row.webhook_secret.as_ref().is_some_and(|secret| secret.as_clear().is_some());
        if let Some(before) = before.filter(|before| {
            is_new
                && before.webhook_secret.is_some()
                && row.former_webhook_secret == before.former_webhook_secret
        }) {
            row.former_webhook_secret.clone_from(&before.webhook_secret);
        }
        for slot in [&mut row.webhook_secret, &mut row.former_webhook_secret] {
            if let Some(clear) = slot.as_ref().and_then(Sealed::as_clear) {
                let secret = read_webhook_secret(clear).ok_or(SecretError::NoWebhookSecret)?;
                *slot = Some(self.vault.seal(&place, &secret)?);
            }
        }
        Ok(())
    }

    /// Replaces an account's auth token.
    ///
    /// # Errors
    /// As [`Store::modify`]; [`crate::store::StoreError::Duplicate`] where another account has it.
    pub async fn set_auth_token(
        &self,
        actor: &str,
        account: AccountSid,
        token: &str,
    ) -> Result<Written<AccountRow>> {
        let sealed = self.vault.seal(&place(account, "auth_token"), token.as_bytes())?;
        let hash = self.vault.lookups(token).into_iter().next();
        self.modify::<AccountRow>(actor, account, |row| {
            row.auth_token = Some(sealed);
            row.auth_token_hash = hash;
        })
        .await
    }

    /// Gives an account a Standard Webhooks secret; the one it had goes on signing beside it until
    /// the next change.
    ///
    /// # Errors
    /// As [`Store::modify`].
    pub async fn rotate_webhook_secret(
        &self,
        actor: &str,
        account: AccountSid,
        secret: &[u8],
    ) -> Result<Written<AccountRow>> {
        let sealed = self.vault.seal(&place(account, "webhook_secret"), secret)?;
        self.modify::<AccountRow>(actor, account, |row| {
            row.former_webhook_secret = row.webhook_secret.replace(sealed);
        })
        .await
    }

    /// The account with this auth token, whatever its status.
    ///
    /// # Errors
    /// The row cannot be read, or the database is away.
    pub async fn account_by_token(&self, token: &str) -> Result<Option<AccountRow>> {
        for lookup in self.vault.lookups(token) {
            let sql = Sql::of(&[AccountRow::SELECT, "WHERE auth_token_hash = $1"]);
            let rows = self.directory.rows(sql, &[lookup.bind()]).await?;
            if let Some(row) = rows.first() {
                return Ok(Some(AccountRow::read(row)?));
            }
        }
        Ok(None)
    }

    /// An account's token in the clear, for the API that shows it to its owner.
    ///
    /// # Errors
    /// The key file does not open it.
    pub fn auth_token(&self, row: &AccountRow) -> Result<Option<String>> {
        let opened = open(&self.vault, row.id, "auth_token", row.auth_token.as_ref())?;
        Ok(opened.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Seals everything again that an older key sealed; how many rows were.
    ///
    /// # Errors
    /// As [`Store::modify`], or a key that is needed is gone.
    pub async fn reseal(&self, actor: &str) -> Result<u64> {
        let accounts = self.directory.rows(AccountRow::SELECT, &[]).await?;
        let mut done = 0;
        for row in &accounts {
            let row = AccountRow::read(row)?;
            let sealed = [&row.auth_token, &row.webhook_secret, &row.former_webhook_secret];
            if sealed.into_iter().flatten().all(|sealed| self.vault.is_current(sealed)) {
                continue;
            }
            let mut fresh = row.clone();
            if let Some(token) = self.auth_token(&row)? {
                self.give_token(&mut fresh, &token)?;
            }
            for slot in [&mut fresh.webhook_secret, &mut fresh.former_webhook_secret] {
                if let Some(secret) = open(&self.vault, row.id, "webhook_secret", slot.as_ref())? {
                    *slot = Some(self.vault.seal(&place(row.id, "webhook_secret"), &secret)?);
                }
            }
            self.modify::<AccountRow>(actor, row.id, |now| {
                now.auth_token = fresh.auth_token;
                now.auth_token_hash = fresh.auth_token_hash;
                now.webhook_secret = fresh.webhook_secret;
                now.former_webhook_secret = fresh.former_webhook_secret;
            })
            .await?;
            done += 1;
        }
        let gateways = self.reseal_passwords::<GatewayRow>(actor).await?;
        Ok(done + gateways + self.reseal_passwords::<TrunkRow>(actor).await?)
    }

    async fn reseal_passwords<T: Locked>(&self, actor: &str) -> Result<u64> {
        let mut done = 0;
        for row in &self.directory.rows(T::SELECT, &[]).await? {
            let mut row = T::read(row)?;
            let id = row.id();
            let Some(old) = row.password().take().filter(|sealed| !self.vault.is_current(sealed)) else {
                continue;
            };
            let place = T::place(id);
            let fresh = self.vault.seal(&place, &self.vault.open_sealed(&place, &old)?)?;
            self.modify::<T>(actor, id, |now| *now.password() = Some(fresh)).await?;
            done += 1;
        }
        Ok(done)
    }
}

/// A row with one password, sealed for the place where it stands.
trait Locked: Entity {
    /// It.
    fn password(&mut self) -> &mut Option<Sealed>;

    /// Where it stands.
    fn place(id: Self::Id) -> String;
}

impl Locked for GatewayRow {
    fn password(&mut self) -> &mut Option<Sealed> {
        &mut self.password
    }

    fn place(id: GatewaySid) -> String {
        format!("gateways.password:{}", id.word())
    }
}

impl Locked for TrunkRow {
    fn password(&mut self) -> &mut Option<Sealed> {
        &mut self.auth_password
    }

    fn place(id: TrunkSid) -> String {
        format!("trunks.auth_password:{}", id.word())
    }
}

/// A fresh auth token: 32 hexadecimal digits, as Restcomm's.
///
/// # Errors
/// The system has no randomness.
pub fn new_token() -> Result<String, SecretError> {
    Ok(format!("{:032x}", random_id()?))
}

/// A fresh Standard Webhooks secret: 32 random bytes.
///
/// # Errors
/// The system has no randomness.
pub fn new_webhook_secret() -> Result<Vec<u8>, SecretError> {
    let mut secret = vec![0; 32];
    SystemRandom::new().fill(&mut secret).map_err(|_| SecretError::Random)?;
    Ok(secret)
}

/// What stands before a webhook secret's base64 (Standard Webhooks, section "Signature scheme").
const WEBHOOK_SECRET: &str = "whsec_";

/// A webhook secret as receivers are told it: `whsec_` and base64.
#[must_use]
pub fn printed_webhook_secret(secret: &[u8]) -> String {
    format!("{WEBHOOK_SECRET}{}", BASE64.encode(secret))
}

/// Between 24 and 64 bytes, as the standard wants them.
fn read_webhook_secret(text: &str) -> Option<Vec<u8>> {
    let bytes = BASE64.decode(text.trim().strip_prefix(WEBHOOK_SECRET)?).ok()?;
    (24..=64).contains(&bytes.len()).then_some(bytes)
}

/// Both webhook secrets belong to one place, so that rotating moves them without opening.
fn place(account: AccountSid, column: &str) -> String {
    format!("accounts.{column}:{}", account.word())
}

/// Whom a trunk must prove to be. Without a password nothing proves it.
pub(crate) fn trunk_digest(vault: &Vault, row: &TrunkRow) -> Result<Option<TrunkDigest>, SecretError> {
    let Some(username) = row.auth_username.as_deref() else { return Ok(None) };
    let Some(sealed) = &row.auth_password else {
        return Ok(Some(TrunkDigest::named(username, &row.auth_realm)));
    };
    let hashes = vault.open_sealed(&TrunkRow::place(row.id), sealed)?;
    let hashes = String::from_utf8_lossy(&hashes);
    TrunkDigest::kept(username, &row.auth_realm, &hashes).ok_or(SecretError::Forged).map(Some)
}

/// What a gateway's challenges are answered with.
pub(crate) fn gateway_credentials(
    vault: &Vault,
    row: &GatewayRow,
) -> Result<Option<Credentials>, SecretError> {
    let Some(username) = row.username.clone().filter(|name| !name.is_empty()) else { return Ok(None) };
    let open = |sealed| vault.open_sealed(&GatewayRow::place(row.id), sealed);
    let password = row.password.as_ref().map(open).transpose()?.unwrap_or_default();
    let password = String::from_utf8_lossy(&password).into_owned();
    Ok(Some(Credentials { username, password, realm: row.realm.clone() }))
}

fn open(
    vault: &Vault,
    account: AccountSid,
    column: &str,
    sealed: Option<&Sealed>,
) -> Result<Option<Vec<u8>>, SecretError> {
    sealed.map(|sealed| vault.open_sealed(&place(account, column), sealed)).transpose()
}

/// What an account's webhooks are signed with.
pub(crate) fn signing_keys(vault: &Vault, row: &AccountRow) -> Result<SigningKeys, SecretError> {
    let token = open(vault, row.id, "auth_token", row.auth_token.as_ref())?.unwrap_or_default();
    let mut secrets = Vec::new();
    for sealed in [&row.webhook_secret, &row.former_webhook_secret] {
        secrets.extend(open(vault, row.id, "webhook_secret", sealed.as_ref())?);
    }
    Ok(SigningKeys { auth_token: String::from_utf8_lossy(&token).into_owned(), webhook_secrets: secrets })
}
