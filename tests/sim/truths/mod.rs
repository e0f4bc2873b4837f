//! What holds in every world, whatever is lost, late or twice. Each truth is one function; each has a
//! sabotage in `tamper` that proves it can fail.
//!
//! `invites`: INVITEs and their ends. `dialogs`: inside a call. `messages`: each message by itself.
//! `fork`: targets that ring
//! together. `reliable`: 18x and PRACK. `transfers`: REFER. `texts`: MESSAGE. `sessions`: timers, and calls
//! that fell silent. `journal`: records, events and questions. `operators`: what is done from outside.
//! `restarts`: after `kill -9`. `hops`: targets with several addresses. `credentials`: digest. `redirects`: a
//! target's 3xx. `trunks`: what each kind of trunk is told.

mod credentials;
mod dialogs;
pub mod fork;
mod hops;
mod invites;
mod journal;
mod messages;
mod operators;
mod redirects;
mod reliable;
mod restarts;
mod sessions;
mod texts;
mod transfers;
mod trunks;

use std::collections::BTreeMap;

use crate::evidence::{Evidence, Wire};
use crate::text::Text;

pub type Truth = fn(&Evidence) -> Result<(), String>;

/// All truths, by name.
pub const ALL: &[(&str, Truth)] = &[
    ("every message that leaves can be read", messages::every_message_can_be_read),
    ("rsip reads the same", messages::rsip_reads_the_same),
    ("repeats are equal to the octet", messages::repeats_are_equal),
    ("CSeq numbers rise within a dialog", messages::cseq_rises),
    ("responses repeat what they must", messages::responses_repeat_what_they_must),
    ("an ACK is never answered", messages::an_ack_is_never_answered),
    ("every BYE and CANCEL is answered", messages::every_bye_and_cancel_is_answered),
    ("every INVITE gets one final response", invites::every_invite_gets_one_final),
    ("nothing provisional follows a final", invites::nothing_provisional_follows_a_final),
    ("a CANCEL is obeyed", invites::a_cancel_is_obeyed),
    ("an early BYE is obeyed", invites::an_early_bye_is_obeyed),
    ("an answer is not lost", invites::an_answer_is_not_lost),
    ("every final of a target is acknowledged", invites::every_final_is_acknowledged),
    ("a retransmission makes no second leg", invites::no_second_leg),
    ("a CANCEL waits for a provisional", invites::a_cancel_waits_for_a_provisional),
    ("the caller hears the end", invites::the_caller_hears_the_end),
    ("what is not offered is refused", invites::what_is_not_offered_is_refused),
    ("every answered dialog ends", dialogs::every_answered_dialog_ends),
    ("requests inside a call go the recorded way", dialogs::requests_go_the_recorded_way),
    ("a request inside a call is relayed once", dialogs::a_request_is_relayed_once),
    ("a request inside a call is answered", dialogs::a_request_is_answered),
    ("a PRACK names what was sent", reliable::a_prack_names_what_was_sent),
    ("RSeq counts on", reliable::rseq_counts_on),
    ("an answer waits for its PRACK", reliable::an_answer_waits_for_its_prack),
    ("what is required is reliable", reliable::what_is_required_is_reliable),
    ("a session is asked for", sessions::a_session_is_asked_for),
    ("who refreshes is told", sessions::who_refreshes_is_told),
    ("a quiet call ends", sessions::a_quiet_call_ends),
    ("a PRACK that names nothing is refused", reliable::a_wrong_prack_is_refused),
    ("a MESSAGE is taken once", texts::a_message_is_taken_once),
    ("another document takes over", operators::another_document_takes_over),
    ("a REFER is told its end", transfers::a_refer_is_told_its_end),
    ("a transfer connects", transfers::a_transfer_connects),
    ("an origin goes on", transfers::an_origin_goes_on),
    ("one target wins", fork::one_target_wins),
    ("the losers are cancelled", fork::losers_are_cancelled),
    ("all targets of a Dial ring", fork::all_targets_ring),
    ("bodies and headers pass", journal::bodies_and_headers_pass),
    ("one question per INVITE", journal::one_question_per_invite),
    ("records and events have no gap", journal::no_gaps),
    ("each call ends once", journal::each_call_ends_once),
    ("each leg that is told of ends once", journal::each_leg_ends_once),
    ("questions follow the record", journal::questions_follow_the_record),
    ("the journal says what the caller got", journal::the_journal_says_what_the_caller_got),
    ("nothing panics", journal::nothing_panics),
    ("quiet means empty", journal::quiet_means_empty),
    ("a draining node takes nothing new", operators::draining_takes_nothing_new),
    ("a full journal takes nothing new", operators::a_full_journal_takes_nothing_new),
    ("the directory of the moment decides", operators::the_directory_of_the_moment_decides),
    ("a hang-up ends the call", operators::a_hangup_ends_the_call),
    ("an answered call goes on after a kill", restarts::an_answered_call_goes_on),
    ("a call that was not answered ends at the start", restarts::an_unanswered_call_ends),
    ("whoever rang is cancelled after a kill", restarts::whoever_rang_is_cancelled),
    ("a call that goes on ends on both sides", restarts::both_sides_end),
    ("one address at a time", hops::one_address_at_a_time),
    ("addresses are tried in order", hops::addresses_are_tried_in_order),
    ("the next address is tried", hops::the_next_address_is_tried),
    ("credentials stay in their realm", credentials::credentials_stay_in_their_realm),
    ("a challenge is answered", credentials::a_challenge_is_answered),
    ("a right password opens", credentials::a_right_password_opens),
    ("Contacts are followed in order", redirects::contacts_are_followed_in_order),
    ("identity stays within trust", trunks::identity_stays_within_trust),
    ("a hidden caller stays hidden", trunks::a_hidden_caller_stays_hidden),
    ("nothing is lost among the trusted", trunks::nothing_is_lost_among_the_trusted),
    ("one early dialog", trunks::one_early_dialog),
    ("a redirecting trunk is told where", trunks::a_redirecting_trunk_is_told_where),
];

