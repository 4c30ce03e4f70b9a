//! Looks as data: `checks/decisions/*.yaml`, each case a check, a script of what is seen, and what has to follow.

use std::collections::BTreeSet;

use heal_engine::check::{Observation, Sighting, State};
use serde::Deserialize;

use super::{at, compiled, failing};
use crate::texts;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    claim: String,
    /// Keys of the check beside its probe and incident.
    #[serde(default)]
    check: String,
    looks: Vec<Look>,
    /// Different incident ids over the whole script.
    incidents: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Look {
    /// Seconds.
    at: u64,
    failing: Vec<String>,
    /// Targets of which nothing can be told.
    open: Vec<String>,
    partial: bool,
    /// Nothing can be told at all.
    unknown: Option<String>,
    /// The state is lost before.
    lost: bool,
    /// The process dies before it is known that the incidents went out.
    dies: bool,
    raises: Vec<String>,
    recovers: Vec<String>,
    /// Failures that are counted afterwards, by target.
    counts: Option<std::collections::BTreeMap<String, u32>>,
}

fn play(case: &Case) {
    let check = compiled(&case.check);
    let mut state = State::default();
    let mut ids = BTreeSet::new();
    for look in &case.looks {
        let place = format!("{}, at {} s", case.claim, look.at);
        if look.lost {
            state = State::default();
        }
        let observation = match &look.unknown {
            Some(reason) => Observation::unknown(reason),
            None => Observation::Seen(Sighting {
                failing: look.failing.iter().map(|id| failing(id)).collect(),
                unknown: look.open.clone(),
                is_partial: look.partial,
            }),
        };
        let observed = check.observe(state, &observation, at(look.at));
        assert_eq!(observed.unrendered, [], "{place}");
        let raised: Vec<&str> = observed.incidents.iter().map(|incident| incident.target.as_str()).collect();
        assert_eq!(raised, look.raises, "{place}: raised");
        assert_eq!(observed.recovered, look.recovers, "{place}: recovered");
        ids.extend(observed.incidents.iter().map(|incident| incident.incident_id.clone()));
        state = State::parse(&observed.state.to_json()).unwrap();
        assert_eq!(state, observed.state, "{place}: the state goes through JSON");
        if !look.dies {
            state.mark_sent(observed.incidents.iter().map(|incident| incident.incident_id.as_str()));
        }
        if let Some(counts) = &look.counts {
            let found = state.targets.iter().map(|(id, target)| (id.clone(), target.failures)).collect();
            assert_eq!(counts, &found, "{place}: counted");
        }
    }
    assert_eq!(ids.len(), case.incidents, "{}: {ids:?}", case.claim);
}

#[test]
fn looks_lead_to_what_the_cases_say() {
    let mut cases = 0;
    for (name, text) in texts("checks/decisions") {
        let of_file: Vec<Case> = serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        cases += of_file.len();
        of_file.iter().for_each(play);
    }
    assert!(cases >= 12, "{cases} cases");
}

#[test]
fn an_incident_is_the_rendered_template_with_id_and_time() {
    let check = compiled("for: 1\ndescription: Is it there?\n");
    let check = {
        let mut check = check.check;
        for (field, text) in [
            ("text", "{{ check.name }}: {{ check.description }} {{ reason }}"),
            ("failures", "{{ failures }}"),
            ("since", "{{ since }}"),
            ("seen", "{{ observed_at }}"),
        ] {
            check.incident.insert(field.to_owned(), text.into());
        }
        heal_engine::check::Compiled::new(check).unwrap()
    };
    let observed = check.observe(State::default(), &Observation::failing(failing("opa")), at(7));
    let [incident] = observed.incidents.as_slice() else { panic!("{observed:?}") };
    let message: serde_json::Value = serde_json::from_str(&incident.message).unwrap();
    let expected = serde_json::json!({
        "incident_id": incident.incident_id, "incident_type": "DEPENDENCY_DOWN", "service_name": "opa",
        "text": "test: Is it there? opa is not well", "failures": 1, "since": at(7).0, "seen": at(7).0,
        "created_at": at(7).0,
    });
    assert_eq!(message, expected);
    assert!(incident.incident_id.starts_with("check-test-"), "{}", incident.incident_id);
    let intake = heal_engine::incident::read(&incident.message).unwrap();
    assert_eq!(intake.dedupe_key, format!("incident:{}", incident.incident_id));
}

