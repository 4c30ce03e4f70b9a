//! Probes as data: `checks/*.yaml`, each case a check, a script of observations, and the expected incidents and state.

use std::collections::BTreeSet;

use heal_engine::check::{Observation, Sighting, State, from_json, to_json};
use serde::Deserialize;

use super::{at, compiled, failing, texts};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    claim: String,
    /// YAML keys of the check, besides its probe and incident.
    #[serde(default)]
    check: String,
    probes: Vec<Probe>,
    /// Different incident ids over the whole script.
    incidents: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Probe {
    /// Seconds.
    at: u64,
    failing: Vec<String>,
    /// Targets that could not be read.
    open: Vec<String>,
    partial: bool,
    /// The probe has no result, and why.
    unknown: Option<String>,
    /// The state is lost before the probe.
    lost: bool,
    /// The process dies before it marks the incidents as sent.
    dies: bool,
    raises: Vec<String>,
    recovers: Vec<String>,
    /// Counted failures afterwards, by target.
    counts: Option<std::collections::BTreeMap<String, u32>>,
}

fn play(case: &Case) {
    let check = compiled(&case.check);
    let mut state = State::default();
    let mut ids = BTreeSet::new();
    for probe in &case.probes {
        let step = format!("{}, at {} s", case.claim, probe.at);
        if probe.lost {
            state = State::default();
        }
        let observation = match &probe.unknown {
            Some(reason) => Observation::unknown(reason),
            None => Observation::Seen(Sighting {
                failing: probe.failing.iter().map(|id| failing(id)).collect(),
                unknown: probe.open.clone(),
                is_partial: probe.partial,
            }),
        };
        let observed = check.observe(state, &observation, at(probe.at));
        assert_eq!(observed.unrendered, [], "{step}");
        let raised: Vec<&str> = observed.incidents.iter().map(|incident| incident.target.as_str()).collect();
        assert_eq!(raised, probe.raises, "{step}: raised");
        assert_eq!(observed.recovered, probe.recovers, "{step}: recovered");
        ids.extend(observed.incidents.iter().map(|incident| incident.incident_id.clone()));
        state = State::parse(&observed.state.to_json()).unwrap();
        assert_eq!(state, observed.state, "{step}: the state goes through JSON");
        if !probe.dies {
            state.mark_sent(observed.incidents.iter().map(|incident| incident.incident_id.as_str()));
        }
        if let Some(counts) = &probe.counts {
            let found = state.targets.iter().map(|(id, target)| (id.clone(), target.failures)).collect();
            assert_eq!(counts, &found, "{step}: counted");
        }
    }
    assert_eq!(ids.len(), case.incidents, "{}: {ids:?}", case.claim);
}

#[test]
fn every_case_holds() {
    let mut cases = 0;
    for (name, text) in texts() {
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
        "text": "test: Is it there? opa does not answer", "failures": 1, "since": at(7).0, "seen": at(7).0,
        "created_at": at(7).0,
    });
    assert_eq!(message, expected);
    assert!(incident.incident_id.starts_with("check-test-"), "{}", incident.incident_id);
    let intake = heal_engine::incident::read(&incident.message).unwrap();
    assert_eq!(intake.dedupe_key, format!("incident:{}", incident.incident_id));
}

#[test]
fn a_target_whose_incident_cannot_be_rendered_is_retried_and_does_not_affect_others() {
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
fn an_incident_with_the_fields_of_a_remediation_is_not_sent() {
    let mut check = compiled("for: 1\n").check;
    check.incident.insert("playbook_name".to_owned(), "restart".into());
    let check = heal_engine::check::Compiled::new(check).unwrap();
    let observed = check.observe(State::default(), &Observation::failing(failing("opa")), at(0));
    assert_eq!(observed.incidents, []);
    let expected = "with these fields the engine does not read the message as an incident";
    assert_eq!(observed.unrendered[0].problem, expected);
}

/// Builds that derive other ids would raise an incident twice while both are deployed.
#[test]
fn the_incident_of_a_target_has_one_id_in_every_build() {
    let observed = compiled("for: 1\n").observe(State::default(), &Observation::failing(failing("opa")), at(0));
    assert_eq!(observed.incidents[0].incident_id, "check-test-b53b9a5a95a486bd0c21b2f9");
}

#[test]
fn a_target_fails_since_the_first_of_its_failures_in_a_row() {
    let check = compiled("for: 9\n");
    let since = |state: &State| state.targets["a"].since;
    let first = check.observe(State::default(), &Observation::failing(failing("a")), at(0)).state;
    let second = check.observe(first.clone(), &Observation::failing(failing("a")), at(60)).state;
    assert_eq!((since(&first), since(&second)), (at(0), at(0)));
}

#[test]
fn a_condition_excludes_targets() {
    let check = compiled("for: 1\ncondition: \"{{ target.id != 'b' }}\"\n");
    let seen = Sighting { failing: ["a", "b"].map(failing).into(), ..Sighting::default() };
    let observed = check.observe(State::default(), &Observation::Seen(seen), at(0));
    assert_eq!(observed.state.targets.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(observed.incidents.len(), 1);
}

#[test]
fn a_failing_condition_leaves_the_count_of_its_target_unchanged() {
    let mut check = compiled("for: 2\ncondition: \"{{ target.id != 'b' }}\"\n").check;
    check.condition = Some(heal_engine::playbook::Condition::Expression("{{ target.missing > 1 }}".to_owned()));
    let broken = heal_engine::check::Compiled::new(check).unwrap();
    let state = compiled("for: 2\n").observe(State::default(), &Observation::failing(failing("a")), at(0)).state;
    let observed = broken.observe(state, &Observation::failing(failing("a")), at(60));
    assert_eq!((observed.unrendered.len(), observed.state.targets["a"].failures), (1, 1));
    assert_eq!(observed.recovered, Vec::<String>::new());
}

#[test]
fn a_probe_is_due_once_per_interval_and_up_to_half_a_tick_early() {
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

#[test]
fn a_list_of_checks_survives_its_json() {
    let checks = [compiled("for: 2\n").check, compiled("condition: true\n").check];
    assert_eq!(from_json(&to_json(&checks)).unwrap(), checks);
    assert!(from_json("{}").is_err());
}
