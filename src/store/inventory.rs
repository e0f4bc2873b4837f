//! Numbers by the numbering plan, and those that nobody has.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::ids::AccountSid;
use crate::store::changes::unsteppable;
use crate::store::column::{Column, Word};
use crate::store::error::Result;
use crate::store::lists::{Page, readable};
use crate::store::number_filter::digits;
use crate::store::open::Store;
use crate::store::rows::NumberRow;
use crate::store::sql::{Purpose, Sql, Value};
use crate::store::table::Table;

/// What the numbering plan says of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberKind {
    /// Neither toll-free nor mobile.
    Local,
    /// Free to the caller.
    TollFree,
    /// Of a mobile network.
    Mobile,
    /// Local or mobile: the plan does not tell, as in North America.
    Either,
    /// No number of the plan: a SIP number, a pattern, a short code.
    None,
}

/// A text with what the plan says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classified {
    /// The text.
    pub number: String,
    /// Its kind.
    pub kind: NumberKind,
    /// The country, as `US`; empty where there is none.
    pub country: String,
}

/// Which of the inventory is wanted; what is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of this country, as `US`.
    pub country: Option<String>,
    /// Of this kind; local and mobile ones include those of which the plan does not tell.
    pub kind: Option<NumberKind>,
    /// That begins with this text of digits and `+`.
    pub prefix: Option<String>,
    /// That holds these digits, `*` standing for any one digit.
    pub part: Option<String>,
    /// Also what a carrier showed and nobody has bought yet.
    pub discovered: bool,
    /// With or without this capability.
    pub voice: Option<bool>,
    /// With or without this capability.
    pub sms: Option<bool>,
    /// With or without this capability.
    pub mms: Option<bool>,
    /// With or without this capability.
    pub fax: Option<bool>,
}

/// How many values one statement takes.
const BATCH: usize = 500;

/// What is passed by is read in the index.
const SKIPPED: &str = "SELECT number FROM numbers ";

/// Provider numbers that are nobody's: in the inventory, given back before a moment, shown by a carrier.
const ANY: &str = "WHERE scope = '*' AND state IN ('available', 'aging', 'discovery') \
    AND (state <> 'aging' OR updated_at < ?) ";

/// Those of the inventory. What the index holds is said as the index says it.
const AVAILABLE: &str =
    "WHERE scope = '*' AND state IN ('available', 'aging', 'discovery') AND state = 'available' ";

/// Those that were given back before a moment.
const AGED: &str = "WHERE scope = '*' AND state IN ('available', 'aging', 'discovery') AND state = 'aging' \
    AND updated_at < ? ";

/// Those that a carrier showed.
const DISCOVERED: &str =
    "WHERE scope = '*' AND state IN ('available', 'aging', 'discovery') AND state = 'discovery' ";

impl Store {
    /// Forgets what carriers showed before a moment.
    ///
    /// # Errors
    /// The database is away.
    pub async fn forget_discovered(&self, before: Timestamp) -> Result<()> {
        let mut tx = self.directory.begin(Purpose::Write).await?;
        let sql = "DELETE FROM numbers WHERE state = 'discovery' AND updated_at < $1";
        tx.execute(sql, &[before.bind()]).await?;
        tx.commit().await
    }

    /// Texts of which nothing is known yet, at most `limit`: an account's numbers, or the inventory.
    ///
    /// # Errors
    /// The database is away.
    pub async fn unclassified(&self, account: Option<AccountSid>, limit: u64) -> Result<Vec<String>> {
        const UNKNOWN: &str =
            "AND NOT EXISTS (SELECT 1 FROM number_kinds WHERE number_kinds.number = numbers.number) LIMIT ?";
        const CHANGED: &str = "SELECT DISTINCT numbers.number FROM change_log AS numbers \
             WHERE generation > ? AND kind = 'number' ";
        let mut tx = self.directory.begin(Purpose::Snapshot).await?;
        let newest = tx.generation().await?;
        let known = self.ladders.classified(account);
        let (of, mut values) = match (known, account) {
            (Some(known), _) if known == newest => return Ok(Vec::new()),
            // What came since then is all there is to look at.
            (Some(known), _) if known < newest && unsteppable(&mut tx, known).await?.is_none() => {
                (CHANGED, vec![known.bind()])
            }
            (_, Some(account)) => ("SELECT number FROM numbers WHERE account_id = ? ", vec![account.bind()]),
            (_, None) => ("SELECT number FROM numbers WHERE state IN ('available', 'aging') ", vec![]),
        };
        values.push(limit.bind());
        let rows = tx.rows(Sql::asked(&[of, UNKNOWN]), &values).await?;
        if rows.is_empty() {
            self.ladders.set_classified(account, newest);
        }
        Ok(rows.iter().filter_map(|row| row.text(0).ok().flatten().map(str::to_owned)).collect())
    }

    /// Keeps what the plan says.
    ///
    /// # Errors
    /// The database is away.
    pub async fn classify(&self, found: &[Classified]) -> Result<()> {
        let mut tx = self.directory.begin(Purpose::Write).await?;
        for batch in found.chunks(BATCH) {
            let head = "INSERT INTO number_kinds (number, kind, country)";
            let values: Vec<_> = batch
                .iter()
                .flat_map(|one| {
                    [one.number.clone().bind(), one.kind.word().bind(), one.country.clone().bind()]
                })
                .collect();
            tx.insert(head, 3, values, " ON CONFLICT (number) DO NOTHING").await?;
        }
        tx.commit().await
    }

