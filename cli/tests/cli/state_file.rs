//! The state file of `heal serve`: what it may be, its backups, a full disk, and what is left of a run in it.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use heal_embedded::{Location, Store};
use heal_runtime::port::{Clock as _, SystemClock};
use heal_sandbox::{Fault, FaultKind, Platform, Seed, Service};
use serde_json::{Value, json};

use crate::support::{Serve, command, env, eventually, finish, get, heal, path, platform, playbooks, post, root};

/// Milliseconds of a call to the orchestrator, so that the disk fills while effects are on their way.
const CALL_MS: u64 = 1_500;
const RUNS: usize = 20;
/// After that an input starts a run again, and claims are not kept any more.
const LATER_MS: u64 = 9 * DAY_MS;
const DAY_MS: u64 = 86_400_000;

fn workflows() -> Seed {
    let workflows: Vec<Value> =
        (0..RUNS).map(|run| json!({"workflow_id": format!("wf-{run}"), "state": "PAUSED"})).collect();
    Seed::from_json(&json!({"workflows": workflows}).to_string()).unwrap()
}

fn request(id: &str, workflow_id: &str) -> Value {
    json!({"remediation_id": id, "incident_id": id, "playbook_name": "workflow_restart", "parameters": {"workflow_id": workflow_id}})
}

async fn execute(serve: &Serve, request: &Value) -> (u16, Value) {
    post(&format!("{}/api/v1/remediation/execute", serve.url), request).await
}

