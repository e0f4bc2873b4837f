//! The projection: idempotent, in net form; lists, traces, claims and replays.

use callgate::call::outcome::CallStatus;
use callgate::ids::{AccountSid, CallSid, InstanceSid, OrganizationSid};
use callgate::reason::Reason;
use callgate::routing::model::Method;
use callgate::store::Page;
use callgate::store::calls::{
    AttemptRow, Batch, CallFilter, CallLegFilter, CallLegRow, CallRow, DeliveryFilter, DeliveryRow,
    DeliveryState, EventRow, LegRow, TraceRow, delivery_id,
};
use jiff::{SignedDuration, Timestamp};

use crate::World;

crate::on_both_servers!(
    a_batch_may_come_again_and_late,
    a_large_batch_is_written_whole,
    lists_and_traces_show_what_was_projected,
    calls_and_legs_are_one_list,
    what_is_due_is_claimed_once,
    a_dead_letter_is_replayed,
    old_calls_are_forgotten,
    what_is_old_is_forgotten_by_its_kind,
);

const NODE: InstanceSid = InstanceSid(1);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn call(id: u128, sequence: u32, status: CallStatus) -> CallRow {
    let ended = status.is_terminal().then(|| at(60));
    CallRow {
        id: CallSid(id),
        sequence,
        node: NODE,
        account_id: AccountSid(10 + id % 2),
        organization_id: OrganizationSid(3),
        number_id: None,
        number: "+16505551212".into(),
        trunk_id: None,
        caller: "+1999".into(),
        called: "+16505551212".into(),
        caller_name: "".into(),
        forwarded_from: "".into(),
        sip_call_id: format!("call-{id}@example").into(),
        sip_source: "192.0.2.1".parse().unwrap(),
        generation: 4,
        status,
        started_at: at(i64::try_from(id).unwrap()),
        answered_at: None,
        ended_at: ended,
        duration_ms: 0,
        sip_code: ended.map(|_| 486),
        reason: ended.map(|_| Reason::TargetBusy),
        hangup_source: None,
    }
}

fn delivery(id: u128, sequence: u32, revision: u32, state: DeliveryState) -> DeliveryRow {
    let pending = state == DeliveryState::Pending;
    DeliveryRow {
        id: delivery_id(CallSid(id), None, sequence),
        call_id: CallSid(id),
        account_id: AccountSid(10),
        sequence,
        revision,
        node: NODE,
        status: CallStatus::Ringing,
        url: "http://app/status".into(),
        method: Method::Post,
        body: "CallStatus=ringing".into(),
        state,
        attempts: revision,
        created_at: at(0),
        next_attempt_at: pending.then(|| at(0)),
        finished_at: (!pending).then(|| at(9)),
        last_error: None,
        first_at: None,
        first_http_status: None,
        first_took_ms: None,
    }
}

/// A call that is over, for figures.
pub fn finished(id: u128) -> CallRow {
    call(id, 5, CallStatus::Completed)
}

/// Its three deliveries, for figures.
pub fn delivered(id: u128) -> impl Iterator<Item = DeliveryRow> {
    (0..3).map(move |sequence| delivery(id, sequence, 1, DeliveryState::Delivered))
}

pub async fn a_batch_may_come_again_and_late(world: World) {
    let store = &world.store;
    let early = Batch {
        calls: vec![call(1, 0, CallStatus::Ringing)],
        deliveries: vec![delivery(1, 0, 0, DeliveryState::Pending)],
        ..Batch::default()
    };
    // The newest record wins, wherever it stands in the batch.
    let late = Batch {
        calls: vec![call(1, 3, CallStatus::Busy), call(1, 2, CallStatus::InProgress)],
        deliveries: vec![
            delivery(1, 0, 1, DeliveryState::Pending),
            delivery(1, 0, 2, DeliveryState::Delivered),
        ],
        ..Batch::default()
    };
    assert_eq!(store.projected(NODE).await.unwrap(), None);
    for (position, batch) in [(10, &early), (20, &late), (20, &late), (10, &early)] {
        store.project(NODE, position, batch).await.unwrap();
    }
    assert_eq!(store.projected(NODE).await.unwrap(), Some(20));
    let row = store.call(CallSid(1)).await.unwrap().unwrap();
    assert_eq!((row.status, row.sequence, row.reason), (CallStatus::Busy, 3, Some(Reason::TargetBusy)));
    let listed = store.deliveries(&DeliveryFilter::default(), Page::first(9)).await.unwrap();
    assert_eq!((listed.total, listed.rows[0].state), (1, DeliveryState::Delivered));
}

