//! The requests of the Kazoo document, as printed there; host, ids, numbers and tokens are put in.

use super::script::{ask, id, matches, token};
use crate::servers::Server;
use crate::world::Api;

/// One printed request.
struct Printed {
    method: String,
    path: String,
    token: Option<String>,
    body: Option<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_requests_of_the_document_work_as_printed() {
    let api = Api::new(Server::Sqlite).await;
    let who = &api.admin;
    let mut failures = Vec::new();
    let mut asked = 0;
    for (at, case) in include_str!("document.txt").split("\n== ").skip(1).enumerate() {
        let (name, rest) = case.split_once('\n').unwrap();
        let fill = |text: &str| {
            let number = format!("1415555{at:04}");
            let mut text = text.replace("{{", "{").replace("}}", "}");
            for (name, value) in [
                ("{SERVER}", "localhost"),
                ("{AUTH_TOKEN}", token(who)),
                ("{ACCOUNT_ID}", id(who)),
                ("{account_id}", id(who)),
                ("{PREFIX}", "415"),
                ("{QUANTITY}", "2"),
                ("{OFFSET}", "0"),
                ("{PHONENUMBER}", &format!("%2B{number}")),
                ("{NUMBER}", &format!("%2B{number}")),
                ("{E164}", &format!("+{number}")),
            ] {
                text = text.replace(name, value);
            }
            text
        };
        let (before, expected) = rest.split_once("\n-> ").expect("an answer");
        let (sql, request) = before.trim().rsplit_once("\n\n").unwrap_or(("", before.trim()));
        for line in sql.lines().filter_map(|line| line.strip_prefix("sql ")) {
            api.world.by_hand(&fill(line)).unwrap();
        }
        let printed = read(&fill(request));
        asked += 1;
        let answer =
            ask(&api, printed.token.as_deref(), &printed.method, &printed.path, printed.body.as_deref())
                .await;
        let (status, body) = expected.trim().split_once('\n').unwrap_or((expected.trim(), "{}"));
        let fitting = if answer.status.as_str() == status {
            matches(&serde_json::from_str(&fill_json(body, &fill)).expect(name), Some(&answer.json()), "")
        } else {
            Err(answer.status.to_string())
        };
        if let Err(problem) = fitting {
            failures.push(format!("{name}: {problem}\n    {}", answer.text));
        }
    }
    assert!(failures.is_empty(), "{} of {asked} failed:\n{}", failures.len(), failures.join("\n"));
    assert!(asked > 25, "only {asked}");
}

/// Doubled braces are placeholders in requests, and ends of objects in answers.
fn fill_json(body: &str, fill: &impl Fn(&str) -> String) -> String {
    let mut text = body.to_owned();
    for name in ["{E164}", "{ACCOUNT_ID}"] {
        text = text.replace(name, &fill(name));
    }
    text
}

/// A command line of curl, or `METHOD /path` with a payload below it.
fn read(text: &str) -> Printed {
    let text = text.replace("\\\n", " ");
    let Some(line) = text.trim().strip_prefix("curl ") else {
        let (line, body) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
        let (method, path) = line.split_once(' ').expect("a method");
        let body = Some(body.trim().to_owned()).filter(|body| !body.is_empty());
        return Printed { method: method.to_owned(), path: path.to_owned(), token: None, body };
    };
    let mut printed = Printed { method: "GET".into(), path: String::new(), token: None, body: None };
    let words = words(line);
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-v" => {}
            "-X" => printed.method = words.next().unwrap(),
            "-d" => printed.body = words.next(),
            "-H" => {
                if let Some((name, value)) = words.next().unwrap().split_once(": ")
                    && name == "X-Auth-Token"
                {
                    printed.token = Some(value.to_owned());
                }
            }
            url => printed.path = url.strip_prefix("http://localhost:8000/v2").expect("the host").to_owned(),
        }
    }
    printed
}

/// The words of a command line, quotes taken away.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (c, quote) {
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            (c, None) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            (c, _) => word.push(c),
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}
