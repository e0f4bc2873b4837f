//! Scripted dialogues with the engine: what comes in, what must go out, and why.
//!
//! - `script`: reads a dialogue. `world`: plays it against an engine. `peer`: whoever talks to it.

mod peer;
mod script;
mod world;

macro_rules! dialogues {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                world::play(include_str!(concat!("scripts/", stringify!($name), ".rpl")));
            }
        )*

        #[test]
        fn every_dialogue_is_played() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/engine/scripts");
            let listed = [$(stringify!($name)),*];
            for file in std::fs::read_dir(folder).expect("the folder is there") {
                let name = file.expect("readable").file_name().into_string().expect("text");
                assert!(listed.contains(&name.trim_end_matches(".rpl")), "{name} is not in the list");
            }
        }
    };
}

dialogues! {
    plain_call
}
