//! How soon what is given is written, and synced.

use super::*;

#[test]
fn written_and_synced_in_a_moment_at_500_events_a_second() {
    let folder = Folder::new();
    let mut config = config(&folder);
    (config.segment_size, config.reserve) = (16 << 20, 64 << 20);
    let (journal, _) = Journal::open(&config).unwrap();
    let gauge = journal.gauge();
    let mut pen = journal.pen();
    let (mut written, mut synced) = (Vec::new(), Vec::new());
    let all: Vec<_> = (0..120).flat_map(|number| call(number * 10, true)).collect();
    let mut waiting: Vec<(u64, Clock)> = Vec::new();
    let mut count = 0;
    let begun = Clock::now();
    for (number, record) in (0_u32..).zip(all) {
        let due = begun + Duration::from_millis(2) * number;
        while Clock::now() < due {
            note_synced(&gauge, &mut waiting, &mut synced);
            std::thread::sleep(Duration::from_micros(50));
        }
        let given = Clock::now();
        pen.write(&mut vec![record]);
        count += 1;
        while pen.written() < count {
            std::thread::yield_now();
        }
        written.push(given.elapsed());
        waiting.push((gauge.written(), given));
    }
    while !waiting.is_empty() {
        note_synced(&gauge, &mut waiting, &mut synced);
        std::thread::sleep(Duration::from_micros(50));
    }
    let (append, sync) = (p99(&mut written), p99(&mut synced));
    println!(
        "{count} events at 500/s: written p50 {:?} p99 {append:?}, synced p50 {:?} p99 {sync:?}",
        written[written.len() / 2],
        synced[synced.len() / 2]
    );
    // The budget is 1 ms and 20 ms on an idle machine. One whose cores are all taken shows the scheduler's
    // times, not the journal's: there only what no scheduler does is a failure.
    assert!(append < Duration::from_millis(500), "written p99 {append:?}");
    assert!(sync < Duration::from_secs(2), "synced p99 {sync:?}");
}

fn note_synced(gauge: &Gauge, waiting: &mut Vec<(u64, Clock)>, synced: &mut Vec<Duration>) {
    let position = gauge.synced();
    waiting.retain(|(end, given)| {
        let is_done = *end <= position;
        if is_done {
            synced.push(given.elapsed());
        }
        !is_done
    });
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}