async fn a_large_batch_is_written_whole(world: World) {
    let batch = Batch {
        calls: (1..=1000).map(|id| call(id, 1, CallStatus::Completed)).collect(),
        events: (1..=1000)
            .map(|id| EventRow {
                call_id: CallSid(id),
                sequence: 0,
                at: at(0),
                text: "0.000000 admitted \n".into(),
            })
            .collect(),
        ..Batch::default()
    };
    world.store.project(NODE, 1, &batch).await.unwrap();
    let listed = world.store.calls(&CallFilter::default(), Page { offset: 990, limit: 50 }).await.unwrap();
    assert_eq!((listed.total, listed.rows.len()), (1000, 10));
}

pub async fn lists_and_traces_show_what_was_projected(world: World) {
    let store = &world.store;
    let mut ringing = EventRow::begin(CallSid(2), 1, at(2));
    ringing.push(at(2), "ringing", "");
    ringing.push(at(4), "ended", "busy 486");
    let batch = Batch {
        calls: vec![
            call(1, 0, CallStatus::Ringing),
            call(2, 4, CallStatus::Busy),
            call(3, 4, CallStatus::Completed),
        ],
        legs: vec![leg(7, 0, CallStatus::Initiated), leg(8, 3, CallStatus::Completed)],
        events: vec![ringing],
        trace: (0..3)
            .map(|line| TraceRow {
                call_id: CallSid(2),
                line,
                at: at(2),
                text: format!("line {line}").into(),
            })
            .collect(),
        deliveries: vec![delivery(2, 0, 1, DeliveryState::Delivered), delivery(2, 1, 9, DeliveryState::Dead)],
        attempts: vec![AttemptRow {
            delivery_id: delivery_id(CallSid(2), None, 1),
            attempt: 1,
            at: at(3),
            http_status: Some(503),
            error: Some("the receiver answered 503".into()),
            took_ms: 12,
        }],
    };
    store.project(NODE, 1, &batch).await.unwrap();
    store.project(NODE, 1, &batch).await.unwrap();
    let mine = CallFilter { account: Some(AccountSid(11)), from: Some(at(2)), ..CallFilter::default() };
    let listed = store.calls(&mine, Page::first(9)).await.unwrap();
    assert_eq!(listed.rows.iter().map(|row| row.id.0).collect::<Vec<_>>(), [3]);
    let busy = CallFilter {
        status: Some(CallStatus::Busy),
        called: Some("+16505551212".into()),
        ..CallFilter::default()
    };
    assert_eq!(store.calls(&busy, Page::first(9)).await.unwrap().total, 1);
    assert_eq!(store.call_by_sip_call_id("call-3@example").await.unwrap().unwrap().id, CallSid(3));
    assert_eq!(store.call_trace(CallSid(2)).await.unwrap().len(), 3);
    let events = store.call_events(CallSid(2)).await.unwrap();
    let lines: Vec<_> = events.iter().flat_map(EventRow::lines).collect();
    assert_eq!(lines, [(at(2), "ringing "), (at(4), "ended busy 486")]);
    let dead = DeliveryFilter { state: Some(DeliveryState::Dead), ..DeliveryFilter::default() };
    let dead = store.deliveries(&dead, Page::first(9)).await.unwrap();
    assert_eq!(dead.rows.len(), 1);
    assert_eq!(store.attempts(&dead.rows[0].id).await.unwrap()[0].http_status, Some(503));
}

