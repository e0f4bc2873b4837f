//! The API's own form: OpenAPI 3.1, built from the same lists of parameters that the handlers read.
//! Served at `/openapi.json`, committed as `config/openapi.json`; a test keeps both equal.

use serde_json::{Map, Value, json};

use super::admin::{ENABLE_FIELDS, GATEWAY_FIELDS, NUMBER_FIELDS, TRUNK_FIELDS};
use super::restcomm::{
    ACCOUNT, APPLICATION, BASES, CALL_CHANGES, CALL_FILTERS, MIGRATE, NUMBER, NUMBER_FILTERS, ORGANIZATION,
    SEARCH,
};

/// How a request carries its parameters.
#[derive(Clone, Copy)]
enum Input {
    None,
    Query(&'static [&'static str]),
    Form(&'static [&'static str]),
    Json(&'static [&'static str]),
}

use Input::{Form, Json, None as Nothing, Query};

/// One operation: method, path, what it does, its parameters, the status of its success.
type Operation = (&'static str, &'static str, &'static str, Input, u16);

/// Restcomm's, below each base.
const RESTCOMM: &[Operation] = &[
    ("get", "/Accounts", "The asker's account and its sub-accounts", Nothing, 200),
    ("post", "/Accounts", "Create a sub-account of the asker's account", Form(ACCOUNT), 200),
    ("get", "/Accounts/{account}", "One account", Nothing, 200),
    ("post", "/Accounts/{account}", "Change an account", Form(ACCOUNT), 200),
    ("put", "/Accounts/{account}", "Change an account", Form(ACCOUNT), 200),
    ("get", "/Accounts/{account}/Accounts", "The asker's account and its sub-accounts", Nothing, 200),
    ("post", "/Accounts/{account}/Accounts", "Create a sub-account", Form(ACCOUNT), 200),
    (
        "get",
        "/Accounts/{account}/IncomingPhoneNumbers",
        "The account's numbers, page by page",
        Query(NUMBER_FILTERS),
        200,
    ),
    ("post", "/Accounts/{account}/IncomingPhoneNumbers", "Create a number or pattern", Form(NUMBER), 200),
    (
        "get",
        "/Accounts/{account}/IncomingPhoneNumbers/Local",
        "The account's local numbers",
        Query(NUMBER_FILTERS),
        200,
    ),
    ("post", "/Accounts/{account}/IncomingPhoneNumbers/Local", "Create a local number", Form(NUMBER), 200),
    (
        "get",
        "/Accounts/{account}/AvailablePhoneNumbers/{country}/Local",
        "The inventory's local numbers",
        Query(SEARCH),
        200,
    ),
    (
        "get",
        "/Accounts/{account}/IncomingPhoneNumbers/TollFree",
        "The account's toll-free numbers",
        Query(NUMBER_FILTERS),
        200,
    ),
    (
        "post",
        "/Accounts/{account}/IncomingPhoneNumbers/TollFree",
        "Create a toll-free number",
        Form(NUMBER),
        200,
    ),
    (
        "get",
        "/Accounts/{account}/AvailablePhoneNumbers/{country}/TollFree",
        "The inventory's toll-free numbers",
        Query(SEARCH),
        200,
    ),
    (
        "get",
        "/Accounts/{account}/IncomingPhoneNumbers/Mobile",
        "The account's mobile numbers",
        Query(NUMBER_FILTERS),
        200,
    ),
    ("post", "/Accounts/{account}/IncomingPhoneNumbers/Mobile", "Create a mobile number", Form(NUMBER), 200),
    (
        "get",
        "/Accounts/{account}/AvailablePhoneNumbers/{country}/Mobile",
        "The inventory's mobile numbers",
        Query(SEARCH),
        200,
    ),
    (
        "post",
        "/Accounts/{account}/IncomingPhoneNumbers/migrate",
        "Move the account, those under it and their numbers to another organization (super-admin)",
        Form(MIGRATE),
        200,
    ),
    (
        "get",
        "/Accounts/{account}/IncomingPhoneNumbers/AvailableCountries",
        "Countries of which numbers may be had",
        Nothing,
        200,
    ),
    ("get", "/Accounts/{account}/IncomingPhoneNumbers/{sid}", "One number", Nothing, 200),
    ("post", "/Accounts/{account}/IncomingPhoneNumbers/{sid}", "Change a number", Form(NUMBER), 200),
    ("put", "/Accounts/{account}/IncomingPhoneNumbers/{sid}", "Change a number", Form(NUMBER), 200),
    ("delete", "/Accounts/{account}/IncomingPhoneNumbers/{sid}", "Release a number", Nothing, 204),
    (
        "get",
        "/Accounts/{account}/Applications",
        "The account's applications",
        Query(&["FriendlyName", "includeNumbers"]),
        200,
    ),
    ("post", "/Accounts/{account}/Applications", "Create an application", Form(APPLICATION), 200),
    ("get", "/Accounts/{account}/Applications/{sid}", "One application", Nothing, 200),
    ("post", "/Accounts/{account}/Applications/{sid}", "Change an application", Form(APPLICATION), 200),
    ("put", "/Accounts/{account}/Applications/{sid}", "Change an application", Form(APPLICATION), 200),
    ("delete", "/Accounts/{account}/Applications/{sid}", "Remove an application", Nothing, 200),
    ("get", "/Accounts/{account}/Calls", "Calls and their legs, live and finished", Query(CALL_FILTERS), 200),
    ("get", "/Accounts/{account}/Calls/{sid}", "One call or leg", Nothing, 200),
    (
        "post",
        "/Accounts/{account}/Calls/{sid}",
        "End a call (Status=completed or canceled), or give one that rings another document (Url)",
        Form(CALL_CHANGES),
        200,
    ),
    ("put", "/Accounts/{account}/Calls/{sid}", "The same as POST", Form(CALL_CHANGES), 200),
    ("get", "/Organizations", "All organizations (super-admin)", Query(&["Status"]), 200),
    (
        "put",
        "/Organizations/{id}",
        "Create the organization of this domain (super-admin)",
        Form(ORGANIZATION),
        200,
    ),
    ("get", "/Organizations/{id}", "One organization, by sid", Nothing, 200),
    ("post", "/Organizations/{id}", "Change an organization (super-admin)", Form(ORGANIZATION), 200),
];

/// callgate's own, below `/admin/v1`.
const ADMIN: &[Operation] = &[
    ("post", "/reload", "Build the directory from the store anew", Query(&["check_only", "force"]), 200),
    (
        "get",
        "/generation",
        "The live generation; `wait` blocks until it is live",
        Query(&["wait", "timeout_ms"]),
        200,
    ),
    ("get", "/generations", "The last generations that went live on this node", Nothing, 200),
    (
        "get",
        "/explain",
        "How a dialled number would be routed",
        Query(&["number", "host", "source", "listener", "from_host", "to", "trunk"]),
        200,
    ),
    ("get", "/lint", "What looks wrong among the patterns", Nothing, 200),
    (
        "get",
        "/calls",
        "Live calls, then finished ones",
        Query(&["limit", "offset", "live", "status", "numbers"]),
        200,
    ),
    ("get", "/calls/{id}", "One call, by CallSid or Call-ID", Query(&["numbers"]), 200),
    ("get", "/calls/{id}/trace", "One call with its trace", Query(&["numbers"]), 200),
    ("post", "/calls/{id}/hangup", "End a live call, by CallSid or Call-ID", Nothing, 200),
    (
        "get",
        "/deliveries",
        "Status callbacks; `state=dead` are the dead letters",
        Query(&["state", "call", "account", "url", "limit", "offset"]),
        200,
    ),
    ("get", "/deliveries/disabled", "Receivers that answered 410 and get nothing", Nothing, 200),
    ("post", "/deliveries/enable", "Send to a URL again that answered 410", Json(ENABLE_FIELDS), 200),
    ("get", "/numbers", "Numbers of any account", Query(&["number", "account", "limit", "offset"]), 200),
    ("post", "/numbers", "Create a number or pattern", Json(NUMBER_FIELDS), 201),
    ("get", "/numbers/{id}", "One number, by sid or text", Nothing, 200),
    ("patch", "/numbers/{id}", "Change a number", Json(NUMBER_FIELDS), 200),
    ("delete", "/numbers/{id}", "Remove a number", Nothing, 204),
    ("get", "/trunks", "All trunks", Nothing, 200),
    ("post", "/trunks", "Create a trunk", Json(TRUNK_FIELDS), 201),
    ("get", "/trunks/{id}", "One trunk, by sid or name", Nothing, 200),
    ("patch", "/trunks/{id}", "Change a trunk", Json(TRUNK_FIELDS), 200),
    ("delete", "/trunks/{id}", "Remove a trunk", Nothing, 204),
    ("get", "/gateways", "All gateways", Nothing, 200),
    ("post", "/gateways", "Create a gateway", Json(GATEWAY_FIELDS), 201),
    ("get", "/gateways/{id}", "One gateway, by sid or name", Nothing, 200),
    ("patch", "/gateways/{id}", "Change a gateway", Json(GATEWAY_FIELDS), 200),
    ("delete", "/gateways/{id}", "Remove a gateway", Nothing, 204),
];

/// What needs no credentials.
const OPEN: &[Operation] = &[
    ("get", "/metrics", "Metrics as OpenMetrics text", Nothing, 200),
    ("get", "/healthz", "Whether the process answers", Nothing, 200),
    ("get", "/ready", "Whether new calls are served, and what is degraded", Nothing, 200),
    ("get", "/openapi.json", "This document", Nothing, 200),
];

/// The document as text, the same on every call.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", document())
}

