//! The API's own form: what is committed, what is served, and what is there.

use hyper::Method;

use crate::client::{over_tcp, request};
use crate::servers::Server;
use crate::world::Api;

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/openapi.json");

#[test]
fn the_committed_document_is_the_built_one() {
    let built = callgate::api::openapi::text();
    if std::env::var_os("CALLGATE_WRITE_OPENAPI").is_some() {
        std::fs::write(COMMITTED, &built).unwrap();
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    assert!(
        committed == built,
        "config/openapi.json is out of date: CALLGATE_WRITE_OPENAPI=1 cargo test --test api openapi writes it"
    );
}

#[tokio::test]
async fn every_operation_of_the_document_is_served() {
    let api = Api::new(Server::Sqlite).await;
    let document = api.get(&api.admin, "/openapi.json").await.expect(200).json();
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            let path = path.replace("{account}", &api.admin.sid).replace(['{', '}'], "_");
            let path = format!("{path}{}", if path.ends_with("/generation") { "?wait=0" } else { "" });
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer =
                over_tcp(api.address, request(&api.admin.credentials, method.clone(), &path, None)).await;
            assert_ne!(answer.status, 405, "{method} {path}");
            assert!(!answer.text.contains("there is nothing at"), "{method} {path}: {}", answer.text);
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen}");
}

/// What the routers name in their source, below their bases.
#[test]
fn every_route_is_in_the_document() {
    let document: serde_json::Value = serde_json::from_str(&callgate::api::openapi::text()).unwrap();
    let braces = regex::Regex::new(r"\{[^}]*\}").unwrap();
    let bare = |path: &str| braces.replace_all(path, "{}").into_owned();
    let known: Vec<String> = document["paths"].as_object().unwrap().keys().map(|path| bare(path)).collect();
    let route = regex::Regex::new(r#"\.route\(\s*"([^"]*)""#).unwrap();
    let mut seen = 0;
    for (file, bases) in [
        ("admin/mod.rs", &["/admin/v1"][..]),
        ("restcomm/mod.rs", &["/restcomm/2012-04-24", "/api/2012-04-24"]),
        ("wazo/mod.rs", &["/api/confd/1.1"]),
        ("ops.rs", &[""]),
    ] {
        let path = format!("{}/src/api/{file}", env!("CARGO_MANIFEST_DIR"));
        let source = std::fs::read_to_string(path).unwrap();
        for found in route.captures_iter(&source) {
            for base in bases {
                let path = bare(&format!("{base}{}", &found[1]));
                assert!(known.contains(&path), "{path} of {file} is not in the document");
                seen += 1;
            }
        }
    }
    assert!(seen > 60, "{seen}");
}
