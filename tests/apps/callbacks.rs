//! The report: real deliveries to receivers that are slow, down, gone or quick.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use callgate::call::instructions::NounCallback;
use callgate::call::outcome::{CallStatus, HangupSource, Terminal};
use callgate::call::record::{Change, Event, LegEvent, LegFacts, Record};
use callgate::callback::{
    Attempt, Backlog, BacklogFuture, Callbacks, Config, Dead, Delivery, Feed, Notice, Outcomes, Setup,
};
use callgate::ids::{AccountSid, CallSid, InstanceSid};
use callgate::reason::Reason;
use callgate::routing::model::VoiceProfile;

use crate::facts::{client, facts, hook, keys};
use crate::server::{Act, Server, status};

/// What the journal would keep, as text.
#[derive(Default)]
struct Book(Mutex<Vec<String>>);

impl Book {
    fn write(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    async fn wait_for(&self, count: usize) -> Vec<String> {
        let end = Instant::now() + Duration::from_secs(60);
        while self.lines().len() < count {
            assert!(Instant::now() < end, "only {:?}", self.lines());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.lines()
    }
}

fn name(delivery: &Delivery) -> String {
    format!("{}/{}", delivery.notice.call().0, delivery.notice.event.sequence)
}

impl Outcomes for Book {
    fn attempt(&self, delivery: &Delivery, attempt: &Attempt) {
        let next = attempt.next.map(|next| next.as_secs());
        self.write(format!("{} try {} {:?} next {next:?}", name(delivery), attempt.number, attempt.status));
    }

    fn delivered(&self, delivery: &Delivery, attempt: &Attempt) {
        assert!(attempt.error.is_empty());
        self.write(format!("{} delivered {:?}", name(delivery), attempt.status));
    }

    fn superseded(&self, delivery: &Delivery) {
        self.write(format!("{} superseded", name(delivery)));
    }

    fn dead(&self, delivery: &Delivery, why: Dead) {
        self.write(format!("{} dead {}", name(delivery), why.as_str()));
    }

    fn disabled(&self, account: AccountSid, _url: &str) {
        self.write(format!("{account} disabled"));
    }
}

/// Keeps everything that was ever pushed, as the store's table does.
#[derive(Default)]
struct Table(Mutex<Vec<Notice>>);

impl Backlog for Table {
    fn undelivered(&self, _: AccountSid, url: &Arc<str>, limit: usize) -> BacklogFuture {
        let mine = |notice: &&Notice| {
            notice.facts.profile.status_callback.as_ref().is_some_and(|hook| hook.url == *url)
        };
        let found: Vec<_> = self.0.lock().unwrap().iter().filter(mine).take(limit).cloned().collect();
        Box::pin(async move { found })
    }
}

struct World {
    feed: Feed,
    book: Arc<Book>,
    table: Arc<Table>,
}

fn world(config: Config) -> World {
    let (book, table) = (Arc::new(Book::default()), Arc::new(Table::default()));
    let (feed, callbacks) = Callbacks::new(Setup {
        config,
        instance: InstanceSid(9),
        client: client(),
        keys: keys(),
        outcomes: book.clone(),
        backlog: table.clone(),
    });
    tokio::spawn(callbacks.run());
    World { feed, book, table }
}

fn notice(url: &str, call: u128, sequence: u32, status: CallStatus) -> Notice {
    let profile = VoiceProfile { status_callback: Some(hook(url)), ..VoiceProfile::default() };
    let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_530_785_730);
    let terminal = status.is_terminal().then_some(Terminal {
        status,
        sip_code: 200,
        reason: Reason::Completed,
        source: HangupSource::Callee,
        duration: Duration::from_millis(61_200),
    });
    Notice {
        facts: facts(call, profile),
        seq: sequence * 2,
        event: Event { sequence, status },
        at,
        started: at,
        outbound: Some(CallSid(0xb)),
        leg: None,
        terminal,
        tries: 0,
        form: None,
    }
}

const CALL: [CallStatus; 3] = [CallStatus::Ringing, CallStatus::InProgress, CallStatus::Completed];

fn push_call(feed: &Feed, url: &str, call: u128) {
    for (sequence, status) in (0..).zip(CALL) {
        feed.push(notice(url, call, sequence, status));
    }
}

#[tokio::test]
async fn the_three_callbacks_of_a_call_arrive_in_order_with_their_parameters() {
    let server = Server::start(|_| status(204));
    let world = world(Config::default());
    push_call(&world.feed, &server.url("/cb?x=1"), 1);
    let lines = world.book.wait_for(3).await;
    assert_eq!(lines, ["1/0 delivered Some(204)", "1/1 delivered Some(204)", "1/2 delivered Some(204)"]);
    let seen = server.seen();
    for (name, values) in [
        ("CallStatus", ["ringing", "in-progress", "completed"]),
        ("CallbackEvent", ["RINGING", "IN_PROGRESS", "COMPLETED"]),
        ("SequenceNumber", ["0", "1", "2"]),
    ] {
        let told: Vec<_> = seen.iter().map(|seen| seen.param(name).unwrap_or_default()).collect();
        assert_eq!(told, values, "{name}");
    }
    let last = &seen[2];
    for (name, value) in [
        ("Timestamp", "Thu, 05 Jul 2018 10:15:30 +0000"),
        ("CallDuration", "62"),
        ("SipResponseCode", "200"),
        ("ReasonCode", "completed"),
        ("HangupSource", "callee"),
        ("OutboundCallSid", "CA0000000000000000000000000000000b"),
        ("PhoneNumber", "+1650825...."),
        ("Direction", "inbound"),
    ] {
        assert_eq!(last.param(name).as_deref(), Some(value), "{name}");
    }
    assert_eq!(seen[0].param("CallDuration"), None);
    assert_eq!(last.target, "/cb?x=1");
}

#[test]
fn a_nouns_callback_hears_of_its_leg() {
    let callback = Arc::new(NounCallback { hook: hook("https://app.example/leg"), events: 15 });
    let (from, to) = ("+16505551234".into(), "sip:bob@198.51.100.20".into());
    let leg = Arc::new(LegFacts { leg: CallSid(0xb), from, to, callback });
    let duration = Duration::from_millis(2_100);
    let status = CallStatus::Completed;
    let event = LegEvent { leg, status, sip_code: 200, duration };
    let parent = notice("https://app.example/status", 0xa, 0, CallStatus::Ringing);
    let (seq, change) = (7, Change::Leg(Box::new(event)));
    let at = callgate::time::Instant::ZERO;
    let record = Record { call: parent.facts.call, seq, at, change, event: None };
    let notice = Notice::of(&record, &parent.facts, parent.at, parent.started, None).expect("it is wanted");
    let told = callgate::callback::body(&notice, InstanceSid(9));
    let pairs: Vec<(String, String)> = form_urlencoded::parse(told.as_bytes()).into_owned().collect();
    let get = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    for (name, value) in [
        ("CallSid", CallSid(0xb).to_string().as_str()),
        ("ParentCallSid", CallSid(0xa).to_string().as_str()),
        ("From", "+16505551234"),
        ("To", "sip:bob@198.51.100.20"),
        ("CallStatus", "completed"),
        ("Direction", "outbound-dial"),
        ("CallbackSource", "call-progress-events"),
        ("SequenceNumber", "3"),
        ("CallDuration", "3"),
        ("SipResponseCode", "200"),
    ] {
        assert_eq!(get(name), Some(value), "{name}");
    }
    assert_eq!(notice.hook().map(|hook| &*hook.url), Some("https://app.example/leg"));
}

#[tokio::test]
async fn a_repeated_try_has_the_same_id_and_a_signature_of_its_own_time() {
    let count = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => status(500),
        1 => Act::Say(302, vec![("Location", "/".into())], String::new()),
        _ => status(200),
    });
    let schedule = vec![Duration::ZERO, Duration::from_millis(1_100), Duration::from_millis(50)];
    let world = world(Config { schedule, ..Config::default() });
    world.feed.push(notice(&server.url("/"), 1, 0, CallStatus::Completed));
    let lines = world.book.wait_for(3).await;
    assert!(lines[0].starts_with("1/0 try 1 Some(500) next Some(1)"), "{lines:?}");
    assert!(lines[1].starts_with("1/0 try 2 Some(302)"), "a redirect is a failure: {lines:?}");
    assert_eq!(lines[2], "1/0 delivered Some(200)");
    let seen = server.seen();
    let ids: std::collections::HashSet<_> = seen.iter().map(|s| s.header("webhook-id")).collect();
    assert_eq!(ids.len(), 1);
    assert_ne!(seen[0].header("webhook-timestamp"), seen[2].header("webhook-timestamp"));
    assert_ne!(seen[0].header("webhook-signature"), seen[2].header("webhook-signature"));
}

