//! What a stranger types first: help, check, exit codes, `make install`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::node::folder;

fn run(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
    command.args(words).current_dir(folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CALLGATE_")) {
        command.env_remove(name);
    }
    command.output().unwrap()
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn help_says_what_each_word_does() {
    let folder = folder();
    let words = [
        "serve",
        "demo",
        "check",
        "migrate",
        "backup",
        "restore",
        "explain",
        "reload",
        "calls",
        "deliveries",
        "numbers",
        "trunks",
        "gateways",
    ];
    let help = said(&run(&folder, &["--help"]).stdout);
    for word in words {
        let line = help.lines().find(|line| line.trim_start().starts_with(&format!("{word} ")));
        assert!(line.is_some_and(|line| line.trim().len() > word.len() + 10), "{word} in {help}");
        let own = run(&folder, &[word, "--help"]);
        let text = said(&own.stdout);
        assert!(
            own.status.success() && text.contains("Usage: callgate") && text.contains("--config"),
            "{text}"
        );
        // Every word, argument and option below it has its sentence.
        for line in text.lines().filter(|line| line.starts_with("  ")) {
            let (name, sentence) =
                line.trim().split_once("  ").unwrap_or_else(|| panic!("`{line}` of {word}"));
            assert!(sentence.trim().len() > 4, "{name} of {word}");
        }
    }
    for ask in [&["--version"][..], &["-h"], &["calls", "show", "--help"], &["trunks", "add", "-h"]] {
        assert!(run(&folder, ask).status.success(), "{ask:?}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn exit_codes_are_those_of_sysexits() {
    let folder = folder();
    std::fs::write(folder.join("wrong.toml"), "[sip]\nlisten = [\"5060\"]\n").unwrap();
    std::fs::write(folder.join("unclosed.toml"), "[sip\n").unwrap();
    std::fs::write(folder.join("url.toml"), "[store]\nurl = \"mysql://x\"\n").unwrap();
    std::fs::write(folder.join("away.toml"), "[store]\nurl = \"postgres://127.0.0.1:9/callgate\"\n").unwrap();
    for (words, code, told) in [
        (&["fly"][..], 64, "unrecognized subcommand 'fly'"),
        (&[], 64, "Usage: callgate"),
        (&["explain"], 64, "<NUMBER>"),
        (&["trunks", "add", "x", "sources"], 64, "KEY=VALUE"),
        (&["explain", "1"], 69, "callgate serve"),
        (&["calls", "list", "--socket", "nowhere.sock"], 69, "nowhere.sock"),
        (&["check", "--config", "nowhere.toml"], 78, "nowhere.toml"),
        (&["check", "--config", "unclosed.toml"], 78, "unclosed.toml"),
        (&["check", "--config", "wrong.toml"], 78, "`sip.listen`"),
        (&["serve", "--config", "wrong.toml"], 78, "`sip.listen`"),
        (&["check", "--config", "url.toml"], 78, "postgres://"),
        (&["check", "--config", "away.toml"], 69, "store"),
        (&["migrate", "--config", "away.toml"], 69, "store"),
    ] {
        let output = run(&folder, words);
        let text = said(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {text}");
        assert!(text.contains(told), "{words:?}: {text}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn check_of_an_empty_postgresql_says_what_is_due_and_makes_nothing() {
    let cluster = super::servers::Cluster::shared();
    let (folder, url) = (folder(), cluster.database());
    let check = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callgate"));
        command.arg("check").current_dir(&folder).env("CALLGATE__STORE__URL", &url).output().unwrap()
    };
    for _ in 0..2 {
        let output = check();
        let told = said(&output.stdout);
        assert!(output.status.success() && told.contains("migrations are due"), "{told}{output:?}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn check_names_what_is_unwise() {
    let folder = folder();
    std::fs::write(
        folder.join("callgate.toml"),
        "[http]\nlisten = \"0.0.0.0:8080\"\nallow-plain = true\n[sip]\nt1-ms = 100\n",
    )
    .unwrap();
    let output = run(&folder, &["check", "--config", "callgate.toml"]);
    let text = said(&output.stdout);
    assert!(output.status.success(), "{}", said(&output.stderr));
    for part in ["`http.listen`: ", "`sip.t1-ms`: ", "there is no trunk", "no gateway serves emergency calls"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!folder.join("data/callgate.db").exists(), "a check makes nothing");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn check_names_a_trunk_that_nobody_can_prove_to_be() {
    let folder = folder();
    assert!(run(&folder, &["migrate"]).status.success());
    let check = || said(&run(&folder, &["check"]).stdout);
    assert!(!check().contains("auth_password"), "{}", check());
    let sql = "INSERT INTO trunks(name, auth_username) VALUES ('roaming', 'pbx')";
    let done = Command::new("sqlite3").arg(folder.join("data/callgate.db")).arg(sql).status().unwrap();
    assert!(done.success());
    assert!(check().contains("`callgate trunks set roaming auth_password=…`"), "{}", check());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn make_install_brings_what_the_unit_names() {
    let folder = folder();
    let destination = folder.join("root");
    let install = || {
        let output = Command::new("make")
            .args(["-s", "install", concat!("BINARY=", env!("CARGO_BIN_EXE_callgate"))])
            .arg(format!("DESTDIR={}", destination.display()))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env_remove("MAKEFLAGS")
            .output()
            .expect("make is installed");
        assert!(output.status.success(), "{}", said(&output.stderr));
    };
    install();
    let at = |path: &str| -> PathBuf { destination.join(path) };
    let config = at("etc/callgate/callgate.toml");
    let written = std::fs::read_to_string(&config).unwrap();
    // A second one leaves what an operator wrote.
    std::fs::write(&config, written + "\n# mine\n").unwrap();
    install();
    assert!(std::fs::read_to_string(&config).unwrap().ends_with("# mine\n"));

    let unit = std::fs::read_to_string(at("etc/systemd/system/callgate.service")).unwrap();
    let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let mut words = line.split(' ');
    let binary = at(words.next().unwrap().trim_start_matches('/'));
    assert_eq!(words.collect::<Vec<_>>(), ["serve", "--config", "/etc/callgate/callgate.toml"]);
    let guide = unit.lines().find_map(|line| line.strip_prefix("Documentation=file:/")).unwrap();
    assert!(at(guide).exists(), "{guide}");

    let copy = folder.join("callgate.service");
    std::fs::write(&copy, unit.replace("/usr/local/bin/callgate", binary.to_str().unwrap())).unwrap();
    let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy).output();
    let verified = verified.expect("systemd-analyze is there: apt-get install systemd");
    assert!(verified.status.success() && verified.stderr.is_empty(), "{}", said(&verified.stderr));

    // The installed binary takes the installed file, with the unit's own environment.
    let mut check = Command::new(&binary);
    check.args(["check", "--json", "--config"]).arg(&config).current_dir(&folder);
    let state = folder.join("state");
    for pair in unit.lines().filter_map(|line| line.strip_prefix("Environment=")) {
        let (name, value) = pair.split_once('=').unwrap();
        check.env(name, value.replace("/var/lib/callgate", state.to_str().unwrap()));
    }
    let output = check.output().unwrap();
    assert!(output.status.success(), "{}", said(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["store"], &told["numbers"]), (&"sqlite".into(), &0.into()), "{told}");
    std::fs::remove_dir_all(folder).unwrap();
}
