//! Wazo's own client of confd, which no registry of packages has: `CALLGATE_WAZO_PYTHON` is an interpreter
//! that has `wazo_confd_client` from its repository. Without it nothing is judged here.

use std::path::Path;
use std::process::Command;

use crate::kazoo::script::token;
use crate::servers::Server;
use crate::world::Api;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_of_confd_manages_numbers() {
    let Some(python) = std::env::var_os("CALLGATE_WAZO_PYTHON") else {
        eprintln!("NOT JUDGED: CALLGATE_WAZO_PYTHON is not set; the client is in no registry of packages");
        return;
    };
    let api = Api::new(Server::Sqlite).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/api/wazo_client.py");
    let (host, port) = (api.address.ip().to_string(), api.address.port().to_string());
    let mut command = Command::new(python);
    command.arg(script).args([host.as_str(), port.as_str(), token(&api.admin)]);
    let output = tokio::task::spawn_blocking(move || command.output().expect("a python")).await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    print!("{said}");
}
