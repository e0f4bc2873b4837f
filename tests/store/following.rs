//! The follower: changes by whomever reach the directory that routes, at once and without loss.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use callgate::api::{Follower as _, ReloadError, ReloadOptions};
use callgate::daemon::{FollowConfig, Follower, Following};
use callgate::routing::Directory;
use callgate::store::{AccountRow, NumberRow, OrganizationRow, Store, StoreConfig};
use callgate::telemetry::health::Severity;
use callgate::telemetry::{Health, Metrics};
use jiff::SignedDuration;
use tokio::sync::Notify;

use crate::World;
use crate::servers::{Cluster, Folder, Server};

crate::on_both_servers!(
    a_change_by_hand_is_live_in_a_moment,
    a_write_tells_the_generation_it_is_live_in,
    a_number_that_is_renamed_leaves_its_old_name,
    emptying_a_table_is_seen_and_guarded,
    a_bad_row_is_left_out_alone,
    a_check_only_reload_changes_nothing,
    the_frame_follows_too,
    steps_and_full_loads_come_to_the_same,
    a_start_goes_on_from_the_disk_with_what_changed_since,
    a_start_goes_on_from_the_disk_of_this_history_only,
);

pub struct Running {
    pub directory: Arc<ArcSwap<Directory>>,
    pub follower: Follower,
    health: Arc<Health>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn config(folder: &Folder) -> FollowConfig {
    FollowConfig {
        last_good: folder.0.join("directory"),
        from_disk: true,
        shrink_guard: 50,
        change_log: SignedDuration::from_hours(24),
    }
}

pub async fn follow(store: &Store, config: FollowConfig) -> (bool, Running) {
    let directory = Arc::new(ArcSwap::from_pointee(Directory::default()));
    let health = Arc::new(Health::new());
    let (follower, mut following) = Following::new(
        store.clone(),
        config,
        Arc::clone(&directory),
        Arc::clone(&health),
        Arc::new(Metrics::new()),
    );
    let from_store = following.begin().await.unwrap();
    let task = tokio::spawn(following.run());
    (from_store, Running { directory, follower, health, task })
}

impl Running {
    fn voice(&self, world: &World, text: &str) -> Option<String> {
        let directory = self.directory.load();
        let view = directory.number(text, world.organization.id)?;
        Some(view.profile().voice.as_ref()?.url.to_string())
    }

