//! Sabotage: something between the engine and the world that does one thing wrong, so that each truth
//! is seen to fail.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use callgate::call::record::{Change, Record};
use callgate::call::recover::Recovered;
use callgate::engine::door::{Ask, Counter, Purpose, Question};
use callgate::routing::model::Follow;

use crate::evidence::{Evidence, What};
use crate::operator::Act;
use crate::restart;
use crate::text::Text;
use crate::truths::fork::WHY;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tamper {
    Garble,
    LoseFinals,
    TwoFinals,
    LateRinging,
    RefuseTheCanceled,
    RefuseTheAnswered,
    LoseAcks,
    LoseByes,
    SecondLeg,
    EagerCancel,
    ChangeRepeats,
    StuckCseq,
    ForgetVia,
    AnswerAcks,
    LoseByeAnswers,
    NeverRepeat,
    TouchBodies,
    TwoWinners,
    NoWinner,
    LoseCancels,
    SayNothing,
    SkipATarget,
    LateTarget,
    AskTwice,
    RecordGap,
    EventGap,
    EndTwice,
    LoseAdmission,
    WrongCode,
    LeaveSomething,
    CompactNames,
    IgnoreEarlyBye,
    TakeExtensions,
    ForgetRoutes,
    RelayTwice,
    LoseAnswersInside,
    Panic,
    ForgetDrain,
    ForgetFull,
    ForgetReload,
    StaleGeneration,
    ForgetHangup,
    WrongRack,
    ChangeRseq,
    AnswerTooEarly,
    ForgetReliability,
    ForgetSession,
    BindNobody,
    TalkForEver,
    LoseLegEnd,
    ForgetCalls,
    ForgetEnds,
    ForgetAnswers,
    ForgetLegs,
    LoseNotify,
    PraiseFailures,
    EmptyAcks,
    OtherOrigin,
    ForgetGoOn,
    TextTwice,
    TakePracks,
    ForgetLegEnds,
    TurnAddresses,
    AnotherAddress,
    OtherRealm,
    LoseCredentials,
    WrongDigest,
    FollowNone,
    FollowAll,
    TellAll,
    NameCallers,
    ForgetIdentity,
    ForgetAnswerer,
    ManyTags,
    RingFirst,
    EqualsApart,
}

/// What one sabotage remembers.
pub struct Tampering {
    kind: Option<Tamper>,
    seen: BTreeSet<Vec<u8>>,
    done: u32,
}

impl Tampering {
    pub fn new(kind: Option<Tamper>) -> Self {
        Self { kind, seen: BTreeSet::new(), done: 0 }
    }

