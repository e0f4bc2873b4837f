//! The gateways of `<Number>`, in the order they are tried: by priority, among equals by weight.

use std::sync::Arc;

use crate::call::desk::Desk;
use crate::call::generator::Generator;
use crate::call::state::Call;
use crate::routing::model::Gateway;

impl Call {
    /// Where its `<Number>`s may leave, best first. Drawn anew for each Dial.
    pub(super) fn gateways(&self, desk: &mut Desk) -> Vec<Arc<Gateway>> {
        match &self.emergency {
            Some(gateway) => vec![gateway.clone()],
            None => {
                let group = desk.provision.as_ref().map(|now| now.gateways(self.facts.organization));
                in_order(group.unwrap_or_default(), &mut desk.generator)
            }
        }
    }
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
    use crate::routing::model::{CallerIdFormat, Status};

    fn gateway(name: &str, priority: u16, weight: u16) -> Arc<Gateway> {
        Arc::new(Gateway {
            sid: GatewaySid(1),
            name: name.into(),
            status: Status::Active,
            organization: None,
            host: "gw.test".into(),
            port: None,
            transport: None,
            emergency: false,
            trusted: false,
            caller_id_format: CallerIdFormat::PlusE164,
            own_caller_id: false,
            priority,
            weight,
        })
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
