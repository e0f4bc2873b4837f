//! The HTTP API over real sockets and a real store, asked by a client that shares nothing with it.

mod access;
mod admin;
mod bulk;
mod calls;
mod client;
mod commands;
mod contract;
mod examples;
mod fuzz;
mod generations;
mod hostile;
mod inventory;
mod kazoo;
mod limits;
mod numbers;
mod openapi;
mod rates;
mod rows;
mod schema;
mod tenants;
mod tls;
mod wazo;
mod wazo_client;
mod world;
mod xml;

// The store's own tests know how to start both servers.
#[expect(dead_code, reason = "the store's tests use more of it")]
#[path = "../store/servers.rs"]
mod servers;

/// Each test of a battery, once per database server.
#[macro_export]
macro_rules! on_both_servers {
    ($($test:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::world::Api::new($crate::servers::Server::Sqlite).await).await;
            })*
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test($crate::world::Api::new($crate::servers::Server::Postgres).await).await;
            })*
        }
    };
}
