//! A written journal's way into the tables of both servers, as the daemon runs it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use callgate::call::facts::CallFacts;
use callgate::call::outcome::{CallStatus, HangupSource, Terminal};
use callgate::call::record::{CallerSide, Change, Event, Record};
use callgate::daemon::{Gathering, Projection};
use callgate::flow::{Flow, ListenerId, Transport};
use callgate::ids::{CallSid, InstanceSid};
use callgate::journal::{Config, Entry, Fate, Journal, Outcome};
use callgate::reason::Reason;
use callgate::routing::model::{Hook, Method, VoiceProfile};
use callgate::store::Page;
use callgate::store::calls::{CallFilter, DeliveryFilter, DeliveryState};
use callgate::telemetry::Metrics;
use callgate::time::Instant;

use crate::World;

crate::on_both_servers!(what_the_journal_holds_stands_in_the_tables_once_also_after_a_restart);

const NODE: InstanceSid = InstanceSid(7);
const CALLS: u128 = 100;

fn facts(world: &World, call: CallSid) -> Arc<CallFacts> {
    let hook = Hook { url: "https://app.example/status".into(), method: Method::Post };
    Arc::new(CallFacts {
        call,
        account: world.account.id,
        organization: world.organization.id,
        number: None,
        number_text: "+16508251255".into(),
        trunk: None,
        profile: Arc::new(VoiceProfile { status_callback: Some(hook), ..VoiceProfile::default() }),
        base_url: "https://app.example".into(),
        post_query_in_body: false,
        from: "1000".into(),
        to: "+16508251255".into(),
        sip_to: None,
        caller_name: "Zoë \"Z\" O'Hara".into(),
        forwarded_from: "".into(),
        sip_call_id: format!("{}@host", call.0).into(),
        sip_source: "192.0.2.9".parse().unwrap(),
        sip_headers: Vec::new(),
        started: Instant::ZERO,
        generation: 3,
    })
}

/// A call that rings, is refused, and whose end the receiver took with the second try; its trace.
fn entries(world: &World, call: CallSid) -> (Vec<Record>, Vec<Entry>) {
    let local = "127.0.0.1".parse().unwrap();
    let peer = "192.0.2.9:5060".parse().unwrap();
    let flow = Flow {
        transport: Transport::Udp,
        listener: ListenerId(0),
        local,
        peer,
        connection: None,
        domain: None,
    };
    let caller = Box::new(CallerSide { response_headers: b"Via: x\r\n".as_slice().into(), flow });
    let terminal = Terminal {
        status: CallStatus::Busy,
        sip_code: 486,
        reason: Reason::TargetBusy,
        source: HangupSource::Callee,
        duration: Duration::ZERO,
    };
    let event = |sequence, status| Some(Event { sequence, status });
    let changes = [
        (Change::Admitted { facts: facts(world, call), caller }, None),
        (Change::Ringing, event(0, CallStatus::Ringing)),
        (Change::Ended(terminal), event(1, CallStatus::Busy)),
    ];
    let record = |(seq, (change, event))| Record { call, seq, at: Instant::from_millis(5), change, event };
    let outcome = |sequence, attempt, fate| {
        let (took, error) = (Duration::from_millis(9), if fate == Fate::Delivered { "" } else { "HTTP 500" });
        let http_status = Some(if fate == Fate::Delivered { 200 } else { 500 });
        Entry::Outcome(Outcome {
            call,
            leg: None,
            sequence,
            attempt,
            took,
            http_status,
            error: error.into(),
            fate,
        })
    };
    let (at, text) = (1_700_000_000_000_000, "0.000000 caller -> INVITE\n0.250000 486\n".into());
    let told = vec![
        outcome(0, 1, Fate::Delivered),
        outcome(1, 1, Fate::Failed(Some(1_700_000_005_000))),
        outcome(1, 2, Fate::Delivered),
        Entry::Trace { call, at, text },
    ];
    ((0..).zip(changes).map(record).collect(), told)
}

