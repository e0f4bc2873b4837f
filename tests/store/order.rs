//! The change log under concurrency: number order is commit order, and nothing slips through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use callgate::store::{Changes, NumberRow};
use jiff::SignedDuration;

use crate::World;
use crate::servers::Server;

crate::on_both_servers!(
    a_step_reads_only_what_changed,
    writers_at_once_lose_nothing,
    a_rolled_back_change_is_no_change,
    a_pruned_log_asks_for_everything,
    replace_is_seen,
);

pub(crate) async fn step(world: &World, since: u64) -> callgate::store::Step {
    match world.store.changes_since(since).await.unwrap() {
        Changes::Step(step) => *step,
        other => panic!("{other:?}"),
    }
}

pub async fn a_step_reads_only_what_changed(world: World) {
    world.by_hand("INSERT INTO numbers(number) VALUES ('1'), ('2'), ('3')").unwrap();
    let since = world.store.generation().await.unwrap();
    assert!(matches!(world.store.changes_since(since).await.unwrap(), Changes::None));
    world
        .by_hand("UPDATE numbers SET number = '4' WHERE number = '2'; DELETE FROM numbers WHERE number = '3'")
        .unwrap();
    let step = step(&world, since).await;
    let mut removed: Vec<&str> = step.delta.removed.iter().map(|key| &*key.text).collect();
    removed.sort_unstable();
    assert_eq!(removed, ["2", "3"]);
    assert_eq!(step.delta.written.iter().map(|number| &*number.text).collect::<Vec<_>>(), ["4"]);
    assert!(step.delta.frame.is_none());
    assert_eq!(step.mark.generation, world.store.generation().await.unwrap());
}