fn document() -> Value {
    let mut paths = Map::new();
    for base in BASES {
        add(&mut paths, base, "Restcomm", RESTCOMM, true);
    }
    add(&mut paths, "/admin/v1", "callgate", ADMIN, true);
    add(&mut paths, "", "operation", OPEN, false);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "callgate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Provisioning and operation of callgate. Restcomm paths may end in .json or .xml; without either, Accept decides, and XML is the default. \
                Writes answer X-Callgate-Generation, the generation of the directory that shows them; \
                X-Callgate-Warning names what was ignored or is doubtful. On the Unix socket no credentials are needed.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "account": {
                    "type": "http", "scheme": "basic",
                    "description": "An account's sid and its auth token; /admin/v1 takes the super-admin's only",
                },
                "bearer": { "type": "http", "scheme": "bearer", "description": "An account's auth token" },
                "token": {
                    "type": "apiKey", "in": "header", "name": "X-Auth-Token",
                    "description": "An account's auth token",
                },
            },
            "schemas": {
                "Error": {
                    "type": "object",
                    "required": ["status", "code", "message", "more_info"],
                    "properties": {
                        "status": { "type": "integer", "description": "The HTTP status" },
                        "code": { "type": "integer", "description": "21452: the number cannot be had; else the status" },
                        "message": { "type": "string", "description": "Names the field and the fix" },
                        "more_info": { "type": "string" },
                    },
                },
            },
            "responses": {
                "Error": {
                    "description": "Refused",
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
                },
            },
        },
    })
}

