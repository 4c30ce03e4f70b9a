//! `heal audit` and `heal runs explain`: what a file says about its own runs, before and after one byte of it was changed.

use std::path::Path;

use heal_sandbox::Seed;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use crate::logs;
use crate::support::{Serve, env, eventually, heal, path, platform, root};

/// A state file with a run that was denied; the run's report.
fn denied(state: &str) -> Value {
    let run =
        ["run", "tests/events/workflow_stuck.json", "--sandbox", "--workflow-state", "failed", "--json", "--state"];
    heal(&[&run[..], &[state]].concat()).exits(1).report()
}

/// Changes the byte after the first `before` in the run's log, as whoever may write to the file could.
fn flip_after(state: &Path, run_id: &str, before: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let log = runtime.block_on(logs::of_run(state, run_id));
    let changed = log.iter().find_map(|commit| {
        let at = commit.events.find(before)? + before.len();
        let mut bytes = commit.events.clone().into_bytes();
        bytes[at] ^= 1;
        Some((commit.first_seq, String::from_utf8(bytes).unwrap()))
    });
    let (first_seq, text) = changed.unwrap_or_else(|| panic!("no {before:?} in the log of {run_id}"));
    let sql = "UPDATE event_commit SET events = ?1, packed = NULL
               WHERE first_seq = ?2 AND run_no = (SELECT no FROM run WHERE run_id = ?3)";
    let rows = Connection::open(state)
        .unwrap()
        .execute(sql, params![text, i64::try_from(first_seq).unwrap(), run_id])
        .unwrap();
    assert_eq!(rows, 1);
}

fn day(report: &Value) -> String {
    let ended_at = jiff::Timestamp::from_millisecond(report["ended_at"].as_i64().unwrap()).unwrap();
    ended_at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
}

