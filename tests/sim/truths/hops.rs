//! The truths about targets with several addresses (RFC 3263 4.3): in which order they are tried, one at
//! a time, and that a living one is not left out.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use callgate::call::record::Change;
use callgate::flow::Transport;
use callgate::ids::CallSid;

use super::{branch_of, heard};
use crate::evidence::{Dialled, Evidence, What};

const SECOND: u64 = 1_000_000_000;
/// A target that says nothing is left after this.
const FIRST_RESPONSE: u64 = 3 * SECOND;
/// How long a dead target is tried last, and how long its silence may have lasted before.
const DEAD: u64 = 30 * SECOND;
const SILENCE: u64 = 33 * SECOND;

/// One INVITE of a noun, as the journal saw it. Moments are places in the log.
pub struct Try {
    pub leg: CallSid,
    pub branch: String,
    pub uri: String,
    pub to: SocketAddr,
    tcp: bool,
    pub at: u64,
    pub place: usize,
    /// The same leg was invited before.
    pub again: bool,
    /// Where and when the leg ended, and its code.
    pub ended: Option<(usize, u64, u16)>,
}

/// The tries of each noun that is no transfer's, in order.
pub fn tries(e: &Evidence) -> BTreeMap<&str, Vec<Try>> {
    tries_of(e, |dialled| !dialled.transfer)
}

fn tries_of(e: &Evidence, wanted: impl Fn(&Dialled) -> bool) -> BTreeMap<&str, Vec<Try>> {
    let mut all: BTreeMap<&str, Vec<Try>> = BTreeMap::new();
    for (place, (at, what)) in e.log.iter().enumerate() {
        let What::Record(_, record) = what else { continue };
        match &record.change {
            Change::Invited(leg) => {
                let uri = String::from_utf8_lossy(&leg.request_uri).into_owned();
                let Some(dialled) = e.dialled(&uri).filter(|dialled| wanted(dialled)) else { continue };
                let branch = branch_of(&leg.headers);
                let tcp = leg.flow.transport == Transport::Tcp;
                let (to, again, at, leg) = (leg.flow.peer, leg.again, *at, leg.leg);
                let tried = Try { leg, branch, uri, to, tcp, at, place, again, ended: None };
                all.entry(&dialled.user).or_default().push(tried);
            }
            Change::LegEnded { leg, sip_code } => {
                for tried in all.values_mut().flatten().filter(|tried| tried.leg == *leg) {
                    tried.ended = Some((place, *at, *sip_code));
                }
            }
            _ => {}
        }
    }
    all
}

/// What was heard of an INVITE: place in the log, moment, code.
pub type Word = (usize, u64, u16);

/// What the router heard of its INVITEs, by branch, in order; each response once.
pub fn words(e: &Evidence) -> BTreeMap<&str, Vec<Word>> {
    let mut words: BTreeMap<&str, Vec<Word>> = BTreeMap::new();
    for (wire, text, code) in heard(e) {
        if let Some(place) = wire.first_delivery() {
            words.entry(text.branch()).or_default().push((place, e.log[place].0, code));
        }
    }
    words.values_mut().for_each(|words| words.sort_unstable());
    words
}

/// An INVITE goes to one address however often it is repeated, and a noun's next leg begins when the one
/// before it is over.
pub fn one_address_at_a_time(e: &Evidence) -> Result<(), String> {
    let mut ways = BTreeMap::new();
    for (wire, text) in e.out().filter(|(_, text)| text.method() == "INVITE" && text.to_tag().is_empty()) {
        let way = *ways.entry(text.branch()).or_insert((wire.to, wire.tcp));
        if way != (wire.to, wire.tcp) {
            return Err(format!("the INVITE {} went to {} and to {}", text.branch(), way.0, wire.to));
        }
    }
    for (user, tries) in tries(e) {
        for two in tries.windows(2).filter(|two| two[0].leg != two[1].leg) {
            if two[0].ended.is_none_or(|(ended, ..)| ended > two[1].place) {
                return Err(format!("{user} was invited at {} while {} rang", two[1].to, two[0].to));
            }
        }
    }
    Ok(())
}

/// What the router may and must have known of an address at a moment.
struct Known<'e> {
    tries: Vec<&'e Try>,
    words: &'e BTreeMap<&'e str, Vec<Word>>,
}

