//! Wazo's dialect: the cases of `wazo.txt`, the examples of its document, and what the other dialects see.

use callgate::store::{NumberRow, NumberState};
use hyper::Method;
use serde_json::{Value, json};

use crate::client::{Answer, over_tcp};
use crate::world::{Api, Caller};

crate::on_both_servers!(
    the_cases_hold,
    the_documents_examples_work,
    every_number_of_a_range_is_written_or_none,
    caps_hold_for_ranges_too,
    a_number_of_the_inventory_is_claimed,
    patterns_and_names_are_not_shown,
    what_is_made_here_is_whole_elsewhere,
    two_choose_a_main_number_at_once,
);

const CASES: &str = include_str!("wazo.txt");
const BASE: &str = "/api/confd/1.1/phone-numbers";

/// Two tenants and the numbers that a case names.
struct Case<'a> {
    api: &'a Api,
    main: Caller,
    sub: Caller,
    names: Vec<(String, String)>,
}

async fn the_cases_hold(api: Api) {
    let mut ran = 0;
    for (at, case) in CASES.split("\n== ").skip(1).enumerate() {
        let (title, lines) = case.split_once('\n').unwrap();
        let main = api.tenant("main", Some(&format!("main{at}.example"))).await;
        let organization = api.tenant("other", Some(&format!("sub{at}.example"))).await.organization;
        let row = callgate::store::AccountRow {
            parent_id: Some(main.sid.parse().unwrap()),
            ..callgate::store::AccountRow::new(organization.parse().unwrap(), "sub")
        };
        let sub = api.account(row).await;
        let names = vec![("MAIN".to_owned(), uuid(&main.sid)), ("SUB".to_owned(), uuid(&sub.sid))];
        let mut case = Case { api: &api, main, sub, names };
        let mut lines = lines.lines().filter(|line| !line.trim().is_empty()).peekable();
        while let Some(line) = lines.next() {
            let wanted = lines.next().unwrap_or_else(|| panic!("{title}: {line} wants nothing"));
            case.run(line, wanted.trim()).await.unwrap_or_else(|told| panic!("{title}: {line}: {told}"));
            ran += 1;
        }
    }
    assert!(ran > 150, "{ran}");
}

impl Case<'_> {
    /// One request and what must come of it.
    async fn run(&mut self, line: &str, wanted: &str) -> Result<(), String> {
        let (line, keep) = match line.rsplit_once(" as ") {
            Some((line, name)) if name.len() == 1 => (line, Some(name)),
            _ => (line, None),
        };
        let mut words = line.splitn(2, ' ');
        let mut first = words.next().unwrap();
        let (mut who, mut tenant) = (&self.main, None);
        let mut rest = words.next().unwrap_or("");
        if first.starts_with("SUB") || first.starts_with("MAIN") {
            let (by, of) = first.split_once('@').unwrap_or((first, ""));
            who = if by == "SUB" { &self.sub } else { &self.main };
            tenant = (!of.is_empty()).then(|| uuid(if of == "SUB" { &self.sub.sid } else { &self.main.sid }));
            (first, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        }
        let (path, body) = match rest.chars().next() {
            Some('/' | '?') => rest.split_once(' ').unwrap_or((rest, "")),
            _ => ("", rest),
        };
        let (path, body) = (self.filled(path), self.filled(body));
        let answer = ask(self.api, who, tenant.as_deref(), first, &path, &body).await;
        if let Some(name) = keep {
            self.names.push((name.to_owned(), answer.json()["uuid"].as_str().unwrap_or("").to_owned()));
        }
        self.compare(&answer, wanted).await
    }

    async fn compare(&self, answer: &Answer, wanted: &str) -> Result<(), String> {
        let (status, rest) = wanted.split_once(' ').unwrap_or((wanted, ""));
        let told = || format!("{} {}", answer.status.as_u16(), answer.text);
        if answer.status.as_str() != status {
            return Err(told());
        }
        let right = match rest.split_once(' ').unwrap_or((rest, "")) {
            ("", _) => answer.text.is_empty() && answer.header("content-type") == Some("application/json"),
            ("total", numbers) => {
                let body = answer.json();
                let mut numbers = numbers.split(' ');
                let total = numbers.next().unwrap().parse::<u64>().unwrap();
                let listed = body["items"].as_array().unwrap().iter().map(|item| item["number"].as_str());
                body["total"] == total && listed.eq(numbers.map(Some))
            }
            ("made", rest) => return self.made(answer, rest).await,
            _ => {
                let expected: Value = serde_json::from_str(&self.filled(rest)).unwrap();
                holds(&answer.json(), &expected)
            }
        };
        if right { Ok(()) } else { Err(told()) }
    }

    /// `2 of 4 10 11 8 9`: so many new, so many links, which lead to these.
    async fn made(&self, answer: &Answer, wanted: &str) -> Result<(), String> {
        let body = answer.json();
        let words: Vec<&str> = wanted.split(' ').collect();
        let (new, all) = (words[0].parse::<usize>().unwrap(), words[2].parse::<usize>().unwrap());
        let links = body["links"].as_array().unwrap();
        let created = body["created"].as_array().unwrap();
        if created.len() != new || links.len() != all || body["total"] != all {
            return Err(answer.text.clone());
        }
        for (at, text) in words[3..].iter().enumerate() {
            let href = links[at]["href"].as_str().unwrap();
            let path = href.split_once(BASE).unwrap().1;
            if at < new && path[1..] != *created[at]["uuid"].as_str().unwrap() {
                return Err(format!("{href} is not the new number's"));
            }
            let number = ask(self.api, &self.main, None, "GET", path, "").await;
            let other = ask(self.api, &self.sub, None, "GET", path, "").await;
            let found = if number.status == 200 { number } else { other };
            if found.json()["number"] != *text {
                return Err(format!("{href} is {}, not {text}", found.text));
            }
        }
        Ok(())
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.replace("<here>", &format!("http://{}{BASE}", self.api.address));
        for (name, value) in &self.names {
            text = text.replace(&format!("<{name}>"), value);
        }
        // `<0*128>`: a character so many times.
        while let Some(at) = text.find('*').filter(|at| *at > 1 && text.as_bytes()[at - 2] == b'<') {
            let end = at + text[at..].find('>').unwrap();
            let times = text[at + 1..end].parse().unwrap();
            let many = text[at - 1..at].repeat(times);
            text.replace_range(at - 2..=end, &many);
        }
        text
    }
}

