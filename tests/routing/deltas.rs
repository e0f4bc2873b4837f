//! A generation reached by deltas is the generation built from scratch.

use std::collections::BTreeMap;
use std::sync::Arc;

use callgate::routing::model::*;
use callgate::routing::{Builder, Decision, Directory};
use proptest::prelude::*;

use crate::world;

const TEXTS: [&str; 12] =
    ["1", "+1", "12", "+12", "alice", "1.*", "12.*", "*", "1[", "..", "*77#", "12345678901234567890"];
const DIALLED: [&str; 10] =
    ["1", "+1", "12", "13", "124", "alice", "bob", "*77#", "77", "12345678901234567890"];

fn answers(directory: &Directory) -> Vec<String> {
    let trunk = world::trunk();
    let mut answers = vec![format!("{} numbers, {} patterns", directory.len(), directory.pattern_count())];
    for to in ["A", "B", "-"] {
        for keys in DIALLED {
            answers.push(match world::dial(directory, &trunk, keys, "-", to) {
                Decision::Application(chosen) => {
                    format!("{:?} {} {:?}", chosen.number, chosen.account.sid, chosen.profile().voice)
                }
                other => format!("{other:?}"),
            });
        }
    }
    let mut skipped: Vec<String> = directory.skipped().map(|skipped| format!("{skipped:?}")).collect();
    skipped.iter_mut().for_each(|text| text.truncate(text.find("row").unwrap_or(text.len())));
    skipped.sort();
    answers.extend(skipped);
    answers
}

fn number(sid: u128, organization: &str, text: &str, url: u8) -> Number {
    let hook = Hook { url: format!("https://app.test/{url}").into(), method: Method::Post };
    Number {
        profile: Arc::new(VoiceProfile { voice: Some(hook), ..VoiceProfile::default() }),
        ..world::number(sid, organization, text, url.is_multiple_of(2))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn deltas_and_rebuilding_agree(
        steps in prop::collection::vec(
            (any::<bool>(), prop::collection::vec((0..2_usize, 0..TEXTS.len(), any::<bool>(), 0..5_u8), 1..6)), 1..10),
    ) {
        let mut rows: BTreeMap<(usize, usize), Number> = BTreeMap::new();
        let mut mode = MatchMode::Full;
        let mut directory = Builder::new(world::frame(mode)).build(0);
        let mut former = Vec::new();
        let mut next_sid = 1;
        for (generation, (flip, changes)) in (1..).zip(steps) {
            let mut delta = Delta::default();
            if flip {
                mode = if mode == MatchMode::Full { MatchMode::Search } else { MatchMode::Full };
                delta.frame = Some(world::frame(mode));
            }
            let mut touched = std::collections::BTreeSet::new();
            for (organization, text, keep, url) in changes {
                if !touched.insert((organization, text)) {
                    continue;
                }
                let old = rows.get(&(organization, text)).cloned();
                if keep {
                    let sid = old.as_ref().filter(|_| url != 4).map_or(next_sid, |old| old.sid.0);
                    next_sid += 1;
                    let new = number(sid, world::NAMES[organization], TEXTS[text], url);
                    if let Some(old) = old.filter(|old| old.sid != new.sid) {
                        delta.removed.push(NumberKey { sid: old.sid, organization: old.organization, text: old.text });
                    }
                    delta.written.push(new.clone());
                    rows.insert((organization, text), new);
                } else if let Some(old) = rows.remove(&(organization, text)) {
                    delta.removed.push(NumberKey { sid: old.sid, organization: old.organization, text: old.text });
                }
            }
            former.push((answers(&directory), directory.clone()));
            directory = directory.apply(&delta, generation);
            let mut builder = Builder::after(world::frame(mode), Arc::new(directory.clone()));
            rows.values().for_each(|number| builder.add(number));
            prop_assert_eq!(answers(&directory), answers(&builder.build(generation)));
        }
        for (before, directory) in former {
            prop_assert_eq!(before, answers(&directory), "a former generation changed");
        }
    }
}

#[test]
fn a_delta_may_name_what_is_not_there() {
    let directory =
        Builder::new(world::frame(MatchMode::Full)).number(world::number(1, "A", "1", true)).build(1);
    let key = |sid, text: &str| NumberKey {
        sid: callgate::ids::NumberSid(sid),
        organization: world::organization_sid("A"),
        text: text.into(),
    };
    let delta = Delta { removed: vec![key(2, "1"), key(1, "2")], ..Delta::default() };
    assert_eq!(directory.apply(&delta, 2).len(), 1);
}
