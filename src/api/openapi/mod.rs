//! The API's own form: OpenAPI 3.1, built from the lists of parameters that the handlers read and the
//! columns that they print. Served at `/openapi.json`, committed as `config/openapi.json`; a test keeps both
//! equal, and every answer of every other test is held against it.
//!
//! - `operation`: what one operation takes, answers and refuses. `shape`: shapes of JSON.
//! - `restcomm`, `kazoo`, `wazo`, `admin`: the operations of each dialect; `…_shapes`: what they take and answer.

mod admin;
mod admin_shapes;
mod kazoo;
mod kazoo_shapes;
mod operation;
mod restcomm;
mod restcomm_shapes;
mod shape;
mod wazo;

use serde_json::{Map, Value, json};

use super::restcomm::BASES;
use super::wazo::BASE as WAZO_BASE;
use operation::{Dialect, Operation};

/// The document as text, the same on every call.
#[must_use]
pub fn text() -> String {
    format!("{:#}\n", document())
}

fn document() -> Value {
    let mut schemas = restcomm_shapes::shapes();
    schemas.extend(kazoo_shapes::shapes());
    schemas.extend(wazo::shapes());
    schemas.extend(admin_shapes::shapes());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "callgate",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Provisioning and operation of callgate. Restcomm paths may end in .json or .xml; without either, Accept decides, and XML is the default. \
                Writes answer X-Callgate-Generation, the generation of the directory that shows them; \
                X-Callgate-Warning names what was ignored or is doubtful. A method that a path does not take is answered 405 with Allow. \
                On the Unix socket no credentials are needed.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": paths(),
        "components": {
            "securitySchemes": {
                "account": {
                    "type": "http", "scheme": "basic",
                    "description": "An account's sid and its auth token; /admin/v1 takes the super-admin's only",
                },
                "bearer": { "type": "http", "scheme": "bearer", "description": "An account's auth token" },
                "token": {
                    "type": "apiKey", "in": "header", "name": "X-Auth-Token",
                    "description": "An account's auth token, or one that Kazoo's logins gave",
                },
            },
            "schemas": schemas,
            "responses": responses(),
        },
    })
}

/// All refusals; XML is said of Restcomm's alone, whose form callgate's own part has too.
fn responses() -> Map<String, Value> {
    let dialects = [&restcomm::DIALECT, &kazoo::DIALECT, &wazo::DIALECT, &admin::DIALECT];
    dialects.into_iter().flat_map(Dialect::refusals).collect()
}

fn paths() -> Map<String, Value> {
    let mut paths = Map::new();
    let mut add = |base: &str, dialect: &Dialect, operations: &[Operation]| {
        for operation in operations {
            operation.enter(&mut paths, base, dialect);
        }
    };
    for base in BASES {
        add(base, &restcomm::DIALECT, restcomm::RESTCOMM);
    }
    add("/v2", &kazoo::DIALECT, kazoo::KAZOO);
    add("/v2", &kazoo::OPEN_DIALECT, kazoo::KAZOO_OPEN);
    // Without an account it is the asker's own.
    let own: Vec<Operation> = kazoo::KAZOO
        .iter()
        .filter_map(|one| one.without("/accounts/{account}"))
        .filter(Operation::is_of_numbers)
        .collect();
    add("/v2", &kazoo::DIALECT, &own);
    add(WAZO_BASE, &wazo::DIALECT, wazo::WAZO);
    add(WAZO_BASE, &wazo::OPEN_DIALECT, wazo::WAZO_OPEN);
    add("/admin/v1", &admin::DIALECT, admin::ADMIN);
    let tables =
        [&admin::TRUNKS, &admin::GATEWAYS, &admin::ORGANIZATIONS, &admin::ACCOUNTS, &admin::APPLICATIONS];
    for table in tables {
        add("/admin/v1", &admin::DIALECT, &admin::rows(table));
    }
    add("", &admin::OPEN_DIALECT, admin::OPEN);
    paths
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::mem::discriminant;

    use super::*;
    use crate::api::kazoo::place::{Place, read};

    /// Their number, of which the compiler tells when there is one more.
    fn places() -> usize {
        use Place::*;
        match Place::Numbers {
            Numbers | Number(_) | Activate(_) | Reserve(_) | Port(_) | Identify(_) | Collection
            | CollectionActivate | Classifiers | Classify(_) | Check | Locality | Prefix | Fix
            | FixOne(_) | Carriers | Account | Children | Descendants | Parents | UserAuth | ApiAuth
            | TokenAuth => 23,
        }
    }

    #[test]
    fn kazoos_paths_and_methods_are_those_that_are_served() {
        let (paths, mut seen) = (paths(), Vec::new());
        for (path, item) in paths.iter().filter(|(path, _)| path.starts_with("/v2/")) {
            let parts: Vec<String> = path["/v2/".len()..].split('/').map(str::to_owned).collect();
            let read = read(&parts).unwrap_or_else(|| panic!("{path} is not served"));
            let served: BTreeSet<String> = read.methods().iter().map(|m| m.as_str().to_lowercase()).collect();
            let said: BTreeSet<String> = item.as_object().unwrap().keys().cloned().collect();
            assert_eq!(said, served, "{path}");
            if !seen.contains(&discriminant(&read.place)) {
                seen.push(discriminant(&read.place));
            }
        }
        assert_eq!(seen.len(), places(), "a place is not in the document");
    }
}
