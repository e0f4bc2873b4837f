//! The examples of the three documents that customers brought, by curl as a reader would type them.
//!
//! - `restcomm.txt`, `kazoo.txt`, `wazo.txt`: the examples, in the order of the documents.
//! - `curl`: runs one and judges the answer.
//!
//! An example begins with `== NAME`. `sql …` is done by hand before it. A step is `METHOD /path`, below it
//! curl's other arguments as they are typed (`-u`, `-H …`, `-d …`), then `-> STATUS` (`only`: its body has no
//! other members), headers that the answer must have, and the body: text to be held by an XML answer, or JSON
//! in which `*` stands for anything and `-` for nothing. `keep sid PN` keeps a member of it as {PN}.

mod curl;

use crate::kazoo::providers;
use crate::servers::Server;
use crate::world::Api;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_restcomm_document() {
    let api = Api::new(Server::Sqlite).await;
    assert_eq!(curl::run(&api, include_str!("restcomm.txt")).await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kazoo_document() {
    let (api, _) = providers::world().await;
    assert_eq!(curl::run(&api, include_str!("kazoo.txt")).await, 39);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wazo_document() {
    let api = Api::new(Server::Sqlite).await;
    assert_eq!(curl::run(&api, include_str!("wazo.txt")).await, 9);
}
