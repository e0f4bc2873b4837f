//! Lists of very many numbers: that no statement walks or sorts what it should not, that pages are right after
//! every kind of change, and in `make proof` how long a page of a million takes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use callgate::store::{NumberFilter, NumberOrder, NumberRow, NumberState, Page, Wanted};

use crate::on_both_servers;
use crate::servers::{Server, World};

on_both_servers!(
    no_statement_of_a_list_walks_or_sorts_all,
    pages_are_right_after_every_change,
    the_inventory_is_searched_from_page_to_page,
    any_page_comes_soon,
);

/// `count` numbers by one statement: every third has a name, every seventh a caller id name, every fifth is shared.
fn fill(world: &World, count: u64) {
    let (series, text) = match world.server {
        Server::Sqlite => (
            format!(
                "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {}) ",
                count - 1
            ),
            "FROM n",
        ),
        Server::Postgres => (String::new(), "FROM generate_series(0, COUNT - 1) AS n(i)"),
    };
    let text = text.replace("COUNT", &count.to_string());
    let number = "'+1' || (2000000000 + i * 37)";
    let sql = format!(
        "{series}INSERT INTO numbers(number, voice_url, friendly_name, caller_id_name, shared) \
         SELECT {number}, 'http://app/' || (i % 100), CASE WHEN i % 3 = 0 THEN 'name ' || (i % 1000) END, \
         CASE WHEN i % 7 = 0 THEN 'caller ' || (i % 500) END, i % 5 = 0 {text}"
    );
    let sql = match world.server {
        // The insert stands behind the WITH.
        Server::Sqlite => sql,
        Server::Postgres => format!("{sql}; ANALYZE numbers"),
    };
    world.by_hand(&sql).unwrap();
}

/// The lists of the dialects: what they are called and what is asked.
fn lists(world: &World) -> Vec<(&'static str, NumberFilter)> {
    let held = NumberFilter { account: Some(world.account.id), held: true, ..NumberFilter::default() };
    let plain = NumberFilter { plain: true, ..held.clone() };
    vec![
        ("Restcomm, by number", held.clone()),
        ("Restcomm, by name", NumberFilter { order: NumberOrder::FriendlyName, ..held.clone() }),
        ("Restcomm, a name", NumberFilter { friendly_name: Some("name 3".into()), ..held.clone() }),
        ("Restcomm, part of a number", NumberFilter { number_part: Some("55*7".into()), ..held.clone() }),
        ("Kazoo", NumberFilter { dialled: true, ..held }),
        ("Wazo, by number", plain.clone()),
        ("Wazo, by caller id name", NumberFilter { order: NumberOrder::CallerIdName, ..plain.clone() }),
        ("Wazo, by shared", NumberFilter { order: NumberOrder::Shared, ..plain.clone() }),
        ("Wazo, by main", NumberFilter { order: NumberOrder::Main, ..plain.clone() }),
        ("Wazo, search", NumberFilter { search: Some("caller 21".into()), ..plain }),
        (
            "Wazo, recurse",
            NumberFilter {
                under: Some(world.account.id),
                held: true,
                plain: true,
                ..NumberFilter::default()
            },
        ),
        ("admin", NumberFilter::default()),
        ("admin, an account", NumberFilter { account: Some(world.account.id), ..NumberFilter::default() }),
        ("admin, a state", NumberFilter { state: Some(NumberState::InService), ..NumberFilter::default() }),
    ]
}

async fn no_statement_of_a_list_walks_or_sorts_all(world: World) {
    fill(&world, 100_000);
    for (name, filter) in lists(&world) {
        for plan in world.store.plans_of_numbers(&filter).await.unwrap() {
            let bad = match world.server {
                // `SEARCH … (number>?)` is a part of an index; a bare SCAN is all of it.
                Server::Sqlite => {
                    plan.lines().any(|line| line.contains("TEMP B-TREE") || line == "SCAN numbers")
                }
                // An account has one main number at most: that is sorted soon.
                Server::Postgres => {
                    plan.contains("Seq Scan on numbers")
                        || plan.contains("Sort") && !plan.contains("numbers_unique_main")
                }
            };
            assert!(!bad, "{name}: {plan}");
            let ranged = match world.server {
                Server::Sqlite => plan.contains(">?") || plan.contains(">(?"),
                Server::Postgres => plan.contains("Index Cond"),
            };
            if std::env::var_os("CALLGATE_PLANS").is_some() {
                println!("{:?}: {name}: {plan}", world.server);
            }
            assert!(ranged, "{name} reads no range of an index: {plan}");
        }
    }
}