#[test]
fn one_flipped_byte_of_a_log_is_found_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let state = path(&file);
    let healed =
        heal(&["run", "tests/events/ticket_timeout.json", "--sandbox", "--json", "--state", state]).exits(0).report();
    let report = denied(state);
    let (run_id, day) = (report["run_id"].as_str().unwrap(), day(&report));

    let verify = |options: &[&str]| heal(&[&["audit", "verify", "--state", state], options].concat());
    let whole = verify(&[]).exits(0);
    assert!(whole.stdout.starts_with("2 runs, ") && whole.stdout.contains("every chain fits"), "{whole:#?}");
    let head = heal(&["audit", "head", "--state", state, "--day", &day, "--json"]).exits(0).json().remove(0);
    assert_eq!((&head["day"], &head["runs"]), (&json!(day), &json!(2)));
    let head = head["head"].as_str().unwrap();
    assert!(heal(&["audit", "head", "--state", state, "--day", &day]).exits(0).stdout.contains(head));
    verify(&["--day", &day, "--expect", head]).exits(0);
    verify(&["--day", "2020-01-01", "--expect", head]).exits(1).complains(&["the head is not the expected one"]);
    let digest = verify(&["--run", run_id, "--json"]).exits(0).json().remove(0)["head"].as_str().unwrap().to_owned();
    verify(&["--run", run_id, "--expect", &digest]).exits(0);

    // Who sent it, in the first event of the run.
    flip_after(&file, run_id, "\"incident_id\":\"inc-workflow-stuck-");
    let broken = verify(&[]).exits(1);
    let expected = format!("broken: run {run_id}, commit at sequence number 1: its chain is ");
    assert!(broken.stdout.contains(&expected) && broken.stdout.contains("1 of 2 runs broken"), "{broken:#?}");
    let lines = verify(&["--json"]).exits(1).json();
    assert_eq!((&lines[0]["run_id"], &lines[1]["broken"]), (&json!(run_id), &json!(1)));
    verify(&["--day", &day, "--expect", head]).exits(1);
    verify(&["--run", run_id, "--expect", &digest]).exits(1);
    verify(&["--run", healed["run_id"].as_str().unwrap()]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_logs_the_head_of_the_last_day_once() {
    let platform = platform(Seed::healthy_worker());
    let folder = tempfile::tempdir().unwrap();
    let (file, log) = (folder.path().join("state.db"), folder.path().join("log"));
    let serve = Serve::start_logging(&file, &root().join("playbooks"), &env(&platform), "info", &log);
    let lines = || {
        let log = std::fs::read_to_string(&log).unwrap();
        log.lines().filter(|line| line.contains("audit.head")).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let logged = eventually("the head is logged", || lines().pop());
    let head = heal(&["audit", "head", "--state", path(&file)]).exits(0).stdout;
    let [day, .., digest] = head.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{head}") };
    assert!(logged.contains(day) && logged.contains(digest), "{head} and {logged}");
    drop(serve);
    assert_eq!(lines().len(), 1);
}

#[test]
fn bad_input_of_the_audit_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let state = path(&file);
    denied(state);
    let verify = |options: &[&str]| heal(&[&["audit", "verify", "--state", state], options].concat()).exits(2);
    verify(&["--expect", "x"]).complains(&["--expect needs --day DAY, whose head it is, or --run RUN"]);
    verify(&["--day", "yesterday"])
        .complains(&["`yesterday` is not a day since 1970, expected one such as 2026-11-28"]);
    verify(&["--since", "soon"]).complains(&["invalid --since: `soon`"]);
    verify(&["--run", "nobody"]).complains(&["run nobody does not exist"]);
    verify(&["--run", "r-1", "--day", "2026-11-28"]).complains(&["cannot be used with"]);
}

#[test]
fn a_denied_run_is_explained_and_a_changed_record_is_a_difference() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let state = path(&file);
    let report = denied(state);
    let run_id = report["run_id"].as_str().unwrap();
    let explain = |options: &[&str]| heal(&[&["runs", "explain", run_id, "--state", state], options].concat());

    let told = explain(&[]).exits(0);
    for part in [
        "started playbook workflow_restart",
        "restart_workflow, attempt 1: restart_workflow was authorised",
        "restart_workflow on ",
        ": denied by 1 rule",
        "switches: nothing is halted",
        "policy: the policy (server) denies it: restart_workflow_terminal_state",
        "(workflow FAILED, ",
        "replayed: same decision",
        "then: denied by the policy (1 violation)",
        "the run ended DENIED",
    ] {
        assert!(told.stdout.contains(part), "no {part:?} in {}", told.stdout);
    }
    let lines = explain(&["restart_workflow", "--json"]).exits(0).json();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert_eq!((&lines[0]["replayed"], &lines[0]["outcome"]), (&json!("same"), &json!("denied")));
    assert_eq!(lines[0]["record"]["decision"]["verdict"]["verdict"], "deny");
    explain(&["restart_wrkflow"])
        .exits(2)
        .complains(&["has no step `restart_wrkflow`; its steps are", "restart_workflow"]);

    flip_after(&file, run_id, "\"answer\":\"deny\",\"source\":\"");
    let different = explain(&[]).exits(1);
    assert!(different.stdout.contains("replayed: DIFFERENT, the reason of policy: "), "{different:#?}");
    different.complains(&["1 of 1 recorded decision differ"]);
    heal(&["audit", "verify", "--state", state, "--run", run_id]).exits(1);
}

#[test]
fn a_change_that_was_let_pass_is_explained_with_its_cooldown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.db");
    let run = ["run", "tests/events/ticket_timeout.json", "--sandbox", "--json", "--state", path(&file)];
    let run_id = heal(&run).exits(0).report()["run_id"].as_str().unwrap().to_owned();
    let told = heal(&["runs", "explain", &run_id, "reallocate_ticket", "--state", path(&file)]).exits(0);
    for part in [
        ": it may proceed",
        "counters: cooldown of reallocate_ticket for ",
        ": 0 of 1 used",
        "replayed: same decision",
        "then: succeeded",
    ] {
        assert!(told.stdout.contains(part), "no {part:?} in {}", told.stdout);
    }
    assert!(!told.stdout.contains("check_worker_health"), "only this step: {}", told.stdout);
}
