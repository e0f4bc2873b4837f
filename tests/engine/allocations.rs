//! What a whole call takes from the allocator.

use std::time::Duration;

use crate::counting::{allocations, held};
use crate::whole_call::Line;

/// Allocations and reallocations of one call, INVITE to the end of its transactions; more is a step back.
const MOST: usize = 87;

#[test]
fn a_whole_call_takes_no_more_than_so_many_allocations() {
    const CALLS: usize = 100;
    let mut line = Line::new(allocations);
    for warm in [true, false] {
        (0..CALLS).for_each(|_| line.call());
        line.rest(Duration::from_secs(64));
        if warm {
            line.forget();
        }
    }
    let each = line.allocations / CALLS;
    println!("{each} allocations a call");
    assert!(each <= MOST, "{each} allocations a call, {MOST} at most");
}

/// Bytes that the engine keeps of a call that stands, once the transactions that set it up are over.
const MOST_HELD: isize = 5_600;
/// And of one that was hung up, while the transactions last that absorb what may come again.
const MOST_LEFT: isize = 6_200;

#[test]
fn a_standing_call_keeps_no_more_than_so_many_bytes() {
    const CALLS: isize = 1_700;
    let mut line = Line::new(allocations);
    let before = held();
    (0..CALLS).for_each(|_| line.hold());
    line.rest(Duration::from_secs(64));
    let each = (held() - before) / CALLS;
    println!("{each} bytes a standing call");
    assert!(each <= MOST_HELD, "{each} bytes a call, {MOST_HELD} at most");
}

#[test]
fn a_call_that_was_hung_up_keeps_no_more_than_so_many_bytes() {
    const CALLS: isize = 1_700;
    let mut line = Line::new(allocations);
    let before = held();
    (0..CALLS).for_each(|_| line.call());
    let each = (held() - before) / CALLS;
    println!("{each} bytes a call that was hung up");
    assert!(each <= MOST_LEFT, "{each} bytes a call, {MOST_LEFT} at most");
}
