//! The house itself: imports point only down, nothing below the line knows the outside world, the
//! catalogue in the README is complete, and the top level holds what it may.

use std::fs;
use std::path::{Path, PathBuf};

use callgate::reason::Reason;

/// Each room and its floor.
const FLOORS: [(u8, &[&str]); 9] = [
    (0, &["e164", "flow", "ids", "moment", "pii", "reason", "time", "timers", "varint"]),
    (1, &["sip"]),
    (2, &["dialog", "transaction", "transport"]),
    (3, &["call", "routing"]),
    (4, &["engine"]),
    (5, &["dns", "journal", "outbound", "store", "telemetry"]),
    (6, &["api", "callback", "net", "webhook"]),
    (7, &["config", "daemon"]),
    (8, &["cli", "main"]),
];

/// The last floor below the line.
const LINE: u8 = 4;

/// Imports that point sideways on purpose, each with the reason why it may.
const AGREED: [(&str, &str, &str); 3] = [
    ("call", "routing", "a call carries the profile that routing chose"),
    ("config", "daemon", "config composes what each room reads, the daemon's part among it"),
    ("daemon", "config", "the daemon runs what the configuration says"),
];

/// What no floor below the line may name.
const OUTSIDE: [&str; 18] = [
    "tokio",
    "hyper",
    "axum",
    "sqlx",
    "socket2",
    "nix::",
    "std::fs",
    "std::io::std",
    "std::net::Udp",
    "std::net::Tcp",
    "std::os",
    "std::process",
    "std::thread",
    "std::env",
    "SystemTime",
    "std::time::Instant",
    "ring::",
    "rand::",
];

/// What a pointer of `tests/cases.md` names: a file and a text in it.
fn pointers(cell: &str) -> Vec<(String, String)> {
    let spans = cell.split('`').skip(1).step_by(2).filter_map(|span| span.split_once('#'));
    spans.map(|(file, text)| (file.to_owned(), text.replace("\\|", "|"))).collect()
}

#[test]
fn every_case_that_users_rely_on_is_shown_or_has_its_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("tests/cases.md")).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| case |"));
    let (mut wrong, mut count) = (Vec::new(), 0);
    for row in rows {
        count += 1;
        // A bar inside a cell is escaped.
        let cell = row.split(" | ").skip(1).collect::<Vec<_>>().join(" | ");
        let named = pointers(&cell);
        if named.is_empty() && !cell.contains("does not apply: ") {
            wrong.push(format!("{row}: neither shown nor with a reason"));
        }
        for (file, text) in named {
            if !fs::read_to_string(root.join(&file)).is_ok_and(|held| held.contains(&text)) {
                wrong.push(format!("{row}: {file} does not hold {text}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 600, "only {count}");
}

fn floor_of(room: &str) -> Option<u8> {
    FLOORS.iter().find(|(_, rooms)| rooms.contains(&room)).map(|(floor, _)| *floor)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Each source file with its room and its text, tests and comments taken away.
fn files() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&root).expect("below src").to_path_buf();
            let first =
                relative.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
            let room = first.trim_end_matches(".rs").to_owned();
            let text = bare(&fs::read_to_string(&path).expect("text"));
            (room, relative, text)
        })
        .filter(|(room, ..)| room != "lib")
        .collect()
}

/// Without comment lines, and without the tests that stand in the same file, at its end.
fn bare(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().map(|line| {
        let trimmed = line.trim_start();
        if trimmed.starts_with("//") { "" } else { line }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The rooms a file names through `crate::`, in single imports and in groups.
fn imports(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => rooms.extend(group_heads(group)),
            None => rooms.push(word(rest)),
        }
    }
    rooms
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first word of each member of a `{…}` group.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut fresh) = (0, Vec::new(), true);
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && (c.is_alphabetic() || c == '_') => {
                heads.push(word(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    heads
}

#[test]
fn every_room_has_a_floor() {
    for (room, path, _) in files() {
        assert!(floor_of(&room).is_some(), "{} is on no floor", path.display());
    }
}

#[test]
fn imports_point_only_down() {
    let (mut wrong, mut used) = (Vec::new(), Vec::new());
    for (room, path, text) in files() {
        let own = floor_of(&room).expect("a floor");
        for other in imports(&text) {
            let Some(floor) = floor_of(&other) else { continue };
            let agreed = AGREED.iter().position(|(from, to, _)| *from == room && *to == other);
            used.extend(agreed);
            let below = floor < own || (own == 0 && floor == 0);
            if other != room && !below && agreed.is_none() {
                wrong.push(format!("{}: floor {own} names `{other}` of floor {floor}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let idle = AGREED.iter().enumerate().find(|(at, _)| !used.contains(at));
    assert!(idle.is_none(), "no longer needed: {idle:?}");
}

#[test]
fn nothing_below_the_line_knows_the_outside_world() {
    let mut wrong = Vec::new();
    for (room, path, text) in files() {
        if floor_of(&room).expect("a floor") > LINE {
            continue;
        }
        for name in OUTSIDE {
            for (at, _) in text.match_indices(name) {
                let before = text[..at].chars().next_back();
                let whole = !before.is_some_and(|c| c.is_alphanumeric() || c == '_');
                if whole {
                    wrong.push(format!("{} names {name}", path.display()));
                }
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_readme_lists_every_reason() {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    let missing: Vec<&str> = Reason::ALL
        .iter()
        .map(|reason| reason.code())
        .filter(|code| !readme.contains(&format!("`{code}`")))
        .collect();
    assert!(missing.is_empty(), "the catalogue in README.md lacks {missing:?}");
}

#[test]
fn the_top_level_holds_what_it_may() {
    const MAY: [&str; 17] = [
        "Cargo.toml",
        "Cargo.lock",
        "Makefile",
        "LICENSE",
        "README.md",
        "deny.toml",
        "rustfmt.toml",
        "clippy.toml",
        "src",
        "config",
        "benches",
        "tests",
        "systemd",
        "target",
        "data",
        "rust-toolchain.toml",
        "LICENSE-MIT",
    ];
    for entry in fs::read_dir(env!("CARGO_MANIFEST_DIR")).expect("the root") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(
            name.starts_with('.') || MAY.contains(&name.as_str()),
            "{name} does not belong at the top level"
        );
    }
}

#[test]
fn the_reader_of_imports_reads() {
    assert_eq!(imports("use crate::time::Instant;"), ["time"]);
    assert_eq!(imports("use crate::{ids::{A, B}, time, call::facts::X};"), ["ids", "time", "call"]);
    assert_eq!(imports("let x = crate::net::bind(); mycrate::y"), ["net"]);
    assert_eq!(bare("code\n// tokio\n#[cfg(test)]\nmod tests { tokio }").trim(), "code");
}
