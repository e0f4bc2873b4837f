//! One example: its steps by the real curl, and what comes back.

use std::collections::HashMap;
use std::process::Command;

use serde_json::Value;

use crate::kazoo::script::{id, matches, token};
use crate::world::Api;

/// A step, as it is written.
#[derive(Default)]
struct Step {
    method: String,
    path: String,
    arguments: Vec<String>,
    status: String,
    only: bool,
    headers: Vec<String>,
    body: String,
    kept: Vec<(String, String)>,
}

/// What came back.
struct Answer {
    status: String,
    head: String,
    body: String,
}

/// Runs all examples of a text and says how many; every failure is told.
pub async fn run(api: &Api, text: &str) -> usize {
    let mut failures = Vec::new();
    let mut ran = 0;
    for (at, example) in text.split("\n== ").skip(1).enumerate() {
        let (name, lines) = example.split_once('\n').unwrap();
        ran += 1;
        if let Err(problem) = converse(api, at, lines).await {
            failures.push(format!("{name}: {problem}"));
        }
    }
    assert!(failures.is_empty(), "{} of {ran} failed:\n{}", failures.len(), failures.join("\n"));
    ran
}

async fn converse(api: &Api, at: usize, lines: &str) -> Result<(), String> {
    let who = &api.admin;
    let (account, national) = (id(who), format!("415555{at:04}"));
    let uuid = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &account[part]).join("-");
    let mut names = HashMap::from([
        ("AC".to_owned(), who.sid.clone()),
        ("ACCOUNT".to_owned(), account.to_owned()),
        ("TENANT".to_owned(), uuid),
        ("TOKEN".to_owned(), token(who).to_owned()),
        ("HERE".to_owned(), format!("http://{}", api.address)),
        // A number of the example's own: with its + as it is, escaped, and without.
        ("N".to_owned(), format!("+1{national}")),
        ("N%".to_owned(), format!("%2B1{national}")),
        ("n".to_owned(), national),
    ]);
    for line in lines.lines().filter_map(|line| line.strip_prefix("sql ")) {
        api.world.by_hand(&fill(line, &names))?;
    }
    let steps = read(lines);
    if steps.is_empty() {
        return Err("no step".to_owned());
    }
    for step in steps {
        let told = format!("{} {}", step.method, step.path);
        let answer = curl(&step, &names).await;
        judge(&step, &answer, &mut names)
            .map_err(|problem| format!("{told}\n    {problem}\n    {}{}", answer.head, answer.body))?;
    }
    Ok(())
}

/// The steps of an example.
fn read(lines: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in lines.lines().filter(|line| !line.starts_with("sql ") && !line.starts_with('#')) {
        let first = line.split(' ').next().unwrap_or_default();
        if matches!(first, "GET" | "POST" | "PUT" | "DELETE") {
            let (method, path) = line.split_once(' ').expect("a path");
            steps.push(Step { method: method.to_owned(), path: path.to_owned(), ..Step::default() });
        }
        let Some(step) = steps.last_mut() else { continue };
        if let Some(status) = line.strip_prefix("-> ") {
            let (status, only) = status.split_once(' ').unwrap_or((status, ""));
            (step.status, step.only) = (status.to_owned(), only == "only");
        } else if let Some(kept) = line.strip_prefix("keep ") {
            let (member, name) = kept.split_once(' ').expect("a name");
            step.kept.push((member.to_owned(), name.to_owned()));
        } else if step.status.is_empty() && line.starts_with('-') {
            step.arguments.push(line.to_owned());
        } else if !step.status.is_empty()
            && step.body.is_empty()
            && line.contains(": ")
            && !line.starts_with(['{', ' '])
        {
            step.headers.push(line.to_owned());
        } else if !step.status.is_empty() && !line.trim().is_empty() {
            step.body.push_str(line);
        }
    }
    steps
}

async fn curl(step: &Step, names: &HashMap<String, String>) -> Answer {
    let url = format!("{}{}", names["HERE"], fill(&step.path, names));
    let mut arguments = vec!["-sSi".to_owned(), "-X".to_owned(), step.method.clone(), url];
    for line in &step.arguments {
        let (option, value) = line.split_once(' ').unwrap_or((line, ""));
        arguments.push(option.to_owned());
        match option {
            "-u" => arguments.push(format!("{}:{}", names["AC"], names["TOKEN"])),
            _ => arguments.push(fill(value, names)),
        }
    }
    let run = move || Command::new("curl").args(arguments).output().expect("curl is installed");
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).unwrap_or_default().to_owned();
    Answer { status, head: format!("{head}\r\n"), body: body.to_owned() }
}

fn judge(step: &Step, answer: &Answer, names: &mut HashMap<String, String>) -> Result<(), String> {
    if step.status != answer.status {
        return Err(format!("not {}", step.status));
    }
    let got: Option<Value> = serde_json::from_str(&answer.body).ok();
    for (member, name) in &step.kept {
        let value = got.as_ref().and_then(|got| got.get(member)?.as_str()).ok_or(format!("no {member}"))?;
        names.insert(name.clone(), value.to_owned());
    }
    let head = answer.head.to_ascii_lowercase();
    for header in &step.headers {
        if !head.contains(&format!("\n{}\r", fill(header, names)).to_ascii_lowercase()) {
            return Err(format!("no header {}", fill(header, names)));
        }
    }
    if step.body.is_empty() {
        return if step.only && !answer.body.is_empty() { Err("a body".to_owned()) } else { Ok(()) };
    }
    if step.body.starts_with('<') {
        let wanted = fill(&step.body, names);
        return if answer.body.contains(&wanted) { Ok(()) } else { Err(format!("no {wanted}")) };
    }
    let wanted: Value =
        serde_json::from_str(&fill(&step.body, names)).map_err(|error| format!("{error}: {}", step.body))?;
    let got = got.ok_or("no JSON")?;
    matches(&wanted, Some(&got), "")?;
    if step.only {
        no_others(&wanted, &got, "")?;
    }
    Ok(())
}

/// That no object has members which the example does not show.
fn no_others(wanted: &Value, got: &Value, at: &str) -> Result<(), String> {
    match (wanted, got) {
        (Value::Object(shown), Value::Object(there)) => there.iter().try_for_each(|(name, value)| {
            let at = format!("{at}.{name}");
            no_others(shown.get(name).ok_or_else(|| format!("{at} is not shown"))?, value, &at)
        }),
        (Value::Array(shown), Value::Array(there)) => {
            shown.iter().zip(there).try_for_each(|(shown, there)| no_others(shown, there, at))
        }
        _ => Ok(()),
    }
}

/// Puts in what stands for names in braces.
fn fill(text: &str, names: &HashMap<String, String>) -> String {
    let put = |text: String, (name, value): (&String, &String)| text.replace(&format!("{{{name}}}"), value);
    names.iter().fold(text.to_owned(), put)
}
