//! Signatures, judged by those who check them: the libraries of Twilio and of Standard Webhooks.
//!
//! Every variant is requested for real; what the server saw is written as JSON. With
//! `CALLGATE_TWILIO_PYTHON` (an interpreter that has the `twilio` and `standardwebhooks` packages) and
//! `CALLGATE_TWILIO_NODE` (a `node_modules` folder that has them) the libraries then judge it; `make
//! test` sets both, and `CALLGATE_VALIDATORS=required`, under which a missing one is a failure.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callgate::call::ask::{Answer, AskId, Purpose, WebhookQuestion};
use callgate::call::outcome::CallStatus;
use callgate::routing::model::{Hook, VoiceProfile};
use ring::hmac;
use serde_json::json;

use crate::facts::{SECRETS, TOKEN, facts, get, hook, webhook};
use crate::server::{Act, Seen, Server, say};

/// Every way a URL can be stored; `{}` is the server's address.
fn variants() -> Vec<Hook> {
    let post = [
        "http://{}/voice",
        "http://{}/voice?tenant=7&name=a%20b%2Bc",
        "http://{}",
        "http://{}/?",
        "http://{}/voice#tt=2000",
        "http://user:p%40ss@{}/with/userinfo?x=1",
        "http://{}/Cased/Path;a=1/%7Etilde?Q=%E2%82%AC",
        "http://{}/redirect?to=elsewhere",
        "http://{}/fail",
    ];
    let get_urls = ["http://{}/voice", "http://{}/voice?tenant=7&name=a%20b", "http://{}/voice?x=1#tt=900"];
    post.map(hook).into_iter().chain(get_urls.map(get)).collect()
}

fn act(seen: &Seen) -> Act {
    match seen.target.as_str() {
        "/redirect?to=elsewhere" => Act::Say(307, vec![("Location", "/landed?y=%20z".into())], String::new()),
        "/fail" => Act::Say(500, Vec::new(), String::new()),
        _ => say("<Response><Hangup/></Response>"),
    }
}

async fn requests() -> (Server, Vec<Seen>) {
    let server = Server::start(act);
    let webhook = webhook();
    let fallback = hook(server.url("/fallback"));
    for (id, variant) in (1..).zip(variants()) {
        let url = variant.url.replace("{}", &server.address.to_string()).into();
        let profile = VoiceProfile {
            voice: Some(Hook { url, ..variant }),
            voice_fallback: Some(fallback.clone()),
            ..VoiceProfile::default()
        };
        let question = WebhookQuestion {
            facts: facts(id, profile),
            purpose: Purpose::Voice,
            status: CallStatus::Ringing,
            outbound: None,
        };
        let asked = webhook.ask(AskId(7), &question, Duration::from_secs(5)).await;
        assert!(matches!(asked.answer, Answer::Document(_)), "{variant:?}: {:?}", asked.tries);
    }
    let seen = server.seen();
    assert_eq!(seen.len(), variants().len() + 2, "one redirect, one fallback");
    (server, seen)
}

#[tokio::test]
async fn the_libraries_of_those_who_check_accept_every_variant() {
    let (server, seen) = requests().await;
    let dump: Vec<_> = seen
        .iter()
        .map(|seen| {
            let params: serde_json::Map<_, _> =
                seen.params().into_iter().map(|(name, value)| (name, json!(value))).collect();
            let headers: serde_json::Map<_, _> =
                seen.headers.iter().map(|(name, value)| (name.to_lowercase(), json!(value))).collect();
            json!({
                // What an application's framework gives its author: scheme, Host and target.
                "url": format!("http://{}{}", seen.header("host").unwrap(), seen.target),
                "method": seen.method,
                "params": if seen.method == "POST" { params } else { serde_json::Map::new() },
                "signature": seen.header("x-twilio-signature"),
                "token": TOKEN,
                "body": seen.body,
                "headers": headers,
                "secrets": SECRETS.map(|secret| format!("whsec_{}", BASE64_STANDARD.encode(secret))),
            })
        })
        .collect();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("signed-requests-{}.json", server.address.port()));
    std::fs::write(&file, serde_json::to_vec_pretty(&dump).unwrap()).unwrap();
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps");
    if let Some(python) = validator("CALLGATE_TWILIO_PYTHON") {
        judge(Command::new(python).arg(scripts.join("validate.py")).arg(&file));
    }
    if let Some(modules) = validator("CALLGATE_TWILIO_NODE") {
        judge(Command::new("node").env("NODE_PATH", modules).arg(scripts.join("validate.js")).arg(&file));
    }
    println!("{} signed requests", dump.len());
    std::fs::remove_file(file).unwrap();
}

/// What judges; without it the test says that nobody did, and fails where judging is required.
fn validator(name: &str) -> Option<OsString> {
    let value = std::env::var_os(name);
    if value.is_none() {
        let required = std::env::var("CALLGATE_VALIDATORS").is_ok_and(|word| word == "required");
        assert!(!required, "{name} is not set, and CALLGATE_VALIDATORS=required");
        eprintln!("NOT JUDGED: {name} is not set; `make test` installs the validators and sets it");
    }
    value
}

fn judge(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    print!("{said}");
}

#[tokio::test]
async fn standard_webhooks_signatures_hold_for_both_secrets() {
    let (_server, all) = requests().await;
    for seen in &all {
        let header = |name: &str| seen.header(name).unwrap_or_else(|| panic!("{name} in {seen:?}"));
        let (id, timestamp) = (header("webhook-id"), header("webhook-timestamp"));
        assert!(!id.contains('.'));
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        assert!(now.abs_diff(timestamp.parse().unwrap()) < 60);
        let signatures: Vec<_> = header("webhook-signature").split(' ').collect();
        assert_eq!(signatures.len(), 2);
        for (secret, signature) in SECRETS.iter().zip(signatures) {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
            let tag = BASE64_STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
            let signed = format!("{id}.{timestamp}.{}", seen.body);
            hmac::verify(&key, signed.as_bytes(), &tag).expect("the signature holds");
            let other = format!("{id}.{timestamp}.{} ", seen.body);
            assert!(hmac::verify(&key, other.as_bytes(), &tag).is_err());
        }
    }
    let ids: std::collections::HashSet<_> = all.iter().map(|seen| seen.header("webhook-id")).collect();
    assert_eq!(ids.len(), variants().len() + 1, "a redirect keeps the id, a fallback has its own");
}
