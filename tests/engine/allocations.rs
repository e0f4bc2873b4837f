//! What a whole call takes from the allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use crate::whole_call::Line;

/// Allocations and reallocations of one call, INVITE to the end of its transactions; more is a step back.
const MOST: usize = 107;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call goes to the system's allocator unchanged.
#[allow(unsafe_code, reason = "a global allocator cannot be counted otherwise")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_whole_call_takes_no_more_than_so_many_allocations() {
    const CALLS: usize = 100;
    let mut line = Line::new(|| ALLOCATIONS.with(Cell::get));
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
