//! The Kazoo dialect: cases of whole conversations, providers, tokens.
//!
//! - `script`: how a conversation is written down and held. `cases.txt`: those of the dialect.
//! - `clients`: published ones. `providers`: carriers, places and addresses by others. `tokens`: who may ask, and how long.

mod clients;
pub(crate) mod providers;
pub(crate) mod script;
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