    /// How long until the number has this URL (or is gone); fails after 20 s.
    pub async fn until(&self, world: &World, text: &str, url: Option<&str>) -> Duration {
        let began = Instant::now();
        while self.voice(world, text).as_deref() != url {
            let now = self.voice(world, text);
            assert!(began.elapsed() < Duration::from_secs(20), "{text} is {now:?}, not {url:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        began.elapsed()
    }
}

/// Each edit is made by the server's own command line; the clock runs from its end.
pub async fn a_change_by_hand_is_live_in_a_moment(world: World) {
    let (from_store, running) = follow(&world.store, config(&world.folder)).await;
    assert!(from_store);
    let edits = [
        ("INSERT INTO numbers(number, voice_url) VALUES ('+1650', 'http://one')", Some("http://one")),
        ("UPDATE numbers SET voice_url = 'http://two' WHERE number = '+1650'", Some("http://two")),
        ("DELETE FROM numbers WHERE number = '+1650'", None),
        ("INSERT INTO numbers(number, voice_url) VALUES ('+1650', 'http://three')", Some("http://three")),
    ];
    for (sql, url) in edits {
        world.by_hand(sql).unwrap();
        let took = running.until(&world, "+1650", url).await;
        println!("{:?}: {sql}: live after {took:?}", world.server);
        // 200 ms is what an idle machine is held to (`figures`); a loaded one gets its share of time late.
        assert!(took < Duration::from_secs(2), "{sql}: {took:?}");
    }
    assert!(running.follower.history().iter().any(|note| note.kind == "delta"));
}

async fn a_write_tells_the_generation_it_is_live_in(world: World) {
    let (_, running) = follow(&world.store, config(&world.folder)).await;
    let mut fastest = Duration::MAX;
    for count in 0..20 {
        let mut row = NumberRow::new(world.account.id, world.organization.id, format!("+1650{count}"));
        row.voice_url = Some("http://app".to_owned());
        let written = world.store.create("t", row).await.unwrap();
        // As the API does: without that the next look is SQLite's turn, up to 50 ms away.
        let began = Instant::now();
        running.follower.look();
        let live = running.follower.wait(written.generation, Duration::from_secs(20)).await;
        fastest = fastest.min(began.elapsed());
        assert!(live >= written.generation);
        assert_eq!(running.voice(&world, &written.row.number).as_deref(), Some("http://app"));
    }
    assert!(fastest < Duration::from_millis(25), "{fastest:?}");
    let never = running.follower.wait(u64::MAX, Duration::from_millis(20)).await;
    assert_eq!(never, running.directory.load().generation());
}

async fn a_number_that_is_renamed_leaves_its_old_name(world: World) {
    let (_, running) = follow(&world.store, config(&world.folder)).await;
    world
        .by_hand("INSERT INTO numbers(number, voice_url) VALUES ('100', 'http://a'), ('200', 'http://b')")
        .unwrap();
    running.until(&world, "200", Some("http://b")).await;
    world.by_hand("UPDATE numbers SET number = '300' WHERE number = '100'").unwrap();
    running.until(&world, "300", Some("http://a")).await;
    assert_eq!(running.voice(&world, "100"), None);
    // Two rows change places, by way of a third name, before anybody looks.
    world
        .by_hand(
            "BEGIN; UPDATE numbers SET number = 'x' WHERE number = '200'; \
         UPDATE numbers SET number = '200' WHERE number = '300'; \
         UPDATE numbers SET number = '300' WHERE number = 'x'; COMMIT",
        )
        .unwrap();
    running.until(&world, "300", Some("http://b")).await;
    assert_eq!(running.voice(&world, "200").as_deref(), Some("http://a"));
    assert_eq!(running.directory.load().len(), 2);
}

async fn emptying_a_table_is_seen_and_guarded(world: World) {
    let (_, running) = follow(&world.store, config(&world.folder)).await;
    world
        .by_hand("INSERT INTO numbers(number, voice_url) VALUES ('1', 'http://a'), ('2', 'http://b')")
        .unwrap();
    running.until(&world, "2", Some("http://b")).await;
    if world.server == Server::Sqlite {
        // Row triggers say each row: a step, which the guard leaves alone.
        world.by_hand("DELETE FROM numbers").unwrap();
        running.until(&world, "1", None).await;
        return;
    }
    world.by_hand("TRUNCATE numbers").unwrap();
    let began = Instant::now();
    while !running.health.matters().iter().any(|matter| matter.name == "directory") {
        assert!(began.elapsed() < Duration::from_secs(20), "nobody was told");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(running.voice(&world, "1").as_deref(), Some("http://a"), "the former numbers go on routing");
    let refused = running.follower.reload(ReloadOptions::default()).await.unwrap_err();
    assert!(matches!(refused, ReloadError::Shrinks { before: 2, removed: 2, share: 50 }), "{refused:?}");
    let report = running.follower.reload(ReloadOptions { force: true, check_only: false }).await.unwrap();
    assert_eq!((report.applied, report.removed, report.numbers_after), (true, 2, 0));
    assert_eq!(running.voice(&world, "1"), None);
    assert!(running.health.matters().is_empty());
}

async fn a_bad_row_is_left_out_alone(world: World) {
    let (_, running) = follow(&world.store, config(&world.folder)).await;
    world
        .by_hand(
            "INSERT INTO trunks(name, sources) VALUES ('good', '192.0.2.1'), ('bad', '192.0.2.0/99'); \
             INSERT INTO numbers(number, voice_url) VALUES ('1', 'http://a'), ('(', 'http://b')",
        )
        .unwrap();
    running.until(&world, "1", Some("http://a")).await;
    let report = running.follower.reload(ReloadOptions::default()).await.unwrap();
    assert!(report.skipped.iter().any(|why| why.contains("192.0.2.0/99")), "{:?}", report.skipped);
    assert!(report.skipped.iter().any(|why| why.contains("pattern")), "{:?}", report.skipped);
    assert_eq!(running.voice(&world, "1").as_deref(), Some("http://a"));
    if world.server == Server::Sqlite {
        // SQLite lets who insists past the CHECKs.
        world.by_hand("PRAGMA ignore_check_constraints = on; UPDATE numbers SET voice_method = 'PUT' WHERE number = '1'; INSERT INTO numbers(number, voice_url) VALUES ('3', 'http://c')").unwrap();
        running.until(&world, "3", Some("http://c")).await;
        assert_eq!(running.voice(&world, "1"), None);
        let report = running.follower.reload(ReloadOptions { force: true, check_only: true }).await.unwrap();
        assert!(
            report.skipped.iter().any(|why| why.contains("voice_method") && why.contains("PUT")),
            "{:?}",
            report.skipped
        );
    }
}

async fn a_check_only_reload_changes_nothing(world: World) {
    world
        .by_hand("INSERT INTO numbers(number, voice_url) VALUES ('1', 'http://a'), ('2', 'http://b')")
        .unwrap();
    let (_, running) = follow(&world.store, config(&world.folder)).await;
    running.task.abort();
    let held = running.directory.load_full();
    // A second follower that stands still: what it has is compared with what the store has now.
    let directory = Arc::new(ArcSwap::new(Arc::clone(&held)));
    let health = Arc::new(Health::new());
    let (follower, following) = Following::new(
        world.store.clone(),
        config(&world.folder),
        Arc::clone(&directory),
        health,
        Arc::new(Metrics::new()),
    );
    world.by_hand("DELETE FROM numbers WHERE number = '1'; UPDATE numbers SET voice_url = 'http://c' WHERE number = '2'; INSERT INTO numbers(number) VALUES ('3')").unwrap();
    let (check, order) = (ReloadOptions { check_only: true, force: false }, follower.clone());
    let asked = tokio::spawn(async move { order.reload(check).await });
    tokio::task::yield_now().await;
    let task = tokio::spawn(following.run());
    let report = asked.await.unwrap().unwrap();
    task.abort();
    // The follower may have stepped before it was asked; then there is nothing left to differ.
    if report.from == held.generation() {
        assert_eq!((report.added, report.removed, report.changed), (1, 1, 1), "{report:?}");
    }
    assert!(!report.applied);
}

pub async fn the_frame_follows_too(world: World) {
    let (_, running) = follow(&world.store, config(&world.folder)).await;
    world.by_hand("INSERT INTO trunks(name, sources) VALUES ('carrier', '192.0.2.0/24')").unwrap();
    let began = Instant::now();
    loop {
        let rows =
            world.store.list::<callgate::store::TrunkRow>(callgate::store::Page::first(1)).await.unwrap();
        if running.directory.load().trunk(rows.rows[0].id).is_some() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let other = world.store.create("t", OrganizationRow::new("other.example")).await.unwrap();
    let tenant = world.store.create("t", AccountRow::new(other.row.id, "Tenant")).await.unwrap();
    running.follower.wait(tenant.generation, Duration::from_secs(20)).await;
    let directory = running.directory.load_full();
    assert_eq!(directory.account(tenant.row.id).unwrap().organization, other.row.id);
}

/// Many random edits; then what the steps made is compared with a load from scratch.
pub async fn steps_and_full_loads_come_to_the_same(world: World) {
    let (_, running) = follow(&world.store, config(&world.folder)).await;
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    for _ in 0..40 {
        let mut script = String::from("BEGIN;");
        for _ in 0..5 {
            let (a, b) = (random(30), random(30));
            let pattern = if random(4) == 0 { ".*" } else { "" };
            script.push_str(&match random(4) {
                0 => format!("DELETE FROM numbers WHERE number = '{a}{pattern}';"),
                1 => format!("UPDATE numbers SET voice_url = 'http://{b}' WHERE number = '{a}{pattern}';"),
                2 => format!(
                    "UPDATE numbers SET number = '{b}{pattern}' WHERE number = '{a}' \
                     AND NOT EXISTS (SELECT 1 FROM numbers WHERE number = '{b}{pattern}');"
                ),
                _ if world.server == Server::Sqlite => {
                    format!("REPLACE INTO numbers(number, voice_url) VALUES ('{a}{pattern}', 'http://{b}');")
                }
                _ => format!(
                    "INSERT INTO numbers(number, voice_url) VALUES ('{a}{pattern}', 'http://{b}') \
                     ON CONFLICT (number, scope) DO UPDATE SET voice_url = excluded.voice_url;"
                ),
            });
        }
        script.push_str("COMMIT");
        world.by_hand(&script).unwrap();
    }
    let newest = world.store.generation().await.unwrap();
    assert_eq!(running.follower.wait(newest, Duration::from_secs(5)).await, newest);
    let check = running.follower.reload(ReloadOptions { check_only: true, force: false }).await.unwrap();
    assert!(check.numbers_after > 5, "{check:?}");
    assert_eq!((check.added, check.removed, check.changed), (0, 0, 0), "{check:?}");
    assert_eq!(check.numbers_before, check.numbers_after);
    // And so does the file: the snapshot and its steps.
    let (away, kept) = follow(&unreachable_store(&world), config(&world.folder)).await;
    assert!(!away);
    assert_eq!(kept.directory.load().generation(), newest);
    assert_eq!(kept.directory.load().len() as u64, check.numbers_after);
}

impl Running {
    /// How the generations of this start came, the newest first.
    fn came(&self) -> Vec<&'static str> {
        self.follower.history().iter().map(|note| note.kind).collect()
    }

    async fn differs_from_the_store(&self) -> bool {
        let check = self.follower.reload(ReloadOptions { check_only: true, force: false }).await.unwrap();
        (check.added, check.removed, check.changed) != (0, 0, 0)
    }
}

async fn a_start_goes_on_from_the_disk_with_what_changed_since(world: World) {
    world
        .by_hand("INSERT INTO numbers(number, voice_url) VALUES ('1', 'http://a'), ('2', 'http://b'), ('3', 'http://c')")
        .unwrap();
    assert_eq!(follow(&world.store, config(&world.folder)).await.1.came(), ["full"]);
    // Nothing has changed.
    assert_eq!(follow(&world.store, config(&world.folder)).await.1.came(), ["last_good"]);
    world.by_hand("UPDATE numbers SET voice_url = 'http://new' WHERE number = '1'").unwrap();
    world.by_hand("UPDATE numbers SET number = '4' WHERE number = '2'").unwrap();
    world.by_hand("DELETE FROM numbers WHERE number = '3'").unwrap();
    let mut account = world.account.clone();
    world.store.give_token(&mut account, "another-token").unwrap();
    world.store.update("t", account).await.unwrap();
    let (from_store, running) = follow(&world.store, config(&world.folder)).await;
    assert!(from_store && running.health.matters().is_empty());
    assert_eq!(running.came(), ["last_good"]);
    let voices = ["1", "2", "3", "4"].map(|text| running.voice(&world, text));
    assert_eq!(voices.each_ref().map(Option::as_deref), [Some("http://new"), None, None, Some("http://b")]);
    let directory = running.directory.load_full();
    assert_eq!(directory.account(world.account.id).unwrap().keys.auth_token, "another-token");
    assert!(!running.differs_from_the_store().await);
    // The file takes steps again, and the next start knows them.
    world.by_hand("INSERT INTO numbers(number, voice_url) VALUES ('5', 'http://e')").unwrap();
    running.until(&world, "5", Some("http://e")).await;
    drop(running);
    let (_, away) = follow(&unreachable_store(&world), config(&world.folder)).await;
    assert_eq!(away.voice(&world, "5").as_deref(), Some("http://e"));
    let (_, running) = follow(&world.store, config(&world.folder)).await;
    assert_eq!(running.came(), ["last_good"]);
    assert!(!running.differs_from_the_store().await);
}

async fn a_start_goes_on_from_the_disk_of_this_history_only(world: World) {
    let insert = "INSERT INTO numbers(number, voice_url) VALUES ('1', 'http://a')";
    world.by_hand(insert).unwrap();
    drop(follow(&world.store, config(&world.folder)).await);
    // Another database that counts the same generation, and one that is further.
    let file = world.folder.0.join("directory");
    for more in [0, 1] {
        let other = World::new(Server::Sqlite).await;
        other.by_hand("INSERT INTO numbers(number, voice_url) VALUES ('1', 'http://other')").unwrap();
        std::fs::copy(&file, other.folder.0.join("directory")).unwrap();
        for at in 0..more {
            other.by_hand(&format!("INSERT INTO numbers(number) VALUES ('2{at}')")).unwrap();
        }
        let (_, running) = follow(&other.store, config(&other.folder)).await;
        assert_eq!(running.came(), ["full"]);
        assert_eq!(running.voice(&other, "1").as_deref(), Some("http://other"));
    }
    // The log no longer reaches back, or never knew which rows.
    for at in ["2", "3"] {
        world.by_hand(&format!("INSERT INTO numbers(number) VALUES ('{at}')")).unwrap();
    }
    world.store.prune_change_log(SignedDuration::from_secs(-60)).await.unwrap();
    assert_eq!(follow(&world.store, config(&world.folder)).await.1.came(), ["full"]);
    world
        .by_hand(match world.server {
            Server::Sqlite => "INSERT INTO change_log (kind) VALUES ('everything')",
            Server::Postgres => "TRUNCATE numbers",
        })
        .unwrap();
    assert_eq!(follow(&world.store, config(&world.folder)).await.1.came(), ["full"]);
    // While the process before still writes the file.
    let behind = FollowConfig { from_disk: false, ..config(&world.folder) };
    assert_eq!(follow(&world.store, behind).await.1.came(), ["full"]);
    // A damaged one.
    std::fs::write(&file, "callgate directory 6\nnonsense").unwrap();
    assert_eq!(follow(&world.store, config(&world.folder)).await.1.came(), ["full"]);
}

/// A store with the same keys whose server does not answer.
fn unreachable_store(world: &World) -> Store {
    let key = world.folder.0.join("key");
    Store::open(StoreConfig::new("postgres://nobody@127.0.0.1:1/none", key)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_the_database_routes_with_the_last_good_directory() {
    let world = World::new(Server::Sqlite).await;
    world.by_hand("INSERT INTO numbers(number, voice_url) VALUES ('1', 'http://a')").unwrap();
    let mut account = world.account.clone();
    world.store.give_token(&mut account, "a-token").unwrap();
    world.store.update("t", account).await.unwrap();
    drop(follow(&world.store, config(&world.folder)).await);
    let (from_store, running) = follow(&unreachable_store(&world), config(&world.folder)).await;
    assert!(!from_store);
    assert_eq!(running.voice(&world, "1").as_deref(), Some("http://a"));
    let directory = running.directory.load_full();
    assert_eq!(directory.account(world.account.id).unwrap().keys.auth_token, "a-token");
    let matters = running.health.matters();
    let told = matters.iter().find(|matter| matter.name == "store").expect("it says so");
    assert!(told.sentence.contains("last good directory") && told.severity == Severity::Degraded, "{told:?}");
    let bytes = std::fs::read(world.folder.0.join("directory")).unwrap();
    assert!(!bytes.windows(7).any(|part| part == b"a-token"), "a token stands in the clear on disk");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_without_anything_is_not_ready() {
    let world = World::new(Server::Sqlite).await;
    let (from_store, running) = follow(&unreachable_store(&world), config(&world.folder)).await;
    assert!(!from_store && !running.health.is_ready());
    let refused = running.follower.reload(ReloadOptions::default()).await.unwrap_err();
    assert!(matches!(refused, ReloadError::Store(_)), "{refused:?}");
}

/// The server goes and comes back: nothing is lost, and the node says how it stands meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_and_comes_back_is_followed_again() {
    let cluster = Cluster::start();
    let world = World::on(Server::Postgres, cluster.database()).await;
    world.by_hand("INSERT INTO numbers(number, voice_url) VALUES ('1', 'http://a')").unwrap();
    let (_, running) = follow(&world.store, config(&world.folder)).await;
    cluster.down();
    let began = Instant::now();
    while running.health.matters().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "nobody was told");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(running.health.is_ready(), "known numbers go on routing");
    assert_eq!(running.voice(&world, "1").as_deref(), Some("http://a"));
    cluster.up();
    world.by_hand("UPDATE numbers SET voice_url = 'http://b' WHERE number = '1'").unwrap();
    let began = Instant::now();
    while running.voice(&world, "1").as_deref() != Some("http://b") {
        assert!(
            began.elapsed() < Duration::from_secs(40),
            "not followed again: {:?}",
            running.health.matters()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(running.health.matters().is_empty());
}

/// A notification can be lost; who waits in short turns looks all the same.
#[tokio::test]
async fn the_net_under_listen_holds_for_short_waits() {
    let world = World::new(Server::Postgres).await;
    let mut watch = world.store.watch().await.unwrap();
    let written = Notify::new();
    watch.changed(&written).await.unwrap();
    let began = Instant::now();
    while tokio::time::timeout(Duration::from_millis(300), watch.changed(&written)).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(10), "never looked");
    }
}
