//! The command line over the Unix socket: the real binary against the real routes.

use std::path::Path;
use std::process::{Command, Output};

use callgate::api::bind_unix;
use serde_json::{Value, json};

use crate::world::Api;

crate::on_both_servers!(numbers_by_hand, trunks_by_hand, tenants_by_hand, what_fails_has_its_exit_code,);

pub async fn run(socket: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
    command.args(words).env("CALLGATE_SOCKET", socket).env_remove("CALLGATE_CONFIG");
    // The API runs on this very thread.
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

async fn ok(api: &Api, words: &[&str]) -> String {
    let output = run(&api.socket, words).await;
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

async fn json_of(api: &Api, words: &[&str]) -> Value {
    serde_json::from_str(&ok(api, &[words, &["--json"]].concat()).await).unwrap()
}

async fn numbers_by_hand(api: Api) {
    let made = json_of(&api, &["numbers", "add", "^*77...33#$", "voice-url=https://a.example/?x=1"]).await;
    assert_eq!(
        (&made["number"], &made["voice_url"]),
        (&json!("^*77...33#$"), &json!("https://a.example/?x=1"))
    );
    let text = ok(&api, &["numbers", "set", "^*77...33#$", "friendly_name=Stars"]).await;
    assert!(text.contains("^*77...33#$") && text.starts_with("NUMBER"), "{text}");
    assert_eq!(json_of(&api, &["numbers", "list"]).await["numbers"][0]["friendly_name"], "Stars");
    api.catch_up().await;
    assert!(ok(&api, &["explain", "*7712333#"]).await.contains("=> ^*77...33#$"));
    assert_eq!(ok(&api, &["numbers", "lint"]).await, "nothing to say\n");
    ok(&api, &["numbers", "rm", "^*77...33#$"]).await;
    assert_eq!(json_of(&api, &["numbers", "list"]).await["total"], 0);
    assert!(ok(&api, &["reload", "--check-only"]).await.contains("applied"));
    assert_eq!(json_of(&api, &["calls", "list"]).await["calls"], json!([]));
    assert_eq!(json_of(&api, &["deliveries", "list"]).await["deliveries"], json!([]));
}

async fn trunks_by_hand(api: Api) {
    let text =
        ok(&api, &["trunks", "add", "carrier", "sources=192.0.2.0/24,198.51.100.7", "max-calls=10"]).await;
    assert!(text.contains("192.0.2.0/24,198.51.100.7/32"), "{text}");
    ok(&api, &["trunks", "set", "carrier", "max_calls="]).await;
    assert_eq!(json_of(&api, &["trunks", "list"]).await["trunks"][0]["max_calls"], Value::Null);
    ok(&api, &["gateways", "add", "out", "host=192.0.2.9", "emergency=true"]).await;
    assert!(ok(&api, &["gateways", "list"]).await.contains("192.0.2.9"));
    assert!(ok(&api, &["gateways", "drain", "out"]).await.contains("draining"));
    assert!(ok(&api, &["gateways", "resume", "out"]).await.contains("unknown"));
    ok(&api, &["gateways", "rm", "out"]).await;
    ok(&api, &["trunks", "rm", "carrier"]).await;
}

async fn tenants_by_hand(api: Api) {
    ok(&api, &["organizations", "add", "harbour.example", "match-mode=search"]).await;
    let sid = json_of(&api, &["organizations", "show", "harbour.example"]).await["sid"].clone();
    let organization = format!("organization_sid={}", sid.as_str().unwrap());
    let text = ok(&api, &["accounts", "add", "Pier", &organization, "gateway-group=premium"]).await;
    assert!(text.starts_with("FRIENDLY_NAME") && text.contains("premium"), "{text}");
    ok(&api, &["accounts", "set", "Pier", "gateway_group="]).await;
    assert!(ok(&api, &["accounts", "rotate", "Pier"]).await.contains("auth_token"));
    assert!(ok(&api, &["accounts", "rotate", "Pier", "--webhook-secret"]).await.contains("whsec_"));
    let pier = json_of(&api, &["accounts", "show", "Pier"]).await;
    assert_eq!((&pier["gateway_group"], &pier["webhook_secret"]), (&Value::Null, &json!(true)));
    let owner = format!("account_sid={}", pier["sid"].as_str().unwrap());
    ok(&api, &["applications", "add", "Desk", &owner, "voice_url=https://a.example/voice"]).await;
    assert!(ok(&api, &["applications", "list"]).await.contains("https://a.example/voice"));
    ok(&api, &["applications", "rm", "Desk"]).await;
}

async fn what_fails_has_its_exit_code(api: Api) {
    for (words, code, told) in [
        (&["trunks", "rm", "nobody"][..], 66, "there is no trunk `nobody` here"),
        (&["trunks", "add", "x", "sources=ten"], 65, "sources is `ten`"),
        (&["trunks", "add", "x", "sources"], 64, "KEY=VALUE"),
        (&["trunks", "fly"], 64, "unrecognized subcommand"),
        (&["calls", "show", "nobody@nowhere"], 66, "there is no call"),
    ] {
        let output = run(&api.socket, words).await;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {stderr}");
        assert!(stderr.contains(told), "{words:?}: {stderr}");
    }
    let nowhere = api.world.folder.0.join("nowhere.sock");
    let output = run(&nowhere, &["numbers", "list"]).await;
    assert_eq!(output.status.code(), Some(69));
    assert!(String::from_utf8_lossy(&output.stderr).contains("callgate serve"));
}

/// `callgate WORDS` with a configuration of its own.
fn run_with(folder: &Path, text: &str, words: &[&str]) -> Output {
    let file = folder.join("callgate.toml");
    std::fs::write(&file, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
    command.args(words).arg("--config").arg(&file).output().unwrap()
}

#[tokio::test]
async fn migrate_and_check_need_no_daemon() {
    let api = Api::new(crate::servers::Server::Sqlite).await;
    let folder = &api.world.folder.0;
    let text = format!(
        "[store]\nurl = \"sqlite://{0}/fresh.db\"\n[secrets]\nkey-file = \"{0}/fresh.key\"\n",
        folder.display()
    );
    let migrated = run_with(folder, &text, &["migrate", "--json"]);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let migrated: Value = serde_json::from_slice(&migrated.stdout).unwrap();
    assert!(!migrated["applied"].as_array().unwrap().is_empty());
    let checked = run_with(folder, &text, &["check", "--json"]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    let checked: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((&checked["numbers"], &checked["store"]), (&json!(0), &json!("sqlite")));
    let warnings = checked["warnings"].to_string();
    assert!(warnings.contains("emergency") && warnings.contains("no trunk"), "{warnings}");
    let wrong = run_with(folder, "[http]\nlisen = 1\n", &["check"]);
    assert_eq!(wrong.status.code(), Some(78), "{}", String::from_utf8_lossy(&wrong.stderr));
}

#[tokio::test]
async fn a_socket_is_taken_over_only_when_nobody_listens() {
    let api = Api::new(crate::servers::Server::Sqlite).await;
    assert_eq!(bind_unix(&api.socket).unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    let stale = api.world.folder.0.join("stale.sock");
    drop(bind_unix(&stale).unwrap());
    assert!(stale.exists());
    bind_unix(&stale).unwrap();
    let file = api.world.folder.0.join("file");
    std::fs::write(&file, "x").unwrap();
    assert!(bind_unix(&file).is_err());
}
