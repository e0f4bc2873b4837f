//! Figures at 200,000 numbers: `cargo test --test store figures -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use callgate::store::NumberRow;
use callgate::store::calls::Batch;

use crate::World;
use crate::following::{config, follow};
use crate::servers::Server;

const NUMBERS: u64 = 200_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures, not a check"]
async fn sqlite() {
    figures(World::new(Server::Sqlite).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "figures, not a check"]
async fn postgres() {
    figures(World::new(Server::Postgres).await).await;
}

async fn figures(world: World) {
    let server = world.server;
    let began = Instant::now();
    world.by_hand(match server {
        Server::Sqlite => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) \
             INSERT INTO numbers(number, voice_url) SELECT '+1650' || (1000000 + i), 'http://app/' || (i % 100) FROM n"
        }
        Server::Postgres => {
            "INSERT INTO numbers(number, voice_url) \
             SELECT '+1650' || (1000000 + i), 'http://app/' || (i % 100) FROM generate_series(1, 200000) AS n(i)"
        }
    })
    .unwrap();
    println!("{server:?}: {NUMBERS} numbers inserted by hand in {:?}", began.elapsed());

    let began = Instant::now();
    let mut load = world.store.load().await.unwrap();
    let read = load.numbers(drop).await.unwrap();
    assert_eq!(read, NUMBERS);
    rate(server, "rows read and converted", read, began.elapsed());
    drop(load);

    let began = Instant::now();
    let (_, running) = follow(&world.store, config(&world.folder)).await;
    assert_eq!(running.directory.load().len() as u64, NUMBERS);
    rate(server, "rows of a full load until live, the copy on disk included", NUMBERS, began.elapsed());

    let mut by_hand = Vec::new();
    let mut by_api = Vec::new();
    for count in 0..40 {
        let url = format!("http://changed/{count}");
        world
            .by_hand(&format!(
                "UPDATE numbers SET voice_url = '{url}' WHERE number = '+16501000{:03}'",
                count + 1
            ))
            .unwrap();
        by_hand.push(running.until(&world, &format!("+16501000{:03}", count + 1), Some(&url)).await);

        let mut row = NumberRow::new(world.account.id, world.organization.id, format!("+1212{count}"));
        row.voice_url = Some(url.clone());
        let began = Instant::now();
        world.store.create("t", row).await.unwrap();
        by_api.push(began.elapsed() + running.until(&world, &format!("+1212{count}"), Some(&url)).await);
    }
    spread(server, "a change by hand, from the command's end until live", &mut by_hand);
    spread(server, "a write through the store, from its call until live", &mut by_api);

    projection(&world).await;
}

async fn projection(world: &World) {
    let batches: u64 = 100;
    let began = Instant::now();
    for batch in 0..batches {
        let calls = (0..64).map(|call| crate::calls::finished(u128::from(batch * 64 + call))).collect();
        let deliveries =
            (0..64).flat_map(|call| crate::calls::delivered(u128::from(batch * 64 + call))).collect();
        let batch_rows = Batch { calls, deliveries, ..Batch::default() };
        world.store.project(callgate::ids::InstanceSid(1), batch, &batch_rows).await.unwrap();
    }
    rate(world.server, "calls projected with three deliveries each", batches * 64, began.elapsed());
}

fn rate(server: Server, what: &str, count: u64, took: Duration) {
    println!("{server:?}: {what}: {count} in {took:?}, {:.0}/s", count as f64 / took.as_secs_f64());
}

fn spread(server: Server, what: &str, took: &mut [Duration]) {
    took.sort_unstable();
    let (median, greatest) = (took[took.len() / 2], took[took.len() - 1]);
    println!("{server:?}: {what}: median {median:?}, greatest {greatest:?} of {}", took.len());
}