    /// What leaves instead of this message.
    pub fn send(&mut self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let Some(kind) = self.kind else { return vec![bytes] };
        let Ok(text) = Text::read(&bytes) else { return vec![bytes] };
        let repeated = !self.seen.insert(bytes.clone());
        let invite = text.cseq().1 == "INVITE";
        let last = text.code().is_some_and(|code| code >= 200);
        let inside = !text.get("x-mark").is_empty();
        let opening = text.method() == "INVITE" && text.to_tag().is_empty();
        let with = |from: &str, to: &str| replace(&bytes, from, to);
        match kind {
            Tamper::Garble => vec![with("\r\nCSeq:", "\r\nCSeq")],
            Tamper::LoseFinals if last && invite => Vec::new(),
            Tamper::TwoFinals if last && invite && repeated => {
                vec![with("\r\nCSeq:", "\r\nX-More: 1\r\nCSeq:")]
            }
            Tamper::LateRinging if last && invite && !repeated => {
                vec![bytes.clone(), with(&text.start, "SIP/2.0 180 Ringing")]
            }
            Tamper::RefuseTheCanceled => vec![with("SIP/2.0 487 ", "SIP/2.0 480 ")],
            Tamper::RefuseTheAnswered if invite => vec![with("SIP/2.0 200 ", "SIP/2.0 480 ")],
            Tamper::LoseAcks if text.method() == "ACK" => Vec::new(),
            Tamper::LoseByes if text.method() == "BYE" => Vec::new(),
            Tamper::SecondLeg if opening && !repeated => {
                let other = format!("{}x", text.branch());
                vec![bytes.clone(), with(text.branch(), &other), with(text.branch(), &format!("{other}x"))]
            }
            Tamper::EagerCancel if opening && !repeated => {
                let cancel = replace(&with("INVITE sip", "CANCEL sip"), " INVITE\r\n", " CANCEL\r\n");
                vec![cancel, bytes.clone()]
            }
            Tamper::ChangeRepeats if text.is_request() && repeated => {
                vec![with("\r\nCSeq:", "\r\nX-More: 1\r\nCSeq:")]
            }
            Tamper::StuckCseq if ["BYE", "INFO", "MESSAGE", "OPTIONS"].contains(&text.method()) => {
                vec![with(&format!("CSeq: {}", text.cseq().0), "CSeq: 0")]
            }
            Tamper::ForgetVia if !text.is_request() => vec![with(
                &format!("Via: {}\r\n", text.get("via")),
                &format!("Via: {};x=1\r\n", text.get("via")),
            )],
            Tamper::AnswerAcks if last && invite => vec![bytes.clone(), with(" INVITE\r\n", " ACK\r\n")],
            Tamper::LoseByeAnswers if last && text.cseq().1 == "BYE" => Vec::new(),
            Tamper::NeverRepeat if last && repeated => Vec::new(),
            Tamper::TwoWinners if text.method() == "BYE" && text.get("reason") == WHY => Vec::new(),
            Tamper::NoWinner if text.method() == "BYE" && text.get("reason").is_empty() => {
                vec![with("\r\nCSeq:", &format!("\r\nReason: {WHY}\r\nCSeq:"))]
            }
            Tamper::LoseCancels if text.method() == "CANCEL" => Vec::new(),
            Tamper::SayNothing if text.method() == "CANCEL" => vec![with(&format!("Reason: {WHY}\r\n"), "")],
            Tamper::SkipATarget if opening && text.uri().contains("1@") => Vec::new(),
            Tamper::LateTarget if opening && text.uri().contains("1@") && !repeated => Vec::new(),
            Tamper::TouchBodies if !text.body.is_empty() => vec![with("v=0", "v=1")],
            // Lawful, but not every reader's.
            Tamper::CompactNames => vec![with("\r\nCall-ID:", "\r\ni:")],
            Tamper::IgnoreEarlyBye if invite => vec![with("SIP/2.0 487 ", "SIP/2.0 480 ")],
            Tamper::TakeExtensions => vec![with("SIP/2.0 420 ", "SIP/2.0 400 ")],
            Tamper::ForgetRoutes if !text.get("route").is_empty() => {
                vec![with(&format!("Route: {}\r\n", text.get("route")), "")]
            }
            Tamper::RelayTwice if inside && text.is_request() && !repeated => {
                vec![bytes.clone(), with(text.branch(), &format!("{}x", text.branch()))]
            }
            Tamper::LoseAnswersInside if last && ["INFO", "MESSAGE"].contains(&&*text.cseq().1) => Vec::new(),
            Tamper::WrongRack if text.method() == "PRACK" => vec![with("RAck: ", "RAck: 9")],
            Tamper::ChangeRseq if repeated => vec![with("RSeq: ", "RSeq: 1")],
            Tamper::AnswerTooEarly if !text.get("rseq").is_empty() && !text.body.is_empty() && !repeated => {
                vec![bytes.clone(), with(&text.start, "SIP/2.0 200 OK")]
            }
            Tamper::ForgetReliability if !last => vec![with("Require: 100rel\r\n", "")],
            Tamper::ForgetSession if opening => vec![with("Session-Expires:", "X-Session:")],
            Tamper::BindNobody if last => vec![with("Require: timer\r\n", "")],
            Tamper::LoseNotify if text.get("subscription-state").starts_with("terminated") => Vec::new(),
            Tamper::PraiseFailures if text.get("subscription-state").starts_with("terminated") => {
                let told = String::from_utf8_lossy(&text.body[..11]).into_owned();
                vec![with(&told, "SIP/2.0 200")]
            }
            Tamper::TakePracks if text.cseq().1 == "PRACK" => vec![with("SIP/2.0 481 ", "SIP/2.0 200 ")],
            Tamper::OtherOrigin if text.method() == "INVITE" && !opening => vec![with("\no=-", "\no=x")],
            Tamper::EmptyAcks if text.method() == "ACK" => vec![without_body(&bytes)],
            Tamper::OtherRealm if text.is_request() => vec![with("realm=\"", "realm=\"x")],
            Tamper::LoseCredentials if text.is_request() && bytes.windows(7).any(|w| w == b"Digest ") => {
                Vec::new()
            }
            Tamper::WrongDigest => vec![with("response=\"", "response=\"0")],
            Tamper::TellAll if opening => {
                vec![with("\r\nCSeq:", "\r\nP-Asserted-Identity: <sip:t61@h>\r\nCSeq:")]
            }
            Tamper::NameCallers if opening => {
                let named: String = (6000..6006).map(|port| format!("\r\nX-Who: 1201555{port}")).collect();
                vec![with("\r\nCSeq:", &format!("{named}\r\nCSeq:"))]
            }
            Tamper::ForgetIdentity if opening => vec![with("\r\nP-Asserted-Identity:", "\r\nX-Asserted:")],
            Tamper::ForgetAnswerer if last => vec![with("\r\nP-Asserted-Identity:", "\r\nX-Asserted:")],
            Tamper::ManyTags if text.code() == Some(180) => {
                vec![with(text.to_tag(), &format!("{}x", text.to_tag()))]
            }
            Tamper::RingFirst if text.code() == Some(302) && !repeated => {
                vec![with(&text.start, "SIP/2.0 180 Ringing"), bytes.clone()]
            }
            Tamper::EqualsApart if text.code() == Some(302) => vec![with("q=1.0", "q=0.1")],
            _ => vec![bytes.clone()],
        }
    }

