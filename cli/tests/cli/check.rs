//! `heal check`, and the checks of `heal serve`.

use std::time::Duration;

use heal_engine::check::Check;
use heal_sandbox::tickets::TicketStatus;
use heal_sandbox::{Fault, FaultKind, Seed, Service};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ran, Serve, command, env, eventually, finish, heal, path, platform, root};

const PLAYBOOK: &str = "triggers: [{incident_type: DOWN}]\nparameters_schema: {type: object, required: [service_name]}\n\
                        actions: [{type: wait, parameters: {seconds: 1}}]\n";
const CHECK: &str =
    "probe: {type: dependency, service: opa}\nincident: {incident_type: DOWN, service_name: \"{{ target.id }}\"}\n";

/// A folder of playbooks with a folder of checks in it.
fn folder(playbooks: &[(&str, &str)], checks: &[(&str, &str)]) -> TempDir {
    let folder = crate::support::playbooks(playbooks);
    std::fs::create_dir(folder.path().join("checks")).unwrap();
    for (name, text) in checks {
        std::fs::write(folder.path().join("checks").join(name), text).unwrap();
    }
    folder
}

#[test]
fn the_shipped_checks_have_no_fault() {
    let ran = heal(&["check", "lint"]).exits(0);
    assert_eq!(ran.stdout, "");
    ran.complains(&["5 checks: no fault"]);
}

#[test]
fn the_playbooks_lint_finds_the_faults_of_the_checks_too() {
    let typo = CHECK.replace("service: opa", "servce: opa");
    let unrouted = CHECK.replace("DOWN", "DWN");
    let missing = CHECK.replace("service_name", "service");
    let folder = folder(
        &[("down.yaml", PLAYBOOK)],
        &[("typo.yaml", &typo), ("unrouted.yaml", &unrouted), ("missing.yaml", &missing), ("good.yaml", CHECK)],
    );
    let ran = heal(&["playbook", "lint", path(folder.path())]).exits(1);
    for part in [
        "checks/typo.yaml:1:27",
        "did you mean `service`?",
        "checks/unrouted.yaml:2:27",
        "error[unrouted-incident]",
        "did you mean `DOWN`?",
        "checks/missing.yaml:2:1",
        "error[missing-variable]",
        "^^^",
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in {ran:#?}");
    }
    ran.complains(&["1 playbook, 4 checks: 4 errors"]);
    let alone = ["check", "lint", "--playbooks", path(folder.path()), "--json"];
    let faults = heal(&alone).exits(1).json();
    let mut codes: Vec<&str> = faults.iter().map(|fault| fault["code"].as_str().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["missing-key", "missing-variable", "unknown-key", "unrouted-incident"]);
}

#[test]
fn checks_are_not_held_to_playbooks_while_one_cannot_be_read() {
    let folder = folder(&[("down.yaml", "actoins: []\n")], &[("good.yaml", CHECK)]);
    let ran = heal(&["playbook", "lint", path(folder.path())]).exits(1);
    assert!(!ran.stdout.contains("unrouted-incident"), "{ran:#?}");
}

#[test]
fn two_files_of_one_check_are_refused() {
    let folder = folder(&[("down.yaml", PLAYBOOK)], &[("a.yaml", CHECK), ("a.yml", CHECK)]);
    let ran = heal(&["playbook", "lint", path(folder.path())]).exits(1);
    assert!(ran.stdout.contains("check a is in"), "{ran:#?}");
}

#[test]
fn list_shows_the_probes() {
    let list = heal(&["check", "list"]).exits(0);
    for part in ["overdue RUNNING tickets", "workflows stuck in PAUSED", "ticket_service", "DEPENDENCY_DOWN", "900 s"] {
        assert!(list.stdout.contains(part), "no {part:?} in {list:#?}");
    }
    assert_eq!(heal(&["check", "list", "--json"]).exits(0).json().len(), 5);
    heal(&["check", "list", "--checks", "nowhere"]).exits(2).complains(&["nowhere: no such folder of checks"]);
}

#[test]
fn compile_writes_what_the_function_reads() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checks.json");
    let ran = heal(&["check", "compile", "--out", path(&file)]).exits(0);
    assert_eq!(ran.stdout, "");
    let text = std::fs::read_to_string(&file).unwrap();
    let checks: Vec<Check> = heal_engine::check::from_json(&text).unwrap();
    let names: Vec<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(
        names,
        ["opa_health", "orchestrator_health", "overdue_tickets", "stuck_workflows", "ticket_service_health"]
    );
    let folder = path(&root()).to_owned() + "/playbooks/checks";
    assert_eq!(heal(&["check", "compile", &folder]).exits(0).stdout, text);
}

#[test]
fn checks_with_an_error_are_not_compiled() {
    let folder = folder(&[("down.yaml", PLAYBOOK)], &[("bad.yaml", "prob: 1\n"), ("good.yaml", CHECK)]);
    let file = folder.path().join("checks.json");
    let args = ["check", "compile", "--playbooks", path(folder.path()), "--out", path(&file)];
    let ran = heal(&args).exits(1);
    ran.complains(&["bad.yaml:1:1", "did you mean `probe`?", "1 check cannot be compiled"]);
    assert!(!file.exists());
}

/// Set this variable to write the file again after the language has changed.
const UPDATE: &str = "UPDATE_CHECK_SCHEMA";

