//! The Kazoo dialect: cases of whole conversations, providers, tokens, the document's examples.
//!
//! - `script`: how a conversation is written down and held. `cases.txt`: those of the dialect.
//!   `document.txt`: the requests of its document, as printed there.
//! - `clients`: published ones. `providers`: carriers, places and addresses by others. `tokens`: who may ask, and how long.

mod clients;
mod document;
mod providers;
mod script;
mod tokens;

use crate::servers::Server;
use crate::world::Api;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_on_sqlite() {
    let api = Api::new(Server::Sqlite).await;
    script::hold(&api, include_str!("cases.txt")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conversations_on_postgres() {
    let api = Api::new(Server::Postgres).await;
    script::hold(&api, include_str!("cases.txt")).await;
}
