//! The gateways of `<Number>`, in the order they are tried: by priority, among equals by weight.

use std::sync::Arc;

use crate::call::desk::Desk;
use crate::call::generator::Generator;
use crate::call::instructions::{Noun, Target};
use crate::call::state::Call;
use crate::reason::Reason;
use crate::routing::model::Gateway;

impl Call {
    /// Where a `<Number>` may leave, best first: through the gateways of its group, of the account's, or
    /// of the default one; those that are down behind the others, those that want to be left alone not
    /// at all. Drawn anew for each noun; other nouns need none.
    pub(super) fn gateways_of(&self, desk: &mut Desk, noun: &Noun) -> Result<Vec<Arc<Gateway>>, Reason> {
        let now = desk.provision.clone().ok_or(Reason::Internal)?;
        match noun.target {
            Target::Number(_) => {}
            Target::Media(_) => return in_use(now.media_gateways(self.facts.organization), desk),
            Target::Sip(_) | Target::Client(_) => return Ok(Vec::new()),
        }
        match &self.emergency {
            // Every gateway there is for emergencies: those of the organization, then the shared ones.
            Some(gateway) => {
                let [own, shared] = now.emergency_gateways(self.trunk.organization);
                let mut all = in_order(own, &mut desk.generator);
                all.extend(in_order(shared, &mut desk.generator));
                // One that drains serves where nobody else does: a call for help is not turned away.
                all.sort_by_key(|gateway| (gateway.draining, desk.standings.is_down(gateway.sid)));
                Ok(if all.is_empty() { vec![gateway.clone()] } else { all })
            }
            None => in_use(now.gateways(&self.facts, noun.group.as_deref()), desk),
        }
    }
}

/// A group in the order it is tried, without those that want to be left alone.
fn in_use(among: Vec<Arc<Gateway>>, desk: &mut Desk) -> Result<Vec<Arc<Gateway>>, Reason> {
    let mut among = in_order(among, &mut desk.generator);
    let there = !among.is_empty();
    among.retain(|gateway| !desk.standings.is_out(gateway.sid, desk.now));
    among.sort_by_key(|gateway| desk.standings.is_down(gateway.sid));
    if among.is_empty() && there { Err(Reason::GatewaysOut) } else { Ok(among) }
}

/// Lower priorities first; among equals each gateway is first as often as its share of the weight says.
/// Weight 0 comes behind its equals.
fn in_order(mut group: Vec<Arc<Gateway>>, generator: &mut Generator) -> Vec<Arc<Gateway>> {
    group.sort_by(|a, b| (a.priority, a.weight == 0, &a.name).cmp(&(b.priority, b.weight == 0, &b.name)));
    let mut ordered = Vec::with_capacity(group.len());
    while let Some(first) = group.first() {
        let priority = first.priority;
        let alike = || group.iter().take_while(|gateway| gateway.priority == priority);
        let sum: u64 = alike().map(|gateway| u64::from(gateway.weight)).sum();
        let mut drawn = if sum == 0 || alike().count() == 1 { 0 } else { generator.next_u64() % sum };
        let at = alike().position(|gateway| {
            let weight = u64::from(gateway.weight);
            let is_it = drawn < weight;
            drawn = drawn.saturating_sub(weight);
            is_it
        });
        ordered.push(group.remove(at.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::GatewaySid;

    fn gateway(name: &str, priority: u16, weight: u16) -> Arc<Gateway> {
        let blank = Gateway::at(GatewaySid(1), name, "gw.test");
        Arc::new(Gateway { priority, weight, ..blank })
    }

    #[test]
    fn priority_decides_before_weight_and_weight_is_the_share_of_first_places() {
        let group =
            [gateway("late", 20, 100), gateway("a", 10, 3), gateway("b", 10, 1), gateway("none", 10, 0)];
        let mut generator = Generator::new([3; 32]);
        let mut first_is_a = 0;
        for _ in 0..4000 {
            let ordered = in_order(group.to_vec(), &mut generator);
            let names: Vec<&str> = ordered.iter().map(|gateway| &*gateway.name).collect();
            assert_eq!(names[2..], ["none", "late"]);
            first_is_a += u32::from(names[0] == "a");
        }
        assert!((2800..3200).contains(&first_is_a), "{first_is_a} of 4,000");
    }
}
