//! Whatever happens, in whatever order: nothing panics, and nothing is left.

use foldhash::fast::FixedState;
use proptest::prelude::*;

use super::world::{World, flow, ms, request_text, response_text};
use crate::flow::Transport;
use crate::sip::Message;
use crate::transaction::client::Request;
use crate::transaction::key::ResponseParts;
use crate::transaction::step::Tell;
use crate::transaction::table::{Table, TransactionId};
use crate::transaction::timer::{Base, Timer};

/// One arbitrary thing that happens.
#[derive(Clone, Debug)]
enum Event {
    Wait(u64),
    Receive(usize, usize),
    Serve(usize, usize, bool),
    Respond(usize, u16),
    Request(usize, usize, bool),
    Answer(usize, usize, u16),
    Cancel(usize),
    Fail(usize),
}

const METHODS: [&str; 5] = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"];

fn event() -> impl Strategy<Value = Event> {
    let (method, branch, which) = (0..METHODS.len(), 0_usize..4, 0_usize..32);
    let status = prop::sample::select(vec![100_u16, 180, 183, 200, 202, 302, 408, 486, 503, 603]);
    prop_oneof![
        (0_u64..40_000).prop_map(Event::Wait),
        (method.clone(), branch.clone()).prop_map(|(m, b)| Event::Receive(m, b)),
        (method.clone(), branch.clone(), any::<bool>()).prop_map(|(m, b, r)| Event::Serve(m, b, r)),
        (which.clone(), status.clone()).prop_map(|(w, s)| Event::Respond(w, s)),
        (method.clone(), branch.clone(), any::<bool>()).prop_map(|(m, b, r)| Event::Request(m, b, r)),
        (method, branch, status).prop_map(|(m, b, s)| Event::Answer(m, b, s)),
        which.clone().prop_map(Event::Cancel),
        which.prop_map(Event::Fail),
    ]
}

impl World {
    fn happen(&mut self, event: &Event, ids: &mut Vec<TransactionId>) {
        let at_once = |reliable| if reliable { Transport::Tcp } else { Transport::Udp };
        let pick = |ids: &Vec<TransactionId>, which: usize| ids.get(which % ids.len().max(1)).copied();
        match *event {
            Event::Wait(millis) => {
                let end = self.now.as_nanos() / 1_000_000 + millis;
                self.until(end);
            }
            Event::Receive(method, branch) => {
                self.receive(METHODS[method], &format!(";branch=z9hG4bK{branch}"));
            }
            Event::Serve(method, branch, reliable) if METHODS[method] != "ACK" => {
                let branch = format!(";branch=z9hG4bK{branch}");
                let known = self.receive(METHODS[method], &branch);
                if known == "new" || known.starts_with("cancel") {
                    ids.push(self.serve(METHODS[method], &branch, at_once(reliable)));
                }
            }
            Event::Respond(which, status) => {
                if let Some(id) = pick(ids, which) {
                    let before = self.table.is_unanswered(id);
                    let done = self.respond(id, status);
                    assert!(!(done.is_ok() && status < 200 && !before), "a provisional after a final");
                }
            }
            Event::Request(method, branch, reliable) if !matches!(METHODS[method], "ACK" | "CANCEL") => {
                // A branch is used once: the count of transactions so far makes it one.
                let branch = format!("z9hG4bK{branch}-{}", ids.len());
                let text = request_text(METHODS[method], &format!(";branch={branch}"), "");
                let bytes = text.as_slice();
                let request =
                    Request { method: METHODS[method].as_bytes(), branch: branch.as_bytes(), bytes };
                let flow = flow(at_once(reliable));
                ids.push(self.table.request(self.now, request, flow, 'c', &mut self.timers));
            }
            Event::Answer(method, branch, status) => {
                for serial in 0..ids.len() {
                    let text = response_text(status, METHODS[method], &format!("z9hG4bK{branch}-{serial}"));
                    let message = Message::scan(&text).unwrap();
                    let parts = ResponseParts::of(&message).unwrap();
                    if let Some(outcome) = self.table.receive_response(self.now, &parts, &mut self.timers) {
                        let passes = outcome.tell == Some(Tell::Response);
                        let sends_ack = outcome.send.is_some_and(|leaves| leaves.bytes.starts_with(b"ACK"));
                        assert!(!(sends_ack && status < 300), "an ACK of our own is for refusals");
                        assert!(passes || outcome.send.is_some() || outcome.tell.is_none());
                    }
                }
            }
            Event::Cancel(which) => {
                if let Some(id) = pick(ids, which) {
                    self.cancel(id);
                }
            }
            Event::Fail(which) => {
                if let Some(id) = pick(ids, which) {
                    self.fail(id);
                }
            }
            Event::Serve(..) | Event::Request(..) => {}
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_nothing_panics_all_timers_end_and_the_table_ends_empty(
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut world = World::new();
        let mut ids = Vec::new();
        for event in &events {
            world.happen(event, &mut ids);
        }
        // The user's part: an INVITE of ours is cancelled, one that came is refused.
        for id in ids.clone() {
            world.cancel(id);
            if world.table.is_unanswered(id) {
                prop_assert!(world.respond(id, 480).is_ok());
            }
        }
        let end = world.now.as_nanos() / 1_000_000 + 100_000;
        world.until(end);
        world.assert_empty();
        prop_assert_eq!(ids.iter().filter(|id| world.table.owner(**id).is_some()).count(), 0);
    }

    #[test]
    fn a_send_token_names_its_transaction_and_no_later_one(count in 1_usize..40) {
        let mut world = World::new();
        let mut seen = std::collections::HashSet::new();
        for _ in 0..count {
            let id = world.request("BYE", Transport::Udp);
            prop_assert_eq!(TransactionId::from_u64(id.to_u64()), Some(id));
            prop_assert!(seen.insert(id.to_u64()));
            world.table.abandon(id, &mut world.timers);
            prop_assert_eq!(world.table.owner(id), None);
        }
    }
}

#[test]
fn retransmission_instants_follow_another_t1() {
    let base = Base { t1: ms(100), t2: ms(300), t4: ms(1000) };
    let mut world = World::new();
    world.table = Table::new(base, FixedState::with_seed(1));
    world.request("BYE", Transport::Udp);
    world.until(1000);
    assert_eq!(world.log(), ["100 sends BYE", "300 sends BYE", "600 sends BYE", "900 sends BYE"]);
    assert_eq!(base.give_up(), ms(6400));
    assert_eq!(base.d(), ms(32_000), "never below 32 s");
    assert!(Timer::G.repeats() && !Timer::H.repeats());
}
