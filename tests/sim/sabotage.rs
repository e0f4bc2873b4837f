//! Each truth fails when somebody breaks what it is about.

use crate::restart;
use crate::tamper::Tamper;
use crate::truths;
use crate::world::{Options, run};

const SABOTAGE: &[(Tamper, &str)] = &[
    (Tamper::Garble, "every message that leaves can be read"),
    (Tamper::LoseFinals, "every INVITE gets one final response"),
    (Tamper::TwoFinals, "every INVITE gets one final response"),
    (Tamper::LateRinging, "nothing provisional follows a final"),
    (Tamper::RefuseTheCanceled, "a CANCEL is obeyed"),
    (Tamper::RefuseTheAnswered, "an answer is not lost"),
    (Tamper::LoseAcks, "every final of a target is acknowledged"),
    (Tamper::LoseByes, "every answered dialog ends"),
    (Tamper::SecondLeg, "a retransmission makes no second leg"),
    (Tamper::EagerCancel, "a CANCEL waits for a provisional"),
    (Tamper::ChangeRepeats, "repeats are equal to the octet"),
    (Tamper::StuckCseq, "CSeq numbers rise within a dialog"),
    (Tamper::ForgetVia, "responses repeat what they must"),
    (Tamper::AnswerAcks, "an ACK is never answered"),
    (Tamper::LoseByeAnswers, "every BYE and CANCEL is answered"),
    (Tamper::NeverRepeat, "the caller hears the end"),
    (Tamper::TouchBodies, "bodies and headers pass"),
    (Tamper::TwoWinners, "one target wins"),
    (Tamper::NoWinner, "one target wins"),
    (Tamper::LoseCancels, "the losers are cancelled"),
    (Tamper::SayNothing, "the losers are cancelled"),
    (Tamper::SkipATarget, "all targets of a Dial ring"),
    (Tamper::LateTarget, "all targets of a Dial ring"),
    (Tamper::AskTwice, "one question per INVITE"),
    (Tamper::RecordGap, "records and events have no gap"),
    (Tamper::EventGap, "records and events have no gap"),
    (Tamper::EndTwice, "each call ends once"),
    (Tamper::LoseLegEnd, "each leg that is told of ends once"),
    (Tamper::LoseAdmission, "questions follow the record"),
    (Tamper::WrongCode, "the journal says what the caller got"),
    (Tamper::LeaveSomething, "quiet means empty"),
    (Tamper::CompactNames, "rsip reads the same"),
    (Tamper::IgnoreEarlyBye, "an early BYE is obeyed"),
    (Tamper::TakeExtensions, "what is not offered is refused"),
    (Tamper::ForgetRoutes, "requests inside a call go the recorded way"),
    (Tamper::RelayTwice, "a request inside a call is relayed once"),
    (Tamper::LoseAnswersInside, "a request inside a call is answered"),
    (Tamper::Panic, "nothing panics"),
    (Tamper::ForgetDrain, "a draining node takes nothing new"),
    (Tamper::ForgetFull, "a full journal takes nothing new"),
    (Tamper::ForgetReload, "the directory of the moment decides"),
    (Tamper::StaleGeneration, "the directory of the moment decides"),
    (Tamper::ForgetHangup, "a hang-up ends the call"),
    (Tamper::WrongRack, "a PRACK names what was sent"),
    (Tamper::ChangeRseq, "RSeq counts on"),
    (Tamper::AnswerTooEarly, "an answer waits for its PRACK"),
    (Tamper::ForgetReliability, "what is required is reliable"),
    (Tamper::ForgetSession, "a session is asked for"),
    (Tamper::BindNobody, "who refreshes is told"),
    (Tamper::TalkForEver, "a quiet call ends"),
    (Tamper::LoseNotify, "a REFER is told its end"),
    (Tamper::PraiseFailures, "a transfer connects"),
    (Tamper::ForgetGoOn, "another document takes over"),
    (Tamper::TextTwice, "a MESSAGE is taken once"),
    (Tamper::TakePracks, "a PRACK that names nothing is refused"),
    (Tamper::OtherOrigin, "an origin goes on"),
    (Tamper::EmptyAcks, "a transfer connects"),
];

/// What only a wide world has.
const WIDE: &[(Tamper, &str)] = &[
    (Tamper::ForgetLegEnds, "one address at a time"),
    (Tamper::TurnAddresses, "addresses are tried in order"),
    (Tamper::AnotherAddress, "the next address is tried"),
    (Tamper::OtherRealm, "credentials stay in their realm"),
    (Tamper::LoseCredentials, "a challenge is answered"),
    (Tamper::WrongDigest, "a right password opens"),
    (Tamper::FollowNone, "Contacts are followed in order"),
    (Tamper::FollowAll, "Contacts are followed in order"),
    (Tamper::TellAll, "identity stays within trust"),
    (Tamper::NameCallers, "a hidden caller stays hidden"),
    (Tamper::ForgetIdentity, "nothing is lost among the trusted"),
    (Tamper::ForgetAnswerer, "nothing is lost among the trusted"),
    (Tamper::ManyTags, "one early dialog"),
    (Tamper::RingFirst, "a redirecting trunk is told where"),
    (Tamper::EqualsApart, "a redirecting trunk is told where"),
];

#[test]
fn every_truth_can_fail() {
    for (name, _) in truths::ALL {
        assert!(
            SABOTAGE.iter().chain(WIDE).chain(restart::SABOTAGE).any(|(_, truth)| truth == name),
            "no sabotage breaks `{name}`"
        );
    }
    let mut blind = Vec::new();
    let usual = SABOTAGE.iter().map(|what| (what, false));
    for ((tamper, name), wide) in usual.chain(WIDE.iter().map(|what| (what, true))) {
        let (_, truth) = truths::ALL.iter().find(|(own, _)| own == name).expect("a truth of this name");
        let options = Options { tamper: Some(*tamper), wide, ..Options::default() };
        if !(0..150).any(|seed| truth(&run(seed, &options)).is_err()) {
            blind.push(format!("{tamper:?} goes unnoticed by `{name}`"));
        }
    }
    assert!(blind.is_empty(), "{}", blind.join("\n"));
}
