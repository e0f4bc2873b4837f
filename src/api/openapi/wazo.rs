//! Wazo's operations, and what they take and answer.

use serde_json::{Map, Value, json};

use super::operation::{Dialect, Operation, delete, get, options, post, put};
use super::shape::{count, flag, list, matching, maybe, named, object, text, uuid, within, words};
use crate::api::wazo::{FILTERS, MAIN, NUMBER, RANGE};

/// How the dialect speaks.
pub(super) const DIALECT: Dialect = Dialect {
    name: "Wazo",
    parameter,
    refusal: "WazoError",
    always: &[401, 429, 500, 503],
    schemes: &["account", "bearer", "token"],
    xml: false,
    strict: false,
};

/// What a browser asks before it asks needs no token.
pub(super) const OPEN_DIALECT: Dialect = Dialect { always: &[500, 503], schemes: &[], ..DIALECT };

const TENANT: &[&str] = &["Wazo-Tenant"];
const WRITTEN: &[&str] = &["X-Callgate-Generation"];
const LOCATED: &[&str] = &["X-Callgate-Generation", "Location"];

/// Wazo's, below its base.
pub(super) const WAZO: &[Operation] = &[
    get("/phone-numbers", "The tenant's numbers").query(FILTERS).headers(TENANT).gives("WazoNumbers"),
    post("/phone-numbers", "Create a number")
        .json("WazoNewNumber")
        .headers(TENANT)
        .makes("WazoNumber")
        .carries(LOCATED),
    post("/phone-numbers/ranges", "Create the numbers of a range that are not there yet")
        .json("WazoRange")
        .headers(TENANT)
        .makes("WazoRangeMade"),
    get("/phone-numbers/main", "The tenant's main number")
        .headers(TENANT)
        .gives("WazoNumber")
        .refuses(&[404]),
    put("/phone-numbers/main", "Choose the tenant's main number, which is shared then")
        .json("WazoMain")
        .headers(TENANT)
        .nothing(204)
        .carries(LOCATED)
        .refuses(&[404]),
    get("/phone-numbers/{uuid}", "One number of the tenant or one below it")
        .headers(TENANT)
        .gives("WazoNumber"),
    put("/phone-numbers/{uuid}", "Change a number; what is absent stays")
        .json("WazoChanges")
        .headers(TENANT)
        .nothing(204)
        .carries(WRITTEN),
    delete("/phone-numbers/{uuid}", "Give a number back").headers(TENANT).nothing(204).carries(WRITTEN),
];

/// What a browser asks before it asks.
pub(super) const WAZO_OPEN: &[Operation] = &[
    options("/phone-numbers", "Which methods a page of another origin may use").nothing(200),
    options("/phone-numbers/ranges", "Which methods a page of another origin may use").nothing(200),
    options("/phone-numbers/main", "Which methods a page of another origin may use").nothing(200),
    options("/phone-numbers/{uuid}", "Which methods a page of another origin may use").nothing(200),
];

fn parameter(name: &str) -> Value {
    match name {
        "{uuid}" | "Wazo-Tenant" => uuid(),
        "order" => words(&["number", "caller_id_name", "shared", "main", ""]),
        "direction" => words(&["asc", "desc"]),
        "main" | "shared" | "recurse" => flag(),
        "limit" => within(1, i64::MAX.unsigned_abs()),
        "offset" => count(),
        _ => text(),
    }
}

/// The components.
pub(super) fn shapes() -> Map<String, Value> {
    let sent = |names: &[&str], required: &[&str]| {
        let members: Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), field(name))).collect();
        json!({ "type": "object", "properties": members, "required": required })
    };
    let link = object([("rel", words(&["phone_numbers"])), ("href", text())]);
    let made = object([
        ("created", list(object([("uuid", uuid())]))),
        ("links", list(link.clone())),
        ("total", count()),
    ]);
    let all = [
        ("WazoError", list(text())),
        ("WazoNewNumber", sent(NUMBER, &["number"])),
        ("WazoChanges", sent(NUMBER, &[])),
        ("WazoRange", sent(RANGE, RANGE)),
        ("WazoMain", sent(MAIN, MAIN)),
        (
            "WazoNumber",
            object([
                ("uuid", uuid()),
                ("tenant_uuid", uuid()),
                ("number", text()),
                ("caller_id_name", maybe(text())),
                ("main", flag()),
                ("shared", flag()),
                ("links", list(link)),
            ]),
        ),
        ("WazoNumbers", object([("total", count()), ("items", list(named("WazoNumber")))])),
        ("WazoRangeMade", made),
    ];
    all.into_iter().map(|(name, shape)| (name.to_owned(), shape)).collect()
}

/// A member of a body.
fn field(name: &str) -> Value {
    match name {
        "caller_id_name" => json!({ "type": ["string", "null"], "minLength": 1, "maxLength": 256 }),
        "shared" => flag(),
        "phone_number_uuid" => uuid(),
        _ => matching("^[+]?[0-9]{1,127}$"),
    }
}