/// Projects what is written, then stops as a process does: at a moment when all of it is counted, too.
async fn project(world: &World, journal: &Journal, metrics: &Arc<Metrics>) {
    let gauge = journal.gauge();
    let body = Box::new(|notice: &callgate::callback::Notice| format!("CallSid={}", notice.call()));
    let (store, gathering) = (world.store.clone(), Arc::new(Gathering::new(NODE, body)));
    let projection =
        Projection::new(NODE, store, journal.archive(), gathering, gauge.clone(), metrics.clone());
    let task = tokio::spawn(projection.run());
    let until = tokio::time::Instant::now() + Duration::from_secs(60);
    let counted = || metrics.store.projected.get() >= 3 * CALLS as u64;
    while world.store.projected(NODE).await.unwrap().unwrap_or(0) < gauge.written() || !counted() {
        assert!(
            tokio::time::Instant::now() < until,
            "{:?} of {}",
            world.store.projected(NODE).await,
            gauge.written()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
}

pub async fn what_the_journal_holds_stands_in_the_tables_once_also_after_a_restart(world: World) {
    let mut config = Config::new(world.folder.0.join("journal"), SystemTime::now());
    (config.segment_size, config.reserve) = (1 << 20, 2 << 20);
    let metrics = Arc::new(Metrics::new());
    let (journal, _) = Journal::open(&config).unwrap();
    let mut pen = journal.pen();
    let mut given = 0;
    for number in 1..=CALLS {
        let (mut records, told) = entries(&world, CallSid(number));
        given += (records.len() + told.len()) as u64;
        pen.write(&mut records);
        pen.note(told);
    }
    while pen.written() < given {
        pen.grown().await;
    }
    project(&world, &journal, &metrics).await;
    assert_eq!((metrics.store.projected.get(), metrics.store.up.get()), (3 * CALLS as u64, 1));
    shown(&world).await;
    // Once more from the start: the position stands with the rows, nothing is written twice.
    project(&world, &journal, &metrics).await;
    drop((pen, journal));
    let (journal, replay) = Journal::open(&config).unwrap();
    assert_eq!((replay.unfinished.len(), replay.undelivered.len()), (0, 0));
    project(&world, &journal, &metrics).await;
    assert_eq!(metrics.store.projected.get(), 3 * CALLS as u64);
    shown(&world).await;
}

async fn shown(world: &World) {
    let (store, call) = (&world.store, CallSid(CALLS));
    let listed = store.calls(&CallFilter::default(), Page::first(5)).await.unwrap();
    assert_eq!(listed.total as u128, CALLS);
    let row = store.call(call).await.unwrap().unwrap();
    assert_eq!(
        (row.status, row.sip_code, row.reason),
        (CallStatus::Busy, Some(486), Some(Reason::TargetBusy))
    );
    assert_eq!((row.node, &*row.caller_name), (NODE, "Zoë \"Z\" O'Hara"));
    let events = store.call_events(call).await.unwrap();
    let kinds = events.iter().flat_map(|row| row.lines()).map(|(_, line)| line.split(' ').next().unwrap());
    assert_eq!(kinds.collect::<Vec<_>>(), ["admitted", "ringing", "ended"]);
    let filter = DeliveryFilter { call: Some(call), ..DeliveryFilter::default() };
    let deliveries = store.deliveries(&filter, Page::first(10)).await.unwrap().rows;
    assert_eq!(deliveries.len(), 2);
    let last = deliveries.iter().find(|row| row.sequence == 1).unwrap();
    assert_eq!((last.state, last.attempts), (DeliveryState::Delivered, 2));
    assert_eq!(*last.body, *format!("CallSid={call}"));
    let attempts = store.attempts(&last.id).await.unwrap();
    assert_eq!(attempts.iter().map(|row| row.http_status).collect::<Vec<_>>(), [Some(500), Some(200)]);
    let trace = store.call_trace(call).await.unwrap();
    let lines: Vec<_> = trace.iter().flat_map(|row| row.lines()).collect();
    assert_eq!(lines[0], ("2023-11-14T22:13:20Z".parse().unwrap(), "caller -> INVITE"));
    assert_eq!(lines[1], ("2023-11-14T22:13:20.25Z".parse().unwrap(), "486"));
    assert_eq!(lines.len(), 2);
}
