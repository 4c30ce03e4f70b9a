//! Alerts of other systems: the mapping file, what it makes of a delivery, and who may deliver.

use heal_runtime::port::{Clock as _, SystemClock};
use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::support::{Ran, Serve, answer, env, eventually, heal, http, path, platform, playbooks, post, root};

const SECRET: &str = "a secret of the monitoring";
const PLAYBOOK: (&str, &str) = (
    "wait.yaml",
    "timeout_seconds: 900\ntriggers: [{incident_type: T}]\nactions: [{type: wait, parameters: {seconds: 600}}]\n",
);
const SIGNED: &str = "sources: {generic: {secrets: [\"env:TEST_HOOK_SECRET\"]}}\n\
    rules: [{name: any, sources: generic, fingerprint: \"{{ payload.id }}\", incident: {incident_type: T}}]\n";

fn group(status: &str, worker: &str) -> Value {
    json!({"version": "4", "status": status, "receiver": "heal", "alerts": [{
        "status": status, "fingerprint": format!("f-{worker}"), "startsAt": "2026-11-28T10:00:00Z",
        "labels": {"alertname": "WorkerDown", "worker_id": worker}, "annotations": {"summary": "down"},
    }]})
}

/// Standard output has all of these.
#[track_caller]
fn says(ran: &Ran, texts: &[&str]) {
    texts.iter().for_each(|text| assert!(ran.stdout.contains(text), "{text}: {ran:#?}"));
}

fn now() -> u64 {
    SystemClock.now().0 / 1_000
}

