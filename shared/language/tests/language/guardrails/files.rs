//! Files whose comments list the expected diagnostics.

use heal_guard::{AutonomyLevel, Demote, Guardrails, Mark, Schedule, Weekday, WindowKind};
use heal_language::guardrails::read as read_against;

use super::{CODES_OF_GUARDRAILS, PLAYBOOKS, actions, codes, read};
use crate::expectation::{Expectation, differences};
use crate::texts;

/// Fewer broken files mean that the test did not find the folder.
const BROKEN: usize = 14;

#[test]
fn every_fault_is_found_at_its_place_and_nothing_else() {
    let texts = texts("guardrails/broken");
    assert!(texts.len() >= BROKEN, "{} broken files", texts.len());
    let mut differences_of_all = Vec::new();
    for (stem, text) in &texts {
        let reading = read(text);
        assert!(reading.errors().next().is_some(), "{stem} has no error");
        assert_eq!(reading.guardrails, None, "{stem}");
        differences_of_all.extend(differences(stem, text, &reading.diagnostics));
    }
    assert!(differences_of_all.is_empty(), "\n{}", differences_of_all.join("\n"));
}

#[test]
fn good_files_are_read_and_go_through_the_canonical_text() {
    for (stem, text) in texts("guardrails/good") {
        let reading = read(&text);
        let differences = differences(&stem, &text, &reading.diagnostics);
        assert!(differences.is_empty(), "\n{}", differences.join("\n"));
        let guardrails = reading.guardrails.unwrap_or_else(|| panic!("{stem} has no guardrails"));
        let again = Guardrails::from_json(&guardrails.to_json()).unwrap_or_else(|error| panic!("{stem}: {error}"));
        assert_eq!(again, guardrails, "{stem}");
    }
}

