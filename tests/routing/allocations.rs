//! An exact look-up allocates nothing, whichever form finds the number.

use callgate::routing::model::MatchMode;
use callgate::routing::{Builder, Decision};

use crate::counting::allocations;
use crate::world;

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
        let before = allocations();
        let decision = callgate::routing::decide(&directory, &inbound);
        let after = allocations();
        let Decision::Application(chosen) = decision else { panic!("{keys} is known") };
        assert_eq!(chosen.number.text(), text);
        assert_eq!(after - before, 0, "{keys}");
    }
    // The counter counts.
    let before = allocations();
    drop(vec![keys_of_a_miss(&directory, &trunk)]);
    assert!(allocations() > before);
}

fn keys_of_a_miss(directory: &callgate::routing::Directory, trunk: &callgate::routing::model::Trunk) -> bool {
    matches!(world::dial(directory, trunk, "99", "-", "A"), Decision::Refused(_))
}