/// Four writers and one reader: whoever applies the steps in order ends with the table.
async fn writers_at_once_lose_nothing(world: World) {
    let stop = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn({
        let (store, stop) = (world.store.clone(), Arc::clone(&stop));
        async move {
            let (mut at, mut seen) = (0, std::collections::BTreeMap::new());
            loop {
                let last = stop.load(Ordering::Acquire);
                match store.changes_since(at).await.unwrap() {
                    Changes::None if last => return seen,
                    Changes::None => tokio::task::yield_now().await,
                    Changes::Everything(why) => panic!("{why}"),
                    Changes::Step(step) => {
                        assert!(step.mark.generation > at);
                        at = step.mark.generation;
                        for key in &step.delta.removed {
                            if seen.get(&key.sid).is_some_and(|text: &String| **text == *key.text) {
                                seen.remove(&key.sid);
                            }
                        }
                        for number in &step.delta.written {
                            seen.insert(number.sid, number.text.to_string());
                        }
                    }
                }
            }
        }
    });
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let (store, account, organization) =
                (world.store.clone(), world.account.id, world.organization.id);
            tokio::spawn(async move {
                for count in 0..25 {
                    let row = NumberRow::new(account, organization, format!("{writer}{count:03}"));
                    let written = store.create("t", row).await.unwrap();
                    match count % 3 {
                        0 => drop(store.delete::<NumberRow>("t", written.row.id).await.unwrap()),
                        1 => {
                            let renamed = store
                                .modify::<NumberRow>("t", written.row.id, |row| row.number.push('9'))
                                .await
                                .unwrap();
                            assert!(renamed.generation > written.generation);
                        }
                        _ => {}
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    stop.store(true, Ordering::Release);
    let seen = reader.await.unwrap();
    let mut load = world.store.load().await.unwrap();
    let mut whole = std::collections::BTreeMap::new();
    load.numbers(|number| drop(whole.insert(number.sid, number.text.to_string()))).await.unwrap();
    assert_eq!(whole.len(), 4 * 16);
    assert_eq!(seen, whole);
}

async fn a_rolled_back_change_is_no_change(world: World) {
    let since = world.store.generation().await.unwrap();
    world.by_hand("BEGIN; INSERT INTO numbers(number) VALUES ('1'); ROLLBACK").unwrap();
    assert_eq!(world.store.generation().await.unwrap(), since);
    world.by_hand("UPDATE numbers SET voice_url = 'x' WHERE number = 'none'").unwrap();
    assert_eq!(world.store.generation().await.unwrap(), since, "no row, no generation");
    world.by_hand("INSERT INTO numbers(number) VALUES ('2')").unwrap();
    assert_eq!(step(&world, since).await.delta.written.len(), 1);
}

async fn a_pruned_log_asks_for_everything(world: World) {
    let since = world.store.generation().await.unwrap();
    for text in ["1", "2", "3"] {
        world.by_hand(&format!("INSERT INTO numbers(number) VALUES ('{text}')")).unwrap();
    }
    let newest = world.store.generation().await.unwrap();
    assert!(world.store.prune_change_log(SignedDuration::from_secs(-60)).await.unwrap() > 0);
    assert_eq!(world.store.generation().await.unwrap(), newest, "the number stays");
    assert!(matches!(world.store.changes_since(since).await.unwrap(), Changes::Everything(_)));
    assert!(matches!(world.store.changes_since(newest).await.unwrap(), Changes::None));
    assert!(matches!(world.store.changes_since(newest + 5).await.unwrap(), Changes::Everything(_)));
    world.by_hand("INSERT INTO numbers(number) VALUES ('4')").unwrap();
    assert_eq!(step(&world, newest).await.delta.written.len(), 1);
}

/// REPLACE fires no delete trigger; PostgreSQL's way is ON CONFLICT.
pub async fn replace_is_seen(world: World) {
    let (one, two) = (format!("{:032x}", 1), format!("{:032x}", 2));
    world.by_hand(&format!("INSERT INTO numbers(id, number) VALUES ('{one}', '1'), ('{two}', '2')")).unwrap();
    let since = world.store.generation().await.unwrap();
    let insert = format!("INTO numbers(id, number, voice_url) VALUES ('{one}', '2', 'http://x')");
    if world.server == Server::Sqlite {
        // One new row drives out two: one by its id, one by its text.
        world.by_hand(&format!("REPLACE {insert}")).unwrap();
    } else {
        world
            .by_hand(&format!(
                "BEGIN; DELETE FROM numbers WHERE number = '2'; INSERT {insert} \
                 ON CONFLICT (id) DO UPDATE SET number = excluded.number; COMMIT"
            ))
            .unwrap();
    }
    let step = step(&world, since).await;
    let mut removed: Vec<_> = step.delta.removed.iter().map(|key| (key.sid.0, &*key.text)).collect();
    removed.sort_unstable();
    assert_eq!(removed, [(1, "1"), (2, "2")]);
    let written: Vec<_> = step.delta.written.iter().map(|row| (row.sid.0, &*row.text)).collect();
    assert_eq!(written, [(1, "2")]);
}

/// A transaction that took its number first and commits last: a later number never shows before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn number_order_is_commit_order() {
    use sqlx::{Connection, PgConnection};
    let world = World::new(Server::Postgres).await;
    let since = world.store.generation().await.unwrap();
    let mut slow = PgConnection::connect(&world.url).await.unwrap();
    let mut first = slow.begin().await.unwrap();
    sqlx::query("INSERT INTO numbers(number) VALUES ('1')").execute(&mut *first).await.unwrap();
    let second = tokio::spawn({
        let (store, row) =
            (world.store.clone(), NumberRow::new(world.account.id, world.organization.id, "2"));
        async move { store.create("t", row).await.unwrap().generation }
    });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    assert!(!second.is_finished(), "the later writer waits for the earlier number's commit");
    assert!(matches!(world.store.changes_since(since).await.unwrap(), Changes::None));
    first.commit().await.unwrap();
    let newest = second.await.unwrap();
    let step = step(&world, since).await;
    assert_eq!((step.mark.generation, step.delta.written.len()), (newest, 2));
}
