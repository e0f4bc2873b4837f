//! An exact look-up allocates nothing, whichever form finds the number.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use callgate::routing::model::MatchMode;
use callgate::routing::{Builder, Decision};

use crate::world;

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

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn an_exact_hit_allocates_nothing() {
    let mut builder = Builder::new(world::frame(MatchMode::Full));
    for (sid, text) in (1..).zip(["+16508251255", "1234", "alice", "*777#", "16.*"]) {
        builder.add(&world::number(sid, "A", text, true));
    }
    let directory = builder.build(1);
    let trunk = world::trunk();
    let to = world::host("A");
    for (keys, text) in [
        ("+16508251255", "+16508251255"),
        ("(650) 825-1255", "+16508251255"),
        ("16508251255;npdi", "+16508251255"),
        ("+1234", "1234"),
        ("%61lice", "alice"),
        ("%2A777%23", "*777#"),
    ] {
        let inbound = callgate::routing::Inbound {
            trunk: Some(&trunk),
            unknown_organization: None,
            request: callgate::routing::Address {
                user: keys.as_bytes(),
                host: to.as_bytes(),
                ..Default::default()
            },
            to: callgate::routing::Address::default(),
            from_host: b"192.0.2.1",
            header: None,
        };
        let before = ALLOCATIONS.with(Cell::get);
        let decision = callgate::routing::decide(&directory, &inbound);
        let after = ALLOCATIONS.with(Cell::get);
        let Decision::Application(chosen) = decision else { panic!("{keys} is known") };
        assert_eq!(chosen.number.text(), text);
        assert_eq!(after - before, 0, "{keys}");
    }
    // The counter counts.
    let before = ALLOCATIONS.with(Cell::get);
    drop(vec![keys_of_a_miss(&directory, &trunk)]);
    assert!(ALLOCATIONS.with(Cell::get) > before);
}

fn keys_of_a_miss(directory: &callgate::routing::Directory, trunk: &callgate::routing::model::Trunk) -> bool {
    matches!(world::dial(directory, trunk, "99", "-", "A"), Decision::Refused(_))
}