#[test]
fn the_shipped_hooks_are_without_fault_and_a_delivery_is_tried_without_sending_it() {
    heal(&["hook", "lint"]).exits(0).complains(&["playbooks/hooks.yaml: no fault"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("group.json");
    std::fs::write(&file, group("firing", "worker-1").to_string()).unwrap();
    let tried = heal(&["hook", "test", path(&file), "--json"]).exits(0);
    let tried: Value = serde_json::from_str(&tried.stdout).unwrap();
    assert_eq!((&tried["result"], &tried["rule"]), (&"raised".into(), &"worker_down".into()), "{tried}");
    assert_eq!(tried["playbook"], "worker_failure_recovery");
    assert_eq!(tried["incident"]["incident_id"], "alertmanager:f-worker-1@2026-11-28T10:00:00Z");
    let told = heal(&["hook", "test", path(&file)]).exits(0);
    says(&told, &["worker_down", "worker_failure_recovery"]);
    std::fs::write(&file, group("resolved", "worker-1").to_string()).unwrap();
    let told = heal(&["hook", "test", path(&file)]).exits(0);
    says(&told, &["withdraws", "alertmanager:f-worker-1@"]);
}

#[test]
fn what_no_rule_is_for_and_what_cannot_be_read_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("group.json");
    let mut other = group("firing", "worker-1");
    other["alerts"][0]["labels"]["alertname"] = json!("Other");
    std::fs::write(&file, other.to_string()).unwrap();
    let told = heal(&["hook", "test", path(&file)]).exits(1);
    says(&told, &["no rule is for it"]);
    other["alerts"][0]["status"] = json!("on");
    std::fs::write(&file, other.to_string()).unwrap();
    heal(&["hook", "test", path(&file)]).exits(2).complains(&["alerts[0].status: unknown variant `on`"]);
    heal(&["hook", "test", path(&file), "--source", "nagios"]).exits(2).complains(&["the sources are alertmanager"]);
}

#[test]
fn a_broken_file_is_told_by_every_command_that_reads_it() {
    let folder = playbooks(&[PLAYBOOK, ("hooks.yaml", "rules: [{name: a, incident: {incident_type: U}}]\n")]);
    let of_folder = ["--playbooks", path(folder.path())];
    let expected = ["hooks.yaml:1:45", "no playbook has a trigger for `U`"];
    says(&heal(&[&["hook", "lint"], of_folder.as_slice()].concat()).exits(1), &expected);
    says(&heal(&["playbook", "lint", path(folder.path())]).exits(1), &expected);
    heal(&[&["hook", "compile"], of_folder.as_slice()].concat()).exits(1).complains(&["cannot be compiled"]);
    let state = folder.path().join("state.db");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--state", path(&state)];
    heal(&[serve.as_slice(), &of_folder].concat()).exits(2).complains(&["nothing is started"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_firing_alert_is_healed_once_and_a_repeat_starts_nothing() {
    let platform = platform(Seed::unhealthy_worker());
    let folder = tempfile::tempdir().unwrap();
    let serve = Serve::start(&folder.path().join("state.db"), &root().join("playbooks"), &env(&platform));
    let url = format!("{}/hooks/alertmanager", serve.url);
    for _ in 0..3 {
        let (status, body) = post(&url, &group("firing", "worker-1")).await;
        assert_eq!((status, &body["raised"]), (202, &1.into()), "{body}");
    }
    let mut other = group("firing", "worker-2");
    other["alerts"][0]["labels"]["alertname"] = json!("Other");
    let (status, body) = post(&url, &other).await;
    assert_eq!((status, &body["ignored"]), (202, &1.into()), "{body}");
    let state = folder.path().join("state.db");
    let runs = || heal(&["runs", "list", "--state", path(&state), "--json"]).exits(0).stdout;
    let ended = eventually("the run ends", || Some(runs()).filter(|runs| runs.contains("\"outcome\"")));
    assert_eq!(ended.lines().count(), 1, "{ended}");
    let metrics = reqwest::get(format!("{}/metrics", serve.url)).await.unwrap().text().await.unwrap();
    for (result, count) in [("raised", 3), ("ignored", 1)] {
        let line = metrics.lines().find(|line| line.starts_with("self_healing_alerts_total") && line.contains(result));
        assert!(line.is_some_and(|line| line.ends_with(&format!(" {count}"))), "{line:?}");
    }
    let (status, body) = post(&format!("{}/hooks/nagios", serve.url), &json!({})).await;
    assert_eq!(status, 404, "{body}");
    let (status, body) = post(&url, &json!({"alerts": [{"status": "on"}]})).await;
    assert_eq!((status, &body["error"]["fields"][0]["field"]), (422, &"alerts[0].status".into()), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_a_secret_takes_only_what_is_signed_now_and_only_once() {
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[PLAYBOOK, ("hooks.yaml", SIGNED)]);
    let state = folder.path().join("state.db");
    let variables = [env(&platform), vec![("TEST_HOOK_SECRET".to_owned(), SECRET.to_owned())]].concat();
    let serve = Serve::start(&state, folder.path(), &variables);
    let deliver = async |id: &str, signature: Option<String>| {
        let body = json!({"id": id}).to_string();
        let request = http().post(format!("{}/hooks/generic", serve.url)).body(body);
        let request = request.header("content-type", "application/json");
        let request = match signature {
            Some(signature) => request.header("x-heal-signature", signature),
            None => request,
        };
        answer(request.send().await.unwrap()).await.0
    };
    let sign = |secret: &str, seconds: u64, id: &str| {
        Some(heal_hooks::sign(secret, seconds, json!({"id": id}).to_string().as_bytes()))
    };
    assert_eq!(deliver("1", None).await, 401);
    assert_eq!(deliver("1", sign("another secret of it", now(), "1")).await, 401);
    assert_eq!(deliver("1", sign(SECRET, now(), "2")).await, 401);
    assert_eq!(deliver("1", sign(SECRET, now() - 301, "1")).await, 401);
    let good = sign(SECRET, now(), "1");
    assert_eq!(deliver("1", good.clone()).await, 202);
    assert_eq!(deliver("1", good).await, 409);
    let metrics = reqwest::get(format!("{}/metrics", serve.url)).await.unwrap().text().await.unwrap();
    for reason in ["unsigned", "wrong_signature", "outside_window", "replayed"] {
        let of_reason = format!("reason=\"{reason}\"");
        let mut lines = metrics.lines().filter(|line| line.contains("deliveries_refused_total"));
        let line = lines.find(|line| line.contains(&of_reason) && line.contains("generic"));
        assert!(line.is_some_and(|line| !line.ends_with(" 0")), "{reason}: {line:?}");
    }
}

#[test]
fn a_missing_secret_is_told_at_the_start_by_its_name() {
    let folder = playbooks(&[PLAYBOOK, ("hooks.yaml", SIGNED)]);
    let state = folder.path().join("state.db");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--state", path(&state), "--playbooks", path(folder.path())];
    heal(&serve).exits(2).complains(&["TEST_HOOK_SECRET has 0 bytes, a secret needs 16 at least", "`generic`"]);
}