/// Every list against all of its rows, sorted here.
async fn pages_are_right_after_every_change(world: World) {
    let count = 9_000;
    fill(&world, count);
    let change = |sql: &str| world.by_hand(sql).map(drop).unwrap();
    check(&world, "at first").await;
    change("UPDATE numbers SET state = 'reserved', friendly_name = 'moved' WHERE number LIKE '%7'");
    check(&world, "after a change of many").await;
    change("DELETE FROM numbers WHERE number LIKE '+1200001%'");
    check(&world, "after many went").await;
    change("INSERT INTO numbers(number, state) VALUES ('+12000000001', 'aging'), ('+19', 'in_service')");
    check(&world, "after two came").await;
    change("UPDATE numbers SET state = 'aging' WHERE number = '+19'");
    change("UPDATE numbers SET number = '+18', caller_id_name = 'caller 21' WHERE number = '+12000000001'");
    check(&world, "after two changed").await;
    change("DELETE FROM numbers");
    check(&world, "when nothing is left").await;
}

async fn check(world: &World, when: &str) {
    let everything = world.store.numbers(&NumberFilter::default(), Page::first(100_000)).await.unwrap();
    assert_eq!(everything.total, everything.rows.len() as u64, "{when}");
    for (name, filter) in lists(world) {
        for reverse in [false, true] {
            let filter = NumberFilter { reverse, ..filter.clone() };
            let expected = sorted(&everything.rows, &filter);
            let mut after = None;
            for offset in [0, 50, 2_000, 4_321, 8_900] {
                let page = Page { offset, limit: 50 };
                let found = world.store.numbers(&filter, page).await.unwrap();
                let told = format!("{name} {when}, reverse {reverse}, from {offset}");
                assert_eq!(found.total, expected.len() as u64, "{told}");
                let wanted: Vec<&str> =
                    expected.iter().skip(offset as usize).take(50).map(|s| s.as_str()).collect();
                let got: Vec<&str> = found.rows.iter().map(|row| row.number.as_str()).collect();
                assert_eq!(got, wanted, "{told}");
                after = found.rows.last().map(|row| (row.id, offset + 50)).or(after);
            }
            let several =
                matches!(filter.order, NumberOrder::Main | NumberOrder::Shared | NumberOrder::CallerIdName);
            if let Some((sid, offset)) = after.filter(|_| !several) {
                let filter = NumberFilter { after: Some(sid), ..filter };
                let found = world.store.numbers(&filter, Page::first(50)).await.unwrap();
                let wanted: Vec<&str> =
                    expected.iter().skip(offset as usize).take(50).map(|s| s.as_str()).collect();
                let got: Vec<&str> = found.rows.iter().map(|row| row.number.as_str()).collect();
                assert_eq!(got, wanted, "{name} {when}, reverse {reverse}, behind a sid");
            }
        }
    }
}

/// Page after page, from somewhere in the middle, and while it changes; as one long page has it.
async fn the_inventory_is_searched_from_page_to_page(world: World) {
    fill(&world, 3_000);
    let change = |sql: &str| world.by_hand(sql).map(drop).unwrap();
    change("UPDATE numbers SET state = 'available' WHERE number LIKE '%1'");
    change("UPDATE numbers SET state = 'discovery' WHERE number LIKE '%2'");
    change(
        "UPDATE numbers SET state = 'aging', updated_at = '2020-01-01T00:00:00.000Z' WHERE number LIKE '%3'",
    );
    change(
        "UPDATE numbers SET state = 'aging', updated_at = '2030-01-01T00:00:00.000Z' WHERE number LIKE '%4'",
    );
    let aged = "2025-01-01T00:00:00Z".parse().unwrap();
    for (discovered, endings) in [(false, &["1", "3"][..]), (true, &["1", "2", "3"])] {
        let wanted = Wanted { prefix: Some("+1200".into()), discovered, ..Wanted::default() };
        let found = async |offset, limit| {
            let rows = world.store.available(&wanted, aged, Page { offset, limit }).await.unwrap();
            rows.into_iter().map(|row| row.number).collect::<Vec<_>>()
        };
        let all = found(0, 10_000).await;
        let right = (0..3_000).map(|i| format!("+1{}", 2_000_000_000_u64 + i * 37));
        let right = right.filter(|text| endings.iter().any(|end| text.ends_with(end)));
        assert_eq!(all, right.collect::<Vec<_>>());
        assert_eq!(found(333, 7).await, all[333..340], "where no page ended before");
        assert_eq!(found(340, 7).await, all[340..347], "where one did");
        assert_eq!(found(336, 7).await, all[336..343], "and before it");
        assert_eq!(found(all.len() as u64 - 3, 7).await, all[all.len() - 3..]);
        assert!(found(all.len() as u64, 7).await.is_empty() && found(u64::MAX / 2, 7).await.is_empty());
        change(&format!("UPDATE numbers SET state = 'in_service' WHERE number = '{}'", all[5]));
        assert_eq!(found(340, 7).await, all[341..348], "one before it went");
        change(&format!("UPDATE numbers SET state = 'available' WHERE number = '{}'", all[5]));
    }
}

