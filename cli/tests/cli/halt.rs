//! The kill switch of a service at work: what is halted does not happen, and everything goes on afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use heal_sandbox::{Platform, Seed};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Serve, answer, env, eventually, get, heal, http, path, platform, playbooks, post};

const RUNS: u64 = 50;
/// The promise: no effect later than this after the halt was ordered.
const BOUND: Duration = Duration::from_secs(5);
/// How long nothing may happen after that.
const QUIET: Duration = Duration::from_secs(3);

/// Three effects, apart from each other.
const PLAYBOOK: &str = r#"
timeout_seconds: 60
triggers: [{incident_type: SLOW}]
actions:
  - {type: restart_workflow, parameters: {workflow_id: "{{ workflow_id }}", reason: tried}}
  - {type: wait, name: first_pause, parameters: {seconds: 2}}
  - {type: update_ticket_status, parameters: {ticket_id: "{{ ticket_id }}", status: running}}
  - {type: wait, name: second_pause, parameters: {seconds: 2}}
  - {type: pause_workflow, parameters: {workflow_id: "{{ workflow_id }}", reason: tried}}
verify:
  - type: get_workflow_status
    name: is_paused
    until: "{{ state == 'PAUSED' }}"
    within_seconds: 20
    parameters: {workflow_id: "{{ workflow_id }}"}
"#;

fn world() -> Seed {
    let tickets = (0..RUNS).map(|run| json!({"ticket_id": format!("ticket-{run}"), "status": "PENDING"}));
    let workflows = (0..RUNS).map(|run| json!({"workflow_id": format!("wf-{run}"), "state": "PAUSED"}));
    let seed = json!({"tickets": tickets.collect::<Vec<_>>(), "workflows": workflows.collect::<Vec<_>>()});
    Seed::from_json(&seed.to_string()).unwrap()
}

/// How often each effect happened.
fn effects(platform: &Platform) -> BTreeMap<String, u32> {
    let mut effects = BTreeMap::new();
    for call in platform.effects() {
        *effects.entry(format!("{} {}", call.operation, call.target)).or_default() += 1;
    }
    effects
}

async fn begin(serve: &Serve, run: u64) {
    let incident = json!({"incident_id": format!("inc-{run}"), "incident_type": "SLOW", "ticket_id": format!("ticket-{run}"),
        "workflow_id": format!("wf-{run}")});
    assert_eq!(post(&format!("{}/api/v1/incidents", serve.url), &incident).await.0, 202);
}

fn runs(state: &Path) -> Vec<Value> {
    heal(&["runs", "list", "--json", "--limit", "100", "--state", path(state)]).exits(0).json()
}