/// What holds even where messages are damaged on their way.
pub const DIRTY: &[&str] = &[
    "nothing panics",
    "quiet means empty",
    "each call ends once",
    "each leg that is told of ends once",
    "records and events have no gap",
    "questions follow the record",
];

/// The truths that do not hold, each with what is wrong; `names`: those that are asked for.
pub fn broken(evidence: &Evidence, names: Option<&[&str]>) -> Vec<(&'static str, String)> {
    ALL.iter()
        .filter(|(name, _)| names.is_none_or(|names| names.contains(name)))
        .filter_map(|(name, truth)| truth(evidence).err().map(|why| (*name, why)))
        .collect()
}

/// One transaction toward the router: its request and the responses that left.
pub struct Served<'e> {
    pub request: &'e Text,
    pub arrived: usize,
    pub responses: Vec<(&'e Wire, &'e Text, u16)>,
}

impl<'e> Served<'e> {
    pub fn finals(&self) -> impl Iterator<Item = &(&'e Wire, &'e Text, u16)> {
        self.responses.iter().filter(|(_, _, code)| *code >= 200)
    }

    /// Whether it is outside dialogs.
    pub fn opens(&self) -> bool {
        self.request.to_tag().is_empty()
    }
}

/// The transactions of this method that others began toward the router.
pub fn served<'e>(e: &'e Evidence, method: &str) -> Vec<Served<'e>> {
    let mut by_key: BTreeMap<_, Served<'e>> = BTreeMap::new();
    for (wire, text) in e.toward_router().filter(|(_, text)| text.method() == method) {
        let arrived = wire.first_delivery().expect("it arrived");
        by_key
            .entry((wire.from, text.branch()))
            .and_modify(|served| served.arrived = served.arrived.min(arrived))
            .or_insert(Served { request: text, arrived, responses: Vec::new() });
    }
    for (wire, text) in e.out() {
        if let (Some(code), Some(served)) = (text.code(), by_key.get_mut(&(wire.to, text.branch())))
            && text.cseq().1 == method
        {
            served.responses.push((wire, text, code));
        }
    }
    by_key.into_values().collect()
}

/// The responses to INVITEs of the router that reached it, but for those that come minutes late, or
/// behind Timer B, when nobody waits any more.
fn heard(e: &Evidence) -> impl Iterator<Item = (&Wire, &Text, u16)> {
    e.toward_router()
        .filter_map(|(wire, text)| Some((wire, text, text.code()?)))
        .filter(|(_, text, _)| text.cseq().1 == "INVITE" && text.get("x-late").is_empty())
        .filter(|(_, text, _)| !e.given_up.contains(text.branch()))
}

/// The branch of the topmost Via among the headers of a leg that the journal keeps.
fn branch_of(headers: &[u8]) -> String {
    let headers = String::from_utf8_lossy(headers);
    let rest = headers.split("branch=").nth(1).unwrap_or_default();
    rest.split([';', '\r', ',']).next().unwrap_or_default().to_owned()
}

/// The INVITE of the router with this branch: its first sending.
fn invite_of<'e>(e: &'e Evidence, branch: &str) -> Option<(&'e Wire, &'e Text)> {
    e.out().find(|(_, text)| text.method() == "INVITE" && text.branch() == branch)
}
