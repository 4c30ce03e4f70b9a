//! What holds for any course of looks.

use std::collections::{BTreeMap, BTreeSet};

use heal_engine::Timestamp;
use heal_engine::check::{Observation, Sighting, State};
use proptest::prelude::*;

use super::{at, compiled, failing};

const WINDOW_SECONDS: u64 = 900;
const TARGETS: [&str; 3] = ["a", "b", "c"];

/// One look: seconds since the one before, which targets fail, and what goes wrong around it.
#[derive(Debug, Clone)]
struct Look {
    later: u64,
    failing: Vec<bool>,
    unknown: bool,
    lost: bool,
    dies: bool,
}

fn look(may_lose: bool) -> impl Strategy<Value = Look> {
    let lost = if may_lose { 0.15 } else { 0.0 };
    (
        1..400_u64,
        prop::collection::vec(prop::bool::weighted(0.8), 3),
        prop::bool::weighted(0.1),
        prop::bool::weighted(lost),
        prop::bool::weighted(0.2),
    )
        .prop_map(|(later, failing, unknown, lost, dies)| Look { later, failing, unknown, lost, dies })
}

/// When each incident id of each target was sent.
fn play(failures: u32, looks: &[Look]) -> BTreeMap<&'static str, BTreeMap<String, Vec<Timestamp>>> {
    let check = compiled(&format!("for: {failures}\nraise_once_in_seconds: {WINDOW_SECONDS}\n"));
    let mut state = State::default();
    let mut sent: BTreeMap<&str, BTreeMap<String, Vec<Timestamp>>> = BTreeMap::new();
    let mut seconds = 0;
    for look in looks {
        seconds += look.later;
        let now = at(seconds);
        let ids = TARGETS.iter().zip(&look.failing).filter(|(_, fails)| **fails).map(|(id, _)| failing(id));
        let seen = Observation::Seen(Sighting { failing: ids.collect(), ..Sighting::default() });
        let seen = if look.unknown { Observation::unknown("no answer") } else { seen };
        let state_before = if look.lost { State::default() } else { state };
        let mut observed = check.observe(state_before, &seen, now);
        for incident in &observed.incidents {
            let target = TARGETS.iter().find(|id| **id == incident.target).unwrap();
            assert!(incident.failures >= failures);
            sent.entry(target).or_default().entry(incident.incident_id.clone()).or_default().push(now);
        }
        if !look.dies {
            observed.state.mark_sent(observed.incidents.iter().map(|incident| incident.incident_id.as_str()));
        }
        state = observed.state;
    }
    sent
}

/// The first time of each id, in order.
fn firsts(ids: &BTreeMap<String, Vec<Timestamp>>) -> Vec<Timestamp> {
    let mut firsts: Vec<_> = ids.values().map(|times| times[0]).collect();
    firsts.sort_unstable();
    firsts
}

fn cases() -> ProptestConfig {
    ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn with_its_state_a_check_raises_about_a_target_once_in_the_time(
        failures in 1..4_u32,
        looks in prop::collection::vec(look(false), 1..60),
    ) {
        for (target, ids) in play(failures, &looks) {
            for pair in firsts(&ids).windows(2) {
                prop_assert!(pair[1].since_ms(pair[0]) >= WINDOW_SECONDS * 1_000, "{target}: {pair:?}");
            }
        }
    }

    /// Without it, there is one incident in each window: two ids in a row lie in two windows, so three of them are a whole one apart.
    #[test]
    fn whatever_is_lost_a_window_has_one_incident_of_a_target(
        failures in 1..4_u32,
        looks in prop::collection::vec(look(true), 1..60),
    ) {
        for (target, ids) in play(failures, &looks) {
            for triple in firsts(&ids).windows(3) {
                prop_assert!(triple[2].since_ms(triple[0]) >= WINDOW_SECONDS * 1_000, "{target}: {triple:?}");
            }
        }
    }

    #[test]
    fn an_id_belongs_to_one_target(looks in prop::collection::vec(look(true), 1..60)) {
        let sent = play(1, &looks);
        let ids: Vec<&String> = sent.values().flat_map(BTreeMap::keys).collect();
        prop_assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
    }
}

#[test]
fn two_who_look_at_once_raise_the_same_incident_in_one_window() {
    let check = compiled("for: 1\nraise_once_in_seconds: 900\n");
    let id = |seconds| {
        let observed = check.observe(State::default(), &Observation::failing(failing("a")), at(seconds));
        observed.incidents[0].incident_id.clone()
    };
    let ids: Vec<String> = (0..900).map(id).collect();
    // A window's length of seconds crosses one border at most.
    assert!(ids.iter().collect::<BTreeSet<_>>().len() <= 2);
    let borders = ids.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(borders <= 1, "{borders} borders");
}

#[test]
fn targets_have_windows_of_their_own() {
    let check = compiled("for: 1\nraise_once_in_seconds: 900\n");
    let border = |target: &str| {
        let id = |seconds| {
            let seen = Observation::failing(failing(target));
            check.observe(State::default(), &seen, at(seconds)).incidents[0].incident_id.clone()
        };
        (1..900).find(|seconds| id(*seconds) != id(seconds - 1))
    };
    let borders: BTreeSet<_> = (0..20).map(|number| border(&format!("target-{number}"))).collect();
    assert!(borders.len() > 10, "{borders:?}");
}
