//! Which record comes first: NAPTR by order and preference (RFC 3403 4.1), SRV by priority and
//! weight (RFC 2782).

use crate::flow::Transport;

/// One NAPTR record as far as SIP goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Naptr {
    pub order: u16,
    pub preference: u16,
    pub flags: String,
    pub services: String,
    pub replacement: String,
}

/// One SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Srv {
    pub priority: u16,
    pub weight: u16,
    pub port: u16,
    /// Absolute; `.`: decidedly not served here.
    pub target: String,
}

/// Where SRV is asked, by transport: what the NAPTR records say of services that `is_wanted`.
pub(super) fn services(
    mut records: Vec<Naptr>,
    is_wanted: impl Fn(Transport) -> bool,
) -> Vec<(Transport, String)> {
    records.sort_by_key(|record| (record.order, record.preference));
    let service = |record: Naptr| {
        let transport = match record.services.to_ascii_uppercase().as_str() {
            "SIP+D2U" => Transport::Udp,
            "SIP+D2T" => Transport::Tcp,
            "SIPS+D2T" => Transport::Tls,
            _ => return None,
        };
        let leads_to_srv = record.flags.eq_ignore_ascii_case("s");
        (leads_to_srv && is_wanted(transport)).then_some((transport, record.replacement))
    };
    records.into_iter().filter_map(service).collect()
}

/// Where SRV is asked without NAPTR.
pub(super) fn srv_name(transport: Transport, host: &str) -> String {
    let prefix = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    };
    format!("{prefix}.{}.", host.trim_end_matches('.'))
}

/// SRV records in the order they are to be tried. `random` gives a number below its argument.
pub(super) fn by_weight(mut records: Vec<Srv>, mut random: impl FnMut(u64) -> u64) -> Vec<Srv> {
    records.retain(|record| record.target != ".");
    // Weight 0 first, so that it keeps its very small chance (RFC 2782).
    records.sort_by_key(|record| (record.priority, record.weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let priority = first.priority;
        let alike = records.iter().take_while(|record| record.priority == priority);
        let sum: u64 = alike.map(|record| u64::from(record.weight)).sum();
        let drawn = random(sum + 1);
        let mut reached = 0;
        let at = records.iter().position(|record| {
            reached += u64::from(record.weight);
            reached >= drawn
        });
        ordered.push(records.remove(at.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.into() }
    }

    fn naptr(order: u16, preference: u16, services: &str, replacement: &str) -> Naptr {
        let flags = if services.starts_with("E2U") { "u" } else { "s" };
        Naptr {
            order,
            preference,
            flags: flags.into(),
            services: services.into(),
            replacement: replacement.into(),
        }
    }

    #[test]
    fn naptr_names_the_services_in_order_and_of_ours_only() {
        let records = vec![
            naptr(50, 60, "SIP+D2U", "u.example."),
            naptr(50, 50, "sips+d2t", "s.example."),
            naptr(40, 50, "SIP+D2S", "sctp.example."),
            naptr(90, 50, "SIP+D2T", "t.example."),
            naptr(10, 50, "E2U+sip", "enum.example."),
        ];
        let all = services(records.clone(), |_| true);
        let names: Vec<_> = all.iter().map(|(transport, name)| (*transport, name.as_str())).collect();
        let expected =
            [(Transport::Tls, "s.example."), (Transport::Udp, "u.example."), (Transport::Tcp, "t.example.")];
        assert_eq!(names, expected);
        let secure = services(records, |transport| transport == Transport::Tls);
        assert_eq!(secure, [(Transport::Tls, "s.example.".to_owned())]);
    }

    #[test]
    fn priority_decides_before_weight_and_a_dot_is_nowhere() {
        let records = vec![srv(20, 100, "c."), srv(10, 0, "a."), srv(10, 10, "b."), srv(5, 1, ".")];
        let order = |draw: fn(u64) -> u64| {
            by_weight(records.clone(), draw).into_iter().map(|record| record.target).collect::<Vec<_>>()
        };
        assert_eq!(order(|_| 0), ["a.", "b.", "c."]);
        assert_eq!(order(|most| most - 1), ["b.", "a.", "c."]);
    }

    #[test]
    fn weight_is_the_share_of_first_places() {
        let records = vec![srv(10, 60, "a."), srv(10, 20, "b."), srv(10, 20, "c.")];
        let mut state = 1_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) % below
        };
        let first = |_: u32| by_weight(records.clone(), &mut random).remove(0).target;
        let a = (0..10_000).map(first).filter(|first| first == "a.").count();
        assert!((5_700..6_300).contains(&a), "{a} of 10,000");
    }
}
