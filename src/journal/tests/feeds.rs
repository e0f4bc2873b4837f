//! Who follows the journal misses nothing.

use super::*;

#[test]
fn each_pens_order_is_kept_over_segments_and_a_late_feed_misses_nothing() {
    let folder = Folder::new();
    let (journal, _) = Journal::open(&config(&folder)).unwrap();
    let calls = 60_u128;
    std::thread::scope(|scope| {
        for producer in 1..=4_u128 {
            let mut pen = journal.pen();
            scope.spawn(move || {
                let mut count = 0;
                for number in 0..calls {
                    for record in call(producer * 10_000 + number * 10, true) {
                        pen.write(&mut vec![record]);
                        count += 1;
                    }
                }
                settle(&pen, count);
            });
        }
    });
    assert!(journal.gauge().segments() > 4, "{} segments", journal.gauge().segments());
    let fed = all(&mut journal.feed());
    assert_eq!(fed.len() as u128, 4 * calls * 9);
    for producer in 1..=4 {
        let of_one = records(&fed).into_iter().filter(|record| record.call.0 / 10_000 == producer);
        let seen: Vec<_> = of_one.map(|record| (record.call.0, record.seq)).collect();
        assert!(seen.is_sorted(), "the order of producer {producer}");
    }
    assert!(fed.iter().all(|one| one.known.is_some()), "facts come with every record");
    assert!(fed.windows(2).all(|two| two[0].position < two[1].position));
    let mut again = journal.feed_from(fed[99].position);
    assert_eq!(all(&mut again).len(), fed.len() - 100, "a feed reads on from any position it had");
}

#[tokio::test]
async fn a_waiting_feed_wakes_for_what_is_written() {
    let folder = Folder::new();
    let (journal, _) = Journal::open(&config(&folder)).unwrap();
    let mut feed = journal.feed();
    let mut pen = journal.pen();
    let reader = tokio::spawn(async move {
        let mut fed = Vec::new();
        while fed.len() < 9 {
            feed.next(4, &mut fed).await.unwrap();
        }
        fed.len()
    });
    for record in call(1, true) {
        tokio::time::sleep(Duration::from_millis(3)).await;
        pen.write(&mut vec![record]);
    }
    assert_eq!(tokio::time::timeout(Duration::from_secs(30), reader).await.unwrap().unwrap(), 9);
}

#[test]
fn a_call_that_lives_here_has_its_constants_once() {
    let folder = Folder::new();
    let (journal, _) = Journal::open(&config(&folder)).unwrap();
    let mut pen = journal.pen();
    pen.write(&mut [call(1, true), call(2, true)].concat());
    settle(&pen, 18);
    let held = facts(1, true);
    let own = held.clone();
    let share = move |call: CallSid| (call == own.call).then(|| own.clone());
    let fed = all(&mut journal.feed().sharing(Box::new(share)));
    assert_eq!(fed.len(), 18);
    for one in &fed {
        let known = one.known.as_ref().unwrap();
        assert_eq!(Arc::ptr_eq(&known.facts, &held), one.entry.call() == Some(held.call));
    }
}