#[tokio::test]
async fn a_slow_receiver_delays_no_other() {
    let slow = Server::start(|_| Act::Silence);
    let quick = Server::start(|_| status(200));
    let world = world(Config::default());
    for call in 0..100 {
        push_call(&world.feed, &slow.url("/"), call);
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let start = Instant::now();
    for call in 1_000..1_100 {
        push_call(&world.feed, &quick.url("/"), call);
    }
    world.book.wait_for(300).await;
    // The slow receiver takes 15 s a try: whoever waits for it takes longer than this.
    assert!(start.elapsed() < Duration::from_secs(12), "{:?}", start.elapsed());
    assert!(quick.connections() <= 32, "{} connections", quick.connections());
    assert!(slow.connections() <= 32, "{} connections", slow.connections());
    println!("300 callbacks: {:?} over {} connections", start.elapsed(), quick.connections());
}

#[tokio::test]
async fn a_burst_leaves_over_few_connections_in_order_per_call() {
    let server = Server::start(|_| status(200));
    let world = world(Config::default());
    for call in 0..8 {
        push_call(&world.feed, &server.url("/"), call);
    }
    world.book.wait_for(24).await;
    assert!(server.connections() <= 4, "{} connections", server.connections());
    for call in 0..8_u128 {
        let sid = CallSid(call).to_string();
        let mine: Vec<_> = server
            .seen()
            .iter()
            .filter(|seen| seen.param("CallSid").as_deref() == Some(&sid))
            .map(|seen| seen.param("SequenceNumber").unwrap())
            .collect();
        assert_eq!(mine, ["0", "1", "2"]);
    }
}

#[tokio::test]
async fn gone_disables_the_url_and_says_so() {
    let server = Server::start(|_| status(410));
    let world = world(Config::default());
    push_call(&world.feed, &server.url("/"), 1);
    let lines = world.book.wait_for(5).await;
    assert!(lines.contains(&format!("{} disabled", AccountSid(0xacc))), "{lines:?}");
    assert_eq!(lines.iter().filter(|line| line.ends_with("dead disabled")).count(), 3);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_url_that_is_none_is_dead_at_once() {
    let world = world(Config::default());
    world.feed.push(notice("gopher://x/", 1, 0, CallStatus::Completed));
    let lines = world.book.wait_for(2).await;
    assert_eq!(lines[1], "1/0 dead url_invalid");
}

#[tokio::test]
async fn two_thousand_events_pass_through_a_memory_of_a_hundred() {
    let server = Server::start(|_| status(200));
    let config = Config { in_memory: 100, refill: Duration::from_millis(20), ..Config::default() };
    let world = world(config);
    for call in 0..500 {
        for (sequence, status) in (0..).zip(CALL) {
            let notice = notice(&server.url("/"), call, sequence, status);
            world.table.0.lock().unwrap().push(notice.clone());
            world.feed.push(notice);
        }
    }
    assert!(world.feed.size().0 <= 100, "{:?}", world.feed);
    // The table forgets what was delivered, as the projection does.
    let end = Instant::now() + Duration::from_secs(60);
    while world.book.lines().len() < 1_500 {
        assert!(Instant::now() < end, "{} of 1,500, {:?}", world.book.lines().len(), world.feed);
        let done: std::collections::HashSet<_> =
            world.book.lines().iter().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect();
        let key = |n: &Notice| format!("{}/{}", n.call().0, n.event.sequence);
        world.table.0.lock().unwrap().retain(|notice| !done.contains(&key(notice)));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let lines = world.book.lines();
    assert_eq!(lines.len(), 1_500);
    let distinct: std::collections::HashSet<_> = lines.iter().collect();
    assert_eq!(distinct.len(), 1_500, "each once");
}
