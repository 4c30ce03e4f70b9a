//! The playbooks that ship.

use heal_engine::Plan;
use heal_engine::playbook::Playbook;

use super::read;
use crate::{shipped_playbooks, texts};

/// It remedies nothing: its run makes an outage visible to people.
const NO_REMEDY: &str = "dependency_down";

const NAMES: [&str; 6] = [
    NO_REMEDY,
    "sla_violation_mitigation",
    "ticket_timeout_recovery",
    "worker_failure_recovery",
    "workflow_replanning",
    "workflow_restart",
];

fn shipped() -> Vec<(String, String)> {
    shipped_playbooks()
}

#[test]
fn shipped_playbooks_are_without_fault() {
    let names: Vec<String> = shipped().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, NAMES);
    for (name, text) in shipped() {
        let reading = read(&name, &text);
        assert_eq!(reading.diagnostics, [], "{name}");
        let playbook = reading.playbook.expect("no diagnostic, so a playbook");
        assert!(!playbook.triggers.is_empty(), "{name} has no trigger");
        assert!(name == NO_REMEDY || !playbook.verify.is_empty(), "{name} does not look whether it helped");
        assert!(playbook.concurrency_key.is_some(), "{name} may run twice for one target");
        assert!(!playbook.description.is_empty(), "{name} has no description");
        Plan::compile(playbook).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn shipped_playbooks_name_their_schema_for_editors() {
    for (name, text) in shipped() {
        assert_eq!(text.lines().next(), Some("# yaml-language-server: $schema=playbook.schema.json"), "{name}");
    }
}

#[test]
fn the_shipped_ticket_timeout_playbook_has_the_steps_of_the_guides() {
    let (_, guide) =
        texts("playbooks/good").into_iter().find(|(name, _)| name == "ticket_timeout_recovery").expect("the guide's");
    let (_, shipped) =
        shipped().into_iter().find(|(name, _)| name == "ticket_timeout_recovery").expect("the shipped one");
    let [guide, shipped] = [guide, shipped].map(|text| read("ticket_timeout_recovery", &text).playbook.expect("good"));
    let kinds = |playbook: &Playbook| playbook.actions.iter().map(|step| step.kind.clone()).collect::<Vec<_>>();
    assert_eq!(kinds(&shipped), kinds(&guide));
    assert_eq!(shipped.triggers, guide.triggers);
    assert_eq!((shipped.description, shipped.timeout_seconds), (guide.description, guide.timeout_seconds));
}

#[test]
fn the_longest_path_through_a_shipped_playbook_fits_into_its_timeout() {
    for (name, text) in shipped() {
        let playbook = read(&name, &text).playbook.expect("good");
        for step in playbook.steps() {
            let longest = step.until.as_ref().map_or(step.timeout_seconds, |until| until.within_seconds);
            assert!(longest <= playbook.timeout_seconds, "{name}, {}", step.name);
        }
    }
}
