//! A hang-up from outside meets a call in every state it can be in.

use std::collections::BTreeMap;

use callgate::call::record::Change;
use callgate::engine::door::{Purpose, Question};
use callgate::ids::CallSid;

use crate::evidence::{Evidence, What};
use crate::operator::Act;
use crate::truths;
use crate::world::{Options, run};
use crate::{count, number};

/// How far a call is, as far as that can be seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Asking,
    LookingUp,
    Ringing,
    Unacknowledged,
    Talking,
    Transferring,
    Over,
}

const ALL: [State; 7] = [
    State::Asking,
    State::LookingUp,
    State::Ringing,
    State::Unacknowledged,
    State::Talking,
    State::Transferring,
    State::Over,
];

/// The state of a call at a place in the log.
fn state(e: &Evidence, call: CallSid, place: usize) -> State {
    let mut state = State::Asking;
    for (_, what) in &e.log[..place] {
        match what {
            What::Record(_, record) if record.call == call => match &record.change {
                Change::Ended(_) => state = State::Over,
                Change::Invited(_) if state < State::Unacknowledged => state = State::Ringing,
                Change::Answered { .. } => state = State::Unacknowledged,
                Change::Acked | Change::Transferred { .. } => state = State::Talking,
                _ => {}
            },
            What::Asked(_, ask) if ask.call == call => match &ask.question {
                Question::Resolve(_) if state == State::Asking => state = State::LookingUp,
                Question::Webhook(of) if matches!(of.purpose, Purpose::Refer(..)) => {
                    state = State::Transferring;
                }
                Question::Webhook(_) if state == State::Ringing => state = State::Asking,
                _ => {}
            },
            _ => {}
        }
    }
    state
}

#[test]
fn a_hang_up_meets_every_state() {
    if number("CALLGATE_SEED").is_some() {
        return;
    }
    let mut met: BTreeMap<State, u32> = BTreeMap::new();
    let options = Options { hangups: 12, wide: true, ..Options::default() };
    for seed in 0..count(100).min(1_000) {
        let evidence = run(seed, &options);
        let broken = truths::broken(&evidence, None);
        assert!(broken.is_empty(), "seed {seed}: {broken:?}");
        for (place, (_, what)) in evidence.log.iter().enumerate() {
            if let What::Act(Act::Hangup(call)) = what {
                *met.entry(state(&evidence, *call, place)).or_default() += 1;
            }
        }
    }
    println!("a hang-up met {met:?}");
    for state in ALL {
        assert!(met.contains_key(&state), "no call was hung up on while {state:?}: {met:?}");
    }
}
