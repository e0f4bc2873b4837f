//! How gateways stand: what OPTIONS and refusals told of them. One value for all engines of a node; what
//! one engine learns the others are told.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::fast::FixedState;

use crate::call::desk::{Desk, Effect};
use crate::ids::GatewaySid;
use crate::sip::{Message, Name};
use crate::time::Instant;

/// The longest that a Retry-After is believed.
const MOST_OUT: Duration = Duration::from_secs(300);

/// Something about a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayNews {
    /// A call leaves through it.
    Tried,
    /// A call of an earlier life of the node leads through it still.
    Recovered,
    /// It answered one.
    Answered,
    /// It refused one, or was silent.
    Failed,
    /// One of its calls is over, answered or not: once for each that was tried.
    Over,
    /// It answers its checks.
    Up,
    /// It does not, often enough.
    Down,
    /// It wants to be left alone until then (503 with Retry-After).
    Out(Instant),
    /// A check of it is over: the code it answered, `None` where it was silent or not to be reached.
    Checked(Option<u16>),
    /// It is checked no longer.
    Unchecked,
}

impl GatewayNews {
    /// Whether it tells how the gateway stands, and not what became of a call.
    #[must_use]
    pub const fn is_of_standing(self) -> bool {
        matches!(self, Self::Up | Self::Down | Self::Out(_) | Self::Checked(_) | Self::Unchecked)
    }
}

/// How one gateway stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What its checks say; `None`: it is not checked, or not yet.
    pub up: Option<bool>,
    /// It is left alone until then.
    pub out_until: Option<Instant>,
}

/// All gateways of which anything is known.
#[derive(Clone, Debug, Default)]
pub struct Standings(HashMap<GatewaySid, Standing, FixedState>);

impl Standings {
    /// How a gateway stands.
    #[must_use]
    pub fn of(&self, gateway: GatewaySid) -> Standing {
        self.0.get(&gateway).copied().unwrap_or_default()
    }

    /// Whether it wants to be left alone.
    #[must_use]
    pub fn is_out(&self, gateway: GatewaySid, now: Instant) -> bool {
        self.of(gateway).out_until.is_some_and(|until| until > now)
    }

    /// Whether its checks fail.
    #[must_use]
    pub fn is_down(&self, gateway: GatewaySid) -> bool {
        self.of(gateway).up == Some(false)
    }

    /// Takes in news. False: nothing changed.
    pub fn take(&mut self, gateway: GatewaySid, news: GatewayNews) -> bool {
        let before = self.of(gateway);
        let after = match news {
            GatewayNews::Up => Standing { up: Some(true), ..before },
            GatewayNews::Down => Standing { up: Some(false), ..before },
            GatewayNews::Unchecked => Standing { up: None, ..before },
            GatewayNews::Out(until) => Standing { out_until: before.out_until.max(Some(until)), ..before },
            _ => before,
        };
        if after == Standing::default() {
            return self.0.remove(&gateway).is_some();
        }
        self.0.insert(gateway, after) != Some(after)
    }
}

impl Desk {
    /// Something about a gateway: heard here at once, and by the other engines in a moment.
    pub fn gateway_news(&mut self, gateway: GatewaySid, news: GatewayNews) {
        let known = self.standings.of(gateway);
        let moves = matches!(
            news,
            GatewayNews::Up | GatewayNews::Down | GatewayNews::Out(_) | GatewayNews::Unchecked
        );
        if moves && !Arc::make_mut(&mut self.standings).take(gateway, news) {
            return;
        }
        if !(news == GatewayNews::Unchecked && known.up.is_none()) {
            self.effects.push_back(Effect::Gateway(gateway, news));
        }
    }

    /// A gateway answered 503: where it says for how long, it gets no call so long (21.5.4).
    pub fn gateway_refuses(&mut self, gateway: GatewaySid, response: &Message<'_>) {
        if let Some(after) = retry_after(response).filter(|after| !after.is_zero()) {
            let until = self.now + after.min(MOST_OUT);
            self.gateway_news(gateway, GatewayNews::Out(until));
        }
    }
}

/// `Retry-After: 18 (maintenance);duration=60`.
fn retry_after(response: &Message<'_>) -> Option<Duration> {
    let value = response.value(Name::RetryAfter)?;
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let seconds = std::str::from_utf8(&value[..digits]).ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_of_a_gateway_is_the_last_of_each_kind() {
        let (gateway, until) = (GatewaySid(1), Instant::from_millis(5_000));
        let mut known = Standings::default();
        assert!(known.take(gateway, GatewayNews::Down) && known.is_down(gateway));
        assert!(!known.take(gateway, GatewayNews::Down), "it is known");
        assert!(known.take(gateway, GatewayNews::Out(until)));
        assert!(!known.take(gateway, GatewayNews::Out(Instant::from_millis(1))), "the longer time holds");
        assert!(known.is_out(gateway, Instant::from_millis(4_999)) && !known.is_out(gateway, until));
        assert!(known.take(gateway, GatewayNews::Up) && !known.is_down(gateway));
        assert!(!known.take(gateway, GatewayNews::Tried));
        assert!(known.take(gateway, GatewayNews::Unchecked));
        assert_eq!(known.of(gateway), Standing { up: None, out_until: Some(until) });
    }
}
