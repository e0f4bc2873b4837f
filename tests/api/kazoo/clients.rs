//! Published clients: `CALLGATE_KAZOO_PYTHON` is an interpreter that has kazoo-sdk and pykazoo. `make test` sets
//! it, and `CALLGATE_VALIDATORS=required`, under which a missing one is a failure.

use std::path::Path;
use std::process::Command;

use super::script::{id, token};
use crate::servers::Server;
use crate::world::Api;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn published_clients_manage_numbers() {
    let Some(python) = std::env::var_os("CALLGATE_KAZOO_PYTHON") else {
        let required = std::env::var("CALLGATE_VALIDATORS").is_ok_and(|word| word == "required");
        assert!(!required, "CALLGATE_KAZOO_PYTHON is not set, and CALLGATE_VALIDATORS=required");
        eprintln!(
            "NOT JUDGED: CALLGATE_KAZOO_PYTHON is not set; `make test` installs the clients and sets it"
        );
        return;
    };
    let api = Api::new(Server::Sqlite).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/kazoo/client.py");
    let mut command = Command::new(python);
    let base = format!("http://{}/v2", api.address);
    command.arg(script).args([base.as_str(), id(&api.admin), token(&api.admin)]);
    let output = tokio::task::spawn_blocking(move || command.output().expect("a python")).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    print!("{said}");
}