    /// Numbers that anybody may have, in the order of their texts: available ones, and those given back
    /// before `aged`.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn available(&self, wanted: &Wanted, aged: Timestamp, page: Page) -> Result<Vec<NumberRow>> {
        let mut tx = self.directory.begin_ranges().await?;
        let generation = tx.generation().await?;
        let (passed, mut behind) = self.ladders.end_before(wanted, generation, page.offset);
        if let Some(further) = (page.offset - passed).checked_sub(1) {
            let (mut parts, mut values) = self.search(wanted, SKIPPED, ANY, &behind);
            values.insert(0, aged.bind());
            parts.push("ORDER BY number LIMIT 1 OFFSET ?");
            values.push(further.bind());
            let rows = tx.rows(Sql::asked(&parts), &values).await?;
            let Some(last) = rows.first().and_then(|row| row.text(0).ok().flatten()) else {
                return Ok(Vec::new());
            };
            behind = last.to_owned();
        }
        // Each state is a part of the index; which of the rows come first is seen here.
        let mut found = Vec::new();
        for (state, is_wanted, until) in
            [(AVAILABLE, true, None), (AGED, true, Some(aged)), (DISCOVERED, wanted.discovered, None)]
        {
            if is_wanted {
                let (mut parts, mut values) = self.search(wanted, NumberRow::SELECT, state, &behind);
                if let Some(moment) = until {
                    values.insert(0, moment.bind());
                }
                parts.push("ORDER BY number LIMIT ?");
                values.push(page.limit.bind());
                found.extend(readable::<NumberRow>(&tx.rows(Sql::asked(&parts), &values).await?));
            }
        }
        found.sort_by(|one, other| one.number.cmp(&other.number));
        found.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
        if let Some(last) = found.last().filter(|_| found.len() as u64 == page.limit) {
            self.ladders.set_end(wanted, generation, page.offset + page.limit, last.number.clone());
        }
        Ok(found)
    }

    /// The statement of a search behind a number, without its order; the values of `states` go before its own.
    fn search(
        &self,
        wanted: &Wanted,
        head: &'static str,
        states: &'static str,
        behind: &str,
    ) -> (Vec<&'static str>, Vec<Value>) {
        let (mut parts, mut values) = (vec![head, states, "AND number > ? "], vec![behind.to_owned().bind()]);
        if states == ANY && !wanted.discovered {
            parts.push("AND state <> 'discovery' ");
        }
        if let Some(country) = &wanted.country {
            parts.push(OF_COUNTRY);
            values.push(country.clone().bind());
        }
        if let Some(kind) = wanted.kind {
            parts.push(OF_KIND);
            values.extend([kind.word().bind(), kind.unless_told().word().bind()]);
        }
        if let Some(prefix) = &wanted.prefix {
            parts.push("AND number LIKE ? ESCAPE '!' ");
            let plain: String = prefix.chars().filter(|c| !matches!(c, '%' | '_' | '!')).collect();
            values.push(format!("{plain}%").bind());
        }
        if let Some(part) = &wanted.part {
            let (condition, value) = digits(&self.directory, part);
            parts.push(condition);
            values.push(value.bind());
        }
        for (condition, flag) in [
            ("AND voice_capable = ? ", wanted.voice),
            ("AND sms_capable = ? ", wanted.sms),
            ("AND mms_capable = ? ", wanted.mms),
            ("AND fax_capable = ? ", wanted.fax),
        ] {
            if let Some(flag) = flag {
                parts.push(condition);
                values.push(flag.bind());
            }
        }
        (parts, values)
    }

    /// How many available numbers each country has, as far as they are classified.
    ///
    /// # Errors
    /// The database is away.
    pub async fn available_countries(&self) -> Result<BTreeMap<String, u64>> {
        let rows = self
            .directory
            .rows(
                "SELECT country, count(*) FROM numbers JOIN number_kinds ON number_kinds.number = numbers.number \
                 WHERE state = 'available' AND scope = '*' AND country <> '' GROUP BY country",
                &[],
            )
            .await?;
        let mut countries = BTreeMap::new();
        for row in &rows {
            if let Some(country) = row.text(0).ok().flatten() {
                countries.insert(country.to_owned(), u64::try_from(row.count(1)?).unwrap_or(0));
            }
        }
        Ok(countries)
    }
}

/// Of a country, by the plan.
const OF_COUNTRY: &str = "AND EXISTS (SELECT 1 FROM number_kinds WHERE number_kinds.number = numbers.number \
     AND number_kinds.country = ?) ";

/// Of one of two kinds, by the plan.
pub(crate) const OF_KIND: &str = "AND EXISTS (SELECT 1 FROM number_kinds WHERE number_kinds.number = numbers.number \
     AND number_kinds.kind IN (?, ?)) ";

impl NumberKind {
    /// What a number may be instead where the plan does not tell: either of local and mobile.
    pub(crate) fn unless_told(self) -> Self {
        match self {
            Self::Local | Self::Mobile => Self::Either,
            other => other,
        }
    }

    /// Whether a number of this kind is what `wanted` asks for.
    #[must_use]
    pub fn is(self, wanted: Self) -> bool {
        self == wanted || self == wanted.unless_told()
    }
}
