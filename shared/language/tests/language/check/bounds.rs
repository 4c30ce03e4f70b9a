//! What is bounded, and what happens at the bound.

use heal_engine::check::{Failing, Observation, Sighting, State};
use heal_engine::limit;

use super::{at, compiled, failing, good, read};

fn seen(count: usize, prefix: &str) -> Observation {
    let failing: Vec<Failing> = (0..count).map(|number| failing(&format!("{prefix}-{number:04}"))).collect();
    Observation::Seen(Sighting { failing, ..Sighting::default() })
}

#[test]
fn a_storm_is_raised_bit_by_bit_and_whole() {
    let check = compiled("for: 1\n");
    let count = limit::CHECK_RAISES * 2 + 3;
    let mut state = State::default();
    let mut raised = std::collections::BTreeSet::new();
    for (look, (expected, held_back)) in [(25, 28), (25, 3), (3, 0), (0, 0)].into_iter().enumerate() {
        let mut observed = check.observe(state, &seen(count, "t"), at(look as u64 * 60));
        assert_eq!((observed.incidents.len(), observed.held_back), (expected, held_back), "look {look}");
        observed.state.mark_sent(observed.incidents.iter().map(|incident| incident.incident_id.as_str()));
        raised.extend(observed.incidents.into_iter().map(|incident| incident.target));
        state = observed.state;
    }
    assert_eq!(raised.len(), count);
}

#[test]
fn a_check_remembers_as_many_targets_as_the_limit_says() {
    let check = compiled("for: 3\n");
    let first = check.observe(State::default(), &seen(limit::CHECK_TARGETS, "t"), at(0));
    assert_eq!((first.state.targets.len(), first.untracked), (limit::CHECK_TARGETS, 0));
    let more = check.observe(State::default(), &seen(limit::CHECK_TARGETS + 7, "t"), at(0));
    assert_eq!((more.state.targets.len(), more.untracked), (limit::CHECK_TARGETS, 7));
}

#[test]
fn a_recovered_target_makes_room_for_a_failing_one() {
    let check = compiled("for: 1\n");
    let mut state = State::default();
    // All are raised, so that all are remembered after their recovery.
    for look in 0..(limit::CHECK_TARGETS / limit::CHECK_RAISES) {
        let mut observed = check.observe(state, &seen(limit::CHECK_TARGETS, "t"), at(look as u64));
        observed.state.mark_sent(observed.incidents.iter().map(|incident| incident.incident_id.as_str()));
        state = observed.state;
    }
    let observed = check.observe(state, &seen(2, "new"), at(60));
    assert_eq!(observed.untracked, 0);
    assert_eq!(observed.state.targets.len(), limit::CHECK_TARGETS);
    assert_eq!(observed.state.targets["new-0001"].failures, 1);
}

/// Bytes of a `DynamoDB` item.
const ITEM_BYTES: usize = 400 * 1024;

#[test]
fn the_largest_state_is_under_half_of_an_item() {
    let mut check = compiled("for: 1\n").check;
    check.name = "n".repeat(64);
    let check = heal_engine::check::Compiled::new(check).unwrap();
    let targets = |look: usize| {
        let failing = (0..limit::CHECK_TARGETS).map(|number| failing(&format!("{number:0>128}")));
        Sighting {
            failing: failing.skip(look * limit::CHECK_RAISES).collect(),
            is_partial: true,
            ..Sighting::default()
        }
    };
    let mut state = State::default();
    for look in 0..(limit::CHECK_TARGETS / limit::CHECK_RAISES) {
        state = check.observe(state, &Observation::Seen(targets(look)), at(look as u64)).state;
    }
    assert_eq!(state.targets.len(), limit::CHECK_TARGETS);
    assert!(state.targets.values().all(|target| target.raised.is_some()));
    let unknown = Observation::unknown("x".repeat(100_000));
    let bytes = check.observe(state, &unknown, at(99)).state.to_json().len();
    assert!(bytes > ITEM_BYTES / 4 && bytes < ITEM_BYTES / 2, "{bytes} bytes");
}

#[test]
fn a_long_target_id_is_remembered_by_its_hash_and_raised_by_its_name() {
    let check = compiled("for: 2\n");
    let long = "ü".repeat(limit::CHECK_TARGET_BYTES);
    let first = check.observe(State::default(), &Observation::failing(failing(&long)), at(0));
    let key = first.state.targets.keys().next().unwrap().clone();
    assert!(key.starts_with('#') && key.len() < limit::CHECK_TARGET_BYTES, "{key}");
    let second = check.observe(first.state, &Observation::failing(failing(&long)), at(60));
    assert_eq!(second.incidents[0].target, long);
    let short = "t".repeat(limit::CHECK_TARGET_BYTES);
    let exact = check.observe(State::default(), &Observation::failing(failing(&short)), at(0));
    assert!(exact.state.targets.contains_key(&short));
}

#[test]
fn numbers_of_a_file_are_bounded_at_their_limits() {
    for (key, most) in [
        ("every_seconds", limit::DURATION_SECONDS),
        ("for", limit::CHECK_FAILURES.into()),
        ("raise_once_in_seconds", limit::DEDUPE_SECONDS),
    ] {
        good(&format!("{key}: {most}\n"));
        let text = format!(
            "probe: {{type: dependency, service: opa}}\nincident: {{incident_type: DEPENDENCY_DOWN, service_name: s}}\n{key}: {}\n",
            most + 1
        );
        let codes: Vec<_> = read("test", &text).diagnostics.iter().map(|one| one.code).collect();
        assert_eq!(codes, ["budget-exceeded"], "{key}");
    }
    good(&format!("every_seconds: {}\n", limit::CHECK_EVERY_SECONDS));
    let text = "probe: {type: http, url: http://a}\nincident: {incident_type: DEPENDENCY_DOWN, service_name: s}\n";
    assert_eq!(read("test", text).diagnostics, []);
    for (keys, code) in [
        (format!("timeout_seconds: {}", limit::PROBE_SECONDS + 1), "budget-exceeded"),
        (format!("expect_body_contains: {}", "x".repeat(limit::PROBE_TEXT_BYTES + 1)), "budget-exceeded"),
    ] {
        let text = text.replace("http://a", &format!("http://a, {keys}"));
        let codes: Vec<_> = read("test", &text).diagnostics.iter().map(|one| one.code).collect();
        assert_eq!(codes, [code], "{keys:.60}");
    }
    let fits = format!(
        "http://a, timeout_seconds: {}, expect_body_contains: {}",
        limit::PROBE_SECONDS,
        "x".repeat(limit::PROBE_TEXT_BYTES)
    );
    assert_eq!(read("test", &text.replace("http://a", &fits)).diagnostics, []);
}
