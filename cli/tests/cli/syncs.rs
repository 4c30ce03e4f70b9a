//! What a run that the API starts writes: its transactions with a change, which are its disk syncs.

use std::path::Path;

use heal_sandbox::Seed;
use serde_json::json;

use crate::support::{Serve, env, eventually, get, path, platform, playbooks, post};

const LOOK: (&str, &str) = (
    "look.yaml",
    "triggers: [{incident_type: T}]\nactions: [{type: get_workflow_status, parameters: {workflow_id: wf-1}}]\n",
);
const RUNS: u64 = 5;
/// Syncs of a run: its start with the first command, and the end of its only attempt, which reads.
const SYNCS: u64 = 2;
/// Syncs more of all runs: on a busy machine a result may come over the queue.
const ALONE: u64 = 2;

/// Transactions in the write-ahead log beside `state`: a frame that ends one names the size of the database after it.
fn transactions(state: &Path) -> u64 {
    const LOG_HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let log = std::fs::read(format!("{}-wal", path(state))).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let page = usize::try_from(number(8)).unwrap();
    let frames = (LOG_HEADER..log.len()).step_by(FRAME_HEADER + page);
    frames.filter(|frame| number(frame + 4) > 0).count() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_the_api_starts_is_on_the_disk_with_its_command_in_one_sync() {
    let home = tempfile::tempdir().unwrap();
    let state = home.path().join("state.db");
    let platform = platform(Seed::healthy_worker());
    let serve = Serve::start(&state, playbooks(&[LOOK]).path(), &env(&platform));
    let heal = async |number: u64| {
        let asked = json!({"remediation_id": format!("run-{number}"), "incident_id": "i", "playbook_name": "look"});
        let (status, answer) = post(&format!("{}/api/v1/remediation/execute", serve.url), &asked).await;
        assert_eq!(status, 202, "{answer}");
        let (_, ended) = get(&format!("{}/api/v1/remediation/run-{number}/status?wait=20", serve.url)).await;
        assert_eq!(ended["status"], "COMPLETED", "{ended}");
    };
    // It stores the plan.
    heal(0).await;
    let before = transactions(&state);
    for number in 1..=RUNS {
        heal(number).await;
    }
    let written = || transactions(&state) - before;
    // The last answer may come before the last write is in the file.
    eventually("the runs are written", || (written() >= RUNS * SYNCS).then_some(()));
    assert!(written() <= RUNS * SYNCS + ALONE, "{} syncs of {RUNS} runs", written());
}
