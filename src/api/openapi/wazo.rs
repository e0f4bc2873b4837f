//! Wazo's operations.

use super::Input::{Json, None as Nothing, Query};
use super::Operation;
use crate::api::wazo::{FILTERS, MAIN, NUMBER, RANGE};

/// Wazo's, below its base.
pub(super) const WAZO: &[Operation] = &[
    ("get", "/phone-numbers", "The tenant's numbers", Query(FILTERS), 200),
    ("post", "/phone-numbers", "Create a number", Json(NUMBER), 201),
    (
        "post",
        "/phone-numbers/ranges",
        "Create the numbers of a range that are not there yet",
        Json(RANGE),
        201,
    ),
    ("get", "/phone-numbers/main", "The tenant's main number", Nothing, 200),
    ("put", "/phone-numbers/main", "Choose the tenant's main number, which is shared then", Json(MAIN), 204),
    ("get", "/phone-numbers/{uuid}", "One number of the tenant or one below it", Nothing, 200),
    ("put", "/phone-numbers/{uuid}", "Change a number; what is absent stays", Json(NUMBER), 204),
    ("delete", "/phone-numbers/{uuid}", "Give a number back", Nothing, 204),
];
