//! The tables: selection of numbers, E.164 forms, unanchored patterns.

use callgate::e164;
use callgate::routing::dialled::Dialled;
use callgate::routing::model::MatchMode;
use callgate::routing::pattern::{self, Compiled};
use callgate::routing::{Builder, Decision, Directory};

use crate::world;

/// One set of numbers and the line it begins at.
struct Table {
    name: String,
    directory: Directory,
}

#[test]
fn what_is_dialled_reaches_its_number() {
    let trunk = world::trunk();
    let (mut table, mut numbers, mut mode) = (None::<Table>, Vec::new(), MatchMode::Full);
    let mut dialled = 0;
    for (line, text) in (1..).zip(include_str!("cases.txt").lines()) {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            [] => {}
            [first, ..] if first.starts_with("#") => {}
            ["table", ..] => {
                mode = if words.last() == Some(&"search") { MatchMode::Search } else { MatchMode::Full };
                table = None;
                numbers = vec![text.to_owned()];
            }
            ["number", ..] => numbers.push(text.to_owned()),
            ["dial", keys, route, ref expected @ ..] => {
                let table = table.get_or_insert_with(|| build(&numbers, mode));
                let (from, to) = route.rsplit_once('>').expect("FROM>TO");
                let found = match world::dial(&table.directory, &trunk, keys, from, to) {
                    Decision::Application(chosen) => {
                        let organization = world::NAMES[chosen.organization.sid.0 as usize - 1];
                        (chosen.number.text().to_owned(), organization.to_owned())
                    }
                    Decision::Refused(reason) => (reason.status().to_string(), to.to_owned()),
                    Decision::Unasked { .. } => ("unasked".to_owned(), to.to_owned()),
                    Decision::Emergency { .. } => ("emergency".to_owned(), to.to_owned()),
                };
                let expected = match expected {
                    [text] => (text.to_string(), to.to_owned()),
                    [text, organization] => (text.to_string(), organization.to_string()),
                    _ => panic!("line {line}: dial KEYS FROM>TO TEXT [ORG]"),
                };
                assert_eq!(found, expected, "line {line}, table {}: {text}", table.name);
                dialled += 1;
            }
            _ => panic!("line {line}: {text}"),
        }
    }
    assert!(dialled > 120, "only {dialled} cases were read");
}

fn build(lines: &[String], mode: MatchMode) -> Table {
    let mut builder = Builder::new(world::frame(mode));
    for (sid, line) in (1..).zip(&lines[1..]) {
        let words: Vec<&str> = line.split_whitespace().collect();
        builder.add(&world::number(sid, words[1], words[2], words.get(3) != Some(&"p")));
    }
    Table { name: lines[0].clone(), directory: builder.build(1) }
}

#[test]
fn e164_forms_of_region_us() {
    for line in include_str!("e164.txt").lines().filter(|line| !line.starts_with('#')) {
        let (keys, expected) = line.split_once(' ').expect("KEYS FORM");
        // A space in the table's first column is written as `_`.
        let keys = keys.replace('_', " ");
        let dialled = Dialled::read(keys.as_bytes()).expect(line);
        let form = e164::us(&dialled.raw);
        assert_eq!(form.as_deref().unwrap_or("none"), expected, "{line}");
    }
}

#[test]
fn patterns_found_anywhere() {
    for line in include_str!("search.txt").lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        let [text, form, expected] = words[..] else { panic!("{line}") };
        let found = match Compiled::new(text, MatchMode::Search) {
            Ok(compiled) if compiled.matches(form) => "yes",
            Ok(_) => "no",
            Err(_) => "refused",
        };
        assert_eq!(found, expected, "{line}");
        assert_eq!(pattern::check(text).is_err(), expected == "refused", "{line}");
    }
}
