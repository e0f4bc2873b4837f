//! A full load: every number that somebody has, whatever its text, as the steps that led there had it.

use std::collections::BTreeMap;

use callgate::ids::NumberSid;
use callgate::routing::model::Number;

use crate::{Server, World, order};

crate::on_both_servers!(a_full_load_is_the_sum_of_its_steps, an_empty_table_is_loaded, a_bad_row_is_left_out);

/// Many in a row, a gap of many, one far away, and texts that hold what parts columns and rows on the way.
const PLAIN: u32 = 1_500;
const GAP: std::ops::RangeInclusive<u32> = 601..=1_200;

async fn a_full_load_is_the_sum_of_its_steps(world: World) {
    let since = world.store.generation().await.unwrap();
    let (char, many, far) = match world.server {
        Server::Sqlite => (
            "char",
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) \
             INSERT INTO numbers(number, voice_url, voice_caller_id_lookup) SELECT 'n' || i, 'http://app/' || (i % 7), i % 5 = 0 FROM n",
            "INSERT INTO numbers(rowid, number) VALUES (9223372036854775807, 'far')",
        ),
        Server::Postgres => (
            "chr",
            "INSERT INTO numbers(number, voice_url, voice_caller_id_lookup) \
             SELECT 'n' || i, 'http://app/' || (i % 7), i % 5 = 0 FROM generate_series(1, 1500) AS n(i)",
            "INSERT INTO numbers(number) VALUES ('far')",
        ),
    };
    let odd = [30, 31, 9, 10, 13, 92].map(|code| {
        format!(
            "INSERT INTO numbers(number, voice_url, is_sip) \
             VALUES ('odd' || {char}({code}) || 'x', {char}({code}) || 'http://a/' || {char}({code}), TRUE)"
        )
    });
    world.by_hand(many).unwrap();
    for number in GAP {
        if number % 100 != 0 {
            continue;
        }
        let (from, to) = (number - 99, number);
        let list = (from..=to).map(|number| format!("'n{number}'")).collect::<Vec<_>>().join(",");
        world.by_hand(&format!("DELETE FROM numbers WHERE number IN ({list})")).unwrap();
    }
    world.by_hand(&odd.join(";")).unwrap();
    world.by_hand("UPDATE numbers SET state = 'released' WHERE number = 'n3'").unwrap();
    world.by_hand("UPDATE numbers SET state = 'port_in', sms_url = '' WHERE number = 'n4'").unwrap();
    // The last rowid there can be: nothing may be added behind it.
    world.by_hand(far).unwrap();

    let loaded = loaded(&world).await;
    let steps = order::step(&world, since).await.delta.written;
    let steps: BTreeMap<NumberSid, Number> = steps.into_iter().map(|number| (number.sid, number)).collect();
    assert_eq!(loaded.len(), (PLAIN as usize - GAP.count() - 1) + odd.len() + 1);
    assert_eq!(loaded, steps);
    let texts: Vec<&str> = loaded.values().map(|number| &*number.text).collect();
    for text in ["n1", "n600", "n1201", "far", "odd\u{1e}x", "odd\u{1f}x", "odd\tx", "odd\nx", "odd\\x"] {
        assert!(texts.contains(&text), "{text:?}");
    }
}

async fn an_empty_table_is_loaded(world: World) {
    assert!(loaded(&world).await.is_empty());
}

async fn a_bad_row_is_left_out(world: World) {
    world.by_hand("INSERT INTO numbers(number) VALUES ('good')").unwrap();
    let bad = match world.server {
        Server::Sqlite => {
            "PRAGMA ignore_check_constraints = 1; INSERT INTO numbers(number, state) VALUES ('bad', 'lost')"
        }
        Server::Postgres => {
            "ALTER TABLE numbers DROP CONSTRAINT numbers_state_is_one_of_the_known; \
             INSERT INTO numbers(number, state) VALUES ('bad', 'lost')"
        }
    };
    world.by_hand(bad).unwrap();
    let mut load = world.store.load().await.unwrap();
    let mut texts = Vec::new();
    assert_eq!(load.numbers(|number| texts.push(number.text.to_string())).await.unwrap(), 1);
    assert_eq!(texts, ["good"]);
    let [row] = &load.bad[..] else { panic!("{:?}", load.bad) };
    assert_eq!((row.table, row.column, row.value.as_str()), ("numbers", "state", "lost"));
}

async fn loaded(world: &World) -> BTreeMap<NumberSid, Number> {
    let mut load = world.store.load().await.unwrap();
    let mut numbers = BTreeMap::new();
    let read = load.numbers(|number| drop(numbers.insert(number.sid, number))).await.unwrap();
    assert_eq!((read as usize, &load.bad[..]), (numbers.len(), &[][..]));
    numbers
}
