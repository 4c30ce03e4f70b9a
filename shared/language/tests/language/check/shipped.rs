//! The checks that are shipped.

use heal_engine::check::{Compiled, Observation};

use super::{PLAYBOOKS, at, failing, read};
use crate::{folder_texts, shipped_folder};

const NAMES: [&str; 5] =
    ["opa_health", "orchestrator_health", "overdue_tickets", "stuck_workflows", "ticket_service_health"];

fn shipped() -> Vec<(String, String)> {
    folder_texts(&shipped_folder().join("checks"))
}

#[test]
fn shipped_checks_are_without_fault_and_lead_to_a_playbook() {
    let names: Vec<String> = shipped().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, NAMES);
    for (name, text) in shipped() {
        let reading = read(&name, &text);
        assert_eq!(reading.diagnostics, [], "{name}");
        let check = reading.check.expect("no diagnostic, so a check");
        assert!(!check.description.is_empty(), "{name} has no description");
        let incident_type = check.incident["incident_type"].as_str().unwrap();
        let mut triggers = PLAYBOOKS.iter().flat_map(|playbook| &playbook.triggers);
        assert!(triggers.any(|trigger| trigger.incident_type == incident_type), "{name}: {incident_type}");
        // A remedy has to be over before the next incident about the same target.
        let longest = PLAYBOOKS.iter().map(|playbook| playbook.timeout_seconds).max().unwrap();
        assert!(check.raise_once_in_seconds > longest, "{name}");
    }
}

#[test]
fn shipped_checks_name_their_schema_for_editors() {
    for (name, text) in shipped() {
        assert_eq!(text.lines().next(), Some("# yaml-language-server: $schema=check.schema.json"), "{name}");
    }
}

#[test]
fn the_incident_of_every_shipped_check_can_be_written_from_its_probes_fields() {
    for (name, text) in shipped() {
        let check = read(&name, &text).check.expect("good");
        let fields = check.probe.kind().fields().iter().map(|(field, kind)| {
            let value = match kind {
                heal_engine::catalog::OutputType::String => "text".into(),
                heal_engine::catalog::OutputType::Integer | heal_engine::catalog::OutputType::Number => 7.into(),
                heal_engine::catalog::OutputType::Object => serde_json::json!({"metadata": {}}),
                _ if *field == "worker_id" => "worker-1".into(),
                _ => serde_json::Value::Null,
            };
            ((*field).to_owned(), value)
        });
        let mut target = failing("text");
        target.fields = fields.collect();
        let failures = check.failures;
        let check = Compiled::new(check).unwrap();
        let mut observed = heal_engine::check::Observed::default();
        for look in 0..failures {
            let state = std::mem::take(&mut observed.state);
            observed = check.observe(state, &Observation::failing(target.clone()), at(u64::from(look) * 60));
        }
        assert_eq!((observed.unrendered.as_slice(), observed.incidents.len()), (&[][..], 1), "{name}");
    }
}
