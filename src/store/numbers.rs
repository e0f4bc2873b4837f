//! Numbers, many at a time.

use tokio::sync::OwnedMutexGuard;

use crate::ids::{AccountSid, NumberSid, OrganizationSid};
use crate::store::column::{Column, Word};
use crate::store::error::Result;
use crate::store::ladder::Ladder;
use crate::store::list::{Key, List, Order};
use crate::store::lists::{Listed, Page, count, readable};
use crate::store::number_filter::NumberFilter;
use crate::store::open::Store;
use crate::store::rows::{NumberRow, NumberState};
use crate::store::sql::{Database, Row, Sql, Tx};
use crate::store::table::Table;

/// So many rows from either end of a list are walked to where no ladder of that order stands yet.
const NEAR: u64 = 5_000;

/// The lists of so many accounts are walked before they are asked for.
const AHEAD: u64 = 8;

/// So many rows of several accounts are sorted at most.
const SORTED: u64 = 5_000;

/// Where a list of numbers is gone on with: behind this text, in this scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place(Key);

impl Store {
    /// Numbers, in the order the filter says, as of one moment. However many there are, a page is found by a
    /// walk of a few thousand entries of an index; see `store::ladder` for what the first page after
    /// a start, or of a search, costs beyond.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn numbers(&self, filter: &NumberFilter, page: Page) -> Result<Listed<NumberRow>> {
        if filter.number.is_some() {
            return self.of_one_text(filter, page).await;
        }
        if filter.under.is_some()
            && let Some(listed) = self.of_small_family(filter, page).await?
        {
            return Ok(listed);
        }
        let lists = filter.lists(&self.directory, false);
        let mut ladders = Vec::with_capacity(lists.len());
        for list in &lists {
            ladders.push(self.ladders.of(&list.by_number()).await);
        }
        let mut tx = self.directory.begin_ranges().await?;
        for ladder in &mut ladders {
            self.climb(ladder, filter, &mut tx).await?;
        }
        let counted: Vec<Counted<'_>> = lists.iter().zip(&ladders).map(Counted::of).collect();
        let total = counted.iter().map(|list| list.rows).sum();
        let key = match (counted.as_slice(), filter.after) {
            ([one], Some(after)) => one.list.key(&mut tx, after.bind()).await?,
            _ => None,
        };
        let rows = match key {
            Some(key) => self.behind(&mut tx, filter, &counted[0], &key, page.limit).await?,
            None => self.window(&mut tx, filter, &counted, page).await?,
        };
        Ok(Listed { rows: readable(&rows), total })
    }

    /// How many exact numbers, or patterns, an account has: counted up to `most` and no further.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn count_numbers(&self, account: AccountSid, patterns: bool, most: u64) -> Result<u64> {
        const SOME: &str = "SELECT count(*) FROM (SELECT 1 FROM numbers WHERE account_id = ? AND ";
        let kind = if patterns { "shape = 'pattern' AND " } else { "shape <> 'pattern' AND " };
        let sql = Sql::asked(&[SOME, kind, NumberState::HELD, "LIMIT ?) AS some_of_them"]);
        count(&self.directory, sql, &[account.bind(), most.bind()]).await
    }

    /// The numbers behind `after`, in the order of texts, without counting how many there are, and where the
    /// next ones stand.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn numbers_after(
        &self,
        filter: &NumberFilter,
        after: Option<&Place>,
        limit: u64,
    ) -> Result<(Vec<NumberRow>, Option<Place>)> {
        let list = one_list(filter, &self.directory);
        let mut tx = self.directory.begin_ranges().await?;
        let rows = list.walked(&mut tx, false, after.map(|place| &place.0), (0, limit)).await?;
        let last = rows.last().filter(|_| rows.len() as u64 == limit);
        let place = match last.and_then(|row| row.text(0).ok().flatten()) {
            Some(id) => list.key(&mut tx, id.to_owned().bind()).await?.map(Place),
            None => None,
        };
        Ok((readable(&rows), place))
    }

    /// Where a number stands in the order of texts; `None`: it is gone.
    ///
    /// # Errors
    /// The database is away.
    pub async fn place_of(&self, number: NumberSid) -> Result<Option<Place>> {
        let list = one_list(&NumberFilter::default(), &self.directory);
        let mut tx = self.directory.begin_ranges().await?;
        Ok(list.key(&mut tx, number.bind()).await?.map(Place))
    }

    /// Numbers in the order of their texts from `start` on, without counting all.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn numbers_from(
        &self,
        filter: &NumberFilter,
        start: &str,
        limit: u64,
    ) -> Result<Vec<NumberRow>> {
        let mut ladder = self.ladders.of(&one_list(filter, &self.directory)).await;
        let mut tx = self.directory.begin_ranges().await?;
        self.climb(&mut ladder, filter, &mut tx).await?;
        let offset = ladder.before(&mut tx, &vec![start.to_owned(), String::new()]).await?;
        Ok(readable(&ladder.page(&mut tx, offset, limit).await?))
    }

    /// The rows of an organization, and the provider numbers of all, that have one of these texts.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn with_texts(
        &self,
        organization: OrganizationSid,
        texts: &[String],
    ) -> Result<Vec<NumberRow>> {
        const TEXTS: usize = 500;
        let mut found = Vec::new();
        for batch in texts.chunks(TEXTS) {
            let mut parts = vec![NumberRow::SELECT, "WHERE scope IN ('*', ?) AND number IN (?"];
            parts.extend(std::iter::repeat_n(", ?", batch.len() - 1));
            parts.push(")");
            let mut values = vec![organization.bind()];
            values.extend(batch.iter().map(|text| text.clone().bind()));
            found.extend(readable(&self.directory.rows(Sql::asked(&parts), &values).await?));
        }
        Ok(found)
    }

    /// What the server would do for each statement that a list of numbers consists of: for whoever looks into
    /// a slow one.
    ///
    /// # Errors
    /// The database is away.
    pub async fn plans_of_numbers(&self, filter: &NumberFilter) -> Result<Vec<String>> {
        let mut tx = self.directory.begin_ranges().await?;
        let mut plans = Vec::new();
        for list in filter.lists(&self.directory, false) {
            plans.extend(list.plans(&mut tx).await?);
            plans.extend(list.by_number().plans(&mut tx).await?);
        }
        Ok(plans)
    }

    /// Walks the lists of those who have very many numbers, so that whoever asks for a page of one next need not wait
    /// for it; how many lists.
    ///
    /// # Errors
    /// The database is away.
    pub async fn walk_lists(&self) -> Result<u64> {
        const MANY: &str = "SELECT account_id FROM numbers GROUP BY account_id HAVING count(*) >= $1 \
            ORDER BY count(*) DESC LIMIT $2";
        let rows = self.directory.rows(MANY, &[SORTED.bind(), AHEAD.bind()]).await?;
        let accounts = rows.iter().filter_map(|row| AccountSid::of_word(row.text(0).ok().flatten()?));
        let mut filters = Vec::new();
        for account in accounts {
            let held = NumberFilter { account: Some(account), held: true, ..NumberFilter::default() };
            // As Restcomm's, Kazoo's and Wazo's lists ask.
            filters.push(NumberFilter { dialled: true, ..held.clone() });
            filters.push(NumberFilter { plain: true, ..held.clone() });
            filters.push(held);
        }
        if !filters.is_empty() {
            filters.push(NumberFilter::default());
        }
        for filter in &filters {
            let mut ladder = self.ladders.of(&one_list(filter, &self.directory).by_number()).await;
            let mut tx = self.directory.begin_ranges().await?;
            self.climb(&mut ladder, filter, &mut tx).await?;
        }
        Ok(filters.len() as u64)
    }

    /// Puts in order what the server keeps for its indexes after many numbers changed: until then PostgreSQL looks
    /// each row of a page up in the table, and guesses by what was there before. SQLite needs nothing of the kind.
    ///
    /// # Errors
    /// The database is away.
    pub async fn settle_numbers(&self) -> Result<()> {
        if let Database::Postgres(_) = self.directory {
            // Another node may be at it.
            self.directory.rows("VACUUM (ANALYZE, SKIP_LOCKED) numbers", &[]).await?;
        }
        Ok(())
    }

    /// Brings a ladder to what the transaction sees.
    async fn climb(&self, ladder: &mut Ladder, filter: &NumberFilter, tx: &mut Tx) -> Result<()> {
        ladder.refresh(tx).await?;
        if filter.kind.is_some() {
            // What the plan says of newer numbers may be written down at any time, without a generation.
            ladder.forget_behind(self.ladders.classified(filter.account));
        }
        Ok(())
    }

    /// A page of lists that stand one behind the other.
    async fn window(
        &self,
        tx: &mut Tx,
        filter: &NumberFilter,
        lists: &[Counted<'_>],
        page: Page,
    ) -> Result<Vec<Row>> {
        let total: u64 = lists.iter().map(|list| list.rows).sum();
        let mut offset = page.offset.min(total);
        let mut limit = page.limit.min(total - offset);
        if filter.reverse {
            offset = total - offset - limit;
        }
        let mut rows = Vec::new();
        for list in lists {
            let passed = offset.min(list.rows);
            let taken = limit.min(list.rows - passed);
            if taken > 0 {
                rows.extend(self.part(tx, filter, list, (passed, taken)).await?);
            }
            (offset, limit) = (offset - passed, limit - taken);
        }
        if filter.reverse {
            rows.reverse();
        }
        Ok(rows)
    }

    /// A part of one list, in its own order.
    async fn part(
        &self,
        tx: &mut Tx,
        filter: &NumberFilter,
        counted: &Counted<'_>,
        (offset, limit): (u64, u64),
    ) -> Result<Vec<Row>> {
        let Counted { list, rows, ladder } = *counted;
        let behind = rows - offset - limit;
        match (ladder, list.order) {
            (Some(ladder), Order::Number) => return ladder.page(tx, offset, limit).await,
            (Some(_), _) if filter.account.is_some() => {}
            // Few, or in an order that no index has for several accounts: the server sorts.
            _ => return list.walked(tx, false, None, (offset, limit)).await,
        }
        if filter.is_wide() && offset <= NEAR {
            return list.rows(tx, &list.order.lowest(), None, (offset, limit)).await;
        }
        if filter.is_wide() && behind <= NEAR {
            let mut rows = list.walked(tx, true, None, (behind, limit)).await?;
            rows.reverse();
            return Ok(rows);
        }
        let mut ladder = self.ladders.of(list).await;
        self.climb(&mut ladder, filter, tx).await?;
        ladder.page(tx, offset, limit).await
    }

    /// The rows behind a place.
    async fn behind(
        &self,
        tx: &mut Tx,
        filter: &NumberFilter,
        counted: &Counted<'_>,
        key: &Key,
        limit: u64,
    ) -> Result<Vec<Row>> {
        let list = counted.list;
        if filter.is_wide() || filter.account.is_none() && list.order != Order::Number {
            return list.walked(tx, filter.reverse, Some(key), (0, limit)).await;
        }
        let mut own = None;
        let ladder = match (counted.ladder, list.order) {
            (Some(ladder), Order::Number) => ladder,
            _ => {
                let ladder = own.insert(self.ladders.of(list).await);
                self.climb(ladder, filter, tx).await?;
                ladder
            }
        };
        if filter.reverse {
            let before = ladder.before(tx, key).await?;
            let taken = limit.min(before);
            let mut rows = ladder.page(tx, before - taken, taken).await?;
            rows.reverse();
            return Ok(rows);
        }
        let mut next = key.clone();
        next.last_mut().expect("a key has columns").push('\u{1}');
        let offset = ladder.before(tx, &next).await?;
        ladder.page(tx, offset, limit).await
    }

    /// The numbers of accounts that have few together, sorted by the server; `None`: they have many.
    async fn of_small_family(&self, filter: &NumberFilter, page: Page) -> Result<Option<Listed<NumberRow>>> {
        let lists = filter.lists(&self.directory, true);
        let mut tx = self.directory.begin_ranges().await?;
        let mut counted = Vec::with_capacity(lists.len());
        for list in &lists {
            let rows = list.count_up_to(&mut tx, SORTED).await?;
            if rows >= SORTED {
                return Ok(None);
            }
            counted.push(Counted { list, rows, ladder: None });
        }
        let rows = self.window(&mut tx, filter, &counted, page).await?;
        let total = counted.iter().map(|list| list.rows).sum();
        Ok(Some(Listed { rows: readable(&rows), total }))
    }

    /// One text has few rows.
    async fn of_one_text(&self, filter: &NumberFilter, page: Page) -> Result<Listed<NumberRow>> {
        let list = one_list(filter, &self.directory);
        let mut tx = self.directory.begin_ranges().await?;
        let rows = list.walked(&mut tx, filter.reverse, None, (page.offset, page.limit)).await?;
        let all = rows.len() as u64;
        let total = match page.offset == 0 && all < page.limit {
            true => all,
            false => list.count(&mut tx, &list.order.lowest(), None).await?,
        };
        Ok(Listed { rows: readable(&rows), total })
    }
}

/// A list, how many rows it has, and the ladder that says so.
struct Counted<'a> {
    list: &'a List,
    rows: u64,
    ladder: Option<&'a Ladder>,
}

impl<'a> Counted<'a> {
    fn of((list, ladder): (&'a List, &'a OwnedMutexGuard<Ladder>)) -> Self {
        Self { list, rows: ladder.total(), ladder: Some(ladder) }
    }
}

/// What the filter lets through, in the order of texts.
fn one_list(filter: &NumberFilter, database: &Database) -> List {
    let filter = NumberFilter { order: Default::default(), ..filter.clone() };
    filter.lists(database, true).swap_remove(0)
}
