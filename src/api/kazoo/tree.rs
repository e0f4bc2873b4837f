//! The account of a path, and those above and below it.

use std::collections::VecDeque;

use axum::http::Method;
use serde_json::{Value, json};

use super::answer::Told;
use super::document::gregorian;
use super::members::Members;
use super::refusal::Refusal;
use super::serve::Call;
use crate::ids::AccountSid;
use crate::routing::model::Status;
use crate::store::{AccountRow, OrganizationRow, Page, Word};

/// The most accounts of one answer.
const MOST: u64 = 1_000;

/// How deep accounts are nested at most.
const DEEPEST: usize = 16;

/// `/v2/accounts/{id}`: GET, and POST or PATCH of what may be changed here.
pub(super) async fn account(call: &Call<'_>) -> Result<Told, Refusal> {
    if call.asked.method == Method::GET {
        return Ok(Told::new(document(call, &call.account).await?));
    }
    let object = call.asked.object()?;
    let mut members = Members::of(&object);
    let (adds, name) = (members.flag("pvt_wnm_allow_additions"), members.text("name"));
    members.done()?;
    if adds.is_some_and(|adds| adds != call.account.allow_additions) && !call.who.is_super_admin() {
        return Err(Refusal::forbidden());
    }
    let written = call
        .api
        .service
        .update_account(&call.who, call.account.id, |row| {
            if let Some(name) = name {
                row.friendly_name = name.to_owned();
            }
            row.allow_additions = adds.unwrap_or(row.allow_additions);
            Ok(())
        })
        .await?;
    let data = document(call, &written.value).await?;
    Ok(Told { generation: Some(written.generation), ..Told::new(data) })
}

/// Those right below.
pub(super) async fn children(call: &Call<'_>) -> Result<Told, Refusal> {
    Ok(Told::new(brief(call, &below(call, call.account.id).await?).await?))
}

/// All below, nearest first.
pub(super) async fn descendants(call: &Call<'_>) -> Result<Told, Refusal> {
    let mut found = Vec::new();
    let mut waiting = VecDeque::from([call.account.id]);
    while let Some(parent) = waiting.pop_front() {
        for row in below(call, parent).await? {
            if found.len() as u64 >= MOST {
                break;
            }
            waiting.push_back(row.id);
            found.push(row);
        }
    }
    Ok(Told::new(brief(call, &found).await?))
}

/// Those above that the asker may see, nearest last.
pub(super) async fn parents(call: &Call<'_>) -> Result<Told, Refusal> {
    let mut found = Vec::new();
    let mut above = call.account.parent_id;
    while let Some(sid) = above.filter(|_| found.len() < DEEPEST) {
        let Ok(row) = call.api.service.account_for(&call.who, sid).await else { break };
        above = row.parent_id;
        found.insert(0, row);
    }
    Ok(Told::new(brief(call, &found).await?))
}

async fn below(call: &Call<'_>, parent: AccountSid) -> Result<Vec<AccountRow>, Refusal> {
    let listed = call.api.service.store().accounts_under(parent, Page::first(MOST)).await?;
    Ok(listed.rows.into_iter().filter(|row| row.id != parent).collect())
}

async fn realm(call: &Call<'_>, row: &AccountRow) -> Result<String, Refusal> {
    let organization = call.api.service.store().read::<OrganizationRow>(row.organization_id).await?;
    Ok(organization.map(|organization| organization.domain).unwrap_or_default())
}

async fn brief(call: &Call<'_>, rows: &[AccountRow]) -> Result<Value, Refusal> {
    let mut list = Vec::with_capacity(rows.len());
    for row in rows {
        let realm = realm(call, row).await?;
        list.push(json!({ "id": row.id.word(), "name": row.friendly_name, "realm": realm }));
    }
    Ok(list.into())
}

async fn document(call: &Call<'_>, row: &AccountRow) -> Result<Value, Refusal> {
    Ok(json!({
        "id": row.id.word(),
        "name": row.friendly_name,
        "realm": realm(call, row).await?,
        "enabled": row.status == Status::Active,
        "is_reseller": row.parent_id.is_none(),
        "reseller_id": row.parent_id.unwrap_or(row.id).word(),
        "superduper_admin": row.role == crate::store::Role::SuperAdmin,
        "wnm_allow_additions": row.allow_additions,
        "pvt_wnm_allow_additions": row.allow_additions,
        "created": gregorian(row.created_at),
    }))
}
