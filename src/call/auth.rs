//! Credentials toward a target: which of its challenges are answered, and with which requests the
//! answers go (RFC 3261 22).

use std::sync::Arc;

use crate::call::desk::Desk;
use crate::call::digest::Challenge;
use crate::call::instructions::Credentials;
use crate::call::state::{Call, LegState, Side};
use crate::sip::{Message, Method, Name, Writer, unfold};

/// Times one INVITE leaves again for a challenge: a proxy's and the target's own, and a nonce that
/// ran out meanwhile.
const MOST_TRIES: u8 = 3;

/// What a leg has been asked for. `Debug` shows no password, as [`Credentials`] does not.
#[derive(Clone, Debug)]
pub(super) struct Auth {
    credentials: Arc<Credentials>,
    known: Vec<Known>,
    tries: u8,
    /// The lines that the INVITE had last: its ACK has the same.
    invite: Vec<u8>,
}

/// A challenge that is answered with every request from now on.
#[derive(Clone, Debug)]
struct Known {
    /// Proxy-Authenticate.
    proxy: bool,
    challenge: Challenge,
    count: u32,
}

impl Auth {
    /// Nothing was asked for yet.
    pub const fn new(credentials: Arc<Credentials>) -> Self {
        Self { credentials, known: Vec::new(), tries: 0, invite: Vec::new() }
    }

    /// Takes in the challenge of a 401 or 407. False: there is none that may be answered, or it is
    /// the same again, which says that the password is wrong. `fresh`: the request went without an
    /// answer to it, or with one to a nonce that was used for others before.
    fn take(&mut self, response: &Message<'_>, fresh: bool) -> bool {
        let proxy = response.code() == Some(407);
        let name = if proxy { Name::ProxyAuthenticate } else { Name::WwwAuthenticate };
        let offered = response.all(name).filter_map(|header| Challenge::read(&unfold(header.value)));
        let best = offered.filter(|offer| self.may_answer(offer)).max_by_key(|offer| offer.algorithm);
        let Some(challenge) = best else { return false };
        let same = |known: &&mut Known| known.proxy == proxy && known.challenge.realm == challenge.realm;
        match self.known.iter_mut().find(same) {
            Some(known) if !(challenge.stale || fresh) || known.challenge.nonce == challenge.nonce => false,
            Some(known) => {
                *known = Known { proxy, challenge, count: 0 };
                true
            }
            None => {
                self.known.push(Known { proxy, challenge, count: 0 });
                true
            }
        }
    }

    /// Credentials are for one realm: the one they name, else the first that the target named.
    fn may_answer(&self, challenge: &Challenge) -> bool {
        match &self.credentials.realm {
            Some(realm) => realm.as_bytes() == &*challenge.realm,
            None => self.known.first().is_none_or(|known| known.challenge.realm == challenge.realm),
        }
    }

    fn lines(&mut self, method: Method<'_>, uri: &[u8], mut cnonce: impl FnMut() -> u64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::append(&mut out);
        for known in &mut self.known {
            known.count += 1;
            writer.begin(if known.proxy { Name::ProxyAuthorization } else { Name::Authorization });
            let request = (method.as_bytes(), uri);
            known.challenge.answer(&mut writer, &self.credentials, request, known.count, cnonce());
            writer.end();
        }
        out
    }
}

impl Call {
    /// A target wants to know who calls: the same INVITE once more on the same leg, with the next
    /// number (22.2). False: it is not told, or was told already.
    pub(super) fn authenticate(&mut self, desk: &mut Desk, leg: usize, response: &Message<'_>) -> bool {
        let again = self.may_invite() && self.may_authenticate(leg, response);
        if again {
            self.invite_again(desk, leg);
        }
        again
    }

    /// Takes in the challenge to the INVITE of a leg. True: it may leave once more.
    fn may_authenticate(&mut self, leg: usize, response: &Message<'_>) -> bool {
        let of = &mut self.legs[leg];
        let Some(auth) = of.auth.as_mut().filter(|_| of.state == LegState::Ringing) else { return false };
        if auth.tries >= MOST_TRIES || !auth.take(response, false) {
            return false;
        }
        auth.tries += 1;
        true
    }

    /// The number of an INVITE that leaves again: above all that was said in its early dialogs, as they
    /// share Call-ID and From tag with it.
    pub(super) fn next_invite_cseq(&self, leg: usize) -> u32 {
        let said = self.pairs.iter().filter(|pair| pair.leg == leg).map(|pair| pair.b.local_cseq);
        said.fold(self.legs[leg].cseq, u32::max) + 1
    }

    /// The credentials of the INVITE of a leg, as header lines.
    pub(super) fn invite_credentials(&mut self, desk: &mut Desk, leg: usize) -> Vec<u8> {
        let of = &mut self.legs[leg];
        let Some(auth) = of.auth.as_mut() else { return Vec::new() };
        auth.invite = auth.lines(Method::Invite, &of.request_uri, || desk.generator.next_u64());
        auth.invite.clone()
    }

    /// The credentials of a request inside a dialog, as header lines.
    pub(super) fn dialog_credentials(
        &mut self,
        desk: &mut Desk,
        (pair, side): (usize, Side),
        method: Method<'_>,
    ) -> Vec<u8> {
        let Some(leg) = self.pairs[pair].leg_at(side) else { return Vec::new() };
        let uri = self.pairs[pair].dialog(side).target.clone();
        self.leg_credentials(desk, leg, &uri, method)
    }

    /// The same for a dialog of this leg with this target: what the target was told is told again, and
    /// an ACK has what its INVITE had (22.1).
    pub(super) fn leg_credentials(
        &mut self,
        desk: &mut Desk,
        leg: usize,
        uri: &[u8],
        method: Method<'_>,
    ) -> Vec<u8> {
        let Some(auth) = self.legs[leg].auth.as_mut() else { return Vec::new() };
        match method {
            Method::Ack | Method::Cancel => auth.invite.clone(),
            _ => {
                let lines = auth.lines(method, uri, || desk.generator.next_u64());
                if method == Method::Invite {
                    auth.invite.clone_from(&lines);
                }
                lines
            }
        }
    }

    /// Takes in the challenge to a request inside a dialog. True: it is to be sent once more.
    pub(super) fn challenged(&mut self, pair: usize, side: Side, response: &Message<'_>) -> bool {
        let leg = self.pairs[pair].leg_at(side);
        leg.is_some_and(|leg| self.leg_challenged(leg, response))
    }

    /// The same for a dialog of this leg.
    pub(super) fn leg_challenged(&mut self, leg: usize, response: &Message<'_>) -> bool {
        self.legs[leg].auth.as_mut().is_some_and(|auth| auth.take(response, true))
    }
}