fn add(paths: &mut Map<String, Value>, base: &str, tag: &str, operations: &[Operation], guarded: bool) {
    for (method, path, summary, input, success) in operations {
        let item = paths.entry(format!("{base}{path}")).or_insert_with(|| json!({}));
        item[*method] = operation(tag, path, summary, *input, *success, guarded);
    }
}

fn operation(tag: &str, path: &str, summary: &str, input: Input, success: u16, guarded: bool) -> Value {
    let mut parameters: Vec<Value> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    if let Query(names) = input {
        let query = |name: &&str| json!({ "name": name, "in": "query", "schema": { "type": "string" } });
        parameters.extend(names.iter().map(query));
    }
    let mut operation = json!({
        "tags": [tag],
        "summary": summary,
        "responses": {
            success.to_string(): { "description": "Done" },
            "default": { "$ref": "#/components/responses/Error" },
        },
    });
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    let body = match input {
        Form(names) => Some(("application/x-www-form-urlencoded", names)),
        Json(names) => Some(("application/json", names)),
        Nothing | Query(_) => None,
    };
    if let Some((media, names)) = body {
        let properties: Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        let schema = json!({ "type": "object", "properties": properties });
        operation["requestBody"] = json!({ "content": { media: { "schema": schema } } });
    }
    if guarded {
        operation["security"] = json!([{ "account": [] }, { "bearer": [] }, { "token": [] }]);
    }
    operation
}
