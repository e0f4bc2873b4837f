//! The first start on an empty store: a default organization and the super-admin account.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::ids::AccountSid;
use crate::store::column::{Column, Word};
use crate::store::entity::{Entity, audit_form};
use crate::store::error::{Result, StoreError};
use crate::store::keys::new_token;
use crate::store::open::Store;
use crate::store::rows::{AccountRow, OrganizationRow, Role};
use crate::store::secrets::{random_id, write_private};
use crate::store::table::Table;

/// What the first start is given.
#[derive(Clone, Debug, Default)]
pub struct FirstStart {
    /// `CALLGATE_ADMIN_SID`: the super-admin's sid.
    pub admin_sid: Option<AccountSid>,
    /// `CALLGATE_ADMIN_TOKEN`: its token.
    pub admin_token: Option<String>,
    /// The default organization's SIP domain.
    pub domain: String,
    /// Where generated credentials are written.
    pub credentials_file: PathBuf,
}

/// What the first start made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstAccount {
    /// The super-admin.
    pub sid: AccountSid,
    /// Where its generated credentials stand; `None` where they were given.
    pub credentials_file: Option<PathBuf>,
}

impl Store {
    /// Makes the default organization and the super-admin account where the store has no account;
    /// `None` where it has one.
    ///
    /// # Errors
    /// The database is away, or the credentials cannot be written: nothing is made then.
    pub async fn first_start(&self, given: &FirstStart) -> Result<Option<FirstAccount>> {
        let mut tx = self.writers_turn().await?;
        if !tx.rows("SELECT id FROM accounts LIMIT 1", &[]).await?.is_empty() {
            return Ok(None);
        }
        let now = Timestamp::now();
        let mut organization = OrganizationRow::new(given.domain.as_str());
        organization.set_id(random_id()?);
        organization.is_default = true;
        let mut account = AccountRow::new(organization.id, "Super-admin");
        account.set_id(given.admin_sid.map_or_else(random_id, |sid| Ok(sid.0))?);
        account.role = Role::SuperAdmin;
        account.is_default = true;
        let token = given.admin_token.clone().map_or_else(new_token, Ok)?;
        self.give_token(&mut account, &token)?;
        organization.stamp(now, now);
        account.stamp(now, now);
        tx.execute(OrganizationRow::INSERT, &organization.values()).await?;
        tx.execute(AccountRow::INSERT, &account.values()).await?;
        let generation = tx.generation().await?;
        for (subject, id, form) in [
            (OrganizationRow::NAME, organization.id.word(), audit_form(&organization)),
            (AccountRow::NAME, account.id.word(), audit_form(&account)),
        ] {
            tx.execute(
                "INSERT INTO audit (actor, action, subject, subject_id, generation, after) \
                 VALUES ('first start', 'create', $1, $2, $3, $4)",
                &[subject.to_owned().bind(), id.bind(), generation.bind(), form.bind()],
            )
            .await?;
        }
        let generated = given.admin_token.is_none() || given.admin_sid.is_none();
        let credentials_file = generated.then(|| given.credentials_file.clone());
        if let Some(path) = &credentials_file {
            write_credentials(path, account.id, &token)?;
        }
        tx.commit().await?;
        Ok(Some(FirstAccount { sid: account.id, credentials_file }))
    }
}

/// A file of an earlier, empty store is put aside, not lost.
fn write_credentials(path: &Path, sid: AccountSid, token: &str) -> Result<()> {
    let failed = |source| StoreError::File { path: path.to_owned(), source };
    if path.exists() {
        let aside = path.with_extension(format!("before-{}", Timestamp::now().as_second()));
        std::fs::rename(path, aside).map_err(failed)?;
    }
    let text = format!("CALLGATE_ADMIN_SID={sid}\nCALLGATE_ADMIN_TOKEN={token}\n");
    write_private(path, &text).map_err(failed)
}