    /// Whether the engine hears of what an operator does.
    pub fn lets(&self, act: Act) -> bool {
        !matches!(
            (self.kind, act),
            (Some(Tamper::ForgetDrain), Act::Drain(true))
                | (Some(Tamper::ForgetFull), Act::JournalFull(true))
                | (Some(Tamper::ForgetReload), Act::Directory { number: false, .. })
                | (Some(Tamper::ForgetHangup), Act::Hangup(_))
                | (Some(Tamper::ForgetGoOn), Act::GoOn(_))
        )
    }

    /// What a start finds of a call by its records.
    pub fn recovered(&self, records: Vec<Record>) -> Option<Recovered> {
        restart::found(records, self.kind)
    }

    /// What is asked instead.
    pub fn ask(&mut self, ask: Ask) -> Vec<Ask> {
        let purpose = match &ask.question {
            Question::Webhook(question) => Some(&question.purpose),
            Question::Resolve(_) => None,
        };
        let twice = match self.kind {
            Some(Tamper::AskTwice) => purpose == Some(&Purpose::Voice),
            Some(Tamper::TextTwice) => matches!(purpose, Some(Purpose::Message(..))),
            _ => false,
        };
        if twice { vec![ask.clone(), ask] } else { vec![ask] }
    }

    /// What is written instead.
    pub fn record(&mut self, mut record: Record) -> Vec<Record> {
        let ended = matches!(record.change, Change::Ended(_));
        match self.kind {
            Some(Tamper::RecordGap) if ended => record.seq += 1,
            Some(Tamper::EventGap) if ended => {
                record.event = record.event.map(|mut event| {
                    event.sequence += 1;
                    event
                })
            }
            Some(Tamper::TalkForEver) if ended => record.at += Duration::from_secs(3_600),
            Some(Tamper::EndTwice) if ended => return vec![record.clone(), record],
            Some(Tamper::LoseAdmission) if matches!(record.change, Change::Admitted { .. }) => {
                return Vec::new();
            }
            Some(Tamper::WrongCode) => {
                if let Change::Ended(terminal) = &mut record.change {
                    terminal.sip_code += 7;
                }
            }
            Some(Tamper::LoseLegEnd) => {
                if matches!(&record.change, Change::Leg(event) if event.status.is_terminal()) {
                    return Vec::new();
                }
            }
            Some(Tamper::ForgetLegEnds) if matches!(record.change, Change::LegEnded { .. }) => {
                return Vec::new();
            }
            Some(Tamper::StaleGeneration) => {
                if let Change::Admitted { facts, .. } = &mut record.change {
                    Arc::make_mut(facts).generation += 1;
                }
            }
            _ => {}
        }
        vec![record]
    }

    /// What is found when all is quiet.
    pub fn at_the_end(&mut self, evidence: &mut Evidence) {
        self.done += 1;
        if self.kind == Some(Tamper::LeaveSomething) {
            evidence.footprints[0].timers += 1;
        }
        for dialled in &mut evidence.dials {
            match self.kind {
                Some(Tamper::TurnAddresses) => dialled.hops.reverse(),
                Some(Tamper::AnotherAddress) if !dialled.hops.is_empty() => {
                    dialled.hops.push(([203, 0, 113, 99], 5060).into());
                }
                Some(Tamper::FollowNone) => dialled.follow = Follow::No,
                Some(Tamper::FollowAll) => dialled.follow = Follow::Any,
                _ => {}
            }
        }
        if self.kind == Some(Tamper::Panic) {
            evidence.note(What::Counted(0, Counter::Panic));
        }
    }
}

fn without_body(bytes: &[u8]) -> Vec<u8> {
    let whole = String::from_utf8_lossy(bytes);
    let (head, body) = whole.split_once("\r\n\r\n").unwrap_or((&whole, ""));
    let length = format!("Content-Length: {}", body.len());
    format!("{}\r\n\r\n", head.replacen(&length, "Content-Length: 0", 1)).into_bytes()
}

fn replace(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8_lossy(bytes).replacen(from, to, 1).into_bytes()
}
