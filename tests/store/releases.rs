//! Two releases on one store: a program goes on with the schema of the release behind it, refuses one that
//! asks for more than it is, and brings that of the release before to its own with all that stands in it.

use std::process::Command;

use callgate::store::{NumberRow, Store, StoreConfig, StoreError};

use crate::servers::{Server, World};
use crate::{calls, following, order, projection, rows};

crate::on_both_servers!(
    this_release_runs_on_the_schema_of_the_next,
    a_schema_that_asks_for_more_is_refused_and_left_alone,
    the_step_that_is_due_leaves_what_was_there,
);

/// How many steps this release knows of the tables that people edit, and of the projection.
const LEVELS: [usize; 2] = [6, 1];

/// What the next release adds to both: columns that may be null or have a default, tables, indexes.
const NEXT: [&str; 2] = [
    "ALTER TABLE numbers ADD COLUMN next_word TEXT; ALTER TABLE numbers ADD COLUMN next_count BIGINT NOT NULL DEFAULT 7; \
     ALTER TABLE accounts ADD COLUMN next_word TEXT; ALTER TABLE trunks ADD COLUMN next_word TEXT; \
     ALTER TABLE gateways ADD COLUMN next_word TEXT; ALTER TABLE applications ADD COLUMN next_word TEXT; \
     ALTER TABLE organizations ADD COLUMN next_word TEXT; CREATE INDEX next_numbers ON numbers (next_word); \
     CREATE TABLE next_things (id TEXT NOT NULL PRIMARY KEY);",
    "ALTER TABLE calls ADD COLUMN next_word TEXT; ALTER TABLE legs ADD COLUMN next_word TEXT; \
     ALTER TABLE deliveries ADD COLUMN next_count BIGINT NOT NULL DEFAULT 7; CREATE TABLE next_facts (id TEXT NOT NULL PRIMARY KEY);",
];

/// Another program of this release finds the store.
fn reopened(world: &World) -> Store {
    Store::open(StoreConfig::new(world.url.clone(), world.folder.0.join("key"))).unwrap()
}

/// SQL in the projection, which has a file of its own when it is embedded.
fn in_calls(world: &World, sql: &str) {
    if world.server == Server::Postgres {
        world.by_hand(sql).unwrap();
        return;
    }
    let file = world.folder.0.join("callgate-calls.db");
    let status =
        Command::new("sqlite3").arg("-cmd").arg(".timeout 5000").arg(file).arg(sql).status().unwrap();
    assert!(status.success());
}

/// The schema as the next release leaves it, which goes on with programs of these levels.
fn upgrade(world: &World, levels: [usize; 2]) {
    let step = |family: &str, level: usize, reader: usize| {
        format!(
            "INSERT INTO schema_steps (name, digest, reader) VALUES ('{family} {}: next', 'x', {reader});",
            level + 1
        )
    };
    world.by_hand(&format!("{} {}", NEXT[0], step("directory", LEVELS[0], levels[0]))).unwrap();
    in_calls(world, &format!("{} {}", NEXT[1], step("calls", LEVELS[1], levels[1])));
}

/// A world whose store a program of the next release has used.
async fn next(server: Server) -> World {
    let world = World::new(server).await;
    upgrade(&world, LEVELS);
    let again = reopened(&world);
    assert_eq!(again.due().await.unwrap(), Vec::<&str>::new());
    assert_eq!(again.migrate().await.unwrap(), Vec::<&str>::new());
    world
}

/// Everything this release does with a store, by the tests that show it on its own schema.
async fn this_release_runs_on_the_schema_of_the_next(world: World) {
    let server = world.server;
    rows::a_number_is_created_read_changed_and_deleted(next(server).await).await;
    rows::every_table_keeps_what_it_is_given(next(server).await).await;
    rows::lists_filter_and_page(next(server).await).await;
    rows::a_number_by_hand_has_its_defaults(next(server).await).await;
    rows::references_hold(next(server).await).await;
    rows::tokens_are_sealed_looked_up_and_rotated(next(server).await).await;
    following::a_change_by_hand_is_live_in_a_moment(next(server).await).await;
    following::the_frame_follows_too(next(server).await).await;
    following::steps_and_full_loads_come_to_the_same(next(server).await).await;
    order::a_step_reads_only_what_changed(next(server).await).await;
    order::replace_is_seen(next(server).await).await;
    calls::a_batch_may_come_again_and_late(next(server).await).await;
    calls::lists_and_traces_show_what_was_projected(next(server).await).await;
    calls::calls_and_legs_are_one_list(next(server).await).await;
    calls::what_is_due_is_claimed_once(next(server).await).await;
    calls::a_dead_letter_is_replayed(next(server).await).await;
    calls::what_is_old_is_forgotten_by_its_kind(next(server).await).await;
    projection::what_the_journal_holds_stands_in_the_tables_once_also_after_a_restart(next(server).await)
        .await;
}

async fn a_schema_that_asks_for_more_is_refused_and_left_alone(world: World) {
    for levels in [[LEVELS[0] + 1, LEVELS[1]], [LEVELS[0], LEVELS[1] + 1]] {
        let world = World::new(world.server).await;
        upgrade(&world, levels);
        for outcome in [reopened(&world).due().await, reopened(&world).migrate().await] {
            let Err(StoreError::Schema(why)) = outcome else { panic!("{outcome:?}") };
            assert!(why.contains("a newer callgate applied `") && why.contains("run that release"), "{why}");
        }
    }
}

/// The release before knew all steps but the last.
async fn the_step_that_is_due_leaves_what_was_there(world: World) {
    world
        .by_hand("DROP TABLE idempotency; DELETE FROM schema_steps WHERE name LIKE 'directory 6:%'")
        .unwrap();
    let mut row = NumberRow::new(world.account.id, world.organization.id, "+16508251255");
    row.voice_url = Some("https://app.example/voice".to_owned());
    let row = world.store.create("tester", row).await.unwrap().row;
    let generation = world.store.generation().await.unwrap();
    let again = reopened(&world);
    assert_eq!(again.due().await.unwrap(), ["directory 6: idempotency"]);
    assert_eq!(again.migrate().await.unwrap(), ["directory 6: idempotency"]);
    assert_eq!(again.read::<NumberRow>(row.id).await.unwrap(), Some(row.clone()));
    assert_eq!(again.generation().await.unwrap(), generation, "nobody's rows changed");
    again.delete::<NumberRow>("tester", row.id).await.unwrap();
    // The program of the release before still runs beside it.
    rows::lists_filter_and_page(world).await;
}
