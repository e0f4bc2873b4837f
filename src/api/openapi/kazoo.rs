//! Kazoo's operations.

use super::Input::{Data, None as Nothing, Query};
use super::Operation;
use crate::api::kazoo::{LIST, NUMBER, NUMBERS};

/// Below `/v2`, with a token.
pub(super) const KAZOO: &[Operation] = &[
    ("get", "/accounts/{account}", "The account", Nothing, 200),
    ("post", "/accounts/{account}", "Change the account", Data(ACCOUNT), 200),
    ("patch", "/accounts/{account}", "Change the account", Data(ACCOUNT), 200),
    ("get", "/accounts/{account}/children", "The accounts right below", Nothing, 200),
    ("get", "/accounts/{account}/descendants", "All accounts below", Nothing, 200),
    ("get", "/accounts/{account}/parents", "The accounts above", Nothing, 200),
    (
        "get",
        "/accounts/{account}/phone_numbers",
        "The account's numbers; with a prefix, a search",
        Query(LIST),
        200,
    ),
    ("get", "/accounts/{account}/phone_numbers/{number}", "One number", Nothing, 200),
    ("put", "/accounts/{account}/phone_numbers/{number}", "Add a number", Data(NUMBER), 201),
    ("post", "/accounts/{account}/phone_numbers/{number}", "Replace a number's fields", Data(NUMBER), 200),
    ("patch", "/accounts/{account}/phone_numbers/{number}", "Change some of its fields", Data(NUMBER), 200),
    ("delete", "/accounts/{account}/phone_numbers/{number}", "Give it back", Query(&["hard"]), 200),
    ("put", "/accounts/{account}/phone_numbers/{number}/activate", "Put it in service", Data(NUMBER), 201),
    ("put", "/accounts/{account}/phone_numbers/{number}/reserve", "Reserve it", Data(NUMBER), 201),
    (
        "put",
        "/accounts/{account}/phone_numbers/{number}/port",
        "Bring it from another carrier",
        Data(NUMBER),
        201,
    ),
    (
        "get",
        "/accounts/{account}/phone_numbers/{number}/identify",
        "Whose it is, and whether it routes",
        Nothing,
        200,
    ),
    ("get", "/accounts/{account}/phone_numbers/collection", "Many numbers", Query(NUMBERS), 200),
    ("put", "/accounts/{account}/phone_numbers/collection", "Add many", Data(NUMBERS), 201),
    (
        "post",
        "/accounts/{account}/phone_numbers/collection",
        "Replace the fields of many",
        Data(NUMBERS),
        200,
    ),
    (
        "patch",
        "/accounts/{account}/phone_numbers/collection",
        "Change some fields of many",
        Data(NUMBERS),
        200,
    ),
    ("delete", "/accounts/{account}/phone_numbers/collection", "Give many back", Data(NUMBERS), 200),
    (
        "put",
        "/accounts/{account}/phone_numbers/collection/activate",
        "Put many in service",
        Data(NUMBERS),
        201,
    ),
    ("post", "/accounts/{account}/phone_numbers/check", "Which numbers may still be had", Data(NUMBERS), 200),
    (
        "post",
        "/accounts/{account}/phone_numbers/locality",
        "Where numbers are, by the provider",
        Data(NUMBERS),
        200,
    ),
    ("post", "/accounts/{account}/phone_numbers/fix", "The list; there is nothing to mend", Nothing, 200),
    ("get", "/accounts/{account}/phone_numbers/fix", "The same", Nothing, 200),
    ("post", "/accounts/{account}/phone_numbers/fix/{number}", "One number", Nothing, 200),
    ("get", "/accounts/{account}/phone_numbers/carriers_info", "What carriers can do", Nothing, 200),
    ("get", "/token_auth", "What the token stands for", Nothing, 200),
    ("delete", "/token_auth", "End a token that was given for a while", Nothing, 200),
];

/// Below `/v2`, for everybody.
pub(super) const KAZOO_OPEN: &[Operation] = &[
    (
        "get",
        "/phone_numbers",
        "Search for numbers that may be had",
        Query(&["prefix", "quantity", "offset", "country"]),
        200,
    ),
    (
        "get",
        "/phone_numbers/prefix",
        "The area codes of a city, by the carrier",
        Query(&["city", "country"]),
        200,
    ),
    ("get", "/phone_numbers/classifiers", "All classifiers", Nothing, 200),
    ("get", "/phone_numbers/classifiers/{number}", "The classifier of a number", Nothing, 200),
    (
        "get",
        "/accounts/{account}/phone_numbers/prefix",
        "The area codes of a city",
        Query(&["city", "country"]),
        200,
    ),
    ("get", "/accounts/{account}/phone_numbers/classifiers", "All classifiers", Nothing, 200),
    (
        "get",
        "/accounts/{account}/phone_numbers/classifiers/{number}",
        "The classifier of a number",
        Nothing,
        200,
    ),
    (
        "put",
        "/user_auth",
        "A token for an hour of use, for the digest of a user and its password",
        Data(&["credentials", "account_name", "account_realm", "phone_number", "method"]),
        201,
    ),
    ("put", "/api_auth", "The same for an account's auth token", Data(&["api_key"]), 201),
];

const ACCOUNT: &[&str] = &["name", "pvt_wnm_allow_additions"];
