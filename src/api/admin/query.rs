//! What the query says of a list, or of how something is shown.

use super::MOST;
use crate::api::error::ApiError;
use crate::api::restcomm::params::Params;
use crate::store::Page;

/// `offset` (0) and [`limit`].
pub(super) fn page(params: &Params) -> Result<Page, ApiError> {
    // No table has more rows, and every server counts so far.
    let offset = params.count("offset")?.unwrap_or(0).min(u64::from(u32::MAX));
    Ok(Page { offset, limit: limit(params)? })
}

/// `limit` (50), [`MOST`] at most.
pub(super) fn limit(params: &Params) -> Result<u64, ApiError> {
    Ok(params.count("limit")?.unwrap_or(50).min(MOST))
}

/// `numbers=true`: telephone numbers are shown whole.
pub(super) fn whole(params: &Params) -> Result<bool, ApiError> {
    Ok(params.flag("numbers")?.unwrap_or(false))
}

/// The same where nothing else may be given; the parameters come along for their warnings.
pub(super) fn only_whole(query: Option<String>) -> Result<(Params, bool), ApiError> {
    let params = Params::parse(query.unwrap_or_default().as_bytes(), &["numbers"]);
    let whole = whole(&params)?;
    Ok((params, whole))
}
