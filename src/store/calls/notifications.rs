//! What went wrong with an application's URLs and documents, for its account to read.

use jiff::Timestamp;

use crate::ids::{AccountSid, CallSid, NotificationSid};
use crate::routing::model::Method;
use crate::store::column::Column;
use crate::store::error::Result;
use crate::store::lists::{Listed, Page, count, readable};
use crate::store::open::Store;
use crate::store::sql::{Purpose, Sql};
use crate::store::table::{Table, table};

table! {
    /// One notification.
    NotificationRow in "notifications" {
        /// Identity.
        1 id: NotificationSid,
        /// Whose application.
        2 account_id: AccountSid,
        /// The call or message, where there was one.
        3 call_id: Option<CallSid>,
        /// When.
        4 at: Timestamp,
        /// Restcomm's number of it.
        5 error_code: u32,
        /// The reason code, or `receiver_disabled`.
        6 reason: String,
        /// What was wrong, in words; may be empty.
        7 text: String,
        /// The URL without credentials and query, where one was asked; may be empty.
        8 url: String,
        /// How it was asked.
        9 method: Option<Method>,
        /// What it answered.
        10 http_status: Option<u16>,
    }
}

/// Which notifications are wanted; what is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotificationFilter {
    /// Those of this account.
    pub account: Option<AccountSid>,
    /// Those of this call.
    pub call: Option<CallSid>,
    /// With this number.
    pub error_code: Option<u32>,
    /// About this URL.
    pub url: Option<String>,
    /// At this moment or later.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

impl Store {
    /// Notifications, newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn notifications(
        &self,
        filter: &NotificationFilter,
        page: Page,
    ) -> Result<Listed<NotificationRow>> {
        const WHERE: &str = "WHERE ($1 IS NULL OR account_id = $1) AND ($2 IS NULL OR call_id = $2) \
             AND ($3 IS NULL OR error_code = $3) AND ($4 IS NULL OR url = $4) \
             AND ($5 IS NULL OR at >= $5) AND ($6 IS NULL OR at < $6) ";
        let mut values = vec![
            filter.account.bind(),
            filter.call.bind(),
            filter.error_code.bind(),
            filter.url.bind(),
            filter.from.bind(),
            filter.until.bind(),
        ];
        let total = count(&self.calls, Sql::of(&[NotificationRow::COUNT, WHERE]), &values).await?;
        values.extend([page.limit.bind(), page.offset.bind()]);
        let sql = Sql::of(&[NotificationRow::SELECT, WHERE, "ORDER BY at DESC, id LIMIT $7 OFFSET $8"]);
        Ok(Listed { rows: readable(&self.calls.rows(sql, &values).await?), total })
    }

    /// One notification.
    ///
    /// # Errors
    /// The database is away, or the row cannot be read.
    pub async fn notification(&self, id: NotificationSid) -> Result<Option<NotificationRow>> {
        let sql = Sql::of(&[NotificationRow::SELECT, "WHERE id = $1"]);
        let rows = self.calls.rows(sql, &[id.bind()]).await?;
        Ok(rows.first().map(NotificationRow::read).transpose()?)
    }

    /// Writes some.
    ///
    /// # Errors
    /// The database is away or refuses; none is written then.
    pub async fn notify(&self, rows: &[NotificationRow]) -> Result<()> {
        let mut tx = self.calls.begin(Purpose::Write).await?;
        for row in rows {
            tx.execute(NotificationRow::INSERT, &row.values()).await?;
        }
        tx.commit().await
    }
}