/// The outcome of the run, once it has ended.
async fn outcome(serve: &Serve, run_id: &str) -> String {
    let url = format!("{}/api/v1/remediation/{run_id}/status", serve.url);
    for _ in 0..600 {
        let (status, body) = get(&url).await;
        assert_eq!(status, 200, "{body}");
        if !["PENDING", "RUNNING"].contains(&body["status"].as_str().unwrap()) {
            return body["result"]["outcome"].as_str().unwrap_or_default().to_owned();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{run_id} does not end");
}

fn effects_on(platform: &Platform) -> Vec<String> {
    let mut targets: Vec<String> = platform.effects().into_iter().map(|call| call.target).collect();
    targets.sort();
    targets
}

#[test]
fn serve_refuses_a_fifo_at_once_and_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("state.db");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let serve = ["serve", "--state", path(&fifo), "--playbooks", "playbooks", "--listen", "127.0.0.1:0"];
    let mut bounded = Command::new("timeout");
    bounded.args(["60", env!("CARGO_BIN_EXE_heal")]).args(serve).current_dir(root()).env_clear();
    finish(&mut bounded).exits(2).complains(&["state.db", "it is a FIFO, expected a regular file"]);
    finish(
        Command::new("timeout")
            .args(["60", env!("CARGO_BIN_EXE_heal"), "runs", "list", "--state", path(&fifo)])
            .env_clear(),
    )
    .exits(2)
    .complains(&["it is a FIFO"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_checked_backed_up_in_use_and_restored() {
    let platform = platform(workflows());
    let folder = tempfile::tempdir().unwrap();
    let (state, copy) = (folder.path().join("state.db"), folder.path().join("copy.db"));
    let serve = Serve::start(&state, &root().join("playbooks"), &env(&platform));
    assert_eq!(execute(&serve, &request("rem-1", "wf-1")).await.0, 202);
    assert_eq!(outcome(&serve, "rem-1").await, "HEALED");
    let [state, copy] = [path(&state), path(&copy)];
    let backed_up = heal(&["state", "backup", copy, "--state", state]).exits(0);
    backed_up.complains(&["copy.db is a copy of ", "checked: "]);
    heal(&["state", "backup", copy, "--state", state])
        .exits(2)
        .complains(&["copy.db\" exists already; name a new file"]);
    assert_eq!(execute(&serve, &request("rem-2", "wf-2")).await.0, 202);
    assert_eq!(outcome(&serve, "rem-2").await, "HEALED");
    let checked = heal(&["state", "check", "--state", state, "--json"]).exits(0).report();
    assert_eq!((&checked["findings"], &checked["runs"]), (&json!([]), &json!(2)), "{checked}");
    let rows = |table: &str| checked["rows"][table].as_u64();
    assert_eq!((rows("run"), rows("message"), rows("sqlite_schema")), (Some(2), Some(0), None), "{checked}");
    heal(&["state", "restore", copy, "--state", state])
        .exits(2)
        .complains(&["another heal works on this state file (process "]);
    assert_eq!(serve.terminate(), 0);

    let mut damaged = std::fs::read(state).unwrap();
    damaged[8_192..16_384].fill(0);
    std::fs::write(state, &damaged).unwrap();
    heal(&["state", "check", "--state", state]).exits(1).complains(&["is damaged", "docs/state-file.md"]);
    let args = ["serve", "--state", state, "--playbooks", "playbooks", "--listen", "127.0.0.1:0"];
    finish(command(&args).envs(env(&platform))).exits(2).complains(&["the file is damaged: ", "`heal state restore`"]);
    assert_eq!(std::fs::read(state).unwrap(), damaged, "nothing is made worse");
    let restored = heal(&["state", "restore", copy, "--state", state]).exits(0);
    restored.complains(&["is restored from", "state.db.replaced.1", "goes on at the next start"]);
    assert!(root().join("docs/state-file.md").exists());

    let listed = heal(&["runs", "list", "--json", "--state", state]).exits(0).json();
    assert_eq!(listed.iter().map(|run| run["run_id"].as_str().unwrap()).collect::<Vec<_>>(), ["rem-1"]);
    let _serve = Serve::start(Path::new(state), &root().join("playbooks"), &env(&platform));
}

/// From now on the process can make no file longer than it is, as on a disk without room; or it can again.
fn limit_files(serve: &Serve, bytes: &str) {
    let limit = Command::new("prlimit").args(["--pid", &serve.id().to_string(), &format!("--fsize={bytes}:")]).status();
    assert!(limit.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_wait_for_a_full_disk_and_go_on() {
    let platform = platform(workflows());
    let slow = Fault::new(Service::Orchestrator, FaultKind::Slow { by_ms: CALL_MS }).on("ResumeWorkflow");
    platform.set_fault(slow).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let serve = Serve::start_without_file_signal(&state, &root().join("playbooks"), &env(&platform));
    for run in 0..RUNS {
        assert_eq!(execute(&serve, &request(&format!("rem-{run}"), &format!("wf-{run}"))).await.0, 202);
    }
    eventually("effects are on their way", || (platform.effects().len() >= RUNS / 2).then_some(()));
    limit_files(&serve, "0");
    let (status, body) = execute(&serve, &request("rem-more", "wf-1")).await;
    assert_eq!(status, 503, "{body}");
    // Longer than every call, than the first retries of every message and than a lease.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let (status, health) = get(&format!("{}/health", serve.url)).await;
    assert_eq!((status, &health["status"]), (503, &json!("degraded")), "{health}");
    assert!(health["detail"].as_str().unwrap().contains("the disk takes no writes"), "{health}");
    let listed = heal(&["runs", "list", "--json", "--state", path(&state)]).exits(0).json();
    assert_eq!(listed.len(), RUNS);
    limit_files(&serve, "unlimited");
    for run in 0..RUNS {
        assert_eq!(outcome(&serve, &format!("rem-{run}")).await, "HEALED", "rem-{run}");
    }
    let mut once: Vec<String> = (0..RUNS).map(|run| format!("wf-{run}")).collect();
    once.sort();
    assert_eq!(effects_on(&platform), once, "each effect once");
    assert_eq!(get(&format!("{}/health", serve.url)).await.0, 200);
    assert_eq!(heal(&["dlq", "list", "--json", "--state", path(&state)]).exits(0).json(), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_read_on_a_full_disk_that_nobody_works_on() {
    let platform = platform(workflows());
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let serve = Serve::start(&state, &root().join("playbooks"), &env(&platform));
    assert_eq!(execute(&serve, &request("rem-1", "wf-1")).await.0, 202);
    assert_eq!(outcome(&serve, "rem-1").await, "HEALED");
    // Its log stays beside it.
    serve.kill();
    let list = r#"trap '' XFSZ; ulimit -f 0; exec "$0" runs list --json --state "$1""#;
    let heal = env!("CARGO_BIN_EXE_heal");
    let listed = finish(Command::new("sh").args(["-c", list, heal, path(&state)]).env_clear()).exits(0).json();
    assert_eq!(listed.len(), 1, "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_names_one_request() {
    let platform = platform(workflows());
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(&folder.path().join("state.db"), &root().join("playbooks"), &env(&platform));
    assert_eq!(execute(&serve, &request("rem-1", "wf-1")).await.0, 202);
    assert_eq!(outcome(&serve, "rem-1").await, "HEALED");
    assert_eq!(execute(&serve, &request("rem-1", "wf-1")).await.0, 202, "the same request");
    let other_playbook = json!({"remediation_id": "rem-1", "incident_id": "rem-1", "playbook_name": "ticket_timeout_recovery",
        "parameters": {"affected_tickets": ["ticket-1"]}});
    for other in [request("rem-1", "wf-2"), other_playbook] {
        let (status, body) = execute(&serve, &other).await;
        assert_eq!(status, 409, "{body}");
        assert!(
            body["detail"].as_str().unwrap().starts_with(
                "remediation_id: `rem-1` is the run of another request, of playbook workflow_restart; use a new id"
            ),
            "{body}"
        );
    }
    assert_eq!(effects_on(&platform), ["wf-1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_used_again_after_its_run_was_removed_does_its_work_again() {
    let platform = platform(workflows());
    let (text, guardrails) = (
        std::fs::read_to_string(root().join("playbooks/workflow_restart.yaml")).unwrap(),
        "cooldowns: {restart_workflow: {seconds: 0}}\n",
    );
    let folder = playbooks(&[("workflow_restart.yaml", &text), ("guardrails.yaml", guardrails)]);
    let state = folder.path().join("state.db");
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    assert_eq!(execute(&serve, &request("rem-1", "wf-1")).await.0, 202);
    assert_eq!(outcome(&serve, "rem-1").await, "HEALED");
    assert_eq!(serve.terminate(), 0);
    let store = Store::open(Location::File(state.clone()), Arc::new(SystemClock)).unwrap();
    let (soon, later) = (SystemClock.now().plus_ms(2 * DAY_MS), SystemClock.now().plus_ms(LATER_MS));
    let collected = store.collect_garbage(soon, DAY_MS).await.unwrap();
    assert_eq!((collected.runs, collected.claims), (0, 0), "a run stays with its claims: {collected:?}");
    let collected = store.collect_garbage(later, DAY_MS).await.unwrap();
    assert!(collected.runs == 1 && collected.claims > 0, "{collected:?}");
    drop(store);
    platform.seed(workflows()).unwrap();
    platform.forget_calls();

    let serve = Serve::start(&state, folder.path(), &env(&platform));
    assert_eq!(execute(&serve, &request("rem-1", "wf-1")).await.0, 202);
    assert_eq!(outcome(&serve, "rem-1").await, "HEALED");
    assert_eq!(effects_on(&platform), ["wf-1"], "its steps are its own");
}
