//! What the journal promises, shown on real files.
//!
//! `bytes`: what stands in them. `start`: what a start finds. `feeds`: reading on. `segments`: when they
//! go. `estates`: what another process leaves. `full`: on a full disk. `reserve`: room for calls. `pace`: how soon.

mod bytes;
mod estates;
mod feeds;
mod full;
mod pace;
mod reserve;
mod segments;
mod start;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant as Clock, SystemTime};

use super::frame::{self, Framed};
use super::replay::Scan;
use super::segment::HEADER;
use super::shared::Note;
use super::track::Track;
use super::*;
use crate::call::facts::CallFacts;
use crate::call::instructions::NounCallback;
use crate::call::outcome::{CallStatus, DialOutcome, HangupSource, Terminal};
use crate::call::record::{
    CallerSide, Change, DialLeft, DialogState, Event, InvitedLeg, LegEvent, LegFacts, Record,
};
use crate::call::recover::Recovered;
use crate::flow::{ConnectionId, Flow, ListenerId, Transport};
use crate::ids::{AccountSid, ApplicationSid, CallSid, GatewaySid, NumberSid, OrganizationSid, TrunkSid};
use crate::reason::Reason;
use crate::routing::model::{Hook, Method, VoiceProfile};
use crate::time::Instant;

/// A directory that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("callgate-journal-{}-{number}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

fn config(folder: &Folder) -> Config {
    let mut config = Config::new(&folder.0, SystemTime::now());
    (config.segment_size, config.reserve) = (64 << 10, 128 << 10);
    config
}

fn flow() -> Flow {
    Flow {
        transport: Transport::Tcp,
        listener: ListenerId(2),
        local: "2001:db8::1".parse().unwrap(),
        peer: "[2001:db8::2]:5070".parse().unwrap(),
        connection: Some(ConnectionId(9)),
        domain: None,
    }
}

fn facts(call: u128, told: bool) -> Arc<CallFacts> {
    let hook = Hook { url: "https://app.example/status?x=1#tt=8000".into(), method: Method::Get };
    let profile = VoiceProfile {
        voice: Some(Hook { url: "/voice".into(), method: Method::Post }),
        voice_fallback: None,
        status_callback: told.then_some(hook),
        fallback_target: Some("sip:desk@pbx.example".into()),
        application: Some(ApplicationSid(7)),
        name_lookup: true,
        name_prefix: Some("Sales".into()),
        sms: Some(Hook { url: "/sms".into(), method: Method::Get }),
        sms_fallback: None,
        sms_application: Some(ApplicationSid(8)),
        refer: None,
        refer_application: Some(ApplicationSid(9)),
    };
    Arc::new(CallFacts {
        call: CallSid(call),
        account: AccountSid(2),
        organization: OrganizationSid(3),
        number: Some(NumberSid(4)),
        number_text: "+16508251255".into(),
        trunk: Some(TrunkSid(5)),
        profile: Arc::new(profile),
        base_url: "https://app.example".into(),
        post_query_in_body: true,
        from: "anonymous".into(),
        to: "16508251255".into(),
        sip_to: None,
        caller_name: "Zoë".into(),
        forwarded_from: "".into(),
        sip_call_id: "c1@h".into(),
        sip_source: "192.0.2.9".parse().unwrap(),
        sip_headers: vec![("X-One".into(), "1".into()), ("Diversion".into(), "<tel:+1>".into())],
        started: Instant::from_millis(1000),
        generation: 42,
    })
}

fn dialog() -> Box<DialogState> {
    Box::new(DialogState {
        call_id: b"c1@h".as_slice().into(),
        local_tag: b"lt".as_slice().into(),
        remote_tag: b"".as_slice().into(),
        local: b"<sip:a@us>;tag=lt".as_slice().into(),
        remote: b"<sip:b@them>".as_slice().into(),
        target: b"sip:b@10.0.0.1".as_slice().into(),
        routes: vec![b"<sip:p1;lr>".as_slice().into(), b"<sip:p2;lr>".as_slice().into()],
        flow: flow(),
        local_cseq: 3,
        remote_cseq: u32::MAX,
        session_interval: 1800,
    })
}

fn dial_left() -> Box<DialLeft> {
    let action = Some(Hook { url: "https://app.example/action".into(), method: Method::Post });
    let (time_limit, rang_for) = (Duration::from_secs(14_400), Duration::from_millis(700));
    Box::new(DialLeft { time_limit, action, rang_for })
}

/// What whoever takes the calls over writes of those that end at once.
fn bury(journal: &Journal, unfinished: &[Recovered]) {
    let mut ends: Vec<_> = unfinished
        .iter()
        .map(|call| {
            let event = call.facts.profile.status_callback.is_some();
            let event = event.then_some(Event { sequence: call.next_event, status: CallStatus::Failed });
            let (at, change) = (Instant::ZERO, ended(CallStatus::Failed));
            Record { call: call.facts.call, seq: call.next_record, at, change, event }
        })
        .collect();
    journal.pen().write(&mut ends);
}

fn ended(status: CallStatus) -> Change {
    let duration = Duration::from_micros(1_234_567);
    let source = HangupSource::Callee;
    Change::Ended(Terminal { status, sip_code: 200, reason: Reason::Completed, source, duration })
}