pub async fn calls_and_legs_are_one_list(world: World) {
    let store = &world.store;
    let (calls, legs) = (vec![call(3, 4, CallStatus::Completed)], vec![leg(8, 3, CallStatus::Completed)]);
    store.project(NODE, 1, &Batch { calls, legs, ..Batch::default() }).await.unwrap();
    // An older record of the same leg changes nothing.
    let old = Batch { legs: vec![leg(8, 1, CallStatus::Ringing)], ..Batch::default() };
    store.project(NODE, 2, &old).await.unwrap();
    let both = store.call_legs(&CallLegFilter::default(), Page::first(9)).await.unwrap();
    let shown = |row: &CallLegRow| (row.id.0, row.call_id.map(|call| call.0), row.status);
    let mut rows: Vec<_> = both.rows.iter().map(shown).collect();
    rows.sort_by_key(|row| row.0);
    assert_eq!(rows, [(3, None, CallStatus::Completed), (8, Some(3), CallStatus::Completed)]);
    let of_call = CallLegFilter { parent: Some(CallSid(3)), ..CallLegFilter::default() };
    assert_eq!(store.call_legs(&of_call, Page::first(9)).await.unwrap().total, 1);
    assert_eq!(store.call_leg(CallSid(8)).await.unwrap().unwrap().called, "sip:bob@h");
    assert_eq!(store.call_leg(CallSid(9)).await.unwrap(), None);
}

fn leg(id: u128, sequence: u32, status: CallStatus) -> LegRow {
    LegRow {
        id: CallSid(id),
        sequence,
        call_id: CallSid(3),
        account_id: AccountSid(11),
        caller: "+16505551234".into(),
        called: "sip:bob@h".into(),
        status,
        started_at: at(3),
        answered_at: None,
        ended_at: None,
        duration_ms: 0,
        sip_code: None,
    }
}

pub async fn what_is_due_is_claimed_once(world: World) {
    let store = &world.store;
    let pending: Vec<_> = (1..=50).map(|id| delivery(id, 0, 0, DeliveryState::Pending)).collect();
    let later = DeliveryRow { next_attempt_at: Some(at(500)), ..delivery(99, 0, 0, DeliveryState::Pending) };
    let deliveries = pending.into_iter().chain([later]).collect();
    store.project(NODE, 1, &Batch { deliveries, ..Batch::default() }).await.unwrap();
    let lease = SignedDuration::from_secs(30);
    // Two nodes at once: together they get each delivery exactly once.
    let (a, b) = tokio::join!(
        store.claim_due(InstanceSid(1), at(1), lease, 30),
        store.claim_due(InstanceSid(2), at(1), lease, 30)
    );
    let mut ids: Vec<String> = a.unwrap().into_iter().chain(b.unwrap()).map(|row| row.id).collect();
    let rest = store.claim_due(InstanceSid(3), at(2), lease, 100).await.unwrap();
    ids.extend(rest.into_iter().map(|row| row.id));
    assert_eq!(ids.len(), 50);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 50, "a delivery was claimed twice");
    let orphaned = store.claim_due(InstanceSid(4), at(100), lease, 100).await.unwrap();
    assert_eq!(orphaned.len(), 50, "leases end");
}

pub async fn a_dead_letter_is_replayed(world: World) {
    let store = &world.store;
    let dead = Batch { deliveries: vec![delivery(1, 0, 10, DeliveryState::Dead)], ..Batch::default() };
    store.project(NODE, 1, &dead).await.unwrap();
    let id = delivery_id(CallSid(1), None, 0);
    assert!(store.replay(&id, at(100)).await.unwrap());
    assert!(!store.replay(&id, at(100)).await.unwrap(), "it is pending already");
    assert!(!store.replay("nothing", at(100)).await.unwrap());
    // The journal read again does not undo it.
    store.project(NODE, 1, &dead).await.unwrap();
    let row = store.delivery(&id).await.unwrap().unwrap();
    assert_eq!((row.state, row.next_attempt_at, row.revision), (DeliveryState::Pending, Some(at(100)), 11));
}