/// What a filter lets through, in its order, by other means than the store's.
fn sorted(rows: &[NumberRow], filter: &NumberFilter) -> Vec<String> {
    let called = |row: &NumberRow| {
        row.friendly_name.clone().unwrap_or_else(|| row.number.trim_start_matches('+').to_owned())
    };
    let kept = |row: &&NumberRow| {
        (!filter.held || row.state.is_held())
            && filter.state.is_none_or(|state| row.state == state)
            && filter.friendly_name.as_ref().is_none_or(|name| called(row) == *name)
            && filter.number_part.is_none()
                | row.number.as_bytes().windows(4).any(|w| w.starts_with(b"55") && w[3] == b'7')
            && filter.search.as_ref().is_none_or(|text| {
                row.caller_id_name.as_ref().is_some_and(|name| name.contains(text.as_str()))
            })
    };
    let mut keyed: Vec<(bool, String, String)> = rows
        .iter()
        .filter(kept)
        .map(|row| match filter.order {
            NumberOrder::Number => (false, String::new(), row.number.clone()),
            NumberOrder::FriendlyName => (false, called(row), row.number.clone()),
            NumberOrder::CallerIdName => (
                row.caller_id_name.is_none(),
                row.caller_id_name.clone().unwrap_or_default(),
                row.number.clone(),
            ),
            NumberOrder::Main => (row.main, String::new(), row.number.clone()),
            NumberOrder::Shared => (row.shared, String::new(), row.number.clone()),
        })
        .collect();
    keyed.sort();
    if filter.reverse {
        keyed.reverse();
    }
    keyed.into_iter().map(|(_, _, number)| number).collect()
}

/// 20,000 numbers in `make test`, a million in `make proof`: there every page comes within 50 ms once its list was
/// asked for before, and what a list costs at first and after a change is told.
async fn any_page_comes_soon(world: World) {
    let proof = std::env::var_os("CALLGATE_PROOF").is_some();
    let count = if proof { 1_000_000 } else { 20_000 };
    fill(&world, count);
    // As the daemon does once so many have come.
    world.store.settle_numbers().await.unwrap();
    let began = Instant::now();
    let lists_ahead = world.store.walk_lists().await.unwrap();
    println!("{:?}: {lists_ahead} lists walked ahead in {:?}", world.server, began.elapsed());
    for (name, filter) in lists(&world) {
        let began = Instant::now();
        let first = world.store.numbers(&filter, Page::first(50)).await.unwrap();
        let first_took = began.elapsed();
        let mut took = BTreeSet::new();
        for reverse in [false, true] {
            let filter = NumberFilter { reverse, ..filter.clone() };
            for at in 0..25 {
                let page = Page { offset: first.total * at / 24, limit: 50 };
                let page = Page { offset: page.offset.min(first.total.saturating_sub(50)), ..page };
                let began = Instant::now();
                let found = world.store.numbers(&filter, page).await.unwrap();
                took.insert((began.elapsed(), at));
                assert_eq!(found.rows.len() as u64, first.total.min(50), "{name}");
            }
        }
        world.by_hand("UPDATE numbers SET voice_url = 'http://other' WHERE number = '+12000003700'").unwrap();
        let began = Instant::now();
        world.store.numbers(&filter, Page { offset: first.total / 2, limit: 50 }).await.unwrap();
        let changed = began.elapsed();
        let took: Vec<Duration> = took.into_iter().map(|(took, _)| took).collect();
        // The first of an order by name builds its ladder: it is told beside.
        let (median, greatest) = (took[took.len() / 2], took[took.len() - 2]);
        println!(
            "{:?}: {count} numbers, {name}, {} rows: page median {median:?}, greatest {greatest:?}; \
             at first {first_took:?} ({:?} in the middle), after a change {changed:?}",
            world.server,
            first.total,
            took[took.len() - 1]
        );
        if proof {
            assert!(greatest < Duration::from_millis(50), "{name}: {greatest:?}");
            let ahead = ["Restcomm, by number", "Kazoo", "Wazo, by number", "admin"].contains(&name);
            assert!(!ahead || first_took < Duration::from_millis(50), "{name}, at first: {first_took:?}");
        }
    }
}