impl Known<'_> {
    fn heard_before(&self, tried: &Try, at: u64) -> impl Iterator<Item = &Word> {
        self.words.get(&*tried.branch).into_iter().flatten().filter(move |(_, when, _)| *when <= at)
    }

    /// Some INVITE to it failed, or said nothing in time, not too long ago.
    fn may_be_dead(&self, to: SocketAddr, at: u64) -> bool {
        let near = |tried: &&&Try| tried.to == to && tried.at <= at && at < tried.at + DEAD + SILENCE + DEAD;
        self.tries.iter().filter(near).any(|tried| {
            let refused = self.heard_before(tried, at).any(|(_, _, code)| *code == 503);
            let early = self.heard_before(tried, at).any(|(_, when, _)| *when < tried.at + FIRST_RESPONSE);
            refused || !early
        })
    }

    /// It answered 503 to an INVITE that somebody waited for, and has said nothing since.
    fn is_dead(&self, to: SocketAddr, at: u64) -> bool {
        // A target is a transport, too (RFC 3263 4.1).
        let datagrams = self.tries.iter().filter(|tried| tried.to == to && !tried.tcp && tried.at <= at);
        let refusals = datagrams.filter_map(|tried| {
            let refused = self.heard_before(tried, at).find(|(_, _, code)| *code == 503)?;
            let waited = tried.ended.is_some_and(|(_, ended, _)| ended == refused.1);
            // What comes at the very moment may come behind the choice.
            (waited && refused.1 < at && at < refused.1 + DEAD).then_some(*refused)
        });
        let Some(last) = refusals.max() else { return false };
        let of = self.tries.iter().filter(|tried| tried.to == to);
        !of.flat_map(|tried| self.heard_before(tried, at))
            .any(|(place, _, code)| *place > last.0 && *code != 503)
    }
}

/// The addresses of a name are tried in the order of DNS, but for those that were dead a moment ago: they
/// come last. None is tried twice.
pub fn addresses_are_tried_in_order(e: &Evidence) -> Result<(), String> {
    let (all, words) = (tries(e), words(e));
    // A transfer's targets live and die like others.
    let every = tries_of(e, |_| true);
    let known = Known { tries: every.values().flatten().collect(), words: &words };
    let place = |dialled: &Dialled, to: SocketAddr| dialled.hops.iter().position(|hop| *hop == to);
    for dialled in e.dials.iter().filter(|dialled| !dialled.hops.is_empty()) {
        let Some(tries) = all.get(&*dialled.user) else { continue };
        let at = tries[0].at;
        let mut visited: Vec<SocketAddr> = Vec::new();
        for tried in tries.iter().filter(|tried| tried.uri.ends_with("example.net")) {
            if visited.last() == Some(&tried.to) && tried.again {
                continue;
            }
            if visited.contains(&tried.to) || place(dialled, tried.to).is_none() {
                return Err(format!(
                    "{} at {}: it was tried before, or leads nowhere",
                    dialled.user, tried.to
                ));
            }
            visited.push(tried.to);
        }
        for two in visited.windows(2) {
            let falls = place(dialled, two[0]) > place(dialled, two[1]);
            if falls && !known.may_be_dead(two[1], at) {
                return Err(format!("{} went to {visited:?} where {:?} are", dialled.user, dialled.hops));
            }
        }
        let alone = e.footprints.len() == 1;
        let living = dialled.hops.iter().any(|hop| !known.may_be_dead(*hop, at));
        if alone && living && visited.first().is_some_and(|first| known.is_dead(*first, at)) {
            return Err(format!("{} went to {} first, which was dead", dialled.user, visited[0]));
        }
    }
    Ok(())
}

/// Whether legs of the call that began at different moments ended at the one of this place in the log: its
/// Dial was over.
fn dial_ends(e: &Evidence, place: usize) -> bool {
    let (at, What::Record(_, ended)) = &e.log[place] else { return false };
    let (mut begun, mut ends) = (BTreeMap::new(), BTreeSet::new());
    for (when, what) in &e.log {
        let What::Record(_, record) = what else { continue };
        match &record.change {
            Change::Invited(invited) => drop(begun.insert(invited.leg, *when)),
            Change::LegEnded { leg, .. } if record.call == ended.call && when == at => {
                ends.insert(begun.get(leg).copied());
            }
            _ => {}
        }
    }
    ends.len() > 1
}

/// Who answers 503, or nothing in time, is left for the next address at once, as long as nobody rang.
pub fn the_next_address_is_tried(e: &Evidence) -> Result<(), String> {
    let (all, words) = (tries(e), words(e));
    for dialled in e.dials.iter().filter(|dialled| !dialled.hops.is_empty()) {
        let tries = all.get(&*dialled.user).map_or(&[][..], Vec::as_slice);
        for (count, tried) in tries.iter().enumerate() {
            let Some((place, ended, _)) = tried.ended.filter(|_| !tried.again) else { continue };
            let of = words.get(&*tried.branch).map_or(&[][..], Vec::as_slice);
            let rang = of.iter().any(|(_, at, code)| (101..200).contains(code) && *at <= ended);
            let refused = of.iter().any(|(_, at, code)| *code == 503 && *at == ended);
            let silent = ended == tried.at + FIRST_RESPONSE && of.iter().all(|(_, at, _)| *at > ended);
            // The Dial's time was over at that very moment, for those that began later, too.
            let silent = silent && !dial_ends(e, place);
            let tried_all = tries.iter().map(|tried| tried.to).collect::<BTreeSet<_>>();
            let more = dialled.hops.iter().any(|hop| !tried_all.contains(hop));
            let goes_on = tries.get(count + 1).is_some_and(|next| next.at == ended);
            if (refused || silent) && !rang && more && !goes_on {
                return Err(format!("{} failed at {} and was tried nowhere else", dialled.user, tried.to));
            }
        }
    }
    Ok(())
}
