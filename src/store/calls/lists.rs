//! What the API shows of calls.

use jiff::Timestamp;

use crate::call::outcome::CallStatus;
use crate::ids::{AccountSid, CallSid, OrganizationSid};
use crate::store::calls::deliveries::DeliveryState;
use crate::store::calls::rows::{AttemptRow, CallLegRow, CallRow, DeliveryRow, EventRow, TraceRow};
use crate::store::column::Column;
use crate::store::error::Result;
use crate::store::lists::{Listed, Page, count, readable};
use crate::store::open::Store;
use crate::store::sql::{Sql, Value};
use crate::store::table::Table;

/// Which calls are wanted; what is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// Those of this account.
    pub account: Option<AccountSid>,
    /// Those of this organization.
    pub organization: Option<OrganizationSid>,
    /// From this caller.
    pub caller: Option<String>,
    /// To this dialled number.
    pub called: Option<String>,
    /// In this status.
    pub status: Option<CallStatus>,
    /// Begun at this moment or later.
    pub from: Option<Timestamp>,
    /// Begun before this moment.
    pub until: Option<Timestamp>,
}

/// Which calls and legs of an account are wanted; what is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallLegFilter {
    /// Those of this account.
    pub account: Option<AccountSid>,
    /// The legs of this call.
    pub parent: Option<CallSid>,
    /// From this caller.
    pub caller: Option<String>,
    /// To this number or target.
    pub called: Option<String>,
    /// In this status.
    pub status: Option<CallStatus>,
    /// Begun at this moment or later.
    pub from: Option<Timestamp>,
    /// Begun before this moment.
    pub until: Option<Timestamp>,
}

/// Which deliveries are wanted; what is `None` does not narrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// Those of this account.
    pub account: Option<AccountSid>,
    /// Those of this call.
    pub call: Option<CallSid>,
    /// In this state.
    pub state: Option<DeliveryState>,
    /// To this URL.
    pub url: Option<String>,
}