/// Objects hold at least what is wanted; everything else is just that.
fn holds(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|found| holds(found, value)))
        }
        _ => found == wanted,
    }
}

async fn ask(api: &Api, who: &Caller, tenant: Option<&str>, method: &str, path: &str, body: &str) -> Answer {
    let token = who.credentials.0.as_ref().unwrap().1.clone();
    let mut request = hyper::Request::builder()
        .method(method)
        .uri(format!("{BASE}{path}"))
        .header("host", api.address.to_string())
        .header("x-auth-token", token);
    if let Some(tenant) = tenant {
        request = request.header("wazo-tenant", tenant);
    }
    over_tcp(api.address, request.body(body.to_owned().into()).unwrap()).await
}

fn uuid(sid: &str) -> String {
    let hex = &sid[2..];
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

async fn made(api: &Api, who: &Caller, number: &str) -> String {
    let answer = ask(api, who, None, "POST", "", &json!({ "number": number }).to_string()).await.expect(201);
    answer.json()["uuid"].as_str().unwrap().to_owned()
}

/// The document's five examples, in its order, and what each shows.
async fn the_documents_examples_work(api: Api) {
    let who = api.tenant("stack", Some("stack.example")).await;
    let answer = ask(&api, &who, None, "POST", "", "\n{\n\"number\": \"+18001234567\"\n}").await.expect(201);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let body = answer.json();
    let link = body["links"][0]["href"].as_str().unwrap();
    assert_eq!(answer.header("location"), Some(link));
    assert_eq!(body["number"], "+18001234567");
    let keys: Vec<&str> = answer
        .text
        .lines()
        .filter(|line| line.starts_with("  \""))
        .map(|l| l.split('"').nth(1).unwrap())
        .collect();
    assert_eq!(keys, ["uuid", "tenant_uuid", "number", "caller_id_name", "main", "shared", "links"]);

    let range = r#"{ "start_number": "+18001234560", "end_number": "+18001234569" }"#;
    let body = ask(&api, &who, None, "POST", "/ranges", range).await.expect(201).json();
    assert_eq!((body["total"].as_u64(), body["created"].as_array().unwrap().len()), (Some(10), 9));

    let uuid = body["created"][0]["uuid"].as_str().unwrap();
    let changed = r#"{ "number": "+15551234570", "caller_id_name": "ACME INC." }"#;
    ask(&api, &who, None, "PUT", &format!("/{uuid}"), changed).await.expect(204);
    let choice = json!({ "phone_number_uuid": uuid }).to_string();
    let answer = ask(&api, &who, None, "PUT", "/main", &choice).await.expect(204);
    assert!(answer.header("location").unwrap().ends_with(&format!("{BASE}/{uuid}")));
    let main = ask(&api, &who, None, "GET", "/main", "").await.expect(200).json();
    assert_eq!((&main["number"], &main["caller_id_name"]), (&json!("+15551234570"), &json!("ACME INC.")));
    ask(&api, &who, None, "DELETE", &format!("/{uuid}"), "").await.expect(204);

    let made = made(&api, &who, "2121").await;
    let head = ask(&api, &who, None, "HEAD", &format!("/{made}"), "").await.expect(200);
    assert_eq!(head.text, "");

    // No token is repeated, and none is needed to ask what may be asked.
    let stranger =
        Caller { credentials: crate::client::Credentials(Some((String::new(), "guess".into()))), ..who };
    let refused = ask(&api, &stranger, None, "GET", "", "").await.expect(401);
    assert!(!refused.text.contains("guess") && refused.json().is_array(), "{}", refused.text);
    let options = ask(&api, &stranger, None, "OPTIONS", "", "").await.expect(200);
    assert!(options.header("access-control-allow-headers").unwrap().contains("Wazo-Tenant"));
}

async fn every_number_of_a_range_is_written_or_none(api: Api) {
    let who = api.tenant("one", Some("one.example")).await;
    let row = callgate::store::AccountRow::new(who.organization.parse().unwrap(), "neighbour");
    let neighbour = api.account(row).await;
    made(&api, &neighbour, "5005").await;
    let range = r#"{ "start_number": "5000", "end_number": "5009" }"#;
    let refused = ask(&api, &who, None, "POST", "/ranges", range).await.expect(400);
    assert!(refused.text.contains("PhoneNumber already exists ('number': '5005'"), "{}", refused.text);
    assert_eq!(ask(&api, &who, None, "GET", "", "").await.json()["total"], 0);

    // As many as may be asked for: one transaction, and every one in the audit.
    let range = r#"{ "start_number": "+15550010000", "end_number": "+15550019999" }"#;
    let began = std::time::Instant::now();
    let body = ask(&api, &who, None, "POST", "/ranges", range).await.expect(201).json();
    assert_eq!(body["created"].as_array().unwrap().len(), 10_000);
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    let entries = count(&api, "SELECT count(*) FROM audit WHERE subject = 'numbers' AND action = 'create'");
    assert!(entries >= 10_000, "{entries}");
}

async fn caps_hold_for_ranges_too(api: Api) {
    let row = callgate::store::AccountRow {
        max_numbers: Some(5),
        ..callgate::store::AccountRow::new(api.world.organization.id, "small")
    };
    let who = api.account(row).await;
    let range = |end: &str| json!({ "start_number": "6001", "end_number": end }).to_string();
    let refused = ask(&api, &who, None, "POST", "/ranges", &range("6006")).await.expect(400);
    assert!(refused.text.contains("max_numbers"), "{}", refused.text);
    ask(&api, &who, None, "POST", "/ranges", &range("6005")).await.expect(201);
    // What is there already is no more of it.
    ask(&api, &who, None, "POST", "/ranges", &range("6005")).await.expect(201);
    ask(&api, &who, None, "POST", "", r#"{"number": "6006"}"#).await.expect(400);
    let refused = api.post(&who, &who.numbers(), &[("PhoneNumber", "6006")]).await.expect(403).json();
    assert_eq!(refused["error"], "DID_QUOTA_EXCEEDED");
    api.post(&who, &who.numbers(), &[("PhoneNumber", "6.*")]).await.expect(200);
    // Nobody raises a cap of its own; a number that went makes room.
    let own = format!("/restcomm/2012-04-24/Accounts/{}.json", who.sid);
    api.post(&who, &own, &[("MaxNumbers", "")]).await.expect(403);
    let first = ask(&api, &who, None, "GET", "", "").await.json()["items"][0]["uuid"].clone();
    ask(&api, &who, None, "DELETE", &format!("/{}", first.as_str().unwrap()), "").await.expect(204);
    api.post(&who, &who.numbers(), &[("PhoneNumber", "6006")]).await.expect(200);
    api.post(&api.admin, &own, &[("MaxPatterns", "1")]).await.expect(200);
    api.post(&who, &who.numbers(), &[("PhoneNumber", "7.*")]).await.expect(403);
    api.post(&api.admin, &own, &[("MaxPatterns", "2"), ("MaxNumbers", "6")]).await.expect(200);
    api.post(&who, &who.numbers(), &[("PhoneNumber", "7.*")]).await.expect(200);
    ask(&api, &who, None, "POST", "", r#"{"number": "6007"}"#).await.expect(201);
}

async fn a_number_of_the_inventory_is_claimed(api: Api) {
    let mut row = NumberRow::new(api.world.account.id, api.world.organization.id, "+442071838750");
    row.state = NumberState::Available;
    api.world.store.create("test", row).await.unwrap();
    let who = api.tenant("buyer", Some("buyer.example")).await;
    made(&api, &who, "+442071838750").await;
    let rows = api.get(&who, &who.numbers()).await.expect(200).json();
    assert_eq!(rows["total"], 1);
    let own = api.get(&api.admin, "/admin/v1/numbers/+442071838750").await.expect(200).json();
    assert_eq!((&own["is_sip"], &own["account_sid"]), (&json!(false), &json!(who.sid)));
    assert_eq!(count(&api, "SELECT count(*) FROM numbers WHERE number = '+442071838750'"), 1);
}

async fn patterns_and_names_are_not_shown(api: Api) {
    let who = &api.admin;
    for text in ["16.*", "*", "mms:+16505551212", "alice", "1#", "+1+2"] {
        api.post(who, &who.numbers(), &[("PhoneNumber", text), ("isSIP", "true")]).await.expect(200);
    }
    api.post(who, &who.numbers(), &[("PhoneNumber", "+16505551212")]).await.expect(200);
    let listed = ask(&api, who, None, "GET", "", "").await.expect(200).json();
    assert_eq!((&listed["total"], &listed["items"][0]["number"]), (&json!(1), &json!("+16505551212")));
}

async fn what_is_made_here_is_whole_elsewhere(api: Api) {
    let who = api.tenant("whole", Some("whole.example")).await;
    let uuid = made(&api, &who, "+442071838751").await;
    let sid = format!("PN{}", uuid.replace('-', ""));
    api.post(&who, &who.number(&sid), &[("VoiceUrl", "https://example.org/v")]).await.expect(200);
    let here = ask(&api, &who, None, "GET", &format!("/{uuid}"), "").await.expect(200).json();
    assert_eq!(here["number"], "+442071838751");
    let there = api.get(&who, &who.number(&sid)).await.expect(200).json();
    let here_url = json!("https://example.org/v");
    assert_eq!((&there["voice_url"], &there["phone_number"]), (&here_url, &json!("+442071838751")));
    // A main number that goes to another account is not that one's.
    ask(&api, &who, None, "PUT", "/main", &json!({ "phone_number_uuid": uuid }).to_string())
        .await
        .expect(204);
    let path = format!("/admin/v1/numbers/{sid}");
    api.json(Method::PATCH, &path, json!({ "account_sid": api.admin.sid })).await.expect(200);
    ask(&api, &who, None, "GET", "/main", "").await.expect(404);
    ask(&api, &api.admin, None, "GET", "/main", "").await.expect(404);
}

async fn two_choose_a_main_number_at_once(api: Api) {
    let who = api.tenant("busy", Some("busy.example")).await;
    let mut uuids = Vec::new();
    for number in ["1", "2", "3", "4"] {
        uuids.push(made(&api, &who, number).await);
    }
    for _ in 0..4 {
        let choices: Vec<String> =
            uuids.iter().map(|u| json!({ "phone_number_uuid": u }).to_string()).collect();
        let all = choices.iter().map(|choice| ask(&api, &who, None, "PUT", "/main", choice));
        let answers = futures_util::future::join_all(all).await;
        assert!(answers.iter().any(|answer| answer.status == 204));
        assert!(answers.iter().all(|answer| answer.status == 204), "{answers:?}");
        let mains = ask(&api, &who, None, "GET", "?main=true", "").await.expect(200).json();
        assert_eq!(mains["total"], 1, "{mains}");
    }
    // By hand as little, and it may be taken from the one that has it.
    let second = format!(
        "INSERT INTO numbers (number, is_sip, account_id, main, shared) VALUES ('5', TRUE, '{}', TRUE, TRUE)",
        &who.sid[2..]
    );
    assert!(api.world.by_hand(&second).is_err());
    api.world.by_hand("UPDATE numbers SET main = FALSE, shared = FALSE WHERE main").unwrap();
    api.world.by_hand(&second).unwrap();
    let mains = ask(&api, &who, None, "GET", "?main=true", "").await.expect(200).json();
    assert_eq!(mains["items"][0]["number"], "5");
}

fn count(api: &Api, sql: &str) -> u64 {
    api.world.by_hand(sql).unwrap().split_whitespace().find_map(|word| word.parse().ok()).unwrap()
}
