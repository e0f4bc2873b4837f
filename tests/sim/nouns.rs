//! What the applications of a wide world dial: names with several addresses, gateways, targets that want
//! a password, and targets that know somebody else.

use std::net::SocketAddr;
use std::sync::Arc;

use callgate::call::instructions::{Credentials, Dial, Noun, NounCallback, Target};
use callgate::routing::model::Follow;

use crate::application::{Application, hook};
use crate::evidence::Dialled;
use crate::people::{GUARDS, GUIDES, MUTE, SICK};
use crate::provision::{GATEWAYS, IN_CONFIDENCE, PASSWORD, REALM, USER};
use crate::world::TARGETS;

impl Application {
    /// One of them.
    pub fn special(&mut self, action: bool) -> Dial {
        let user = format!("d{}", self.dials.len());
        let (noun, dialled) = match self.rng.below(8) {
            0..=2 => self.name(&user),
            3 | 4 => self.number(&user),
            5 | 6 => self.guarded(&user),
            _ => self.guide(&user),
        };
        self.dials.push(Dialled { user, dial: self.count, transfer: self.transfer, ..dialled });
        let mut dial = self.noun(noun);
        dial.action = action.then(|| self.hook("action"));
        dial
    }

    /// A name that DNS knows one to four addresses of, some of them dead.
    fn name(&mut self, user: &str) -> (Noun, Dialled) {
        let mut hops: Vec<u8> = (0..self.rng.between(1, 4))
            .map(|_| match self.rng.below(4) {
                0 => SICK,
                1 => MUTE,
                _ => u8::try_from(self.rng.between(1, u64::from(TARGETS))).expect("a target"),
            })
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        hops.retain(|hop| seen.insert(*hop));
        if self.plain && hops.iter().all(|hop| *hop > TARGETS) {
            hops.push(1);
        }
        let host = format!("w{}.example.net", self.dials.len());
        let hops: Vec<SocketAddr> = hops.into_iter().map(|last| ([203, 0, 113, last], 5060).into()).collect();
        let blank = self.blank();
        let dialled = Dialled { addresses: hops.len(), at_once: false, host: host.clone(), hops, ..blank };
        (sip(format!("sip:{user}@{host}")), dialled)
    }

    /// A number, through one of the groups of gateways.
    fn number(&mut self, user: &str) -> (Noun, Dialled) {
        let among = if self.plain { 3 } else { GATEWAYS.len() as u64 };
        // Half of them through the usual one.
        let at = self.rng.below(2 * among).saturating_sub(among);
        let (last, group) = GATEWAYS[usize::try_from(at).expect("a place")];
        let target = Target::Number(user.into());
        let follow = match group {
            "guide" => Follow::Any,
            "careful guide" => Follow::Known,
            _ => Follow::No,
        };
        let dialled = Dialled {
            addresses: 12,
            // Its gateways may want to be left alone.
            at_once: false,
            host: format!("203.0.113.{last}"),
            trusted: IN_CONFIDENCE.contains(&last),
            number: true,
            credentials: (group == "guarded").then_some(Some(REALM)),
            follow,
            ..self.blank()
        };
        (Noun { target, group: Some(group.into()), ..sip(String::new()) }, dialled)
    }

    /// A target that asks who calls, with the password or without.
    fn guarded(&mut self, user: &str) -> (Noun, Dialled) {
        let last = self.rng.pick(&GUARDS);
        let realm = self.rng.chance(60).then_some(REALM);
        let known = self.plain || self.rng.chance(90);
        let right = self.plain || self.rng.chance(90);
        let credentials = Credentials {
            username: if right { USER } else { "intruder" }.to_owned(),
            password: PASSWORD.to_owned(),
            realm: realm.map(str::to_owned),
        };
        let host = format!("203.0.113.{last}");
        let noun = sip(format!("sip:{user}@{host}:5060"));
        let dialled = Dialled { addresses: 4, host, credentials: known.then_some(realm), ..self.blank() };
        (Noun { credentials: known.then(|| Arc::new(credentials)), ..noun }, dialled)
    }

    /// A target that sends the call elsewhere.
    fn guide(&mut self, user: &str) -> (Noun, Dialled) {
        let host = format!("203.0.113.{}", self.rng.pick(&GUIDES));
        let noun = sip(format!("sip:{user}@{host}:5060"));
        (noun, Dialled { addresses: 12, host, ..self.blank() })
    }

    fn blank(&self) -> Dialled {
        Dialled {
            user: String::new(),
            addresses: 1,
            at_once: true,
            host: String::new(),
            hops: Vec::new(),
            trusted: false,
            number: false,
            credentials: None,
            follow: self.follow,
            dial: 0,
            transfer: false,
        }
    }
}

fn sip(uri: String) -> Noun {
    Noun {
        target: Target::Sip(uri.into()),
        headers: Vec::new(),
        credentials: None,
        group: None,
        callback: Some(Arc::new(NounCallback { hook: hook("leg"), events: 15 })),
    }
}