#[test]
fn every_code_of_guardrails_is_a_fault_of_some_file() {
    let texts = [texts("guardrails/broken"), texts("guardrails/good")].concat();
    let found: Vec<&str> = texts.iter().flat_map(|(_, text)| Expectation::all_of(text)).map(|one| one.code).collect();
    let missing: Vec<&str> = CODES_OF_GUARDRAILS.into_iter().filter(|code| !found.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_file_without_rules_is_the_default() {
    for text in ["", "# nothing\n", "{}\n", "budgets:\n"] {
        assert_eq!(read(text).guardrails, Some(Guardrails::default()), "{text:?}");
        assert_eq!(read(text).diagnostics, [], "{text:?}");
    }
}

#[test]
fn each_rule_of_the_file_is_in_the_model() {
    let (_, text) = texts("guardrails/good").into_iter().find(|(stem, _)| stem == "everything").unwrap();
    let guardrails = read(&text).guardrails.unwrap();
    assert_eq!(guardrails.cooldown_ms("restart_pod", Some(1)), Some(600_000));
    assert_eq!(guardrails.cooldown_ms("pause_workflow", Some(1)), Some(1));
    let [all, keyed, at_once] = guardrails.budgets.as_slice() else { panic!("{:?}", guardrails.budgets) };
    assert_eq!((all.name.as_str(), all.key.as_str(), all.max, all.window_seconds), ("restarts", "", 10, 600));
    assert_eq!(all.applies_to.actions, ["restart_pod", "restart_workflow"]);
    assert_eq!(keyed.applies_to.playbooks, ["worker_failure_recovery", "workflow_restart"]);
    assert_eq!(keyed.applies_to.services, ["kubernetes", "orchestrator"]);
    assert_eq!(keyed.key, "{{ workflow_id | lower }}/{{ action }}");
    let live = &guardrails.admission.live;
    assert_eq!((live.of_playbook("workflow_restart"), live.of_playbook("another")), (7, 50));
    assert_eq!((live.of_service("orchestrator"), live.of_service("kubernetes")), (9, 80));
    assert_eq!((keyed.max_percent, keyed.concurrent), (Some(20), false));
    assert_eq!((at_once.max, at_once.max_percent, at_once.concurrent, at_once.window_seconds), (2, Some(10), true, 0));
    let [night, once, year_end] = guardrails.windows.as_slice() else { panic!("{:?}", guardrails.windows) };
    let Schedule::Daily { days, from, to, zone } = &night.schedule else { panic!("{night:?}") };
    assert_eq!((days.as_slice(), zone.name()), (&[Weekday::Fri, Weekday::Sat][..], "Europe/Berlin"));
    assert_eq!((from.to_string(), to.to_string()), ("22:00".to_owned(), "06:30".to_owned()));
    assert_eq!((night.kind, night.approvers.len(), night.reason.as_str()), (WindowKind::Ask, 2, "nobody watches"));
    let at = |ms: u64| heal_guard::Timestamp(ms);
    assert_eq!(once.schedule, Schedule::Once { start: at(1_800_046_800_000), end: at(1_800_064_800_000) });
    assert_eq!(year_end.schedule, Schedule::Once { start: at(1_798_131_600_000), end: at(1_798_873_200_000) });
    assert_eq!(guardrails.scope[1].opt_in, Some(Mark::Annotation("self-healing.io/managed".to_owned())));
    assert_eq!(guardrails.demotion("ticket_timeout_recovery"), Demote { below_percent: 80, of_last: 20 });
    assert_eq!(guardrails.demotion("workflow_restart"), Demote::default());
    assert_eq!((guardrails.repeats.escalate_at, guardrails.repeats.window_seconds), (2, 60));
    assert_eq!(guardrails.approvals.groups["leads"], ["local:ben"]);
    let level = |name: &str| guardrails.autonomy.iter().find(|rule| rule.playbook == name).map(|rule| rule.level);
    assert_eq!(level("worker_failure_recovery"), Some(AutonomyLevel::Shadow));
    assert_eq!(level("workflow_restart"), Some(AutonomyLevel::Off));
    let storms: Vec<_> = guardrails.storms.active().map(|rule| (rule.service.as_str(), rule.targets)).collect();
    assert_eq!(storms, [("orchestrator", 8), ("kubernetes", 5)]);
    let [rule, _] = guardrails.storms.0.as_slice() else { panic!("{:?}", guardrails.storms) };
    assert_eq!((rule.window_seconds, rule.quiet_seconds, rule.trickle), (900, 900, 0));
    assert_eq!(rule.actions, ["pause_workflow", "restart_workflow", "trigger_replanning"]);
}

#[test]
fn without_playbooks_and_checks_their_names_and_steps_are_not_checked() {
    let text = "autonomy: [{playbook: nobody_knows_it, level: off}]\n\
                budgets: [{name: a, playbooks: [nobody_knows_it], max: 1, window_seconds: 1}]\n\
                dependencies: [{name: a, check: nobody_knows_it, actions: [restart_pod]}]\n";
    assert_eq!(codes(text), ["unknown-playbook", "unknown-playbook", "unknown-check"]);
    assert_eq!(read_against("guardrails", text, &actions(), None, None).diagnostics, []);
}

#[test]
fn an_unknown_name_comes_with_all_that_are_known() {
    let reading = read("budgets: [{name: a, services: [mail], max: 1, window_seconds: 1}]\n");
    let help = reading.diagnostics[0].help.as_deref();
    assert_eq!(help, Some("the services are execution-ticket-service, kubernetes, orchestrator"));
}

#[test]
fn a_budget_is_stricter_only_if_it_counts_all_the_same_effects() {
    let with =
        |first: &str, second: &str| codes(&format!("budgets:\n  - {{name: a, {first}}}\n  - {{name: b, {second}}}\n"));
    let wide = "max: 5, window_seconds: 60";
    for stricter in [
        "max: 5, window_seconds: 60",
        "max: 4, window_seconds: 60",
        "max: 5, window_seconds: 61",
        "actions: [restart_pod, pause_workflow], max: 5, window_seconds: 60",
    ] {
        let other = format!("actions: [restart_pod], {wide}");
        assert_eq!(with(stricter, &other), ["unreachable-rule"], "{stricter}");
        assert_eq!(with(&other, stricter).len(), 1, "the order does not matter: {stricter}");
    }
    for looser in [
        "max: 6, window_seconds: 60",
        "max: 5, window_seconds: 59",
        "key: \"{{ target }}\", max: 5, window_seconds: 60",
        "actions: [pause_workflow], max: 5, window_seconds: 60",
        "playbooks: [workflow_restart], max: 5, window_seconds: 60",
        "services: [orchestrator], max: 5, window_seconds: 60",
    ] {
        let other = format!("actions: [restart_pod], {wide}");
        assert_eq!(with(looser, &other), Vec::<&str>::new(), "{looser}");
    }
}

/// The guarantees of reading, for every prefix of a file.
#[test]
fn any_prefix_of_a_file_is_read_to_its_end() {
    for (stem, text) in texts("guardrails/good").into_iter().chain(texts("guardrails/broken")) {
        for (end, _) in text.char_indices().step_by(7) {
            let reading = read_against("guardrails", &text[..end], &actions(), Some(&PLAYBOOKS), None);
            assert_eq!(reading.guardrails.is_none(), reading.errors().next().is_some(), "{stem}, {end} bytes");
            for diagnostic in &reading.diagnostics {
                assert!(text.get(diagnostic.span.start..diagnostic.span.end).is_some(), "{stem}: {diagnostic:?}");
            }
            if let Some(guardrails) = reading.guardrails {
                Guardrails::from_json(&guardrails.to_json()).unwrap_or_else(|error| panic!("{stem}, {end}: {error}"));
            }
        }
    }
}