#[test]
fn a_target_whose_incident_cannot_be_written_costs_the_others_nothing_and_comes_again() {
    let mut check = compiled("for: 1\n").check;
    check.incident.insert("twice".to_owned(), "{{ target.number * 2 }}".into());
    let check = heal_engine::check::Compiled::new(check).unwrap();
    let mut well = failing("well");
    well.fields.insert("number".to_owned(), 21.into());
    let seen = Observation::Seen(Sighting { failing: vec![failing("ill"), well], ..Sighting::default() });
    let observed = check.observe(State::default(), &seen, at(0));
    assert_eq!(observed.incidents.len(), 1);
    assert!(observed.incidents[0].message.contains("\"twice\":42"), "{}", observed.incidents[0].message);
    assert_eq!(observed.unrendered.len(), 1);
    assert!(observed.unrendered[0].problem.starts_with("incident.twice: "), "{:?}", observed.unrendered);
    assert_eq!(observed.state.targets["ill"].raised, None);
    let again = check.observe(observed.state, &Observation::failing(failing("ill")), at(60));
    assert_eq!(again.unrendered.len(), 1);
}

#[test]
fn an_incident_that_the_engine_would_refuse_is_not_sent() {
    let mut check = compiled("for: 1\n").check;
    check.incident.insert("affected_tickets".to_owned(), "{{ target.id }}".into());
    let check = heal_engine::check::Compiled::new(check).unwrap();
    let observed = check.observe(State::default(), &Observation::failing(failing("opa")), at(0));
    assert_eq!(observed.incidents, []);
    assert!(observed.unrendered[0].problem.contains("affected_tickets"), "{:?}", observed.unrendered);
}

#[test]
fn a_condition_leaves_targets_out() {
    let check = compiled("for: 1\ncondition: \"{{ target.id != 'b' }}\"\n");
    let seen = Sighting { failing: ["a", "b"].map(failing).into(), ..Sighting::default() };
    let observed = check.observe(State::default(), &Observation::Seen(seen), at(0));
    assert_eq!(observed.state.targets.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(observed.incidents.len(), 1);
}

#[test]
fn a_condition_that_fails_decides_nothing_about_its_target() {
    let mut check = compiled("for: 2\ncondition: \"{{ target.id != 'b' }}\"\n").check;
    check.condition = Some(heal_engine::playbook::Condition::Expression("{{ target.missing > 1 }}".to_owned()));
    let broken = heal_engine::check::Compiled::new(check).unwrap();
    let state = compiled("for: 2\n").observe(State::default(), &Observation::failing(failing("a")), at(0)).state;
    let observed = broken.observe(state, &Observation::failing(failing("a")), at(60));
    assert_eq!((observed.unrendered.len(), observed.state.targets["a"].failures), (1, 1));
    assert_eq!(observed.recovered, Vec::<String>::new());
}

#[test]
fn a_look_is_due_once_in_its_time_and_half_a_tick_early() {
    let state = State { looked_at: Some(at(100)), ..State::default() };
    assert!(State::default().is_due(60, 60_000, at(0)));
    for (seconds, due) in [(100, false), (101, false), (129, false), (130, true), (160, true), (500, true)] {
        assert_eq!(state.is_due(60, 60_000, at(seconds)), due, "a minute's schedule, {seconds} s");
    }
    for (seconds, due) in [(157, false), (158, true)] {
        assert_eq!(state.is_due(60, 5_000, at(seconds)), due, "a schedule of 5 s, {seconds} s");
    }
    for (seconds, due) in [(369, false), (370, true)] {
        assert_eq!(state.is_due(300, 60_000, at(seconds)), due, "every 5 minutes, {seconds} s");
    }
    // A clock that was set back does not stop the check for good.
    assert!(!state.is_due(60, 60_000, at(41)));
    assert!(state.is_due(60, 60_000, at(40)));
}
