//! Where the rows of a long list stand, so that any page of it is found without walking to it: a rung for
//! every few thousand entries of the index it follows, with how many of them are rows of the list. After a
//! change of numbers only the rungs are climbed again that the change log names.

use crate::store::changes::unsteppable;
use crate::store::column::Column;
use crate::store::error::Result;
use crate::store::list::{Key, List, Order, STEP};
use crate::store::sql::{Row, Tx};

/// More changed numbers than this are not looked for one by one.
const CHANGED_AT_MOST: usize = 20_000;

/// A part of the index.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rung {
    /// It begins here and ends where the next one begins.
    from: Key,
    /// How many rows of the list are in it.
    rows: u64,
}

/// The rungs of a list as of a generation.
#[derive(Debug)]
pub(crate) struct Ladder {
    list: List,
    /// `None`: not built, or something went wrong in the middle of it.
    generation: Option<u64>,
    rungs: Vec<Rung>,
    /// How many there were when all were built.
    built: usize,
}

impl Ladder {
    /// Of a list, nothing looked at yet.
    pub(crate) fn new(list: List) -> Self {
        Self { list, generation: None, rungs: Vec::new(), built: 0 }
    }

    /// Brings it to what this transaction sees.
    pub(crate) async fn refresh(&mut self, tx: &mut Tx) -> Result<()> {
        let newest = tx.generation().await?;
        // It stays `None` when this is cut off in the middle.
        let before = self.generation.take();
        if before != Some(newest) {
            let changed = match before {
                Some(before) if before < newest => self.changed(tx, before).await?,
                _ => None,
            };
            match changed {
                Some(texts) => self.mend(tx, &texts).await?,
                None => self.build(tx).await?,
            }
        }
        self.generation = Some(newest);
        Ok(())
    }

    /// Forgets what it knows of changes behind a generation; of all where there is none.
    pub(crate) fn forget_behind(&mut self, known: Option<u64>) {
        self.generation = self.generation.zip(known).map(|(own, known)| own.min(known));
    }

    /// How many rows the list has.
    pub(crate) fn total(&self) -> u64 {
        self.rungs.iter().map(|rung| rung.rows).sum()
    }

    /// How many rows of the list stand before a place.
    pub(crate) async fn before(&self, tx: &mut Tx, key: &Key) -> Result<u64> {
        let at = self.rungs.partition_point(|rung| rung.from <= *key).saturating_sub(1);
        let Some(rung) = self.rungs.get(at) else { return Ok(0) };
        let inside = self.list.count(tx, &rung.from, Some(key)).await?;
        Ok(self.rungs[..at].iter().map(|rung| rung.rows).sum::<u64>() + inside)
    }

    /// `limit` rows behind the first `offset` ones.
    pub(crate) async fn page(&self, tx: &mut Tx, mut offset: u64, mut limit: u64) -> Result<Vec<Row>> {
        let mut found = Vec::new();
        let mut at = 0;
        while at < self.rungs.len() && limit > 0 {
            let rows = self.rungs[at].rows;
            if offset >= rows {
                offset -= rows;
                at += 1;
                continue;
            }
            // Rungs without rows are passed by; those that have some and stand together are read together.
            let mut end = at;
            let mut inside = 0;
            while end < self.rungs.len() && self.rungs[end].rows > 0 && inside < offset + limit {
                inside += self.rungs[end].rows;
                end += 1;
            }
            let until = self.rungs.get(end).map(|rung| &rung.from);
            let rows = self.list.rows(tx, &self.rungs[at].from, until, (offset, limit)).await?;
            limit -= limit.min(rows.len() as u64);
            found.extend(rows);
            (offset, at) = (0, end);
        }
        Ok(found)
    }

    async fn build(&mut self, tx: &mut Tx) -> Result<()> {
        self.rungs = walk(tx, &self.list, self.list.order.lowest(), None).await?;
        self.built = self.rungs.len();
        Ok(())
    }

    /// The texts that changed since a generation; `None`: too many, or it cannot be said.
    async fn changed(&self, tx: &mut Tx, since: u64) -> Result<Option<Vec<String>>> {
        const CHANGED: &str = "SELECT DISTINCT number FROM change_log \
             WHERE generation > $1 AND kind = 'number' LIMIT 20001";
        const FRAMED: &str = "SELECT 1 FROM change_log WHERE generation > $1 AND kind = 'frame' LIMIT 1";
        // The log does not say what a number was called before.
        if self.list.order != Order::Number || unsteppable(tx, since).await?.is_some() {
            return Ok(None);
        }
        let since = [since.bind()];
        if self.list.follows_accounts && !tx.rows(FRAMED, &since).await?.is_empty() {
            return Ok(None);
        }
        let rows = tx.rows(CHANGED, &since).await?;
        let texts = || rows.iter().filter_map(|row| row.text(0).ok().flatten().map(str::to_owned)).collect();
        Ok((rows.len() <= CHANGED_AT_MOST).then(texts))
    }

    /// Climbs the rungs again in which these texts stand or stood.
    async fn mend(&mut self, tx: &mut Tx, texts: &[String]) -> Result<()> {
        let mut stale = vec![false; self.rungs.len()];
        for text in texts {
            let first = self.rungs.partition_point(|rung| rung.from[0] < *text).saturating_sub(1);
            let behind = self.rungs.partition_point(|rung| rung.from[0] <= *text);
            stale[first..behind].fill(true);
        }
        let mut end = stale.len();
        while let Some(last) = stale[..end].iter().rposition(|stale| *stale) {
            let first = stale[..last].iter().rposition(|stale| !*stale).map_or(0, |fresh| fresh + 1);
            let until = self.rungs.get(last + 1).map(|rung| rung.from.clone());
            let fresh = walk(tx, &self.list, self.rungs[first].from.clone(), until.as_ref()).await?;
            self.rungs.splice(first..=last, fresh);
            end = first;
        }
        // What comes and goes leaves rungs of few rows behind.
        if self.rungs.len() > 4 * self.built + 64 { self.build(tx).await } else { Ok(()) }
    }
}

/// The rungs of a list from a place to another.
async fn walk(tx: &mut Tx, list: &List, from: Key, until: Option<&Key>) -> Result<Vec<Rung>> {
    let mut rungs: Vec<Rung> = Vec::new();
    let mut at = from;
    loop {
        let next = list.step(tx, &at, until).await?;
        let rows = match &next {
            Some(_) if list.takes_all() => STEP,
            next => list.count(tx, &at, next.as_ref().or(until)).await?,
        };
        rungs.push(Rung { from: at, rows });
        match next {
            Some(next) => at = next,
            None => return Ok(rungs),
        }
    }
}
