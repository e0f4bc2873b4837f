//! The truths about targets that say where else a call may go (RFC 3261 8.1.3.4).

use std::cmp::Reverse;
use std::collections::VecDeque;

use callgate::routing::model::Follow;

use super::heard;
use super::hops::{Try, tries};
use crate::evidence::{Dialled, Evidence};
use crate::phone::bare;
use crate::text::Text;

/// Redirections behind one another, and addresses of one noun.
const DEEPEST: u8 = 5;
const MOST: usize = 10;

/// An address without the headers it would have us write.
fn address(uri: &str) -> &str {
    uri.split('?').next().unwrap_or(uri)
}

fn host(uri: &str) -> &str {
    let place = uri.split('@').nth(1).unwrap_or_default();
    place.split([':', ';', '?']).next().unwrap_or_default()
}

/// What the router may do about one noun, by what it heard.
struct Way<'e> {
    dialled: &'e Dialled,
    /// Addresses it knows, each with the redirections that led there.
    known: Vec<(String, u8)>,
    /// Those it has not tried, best first.
    open: VecDeque<String>,
}

impl Way<'_> {
    /// Takes in the Contacts of a 3xx to an INVITE with this Request-URI. True: it is to be followed.
    fn told(&mut self, invited: &str, answer: &Text) -> bool {
        let depth = self.known.iter().find(|(uri, _)| uri == invited).map_or(0, |(_, depth)| *depth);
        if self.dialled.follow == Follow::No || depth >= DEEPEST {
            return false;
        }
        let mut contacts: Vec<&str> = answer.all("contact").collect();
        contacts.sort_by_key(|contact| Reverse(preference(contact)));
        let mut found = Vec::new();
        for uri in contacts.iter().map(|contact| bare(contact)) {
            let near = host(uri) == host(invited) || host(uri) == "203.0.113.61";
            let may = self.dialled.follow == Follow::Any || near;
            let sip = uri.starts_with("sip:") && !uri.contains(";method=BYE");
            let new = !self.known.iter().any(|(known, _)| known == address(uri));
            if may && sip && new && self.known.len() < MOST {
                self.known.push((address(uri).to_owned(), depth + 1));
                found.push(address(uri).to_owned());
            }
        }
        for uri in found.iter().rev() {
            self.open.push_front(uri.clone());
        }
        !found.is_empty()
    }
}

fn preference(contact: &str) -> u32 {
    let q = contact.split(";q=").nth(1).and_then(|q| q.parse::<f64>().ok()).unwrap_or(1.0);
    // Three digits, as the grammar has it.
    (q * 1000.0).round() as u32
}

/// Contacts are followed where that is allowed: by q, one after the other, none twice, at once; and nowhere
/// else is anybody invited.
pub fn contacts_are_followed_in_order(e: &Evidence) -> Result<(), String> {
    let tries = tries(e);
    let mut answers: Vec<(usize, &Text)> = heard(e)
        .filter(|(_, _, code)| (300..=302).contains(code))
        .filter_map(|(wire, text, _)| Some((wire.first_delivery()?, text)))
        .collect();
    answers.sort_by_key(|(place, _)| *place);
    for dialled in e.dials.iter().filter(|dialled| !dialled.number || dialled.follow != Follow::No) {
        let Some(tries) = tries.get(&*dialled.user) else { continue };
        let mut way = Way { dialled, known: vec![(tries[0].uri.clone(), 0)], open: VecDeque::new() };
        check(e, &mut way, tries, &answers)?;
    }
    Ok(())
}

fn check(e: &Evidence, way: &mut Way<'_>, tries: &[Try], answers: &[(usize, &Text)]) -> Result<(), String> {
    let user = &way.dialled.user;
    for (count, tried) in tries.iter().enumerate() {
        let here = count.checked_sub(1).is_some_and(|before| tries[before].uri == tried.uri);
        if count > 0 && !here && way.open.pop_front().as_deref() != Some(&*tried.uri) {
            return Err(format!("{user} was invited at {} where it was not sent", tried.uri));
        }
        let answer = answers.iter().find(|(_, text)| text.branch() == tried.branch);
        let Some((place, answer)) = answer else { continue };
        if tried.ended.is_some_and(|(ended, ..)| ended < *place) || !way.told(&tried.uri, answer) {
            continue;
        }
        let next = tries.get(count + 1).filter(|next| next.at == e.log[*place].0);
        if next.is_none() {
            return Err(format!("{user} was sent on from {} and went nowhere", tried.uri));
        }
    }
    Ok(())
}
