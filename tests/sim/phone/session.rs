//! Session timers (RFC 4028), and telephones that vanish.

use super::plan::Todo;
use super::{Hands, MS, Phone};
use crate::text::Text;

/// What a 2xx of a target says about the session that an INVITE asks for.
pub fn agreed(hands: &mut Hands<'_>, invite: &Text) -> String {
    let asked = invite.get("session-expires").split(';').next().unwrap_or_default().to_owned();
    if asked.is_empty() || hands.rng.chance(50) {
        return String::new();
    }
    let knows = invite.all("supported").any(|tags| tags.contains("timer"));
    match knows && hands.rng.chance(50) {
        true => format!("Require: timer\r\nSession-Expires: {asked};refresher=uac\r\n"),
        false => format!("Session-Expires: {asked};refresher=uas\r\n"),
    }
}

impl Phone {
    /// Whoever refreshes does so when half of the time is over; `own`: its word in a 2xx.
    pub(super) fn refreshes(&mut self, hands: &mut Hands<'_>, tag: &str, session: &str, own: &str) {
        let Some((interval, who)) = session.split_once(";refresher=") else { return };
        let Ok(interval) = interval.trim().parse::<u64>() else { return };
        if who.trim() == own {
            let at = hands.now + interval * 500 * MS;
            self.later(at, Todo::Refresh { tag: tag.to_owned(), interval });
        }
    }

    pub(super) fn refresh(&mut self, hands: &mut Hands<'_>, tag: &str, interval: u64) {
        if self.dialogs.iter().any(|dialog| dialog.remote_tag == tag && !dialog.over) {
            self.interval = interval;
            self.in_dialog(hands, tag, "REFRESH");
            self.later(hands.now + interval * 500 * MS, Todo::Refresh { tag: tag.to_owned(), interval });
        }
    }

    /// Not a word more in this dialog, as from a telephone whose plug was pulled.
    pub(super) fn vanish(&mut self, tag: &str) {
        for dialog in self.dialogs.iter_mut().filter(|dialog| dialog.remote_tag == tag) {
            (dialog.over, dialog.gone) = (true, true);
        }
        for client in self.client.iter_mut().filter(|client| client.dialog.as_deref() == Some(tag)) {
            client.done = true;
        }
    }

    pub(super) fn has_vanished(&self, tag: &str) -> bool {
        self.dialogs.iter().any(|dialog| dialog.remote_tag == tag && dialog.gone)
    }
}
