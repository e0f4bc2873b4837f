//! What a hostile target says without end is not remembered without end.

use std::fmt::Write as _;

use crate::world;

const BEGINS: &str = "trunk> INVITE\ntrunk< 100\nask voice\nanswer dial sip:bob@198.51.100.20\nbob< INVITE\n";

#[test]
fn a_target_opens_no_more_early_dialogs_than_a_proxy_could() {
    let mut text = BEGINS.to_owned();
    for one in 0..64 {
        writeln!(text, "bob> 180 tag=t{one}\ntrunk< 180").expect("written");
    }
    for one in 64..80 {
        writeln!(text, "bob> 180 tag=t{one}\nnothing").expect("written");
    }
    // Those there are ring on, and who answers has answered.
    text += "bob> 183 tag=t5\ntrunk< 183\nbob> 200 tag=t99\ntrunk< 200\ntrunk> ACK\nbob< ACK has=tag=t99\n\
             trunk> BYE\ntrunk< 200 BYE\nbob< BYE\nbob> 200 BYE\n";
    world::play(&text);
}

#[test]
fn a_target_loses_no_more_answers_than_a_proxy_could_bring() {
    let mut text = BEGINS.to_owned() + "bob> 200 tag=won\ntrunk< 200\ntrunk> ACK\nbob< ACK\n";
    for one in 0..64 {
        writeln!(text, "bob> 200 INVITE tag=t{one}\nbob< ACK\nbob< BYE\nbob> 200 BYE").expect("written");
    }
    for one in 64..80 {
        writeln!(text, "bob> 200 INVITE tag=t{one}\nnothing").expect("written");
    }
    text += "trunk> BYE\ntrunk< 200 BYE\nbob< BYE\nbob> 200 BYE\n";
    world::play(&text);
}

#[test]
fn a_420_names_no_more_than_fits_into_it() {
    let tags: Vec<String> = (0..3000).map(|one| format!("a{one}")).collect();
    let tags = tags.join(",");
    let text = format!(
        "trunk> INVITE h=\"Require: {tags}\"\ntrunk< 100\ntrunk< 420 has=\"Unsupported: a31\" lacks=a32\ntrunk> ACK refused=y\n"
    );
    world::play(&text);
}
