//! What a whole call takes from the allocator.

use std::time::Duration;

use crate::counting::allocations;
use crate::whole_call::Line;

/// Allocations and reallocations of one call, INVITE to the end of its transactions; more is a step back.
const MOST: usize = 107;

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