/// The id at the start of what `heal halt` prints.
fn halt(state: &Path, options: &[&str]) -> String {
    let args = [&["halt", "--for", "1h", "--reason", "a deployment", "--state", path(state)], options].concat();
    let ran = heal(&args).exits(0);
    ran.stdout.split(':').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_runs_are_halted_at_once_and_all_heal_after_the_resumption() {
    let platform = platform(world());
    let folder = playbooks(&[("slow.yaml", PLAYBOOK)]);
    let state = folder.path().join("state.db");
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    for run in 0..RUNS {
        begin(&serve, run).await;
    }
    eventually("runs are under way", || (effects(&platform).len() >= 20).then_some(()));
    let ordered = Instant::now();
    let id = halt(&state, &["--all"]);
    tokio::time::sleep(BOUND.saturating_sub(ordered.elapsed())).await;
    let before = effects(&platform);
    tokio::time::sleep(QUIET).await;
    assert_eq!(effects(&platform), before, "effects later than {BOUND:?} after the halt");
    let total = usize::try_from(3 * RUNS).unwrap();
    assert!(before.len() < total, "the runs had ended before the halt");
    let held = eventually("every live run is held", || {
        let runs = runs(&state);
        let live: Vec<_> = runs.iter().filter(|run| run["outcome"].is_null()).collect();
        live.iter().all(|run| run["held_by"] == json!(id)).then_some(live.len())
    });
    assert!(held > 0);
    let shown = heal(&["halts", "--state", path(&state)]).exits(0);
    assert!(shown.stdout.contains(&id) && shown.stdout.contains("everything"), "{shown:#?}");
    assert!(shown.stderr.contains("held; `heal runs list` marks them"), "{shown:#?}");
    let listed = heal(&["runs", "list", "--state", path(&state)]).exits(0);
    assert!(listed.stdout.contains(&format!("held by {id}")), "{listed:#?}");

    heal(&["resume", &id, "--state", path(&state)]).exits(0);
    heal(&["resume", &id, "--state", path(&state)]).exits(2).complains(&["does not exist or has ended"]);
    eventually("every run is healed", || {
        runs(&state).iter().all(|run| run["outcome"] == "HEALED" && run["held_by"].is_null()).then_some(())
    });
    let effects = effects(&platform);
    assert_eq!(effects.len(), total);
    let twice: Vec<_> = effects.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "effects that happened more than once: {twice:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_held_by_a_person_and_an_action_over_http() {
    let platform = platform(world());
    let folder = playbooks(&[("slow.yaml", PLAYBOOK)]);
    let state = folder.path().join("state.db");
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    let halts = format!("{}/api/v1/halts", serve.url);
    let order = json!({"scope": "action", "name": "restart_workflow", "for_seconds": 600, "reason": "a deployment"});
    let (status, halt) = post(&halts, &order).await;
    assert_eq!((status, &halt["by"]), (201, &json!("api:anonymous")), "{halt}");
    begin(&serve, 0).await;
    let held = |id: &Value| runs(&state).into_iter().find(|run| run["held_by"] == *id);
    let run = eventually("the run is held", || held(&halt["id"]));
    let run_id = run["run_id"].as_str().unwrap();
    let hold = |verb: &str| heal(&["runs", verb, run_id, "--reason", "let me look", "--state", path(&state)]);
    hold("release").exits(1).complains(&["heal resume halt-"]);
    hold("hold").exits(0);
    assert_eq!(get(&halts).await.1["halts"].as_array().unwrap().len(), 1);
    let one = format!("{halts}/{}", halt["id"].as_str().unwrap());
    for expected in [200, 404] {
        assert_eq!(answer(http().delete(&one).send().await.unwrap()).await.0, expected);
    }
    assert!(effects(&platform).is_empty());
    let shown = heal(&["runs", "show", run_id, "--state", path(&state)]).exits(0);
    for part in ["run_held", "action restart_workflow is halted", "held since", "let me look"] {
        assert!(shown.stdout.contains(part), "no {part:?} in {shown:#?}");
    }
    hold("release").exits(0);
    hold("release").exits(1);
    eventually("the run is healed", || runs(&state).iter().all(|run| run["outcome"] == "HEALED").then_some(()));
    assert_eq!(effects(&platform).len(), 3);

    for (order, part) in [
        (json!({"scope": "all", "for_seconds": 0, "reason": "x"}), "for_seconds"),
        (json!({"scope": "all", "for_seconds": 60, "reason": ""}), "reason"),
        (json!({"scope": "everything", "for_seconds": 60, "reason": "x"}), "everything"),
        (json!({"scope": "playbook", "for_seconds": 60, "reason": "x"}), "name"),
    ] {
        let (status, answer) = post(&halts, &order).await;
        assert!(status == 422 && answer.to_string().contains(part), "{order}: {status} {answer}");
    }
}

#[test]
fn a_halt_names_one_thing_that_exists_for_a_bounded_time() {
    let folder = playbooks(&[("slow.yaml", PLAYBOOK)]);
    let state = folder.path().join("state.db");
    let (state, folder) = (path(&state), path(folder.path()));
    heal(&["run", "tests/events/ticket_timeout.json", "--sandbox", "--state", state]);
    let args = |options: &[&str]| {
        let own = ["halt", "--state", state, "--playbooks", folder];
        heal(&[&own[..], options].concat())
    };
    let reason = ["--reason", "x"];
    args(&[&["--for", "1h"], &reason[..]].concat()).exits(2).complains(&["--all"]);
    args(&[&["--all", "--target", "t", "--for", "1h"], &reason[..]].concat()).exits(2).complains(&["--target"]);
    args(&["--all", "--for", "1h"]).exits(2).complains(&["--reason"]);
    for (options, complaint) in [
        (["--playbook", "slo", "--for", "1h"], "did you mean `slow`?"),
        (["--action", "restart_pods", "--for", "1h"], "did you mean `restart_pod`?"),
        (["--service", "kubernete", "--for", "1h"], "did you mean `kubernetes`?"),
        (["--target", "worker-7", "--for", "31d"], "the limit is 2592000 s (30 days)"),
        (["--target", "worker-7", "--for", "soon"], "invalid --for: `soon` is not a length of time"),
    ] {
        args(&[&options[..], &reason[..]].concat()).exits(2).complains(&[complaint]);
    }
    let ran = args(&[&["--target", "worker-7", "--for", "2d"], &reason[..]].concat()).exits(0);
    assert!(ran.stdout.contains("target worker-7 is halted until"), "{ran:#?}");
    let listed = heal(&["halts", "--json", "--state", state]).exits(0).json();
    assert_eq!((listed.len(), &listed[0]["scope"]), (1, &json!({"scope": "target", "name": "worker-7"})));
    heal(&["resume", "--all", "--state", state]).exits(0);
    heal(&["resume", "--all", "--state", state]).exits(0).complains(&["nothing is halted"]);
}
