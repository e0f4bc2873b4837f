//! schemathesis reads the document and sends what it allows and what it does not: no answer may be one that
//! the document does not know, none a fault. `CALLGATE_SCHEMATHESIS` runs it; `make test` sets it, and
//! `CALLGATE_VALIDATORS=required`, under which a missing one is a failure. `fuzz.toml` says what it looks at.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use hyper::Method;
use serde_json::json;

use crate::servers::Server;
use crate::world::Api;

/// Which part of the document one run asks.
const PARTS: [(&str, &str); 4] = [
    ("callgate's own", "^/(admin/v1|metrics|healthz|ready|openapi)"),
    ("Wazo", "^/api/confd"),
    ("Restcomm", "^/restcomm"),
    // What is below phone_numbers without an account is the same again.
    ("Kazoo", "^/v2/(accounts/|[a-z]+_auth$|phone_numbers$)"),
];

/// The stricter server: it keeps no NUL and counts no further than 64 bits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_unknown_to_the_document_on_postgres() {
    match is_full() {
        true => fuzz(Server::Postgres, ALL, "100").await,
        false => fuzz(Server::Postgres, "coverage,fuzzing", "3").await,
    }
}

/// In the full count alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_unknown_to_the_document_on_sqlite() {
    if is_full() {
        fuzz(Server::Sqlite, ALL, "100").await;
    }
}

const ALL: &str = "examples,coverage,fuzzing,stateful";

fn is_full() -> bool {
    std::env::var_os("CALLGATE_PROOF").is_some()
}

async fn fuzz(server: Server, phases: &'static str, examples: &'static str) {
    let Some(tool) = std::env::var_os("CALLGATE_SCHEMATHESIS") else {
        let required = std::env::var("CALLGATE_VALIDATORS").is_ok_and(|word| word == "required");
        assert!(!required, "CALLGATE_SCHEMATHESIS is not set, and CALLGATE_VALIDATORS=required");
        eprintln!(
            "NOT JUDGED: CALLGATE_SCHEMATHESIS is not set; `make test` installs schemathesis and sets it"
        );
        return;
    };
    let mut failed = String::new();
    for (name, paths) in PARTS {
        // What one dialect's run leaves behind is not the next one's matter.
        let api = Api::new(server).await;
        let config = stock(&api).await;
        let mut command = command(&tool, &api, &config, phases, examples);
        command.args(["--include-path-regex", paths]);
        let output = tokio::task::spawn_blocking(move || command.output().expect("a python")).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let cases = said.lines().find(|line| line.contains(" generated, "));
        println!("{server:?}, {name}: {}", cases.unwrap_or_else(|| panic!("{said}")).trim());
        if !output.status.success() {
            failed += &format!("{name}: {said}{}\n", String::from_utf8_lossy(&output.stderr));
        }
    }
    assert!(failed.is_empty(), "{server:?}, {failed}");
}

fn command(tool: &OsString, api: &Api, config: &Path, phases: &str, examples: &str) -> Command {
    let mut command = Command::new(tool);
    command.current_dir(&api.world.folder.0).args(["-m", "schemathesis.cli", "--config-file"]).arg(config);
    command.args(["run", &format!("http://{}/openapi.json", api.address)]);
    command.args(["--phases", phases, "--max-examples", examples, "--workers", "1", "--continue-on-failure"]);
    // A busy machine is no fault.
    command.args(["--wait-for-schema", "300"]);
    // JSON, whose schema is known: what differs in XML, xml.rs looks at.
    command.args(["-H", "Accept: application/json", "--warnings", "off", "--output-truncate", "true"]);
    command
}

/// Some of everything, and the configuration that knows what there is.
async fn stock(api: &Api) -> PathBuf {
    let tenant = api.tenant("tenant", None).await;
    let application = [("FriendlyName", "voice"), ("RcmlUrl", "https://app.example.org/voice")];
    let path = tenant.applications();
    let application = api.post(&api.admin, &path, &application).await.expect(200).json()["sid"].clone();
    let mut numbers = Vec::new();
    for (number, state) in
        [("+16505550100", "in_service"), ("+16505550101", "available"), ("16.*", "in_service")]
    {
        let row = json!({
            "number": number, "state": state, "account_sid": tenant.sid,
            "voice_url": "https://app.example.org/voice",
        });
        let made = api.json(Method::POST, "/admin/v1/numbers", row).await.expect(201);
        numbers.push(made.json()["sid"].clone());
    }
    let trunk = json!({ "name": "carrier", "sources": ["198.51.100.0/24"] });
    let trunk = api.json(Method::POST, "/admin/v1/trunks", trunk).await.expect(201).json()["sid"].clone();
    let gateway = json!({ "name": "out", "host": "sip.example.org" });
    let gateway =
        api.json(Method::POST, "/admin/v1/gateways", gateway).await.expect(201).json()["sid"].clone();
    api.catch_up().await;
    let mut config = include_str!("fuzz.toml").to_owned();
    let (_, token) = api.admin.credentials.0.clone().unwrap();
    for (word, sid) in [
        ("TOKEN", token.as_str()),
        ("ACCOUNT", tenant.sid.as_str()),
        ("NUMBER", numbers[0].as_str().unwrap()),
        ("APPLICATION", application.as_str().unwrap()),
        ("ORGANIZATION", &api.admin.organization),
        ("TRUNK", trunk.as_str().unwrap()),
        ("GATEWAY", gateway.as_str().unwrap()),
    ] {
        config = config.replace(&format!("\"{word}\""), &format!("\"{sid}\""));
    }
    if is_full() {
        config = config.replace("deterministic = true", "deterministic = false");
    }
    let path = api.world.folder.0.join("fuzz.toml");
    std::fs::write(&path, config).unwrap();
    path
}
