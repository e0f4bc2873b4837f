//! The store against both real servers: SQLite files and a PostgreSQL cluster started here.

mod calls;
mod figures;
mod following;
mod loading;
mod order;
mod pages;
mod projection;
mod releases;
mod rows;
mod servers;

use servers::{Server, World};

/// Each test of a battery, once per server. Several threads: a person's `sqlite3` keeps the one that runs it waiting,
/// and the write it waits for must be able to end on another.
#[macro_export]
macro_rules! on_both_servers {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::World::new($crate::Server::Sqlite).await).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::World::new($crate::Server::Postgres).await).await;
            })*
        }
    };
}