#[test]
#[expect(clippy::disallowed_methods, reason = "the switch that writes the file anew")]
fn the_checked_in_schema_is_up_to_date() {
    let path = root().join("playbooks/checks/check.schema.json");
    let current = heal(&["check", "schema"]).exits(0).stdout;
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "{} is old: run this test with {UPDATE}=1 and commit it", path.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn run_shows_the_result_of_each_probe_and_changes_nothing() {
    let platform = platform(Seed::healthy_worker());
    let look = |args: &[&str]| -> Ran { finish(command(args).envs(env(&platform))) };
    let healthy = look(&["check", "run", "ticket_service_health", "orchestrator_health", "opa_health"]).exits(0);
    assert_eq!(healthy.stdout.lines().count(), 3, "{healthy:#?}");
    let overdue = look(&["check", "run", "overdue_tickets", "--json"]).exits(1).json();
    let tickets: Vec<&Value> =
        overdue[0]["failing"].as_array().unwrap().iter().map(|one| &one["target"]["id"]).collect();
    assert_eq!(tickets, ["ticket-1", "ticket-2", "ticket-3"]);
    platform.set_fault(Fault::new(Service::Tickets, FaultKind::Refuse)).unwrap();
    let all = look(&["check", "run"]).exits(1);
    for part in
        ["✗ ticket_service_health  execution-ticket-service is unavailable", "? overdue_tickets", "✓ opa_health"]
    {
        assert!(all.stdout.contains(part), "no {part:?} in {all:#?}");
    }
    assert!(platform.effects().is_empty());
    look(&["check", "run", "nonsense"]).exits(2).complains(&["there is no check `nonsense`; known are: opa_health"]);
}

#[test]
fn a_service_does_not_start_with_broken_checks() {
    let folder = folder(&[("down.yaml", PLAYBOOK)], &[("bad.yaml", "prob: 1\n")]);
    let state = folder.path().join("state.db");
    let args = ["serve", "--state", path(&state), "--playbooks", path(folder.path()), "--listen", "127.0.0.1:0"];
    heal(&args).exits(2).complains(&["bad.yaml:1:1", "1 of 1 checks cannot be used"]);
    assert!(!state.exists());
}

/// The incident ids and playbooks of all runs.
fn runs(state: &std::path::Path) -> Vec<(String, String)> {
    let listed = heal(&["runs", "list", "--json", "--limit", "100", "--state", path(state)]).exits(0).json();
    let run = |run: Value| {
        let text = |field: &str| run[field].as_str().unwrap_or_default().to_owned();
        (text("incident_id"), text("playbook"))
    };
    let mut runs: Vec<_> = listed.into_iter().map(run).collect();
    runs.sort();
    runs
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_finds_overdue_tickets_by_itself_and_heals_each_once() {
    let platform = platform(Seed::unhealthy_worker());
    let folder = tempfile::tempdir().unwrap();
    let checks = folder.path().join("checks");
    std::fs::create_dir(&checks).unwrap();
    let shipped = std::fs::read_to_string(root().join("playbooks/checks/overdue_tickets.yaml")).unwrap();
    // The shipped check, with shorter intervals.
    let hurried = shipped.replace("every_seconds: 60", "every_seconds: 10").replace("for: 2", "for: 1");
    std::fs::write(checks.join("overdue_tickets.yaml"), hurried).unwrap();
    let state = folder.path().join("state.db");
    let start = || Serve::with_checks(&state, &root().join("playbooks"), &checks, &env(&platform));
    let serve = start();
    eventually("every overdue ticket is given back", || {
        let is_pending = |id: &str| platform.ticket(id).is_some_and(|ticket| ticket.status == TicketStatus::Pending);
        ["ticket-1", "ticket-2", "ticket-3"].into_iter().all(is_pending).then_some(())
    });
    let first = eventually("three runs", || Some(runs(&state)).filter(|runs| runs.len() == 3));
    assert!(
        first
            .iter()
            .all(|(id, playbook)| id.starts_with("check-overdue_tickets-") && playbook == "ticket_timeout_recovery")
    );
    // The restarted process raises no second incident, although the tickets are overdue again.
    serve.kill();
    platform.seed(Seed::unhealthy_worker()).unwrap();
    platform.forget_calls();
    let serve = start();
    eventually("two more probes", || {
        let probes = platform.calls().into_iter().filter(|call| call.operation == "list_tickets").count();
        std::thread::sleep(Duration::from_millis(100));
        (probes >= 2).then_some(())
    });
    assert_eq!(serve.terminate(), 0);
    assert_eq!(runs(&state), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_a_dependency_waits_for_a_person_once() {
    let platform = platform(Seed::healthy_worker());
    platform.set_fault(Fault::new(Service::Opa, FaultKind::Refuse)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let checks = folder.path().join("checks");
    std::fs::create_dir(&checks).unwrap();
    let shipped = std::fs::read_to_string(root().join("playbooks/checks/opa_health.yaml")).unwrap();
    std::fs::write(checks.join("opa_health.yaml"), shipped.replace("for: 3", "for: 1")).unwrap();
    let state = folder.path().join("state.db");
    let _serve = Serve::with_checks(&state, &root().join("playbooks"), &checks, &env(&platform));
    let args = ["runs", "list", "--json", "--status", "awaiting_approval", "--state", path(&state)];
    let run = eventually("a run that awaits approval", || heal(&args).exits(0).json().pop());
    assert_eq!(run["playbook"], "dependency_down");
    assert!(platform.effects().is_empty());
}
