//! What happened, as text: for people who replay a seed, and to compare two runs.

use std::fmt::Write as _;

use callgate::call::record::Change;
use callgate::engine::door::Question;

use crate::evidence::{Evidence, What, Wire};

impl Evidence {
    /// All of it as text: two runs of one seed give the same.
    pub fn transcript(&self) -> String {
        let mut out = String::new();
        for (at, what) in &self.log {
            let time = *at / 1_000_000;
            let line = match what {
                What::Sent(wire) => format!("{wire} sent {}", self.line(*wire)),
                What::Dropped(wire) => format!("{wire} dropped"),
                What::Delivered(wire) => format!("{wire} delivered"),
                What::Asked(shard, ask) => {
                    format!("shard {shard} asks {} for {}: {}", ask.id.0, ask.call, question(&ask.question))
                }
                What::Answered(shard, ask) => format!("shard {shard} is answered {ask}"),
                What::Aborted(shard, ask) => format!("shard {shard} aborts {ask}"),
                What::Record(shard, record) => {
                    format!(
                        "shard {shard} records {} {} {} {:?}",
                        record.call,
                        record.seq,
                        change(&record.change),
                        record.event
                    )
                }
                What::Counted(shard, counter) => format!("shard {shard} counts {counter:?}"),
                What::Act(act) => format!("operator: {act:?}"),
            };
            writeln!(out, "{:>4}.{:03} {line}", time / 1000, time % 1000).expect("a String takes all");
        }
        out
    }

    fn line(&self, wire: usize) -> String {
        let Wire { from, to, tcp, text, .. } = &self.wires[wire];
        let way = if *tcp { ">>" } else { ">" };
        match text {
            Ok(text) => format!(
                "{from} {way} {to} {} | {} | {} | ft {} tt {} | {}",
                text.start.trim_end_matches(" SIP/2.0"),
                text.get("cseq"),
                text.call_id(),
                text.tag_of_from(),
                text.to_tag(),
                text.branch()
            ),
            Err(error) => format!("{from} {way} {to} unreadable: {error}"),
        }
    }
}

fn question(question: &Question) -> String {
    match question {
        Question::Webhook(webhook) => format!("{:?}", webhook.purpose),
        Question::Resolve(wanted) => format!("resolve {}", wanted.host),
    }
}

fn change(change: &Change) -> String {
    match change {
        Change::Admitted { facts, .. } => format!("Admitted {}", facts.sip_call_id),
        Change::Ended(terminal) => format!("{terminal:?}"),
        Change::LegEnded { leg, sip_code } => format!("LegEnded {leg} {sip_code}"),
        Change::Dialled(outcome) => format!("Dialled {:?}", outcome.status),
        Change::Ringing => "Ringing".to_owned(),
        Change::Invited(leg) => format!("Invited {}", leg.leg),
        Change::Answered { .. } => "Answered".to_owned(),
        Change::Leg(event) => format!("Leg {} {:?}", event.leg.leg, event.status),
        Change::Acked => "Acked".to_owned(),
        Change::Recovered => "Recovered".to_owned(),
        Change::Transferred { leg, caller, .. } => format!("Transferred {leg} {caller}"),
        Change::DialogChanged { caller, .. } => format!("DialogChanged {caller}"),
    }
}
