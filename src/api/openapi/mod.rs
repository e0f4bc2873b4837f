//! The API's own form: OpenAPI 3.1, built from the same lists of parameters that the handlers read.
//! Served at `/openapi.json`, committed as `config/openapi.json`; a test keeps both equal.
//!
//! - `restcomm`, `kazoo`, `wazo`, `admin`: the operations of each dialect.

mod admin;
mod kazoo;
mod restcomm;
mod wazo;

use serde_json::{Map, Value, json};

use super::admin::{printed, taken};
use super::restcomm::BASES;
use super::wazo::BASE as WAZO_BASE;
use Input::{Both, Data, Form, Json, None as Nothing, Query};
use admin::{ADMIN, OPEN};
use kazoo::{KAZOO, KAZOO_OPEN};
use restcomm::RESTCOMM;
use wazo::WAZO;

use crate::store::{GatewayRow, NumberRow, TrunkRow};

/// How a request carries its parameters.
#[derive(Clone, Copy)]
enum Input {
    None,
    Query(&'static [&'static str]),
    Form(&'static [&'static str]),
    Json(&'static [&'static str]),
    /// JSON in Kazoo's envelope: these members of its data, and any other.
    Data(&'static [&'static str]),
    /// A query and a JSON body.
    Both(&'static [&'static str], &'static [&'static str]),
}

/// One operation: method, path, what it does, its parameters, the status of its success.
type Operation = (&'static str, &'static str, &'static str, Input, u16);

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
    add(&mut paths, "/v2", "Kazoo", KAZOO, true);
    add(&mut paths, "/v2", "Kazoo", KAZOO_OPEN, false);
    add(&mut paths, WAZO_BASE, "Wazo", WAZO, true);
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
                "Trunk": printed::<TrunkRow>(),
                "TrunkFields": taken::<TrunkRow>(|_| true),
                "Gateway": printed::<GatewayRow>(),
                "GatewayFields": taken::<GatewayRow>(|_| true),
                "Number": printed::<NumberRow>(),
                "NumberFields": taken::<NumberRow>(|_| true),
                "KazooError": {
                    "type": "object",
                    "required": ["data", "status", "message", "error", "request_id", "auth_token"],
                    "properties": {
                        "data": { "description": "What goes with the error; of a number: code, error, message, cause" },
                        "status": { "const": "error" },
                        "message": { "type": "string", "description": "The error's name" },
                        "error": { "type": "string", "description": "The HTTP status as a text" },
                        "request_id": { "type": "string" },
                        "auth_token": { "type": "string" },
                    },
                },
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
                "KazooError": {
                    "description": "Refused, in the envelope of this dialect",
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/KazooError" } } },
                },
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
    if let Query(names) | Both(names, _) = input {
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
        Json(names) | Both(_, names) => Some(("application/json", names)),
        Nothing | Query(_) | Data(_) => None,
    };
    if let Some((media, names)) = body {
        let properties: Map<String, Value> =
            names.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        let schema = json!({ "type": "object", "properties": properties });
        operation["requestBody"] = json!({ "content": { media: { "schema": schema } } });
    }
    if let Data(names) = input {
        let members: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
        let data = json!({ "type": "object", "properties": members });
        let schema = json!({ "type": "object", "properties": { "data": data } });
        operation["requestBody"] = json!({ "content": { "application/json": { "schema": schema } } });
    }
    if tag == "Kazoo" {
        operation["responses"]["default"]["$ref"] = "#/components/responses/KazooError".into();
    }
    if guarded {
        operation["security"] = json!([{ "account": [] }, { "bearer": [] }, { "token": [] }]);
    }
    operation
}
