//! Kazoo's operations.

use super::kazoo_shapes::{open_parameter, parameter};
use super::operation::{Dialect, Operation, delete, get, patch, post, put};
use crate::api::kazoo::{LIST, NUMBERS};

/// How the dialect speaks. A token may also stand in the query or the body's envelope, as `auth_token`.
pub(super) const DIALECT: Dialect = Dialect {
    name: "Kazoo",
    parameter,
    refusal: "KazooError",
    always: &[400, 401, 403, 423, 429, 500, 503],
    schemes: &["bearer", "token"],
    xml: false,
    strict: false,
};

/// What needs no token.
pub(super) const OPEN_DIALECT: Dialect =
    Dialect { always: &[400, 401, 500, 503], schemes: &[], parameter: open_parameter, ..DIALECT };

const WRITTEN: &[&str] = &["X-Callgate-Generation"];

/// How a change of one number may be refused.
const NUMBER_REFUSALS: &[u16] = &[402, 409, 423];

/// Below `/v2`, with a token.
pub(super) const KAZOO: &[Operation] = &[
    get("/accounts/{account}", "The account").gives("KazooAccount"),
    post("/accounts/{account}", "Change the account")
        .json("KazooAccountFields")
        .gives("KazooAccount")
        .carries(WRITTEN),
    patch("/accounts/{account}", "Change the account")
        .json("KazooAccountFields")
        .gives("KazooAccount")
        .carries(WRITTEN),
    get("/accounts/{account}/children", "The accounts right below").gives("KazooAccounts"),
    get("/accounts/{account}/descendants", "All accounts below").gives("KazooAccounts"),
    get("/accounts/{account}/parents", "The accounts above").gives("KazooAccounts"),
    get("/accounts/{account}/phone_numbers", "The account's numbers; with a prefix, a search")
        .query(LIST)
        .gives("any of KazooNumbers, KazooOffers"),
    get("/accounts/{account}/phone_numbers/{number}", "One number").gives("KazooNumber"),
    one(put("/accounts/{account}/phone_numbers/{number}", "Add a number").makes("KazooNumber")),
    one(post("/accounts/{account}/phone_numbers/{number}", "Replace a number's fields").gives("KazooNumber")),
    one(patch("/accounts/{account}/phone_numbers/{number}", "Change some of its fields").gives("KazooNumber")),
    delete("/accounts/{account}/phone_numbers/{number}", "Give it back")
        .query(&["hard"])
        .gives("KazooNumber")
        .carries(WRITTEN)
        .refuses(NUMBER_REFUSALS),
    one(put("/accounts/{account}/phone_numbers/{number}/activate", "Put it in service").makes("KazooNumber"))
        .json("any of KazooFields, KazooBare")
        .refuses(&[409, 423, 429, 502]),
    one(put("/accounts/{account}/phone_numbers/{number}/reserve", "Reserve it").makes("KazooNumber"))
        .refuses(&[409, 423, 502]),
    one(put("/accounts/{account}/phone_numbers/{number}/port", "Bring it from another carrier")
        .makes("KazooNumber")),
    get("/accounts/{account}/phone_numbers/{number}/identify", "Whose it is, and whether it routes")
        .gives("KazooOwner"),
    get("/accounts/{account}/phone_numbers/collection", "Many numbers")
        .query(NUMBERS)
        .needs("numbers")
        .gives("KazooMany"),
    many(put("/accounts/{account}/phone_numbers/collection", "Add many").makes("KazooMany")),
    many(
        post("/accounts/{account}/phone_numbers/collection", "Replace the fields of many").gives("KazooMany"),
    ),
    many(
        patch("/accounts/{account}/phone_numbers/collection", "Change some fields of many")
            .gives("KazooMany"),
    ),
    many(delete("/accounts/{account}/phone_numbers/collection", "Give many back").gives("KazooMany")),
    many(
        put("/accounts/{account}/phone_numbers/collection/activate", "Put many in service")
            .makes("KazooMany"),
    ),
    post("/accounts/{account}/phone_numbers/check", "Which numbers may still be had")
        .json("KazooTexts")
        .gives("KazooChecked"),
    post("/accounts/{account}/phone_numbers/locality", "Where numbers are, by the provider")
        .json("KazooTexts")
        .gives("KazooPlaces"),
    post("/accounts/{account}/phone_numbers/fix", "The list; there is nothing to mend").gives("KazooNumbers"),
    get("/accounts/{account}/phone_numbers/fix", "The same").gives("KazooNumbers"),
    post("/accounts/{account}/phone_numbers/fix/{number}", "One number").gives("KazooNumber"),
    get("/accounts/{account}/phone_numbers/fix/{number}", "The same").gives("KazooNumber"),
    get("/accounts/{account}/phone_numbers/carriers_info", "What carriers can do").gives("KazooCarriers"),
    get("/accounts/{account}/token_auth", "What the token stands for").gives("KazooGranted"),
    delete("/accounts/{account}/token_auth", "End a token that was given for a while").gives("KazooNothing"),
    get("/token_auth", "What the token stands for").gives("KazooGranted"),
    delete("/token_auth", "End a token that was given for a while").gives("KazooNothing").refuses(&[404]),
];

/// Below `/v2`, for everybody.
pub(super) const KAZOO_OPEN: &[Operation] = &[
    get("/phone_numbers", "Search for numbers that may be had")
        .query(&["prefix", "quantity", "offset", "country"])
        .needs("prefix")
        .gives("KazooOffers"),
    get("/phone_numbers/prefix", "The area codes of a city, by the carrier")
        .query(&["city", "country"])
        .gives("KazooPrefixes")
        .refuses(&[404]),
    get("/phone_numbers/classifiers", "All classifiers").gives("KazooClassifiers"),
    get("/phone_numbers/classifiers/{number}", "The classifier of a number").gives("KazooClassified"),
    get("/accounts/{account}/phone_numbers/prefix", "The area codes of a city")
        .query(&["city", "country"])
        .gives("KazooPrefixes")
        .refuses(&[403]),
    get("/accounts/{account}/phone_numbers/classifiers", "All classifiers")
        .gives("KazooClassifiers")
        .refuses(&[403]),
    get("/accounts/{account}/phone_numbers/classifiers/{number}", "The classifier of a number")
        .gives("KazooClassified")
        .refuses(&[403]),
    put("/user_auth", "A token for an hour of use, for the digest of a user and its password")
        .json("KazooUserAuth")
        .makes("KazooGranted")
        .refuses(&[403, 423]),
    put("/api_auth", "The same for an account's auth token")
        .json("KazooApiAuth")
        .makes("KazooGranted")
        .refuses(&[403, 404, 423]),
];

const fn one(operation: Operation) -> Operation {
    operation.json("KazooFields").carries(WRITTEN).refuses(NUMBER_REFUSALS)
}

const fn many(operation: Operation) -> Operation {
    operation.json("KazooManyFields").refuses(&[423])
}
