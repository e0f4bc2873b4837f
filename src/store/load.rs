//! Reading everything routing knows, as of one generation.

use std::sync::Arc;

use crate::routing::model::{Frame, Number};
use crate::store::error::{BadRow, Result};
use crate::store::mark::Mark;
use crate::store::model::{self, NumberReader};
use crate::store::open::Store;
use crate::store::packed::Came;
use crate::store::rows::{AccountRow, ApplicationRow, GatewayRow, OrganizationRow, TrunkRow};
use crate::store::secrets::Vault;
use crate::store::sql::{Purpose, Row, Tx, Value};
use crate::store::table::Table;

/// A full load under way: one moment of the database, the numbers still to come.
#[derive(Debug)]
pub struct Load {
    tx: Tx,
    /// Everything but the numbers.
    pub frame: Frame,
    /// The same as it stood in the columns, for the last good directory on disk.
    pub kept: FrameRows,
    /// Which generation this is.
    pub mark: Mark,
    /// Rows that cannot be used.
    pub bad: Vec<BadRow>,
}

/// The rows a [`Frame`] is made of, as they stood: secrets stay sealed. One list per table.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FrameRows {
    organizations: Vec<Vec<Value>>,
    accounts: Vec<Vec<Value>>,
    applications: Vec<Vec<Value>>,
    trunks: Vec<Vec<Value>>,
    gateways: Vec<Vec<Value>>,
}

/// More bad rows than this are counted, not kept.
const BAD_ROWS_KEPT: usize = 1000;

impl Store {
    /// Begins a full load.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn load(&self) -> Result<Load> {
        let mut tx = self.directory.begin(Purpose::Snapshot).await?;
        let mark = tx.mark().await?;
        let mut bad = Vec::new();
        let kept = read_frame(&mut tx, &mut bad).await?;
        let frame = kept.frame(&self.vault, &mut bad);
        Ok(Load { tx, frame, kept, mark, bad })
    }

    /// What frame rows kept on disk mean, their secrets opened with this store's keys.
    pub fn frame_of(&self, kept: &FrameRows, bad: &mut Vec<BadRow>) -> Frame {
        kept.frame(&self.vault, bad)
    }
}

impl Load {
    /// Hands over every number; those that cannot be read are added to `bad`. How many were read.
    ///
    /// # Errors
    /// The database went away.
    pub async fn numbers(&mut self, mut take: impl FnMut(Number)) -> Result<u64> {
        let mut reader = NumberReader::default();
        let mut read = 0;
        let bad = &mut self.bad;
        let each = |came: Came<'_>| {
            let number = match came {
                Came::Packed(number) => reader.read_packed(number),
                Came::Row(row) => reader.read(&row),
            };
            match number {
                Ok(number) => {
                    read += 1;
                    take(number);
                }
                Err(row) if bad.len() < BAD_ROWS_KEPT => bad.push(row),
                Err(_) => {}
            }
        };
        self.tx.each_number(each).await?;
        Ok(read)
    }
}

/// The frame's rows as of the transaction's moment.
pub(crate) async fn read_frame(tx: &mut Tx, bad: &mut Vec<BadRow>) -> Result<FrameRows> {
    Ok(FrameRows {
        organizations: values::<OrganizationRow>(tx, bad).await?,
        accounts: values::<AccountRow>(tx, bad).await?,
        applications: values::<ApplicationRow>(tx, bad).await?,
        trunks: values::<TrunkRow>(tx, bad).await?,
        gateways: values::<GatewayRow>(tx, bad).await?,
    })
}

async fn values<T: Table>(tx: &mut Tx, bad: &mut Vec<BadRow>) -> Result<Vec<Vec<Value>>> {
    let rows = tx.rows(T::SELECT, &[]).await?;
    Ok(sieve(rows.iter().map(T::read), bad).map(|row| row.values()).collect())
}

fn sieve<'b, T>(
    rows: impl Iterator<Item = Result<T, BadRow>> + 'b,
    bad: &'b mut Vec<BadRow>,
) -> impl Iterator<Item = T> + 'b {
    rows.filter_map(|row| row.map_err(|row| bad.push(row)).ok())
}

impl FrameRows {
    pub(crate) fn frame(&self, vault: &Vault, bad: &mut Vec<BadRow>) -> Frame {
        Frame {
            organizations: each(&self.organizations, bad, |row| Ok(model::organization(row))),
            accounts: each(&self.accounts, bad, |row| model::account(&row, vault)),
            applications: each(&self.applications, bad, |row| Ok(model::application(&row))),
            trunks: each(&self.trunks, bad, |row| model::opened_trunk(row, vault)),
            gateways: each(&self.gateways, bad, |row| model::gateway(row, vault)),
        }
    }
}

fn each<T: Table, M>(
    kept: &[Vec<Value>],
    bad: &mut Vec<BadRow>,
    model: impl Fn(T) -> Result<M, BadRow>,
) -> Vec<Arc<M>> {
    let rows = kept.iter().map(|values| T::read(&Row::Kept(values.clone())).and_then(&model));
    sieve(rows, bad).map(Arc::new).collect()
}