pub async fn what_is_old_is_forgotten_by_its_kind(world: World) {
    use callgate::daemon::Forgetting;
    use callgate::store::RetentionSection;
    const DAY: i64 = 86_400;
    let store = &world.store;
    // One call each day, each with every kind of row.
    let mut batch = Batch::default();
    for day in 0..100_u8 {
        let id = u32::from(day) + 1;
        let sid = CallSid(u128::from(id));
        let begun = at(i64::from(day) * DAY);
        let mut row = call(id.into(), 9, CallStatus::Busy);
        (row.started_at, row.ended_at) = (begun, Some(begun));
        batch.calls.push(row);
        for (sequence, state) in [DeliveryState::Delivered, DeliveryState::Dead].into_iter().enumerate() {
            let mut row = delivery(id.into(), u32::try_from(sequence).unwrap(), 1, state);
            row.created_at = begun;
            batch.attempts.push(AttemptRow {
                delivery_id: row.id.clone(),
                attempt: 1,
                at: begun,
                http_status: None,
                error: None,
                took_ms: 1,
            });
            batch.deliveries.push(row);
        }
        batch.trace.push(TraceRow { call_id: sid, line: 0, at: begun, text: "x".into() });
    }
    store.project(NODE, 1, &batch).await.unwrap();
    let metrics = std::sync::Arc::new(callgate::telemetry::Metrics::new());
    let keep = RetentionSection::default();
    let mut forgetting = Forgetting::new(store.clone(), keep, std::sync::Arc::clone(&metrics));
    // Twice: a second round finds nothing more. The newest call began half a day before.
    for _ in 0..2 {
        forgetting.round(at(99 * DAY + DAY / 2)).await.unwrap();
        let mut left = [0_u32; 4];
        for id in 1..=100 {
            let deliveries = [delivery_id(CallSid(id), None, 0), delivery_id(CallSid(id), None, 1)];
            left[0] += u32::from(store.call(CallSid(id)).await.unwrap().is_some());
            left[1] += u32::from(store.delivery(&deliveries[0]).await.unwrap().is_some());
            left[2] += u32::from(store.delivery(&deliveries[1]).await.unwrap().is_some());
            left[3] += u32::from(!store.call_trace(CallSid(id)).await.unwrap().is_empty());
        }
        assert_eq!(left, [90, 7, 30, 3], "calls, delivered, dead letters, traces");
    }
    let forgotten = &metrics.store.forgotten;
    let counted = ["calls", "delivered", "given_up", "trace_lines"].map(|word| forgotten.get(word));
    assert_eq!(counted, [10, 93, 70, 97]);
}

async fn old_calls_are_forgotten(world: World) {
    let store = &world.store;
    let batch = Batch {
        calls: vec![
            call(1, 9, CallStatus::Busy),
            call(2, 9, CallStatus::Busy),
            call(3, 0, CallStatus::Ringing),
        ],
        deliveries: vec![
            delivery(1, 0, 1, DeliveryState::Delivered),
            delivery(2, 0, 1, DeliveryState::Pending),
        ],
        trace: vec![TraceRow { call_id: CallSid(1), line: 0, at: at(0), text: "x".into() }],
        ..Batch::default()
    };
    store.project(NODE, 1, &batch).await.unwrap();
    assert_eq!(store.forget_calls(at(61)).await.unwrap(), 1, "not the pending one, nor the live one");
    assert!(store.call(CallSid(1)).await.unwrap().is_none());
    assert!(store.call_trace(CallSid(1)).await.unwrap().is_empty());
    assert!(store.call(CallSid(2)).await.unwrap().is_some());
}
