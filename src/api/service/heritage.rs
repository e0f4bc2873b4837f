//! What stays with a number when it comes to somebody else.

use crate::store::{NumberRow, NumberState};

/// What a number keeps when somebody takes it: its carrier, whose it was, and what it can, unless it is one that
/// somebody gave back.
pub(super) fn inherit(waiting: &NumberRow, row: &mut NumberRow) {
    row.carrier.clone_from(&waiting.carrier);
    if waiting.state == NumberState::Available {
        row.previous_account_id = waiting.previous_account_id;
        keep_capabilities(waiting, row);
    } else {
        row.previous_account_id = Some(waiting.account_id).filter(|former| *former != row.account_id);
    }
}

/// What a number can, from one row to another.
pub(super) fn keep_capabilities(from: &NumberRow, to: &mut NumberRow) {
    to.voice_capable = from.voice_capable;
    to.sms_capable = from.sms_capable;
    to.mms_capable = from.mms_capable;
    to.fax_capable = from.fax_capable;
}
