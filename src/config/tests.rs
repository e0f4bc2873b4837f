//! Every key is documented as its struct says it, and every wrong one is named.

use super::*;

fn read(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let table = text.parse::<Table>().unwrap();
    Config::compose(table, &environment).map_err(|problems| listed(&problems))
}

#[test]
fn nothing_is_all_defaults_and_wise() {
    let config = read("", &[]).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
    assert_eq!(config.unwise(), []);
}

#[test]
fn the_environment_goes_over_the_file() {
    let environment = [
        ("CALLGATE__SIP__LISTEN", r#"["udp://127.0.0.1:5070"]"#),
        ("CALLGATE__NODE__DRAIN_SECONDS", "35"),
        ("CALLGATE__LOG__LEVEL", "debug"),
        ("CALLGATE_ADMIN_TOKEN", "not ours"),
        ("HOME", "/root"),
    ];
    let config = read("[node]\ndrain-seconds = 50\n[sip]\nudp-size-limit = 1200", &environment).unwrap();
    assert_eq!(config.sip.listen, ["udp://127.0.0.1:5070"]);
    assert_eq!((config.node.drain_seconds, config.sip.udp_size_limit), (35, 1200));
    assert_eq!(config.log.level, "debug");
}

#[test]
fn a_text_that_looks_like_a_number_stays_a_text_where_the_key_takes_one() {
    let config = read("", &[("CALLGATE__NODE__DATA_DIR", "2026")]).unwrap();
    assert_eq!(config.node.data_dir, Path::new("2026"));
}

#[test]
fn variables_stand_in_values() {
    let config = read("[node]\ndata-dir = \"${BASE}/data\"", &[("BASE", "/srv")]).unwrap();
    assert_eq!(config.node.data_dir, Path::new("/srv/data"));
    let error = read("[node]\ndata-dir = \"${BASE}/data\"", &[]).unwrap_err();
    assert!(error.contains("`node.data-dir`") && error.contains("no variable BASE"), "{error}");
}

#[test]
fn every_problem_is_named_with_its_key_and_what_helps() {
    let text = r#"
        [sip]
        listne = []
        t1-ms = "fast"
        listen = ["0.0.0.0:5060"]
        [sipp]
        [node]
        shards = 1000
    "#;
    let error = read(text, &[("CALLGATE__NOSUCH__KEY", "1")]).unwrap_err();
    for part in [
        "`sip.listne`: unknown field `listne`, expected one of `listen`",
        "`sip.t1-ms`: invalid type",
        "`sipp`: no such section; there are sip",
        "`node.shards`: more than the 256",
        "`CALLGATE__NOSUCH__KEY`: names no key",
    ] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let error = read("[sip]\nlisten = [\"0.0.0.0:5060\"]", &[]).unwrap_err();
    assert!(error.contains("`sip.listen`: `0.0.0.0:5060` is no listener: write `udp://"), "{error}");
}

#[test]
fn times_and_counts_that_would_overflow_later_are_refused_at_the_start() {
    for (section, key) in [
        ("sip", "tcp-idle-seconds"),
        ("sip", "t1-ms"),
        ("http", "max-requests"),
        ("http", "max-connections"),
        ("node", "drain-seconds"),
    ] {
        let error = read(&format!("[{section}]\n{key} = 9223372036854775807"), &[]).unwrap_err();
        assert!(error.contains(&format!("`{section}.{key}`: 9223372036854775807 is out of")), "{error}");
    }
    assert!(read("[http]\nmax-requests = 0", &[]).unwrap_err().contains("use 1 to"));
    assert!(read("[store]\nchange-log-hours = 4294967295", &[]).is_err());
}

#[test]
fn unwise_settings_are_explained() {
    let public = "[http]\nlisten = \"0.0.0.0:8080\"\n";
    let refused = read(public, &[]).unwrap_err();
    assert!(refused.contains("http.allow-plain"), "{refused}");
    assert!(read("[http]\ntls-key = \"k.pem\"", &[]).unwrap_err().contains("both or neither"));
    let tls = format!("{public}tls-certificate = \"c.pem\"\ntls-key = \"k.pem\"");
    assert!(read(&tls, &[]).unwrap().unwise().is_empty());
    let config =
        read("[http]\nlisten = \"0.0.0.0:8080\"\nallow-plain = true\n[log]\nshow-numbers = true", &[])
            .unwrap();
    let keys: Vec<String> = config.unwise().into_iter().map(|problem| problem.key).collect();
    assert_eq!(keys, ["http.listen", "log.show-numbers"]);
}

/// Each section with the source of its struct and the struct's name.
const SOURCES: &[(&str, &str, &str)] = &[
    ("sip", include_str!("../net/config.rs"), "SipConfig"),
    ("edge", include_str!("../net/edge/config.rs"), "EdgeConfig"),
    ("store", include_str!("../store/config.rs"), "StoreSection"),
    ("retention", include_str!("../store/config.rs"), "RetentionSection"),
    ("secrets", include_str!("../store/config.rs"), "SecretsSection"),
    ("http", include_str!("../api/config.rs"), "HttpConfig"),
    ("dns", include_str!("../dns/config.rs"), "DnsConfig"),
    ("inventory", include_str!("../api/config.rs"), "InventoryConfig"),
    ("kazoo", include_str!("../api/config.rs"), "KazooConfig"),
    ("providers", include_str!("../outbound/provider.rs"), "ProvidersConfig"),
    ("webhook", include_str!("../webhook/config.rs"), "Config"),
    ("journal", include_str!("../daemon/config.rs"), "JournalSection"),
    ("node", include_str!("../daemon/config.rs"), "NodeConfig"),
    ("limits", include_str!("../daemon/config.rs"), "LimitsConfig"),
    ("log", include_str!("../telemetry/log.rs"), "LogConfig"),
];

/// The fields of a struct as keys, with the sentence of each.
fn documented(source: &str, name: &str) -> Vec<(String, String)> {
    let start = source.find(&format!("pub struct {name} {{")).unwrap();
    let mut said = Vec::new();
    let mut keys = Vec::new();
    for line in source[start..].lines().skip(1).map(str::trim).take_while(|line| *line != "}") {
        if let Some(words) = line.strip_prefix("///") {
            said.push(words.trim());
        } else if let Some((field, _)) = line.strip_prefix("pub ").and_then(|rest| rest.split_once(':')) {
            keys.push((field.replace('_', "-"), said.join(" ")));
            said.clear();
        }
    }
    keys
}

/// The keys of a section of the file, with the comment over each.
fn written(file: &str, section: &str) -> Vec<(String, String)> {
    let head = format!("[{section}]");
    let mut said = Vec::new();
    let mut keys = Vec::new();
    for line in file.lines().skip_while(|line| *line != head).skip(1).take_while(|line| !line.is_empty()) {
        let plain = line.trim_start_matches("# ");
        let table = plain.strip_prefix(&format!("[[{section}.")).and_then(|rest| rest.strip_suffix("]]"));
        let pair = plain.split_once(" = ").map(|(key, _)| key);
        match table
            .or(pair
                .filter(|key| key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')))
        {
            Some(key) if table.is_some() || !line.starts_with('#') || !said.is_empty() => {
                keys.push((key.to_owned(), said.join(" ")));
                said.clear();
            }
            Some(_) => {}
            None => said.push(plain),
        }
    }
    keys
}

#[test]
fn the_file_has_every_key_with_its_default_and_the_same_sentence() {
    let file = include_str!("../../config/callgate.toml");
    assert_eq!(SOURCES.iter().map(|(section, ..)| *section).collect::<Vec<_>>(), Config::SECTIONS);
    for (section, source, name) in SOURCES {
        assert_eq!(written(file, section), documented(source, name), "[{section}]");
    }
    let config = read(file, &[]).unwrap();
    assert_eq!(format!("{config:?}"), format!("{:?}", Config::default()));
}