/// A whole call as the engine records it: begin, ringing, a leg that fails, one that answers, end.
fn call(call: u128, told: bool) -> Vec<Record> {
    let outcome = DialOutcome {
        status: CallStatus::Completed,
        leg: Some(CallSid(call + 1)),
        duration: Duration::from_secs(7),
        ring_duration: Duration::from_millis(1500),
        sip_code: Some(200),
        sip_call_id: Some("b1@us".into()),
        sip_headers: Vec::new(),
    };
    let leg = CallSid(call + 1);
    let caller = CallerSide { response_headers: b"Via: x\r\n".as_slice().into(), flow: flow() };
    let invited = InvitedLeg {
        leg,
        parties: ("+1".into(), "bob".into()),
        request_uri: b"sip:x@h".as_slice().into(),
        headers: b"Via: y\r\n".as_slice().into(),
        flow: flow(),
        again: false,
        gateway: Some(GatewaySid(3)),
        ahead: 0,
    };
    let response: Arc<[u8]> = vec![b'v'; 600].into();
    let changes = [
        (Change::Admitted { facts: facts(call, told), caller: Box::new(caller) }, None),
        (Change::Ringing, Some(CallStatus::Ringing)),
        (Change::Invited(Box::new(invited)), None),
        (Change::LegEnded { leg, sip_code: 486 }, None),
        (
            Change::Answered { leg, caller: dialog(), target: dialog(), response, dial: dial_left() },
            Some(CallStatus::InProgress),
        ),
        (Change::Acked, None),
        (Change::DialogChanged { caller: true, dialog: dialog() }, None),
        (Change::Dialled(Box::new(outcome)), None),
        (ended(CallStatus::Completed), Some(CallStatus::Completed)),
    ];
    let mut sequence = 0;
    let records = (0_u32..).zip(changes).map(|(seq, (change, status))| {
        let event = status.filter(|_| told).map(|status| {
            sequence += 1;
            Event { sequence: sequence - 1, status }
        });
        let at = Instant::from_millis(1000 + u64::from(seq) * 100);
        Record { call: CallSid(call), seq, at, change, event }
    });
    records.collect()
}

fn outcome(call: u128, sequence: u32, attempt: u32, fate: Fate) -> Entry {
    Entry::Outcome(Outcome {
        call: CallSid(call),
        leg: None,
        sequence,
        attempt,
        took: Duration::from_millis(12),
        http_status: Some(503),
        error: "HTTP 503".into(),
        fate,
    })
}

fn delivered(call: u128, sequence: u32) -> Outcome {
    match outcome(call, sequence, 1, Fate::Delivered) {
        Entry::Outcome(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

fn others() -> Vec<Entry> {
    vec![
        Entry::Record(Record { change: Change::Recovered, event: None, ..call(1, true).remove(1) }),
        outcome(1, 0, 1, Fate::Failed(Some(1_700_000_000_000))),
        outcome(1, 0, 2, Fate::Failed(None)),
        outcome(1, 0, 0, Fate::Dead("url_invalid")),
        outcome(1, 1, 0, Fate::Superseded),
        outcome(1, 2, 1, Fate::Delivered),
        Entry::Disabled { account: AccountSid(2), url: "https://gone.example".into() },
        Entry::Enabled { account: AccountSid(2), url: "https://gone.example".into() },
        Entry::Trace { call: CallSid(1), at: 12, text: "0.000000 INVITE\n0.000001 180 Ringing\n".into() },
        Entry::Done { call: CallSid(9) },
    ]
}

/// Waits until everything given to `pen` is written.
fn settle(pen: &Pen, count: u64) {
    let begun = Clock::now();
    while pen.written() < count {
        assert!(begun.elapsed() < Duration::from_secs(60), "only {} of {count} written", pen.written());
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn all(feed: &mut Feed) -> Vec<Fed> {
    let mut fed = Vec::new();
    loop {
        if feed.read(7, &mut fed).unwrap() == 0 {
            return fed;
        }
    }
}

fn records(fed: &[Fed]) -> Vec<Record> {
    let only = fed.iter().filter_map(|one| match &one.entry {
        Entry::Record(record) => Some(record.clone()),
        _ => None,
    });
    only.collect()
}

fn entries() -> Vec<Entry> {
    call(1, true).into_iter().map(Entry::Record).chain(others()).collect()
}

/// The bytes of one segment, and where each frame ends.
fn segment() -> (Vec<u8>, Vec<usize>) {
    let mut bytes = vec![0; HEADER as usize];
    bytes[..8].copy_from_slice(b"callgate");
    bytes[8] = frame::VERSION;
    let mut ends = Vec::new();
    for entry in entries() {
        frame::append(&mut bytes, &entry, 9, 0);
        ends.push(bytes.len());
    }
    (bytes, ends)
}

fn scan(folder: &Path, bytes: &[u8]) -> Scan {
    fs::write(folder.join(format!("{:016x}.log", 4096)), bytes).unwrap();
    Scan::of(folder, 0).unwrap()
}

fn wait_for(mut done: impl FnMut() -> bool) {
    wait_some(|| done().then_some(()));
}

fn wait_some<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Clock::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "it never came");
        std::thread::sleep(Duration::from_millis(5));
    }
}