impl Store {
    /// Calls, newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn calls(&self, filter: &CallFilter, page: Page) -> Result<Listed<CallRow>> {
        const WHERE: &str = "WHERE ($1 IS NULL OR account_id = $1) AND ($2 IS NULL OR organization_id = $2) \
             AND ($3 IS NULL OR caller = $3) AND ($4 IS NULL OR called = $4) AND ($5 IS NULL OR status = $5) \
             AND ($6 IS NULL OR started_at >= $6) AND ($7 IS NULL OR started_at < $7) ";
        let mut values = vec![
            filter.account.bind(),
            filter.organization.bind(),
            filter.caller.bind(),
            filter.called.bind(),
            filter.status.bind(),
            filter.from.bind(),
            filter.until.bind(),
        ];
        let total = count(&self.calls, Sql::of(&[CallRow::COUNT, WHERE]), &values).await?;
        values.extend([page.limit.bind(), page.offset.bind()]);
        let sql = Sql::of(&[CallRow::SELECT, WHERE, "ORDER BY started_at DESC, id LIMIT $8 OFFSET $9"]);
        Ok(Listed { rows: readable(&self.calls.rows(sql, &values).await?), total })
    }

    /// One call.
    ///
    /// # Errors
    /// The database is away, or the row cannot be read.
    pub async fn call(&self, call: CallSid) -> Result<Option<CallRow>> {
        let rows = self.calls.rows(Sql::of(&[CallRow::SELECT, "WHERE id = $1"]), &[call.bind()]).await?;
        Ok(rows.first().map(CallRow::read).transpose()?)
    }

    /// Calls and legs, newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn call_legs(&self, filter: &CallLegFilter, page: Page) -> Result<Listed<CallLegRow>> {
        const WHERE: &str = "WHERE ($1 IS NULL OR account_id = $1) AND ($2 IS NULL OR call_id = $2) \
             AND ($3 IS NULL OR caller = $3) AND ($4 IS NULL OR called = $4) AND ($5 IS NULL OR status = $5) \
             AND ($6 IS NULL OR started_at >= $6) AND ($7 IS NULL OR started_at < $7) ";
        let mut values = vec![
            filter.account.bind(),
            filter.parent.bind(),
            filter.caller.bind(),
            filter.called.bind(),
            filter.status.bind(),
            filter.from.bind(),
            filter.until.bind(),
        ];
        let total = count(&self.calls, Sql::of(&[CallLegRow::COUNT, WHERE]), &values).await?;
        values.extend([page.limit.bind(), page.offset.bind()]);
        let sql = Sql::of(&[CallLegRow::SELECT, WHERE, "ORDER BY started_at DESC, id LIMIT $8 OFFSET $9"]);
        Ok(Listed { rows: readable(&self.calls.rows(sql, &values).await?), total })
    }

    /// One call or leg.
    ///
    /// # Errors
    /// The database is away, or the row cannot be read.
    pub async fn call_leg(&self, sid: CallSid) -> Result<Option<CallLegRow>> {
        let rows = self.calls.rows(Sql::of(&[CallLegRow::SELECT, "WHERE id = $1"]), &[sid.bind()]).await?;
        Ok(rows.first().map(CallLegRow::read).transpose()?)
    }

    /// The newest call whose A leg has this Call-ID.
    ///
    /// # Errors
    /// The database is away, or the row cannot be read.
    pub async fn call_by_sip_call_id(&self, call_id: &str) -> Result<Option<CallRow>> {
        let sql = Sql::of(&[CallRow::SELECT, "WHERE sip_call_id = $1 ORDER BY started_at DESC LIMIT 1"]);
        let rows = self.calls.rows(sql, &[call_id.to_owned().bind()]).await?;
        Ok(rows.first().map(CallRow::read).transpose()?)
    }

    /// A call's records in words, in order, in stretches.
    ///
    /// # Errors
    /// The database is away.
    pub async fn call_events(&self, call: CallSid) -> Result<Vec<EventRow>> {
        self.of_call(Sql::of(&[EventRow::SELECT, "WHERE call_id = $1 ORDER BY sequence"]), call).await
    }

    /// A call's trace, in order.
    ///
    /// # Errors
    /// The database is away.
    pub async fn call_trace(&self, call: CallSid) -> Result<Vec<TraceRow>> {
        self.of_call(Sql::of(&[TraceRow::SELECT, "WHERE call_id = $1 ORDER BY line"]), call).await
    }

    /// Deliveries, newest first.
    ///
    /// # Errors
    /// The database is away.
    pub async fn deliveries(&self, filter: &DeliveryFilter, page: Page) -> Result<Listed<DeliveryRow>> {
        const WHERE: &str = "WHERE ($1 IS NULL OR account_id = $1) AND ($2 IS NULL OR call_id = $2) \
             AND ($3 IS NULL OR state = $3) AND ($4 IS NULL OR url = $4) ";
        let mut values =
            vec![filter.account.bind(), filter.call.bind(), filter.state.bind(), filter.url.bind()];
        let total = count(&self.calls, Sql::of(&[DeliveryRow::COUNT, WHERE]), &values).await?;
        values.extend([page.limit.bind(), page.offset.bind()]);
        let sql = Sql::of(&[
            DeliveryRow::SELECT,
            WHERE,
            "ORDER BY created_at DESC, call_id, sequence DESC LIMIT $5 OFFSET $6",
        ]);
        Ok(Listed { rows: readable(&self.calls.rows(sql, &values).await?), total })
    }

    /// A delivery's tries, in order.
    ///
    /// # Errors
    /// The database is away.
    pub async fn attempts(&self, delivery: &str) -> Result<Vec<AttemptRow>> {
        let first = self.delivery(delivery).await?.and_then(|delivery| delivery.first_try());
        let sql = Sql::of(&[AttemptRow::SELECT, "WHERE delivery_id = $1 ORDER BY attempt"]);
        let others: Vec<AttemptRow> = readable(&self.calls.rows(sql, &[delivery.to_owned().bind()]).await?);
        Ok(first.into_iter().chain(others).collect())
    }

    async fn of_call<T: Table>(&self, sql: Sql, call: CallSid) -> Result<Vec<T>> {
        let values: [Value; 1] = [call.bind()];
        Ok(readable(&self.calls.rows(sql, &values).await?))
    }
}
