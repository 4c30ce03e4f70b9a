//! The HTTP API of `heal serve`.

use heal_sandbox::{Platform, Seed, Service};
use serde_json::{Value, json};

use crate::support::{
    Serve, answer, command, env, eventually, finish, get, heal, http, path, platform, playbooks, post, root,
};

struct Site {
    platform: Platform,
    serve: Serve,
    folder: tempfile::TempDir,
}

impl Site {
    fn new(seed: Seed) -> Self {
        let platform = platform(seed);
        let folder = tempfile::tempdir().unwrap();
        let serve = Serve::start(&folder.path().join("state.db"), &root().join("playbooks"), &env(&platform));
        Self { platform, serve, folder }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.serve.url)
    }

    async fn execute(&self, request: &Value) -> (u16, Value) {
        post(&self.url("/api/v1/remediation/execute"), request).await
    }

    async fn ended(&self, id: &str) -> Value {
        loop {
            let (status, body) = get(&self.url(&format!("/api/v1/remediation/{id}/status"))).await;
            assert_eq!(status, 200, "{body}");
            if !["PENDING", "RUNNING"].contains(&body["status"].as_str().unwrap()) {
                return body;
            }
        }
    }
}

fn request(id: &str) -> Value {
    json!({"remediation_id": id, "incident_id": "i", "playbook_name": "workflow_restart",
        "parameters": {"workflow_id": "wf-1"}, "execution_mode": "AUTOMATIC"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remediation_is_executed_and_its_progress_reported() {
    let site = Site::new(Seed::healthy_worker());
    let (status, body) = site.execute(&request("rem-1")).await;
    assert_eq!((status, &body["remediation_id"]), (202, &"rem-1".into()), "{body}");
    assert!(is_rfc3339(&body["started_at"]), "{body}");
    let ended = site.ended("rem-1").await;
    assert_eq!(ended["status"], "COMPLETED", "{ended}");
    assert_eq!(ended["started_at"], body["started_at"]);
    assert_eq!((&ended["progress"], &ended["error"]), (&1.0.into(), &Value::Null));
    assert_eq!((&ended["actions_completed"], &ended["total_actions"]), (&1.into(), &1.into()));
    assert_eq!(ended["result"]["outcome"], "HEALED");
    assert_eq!(site.platform.effects().len(), 1);

    let (status, again) = site.execute(&request("rem-1")).await;
    assert_eq!((status, &again["status"]), (202, &"COMPLETED".into()));
    assert_eq!(site.platform.effects().len(), 1, "the same request once more did something");
}

fn is_rfc3339(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == "2026-11-23T20:21:00Z".len() && text.parse::<jiff::Timestamp>().is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_several_tickets_names_the_run_of_each() {
    let site = Site::new(Seed::healthy_worker());
    let request = json!({"incident_id": "i", "playbook_id": "ticket_timeout_recovery",
        "parameters": {"affected_tickets": ["ticket-1", "ticket-2"]}});
    let (status, body) = site.execute(&request).await;
    assert_eq!((status, &body["message"]), (202, &"2 runs, one for each ticket".into()), "{body}");
    let ids = body["remediation_ids"].as_array().unwrap();
    assert_eq!((ids.len(), &ids[0]), (2, &body["remediation_id"]), "{body}");
    for id in ids {
        assert_eq!(site.ended(id.as_str().unwrap()).await["status"], "COMPLETED");
    }
    let mut named = request;
    named["remediation_id"] = "rem-9".into();
    let (status, body) = site.execute(&named).await;
    assert_eq!((status, &body["error"]["fields"][0]["field"]), (422, &"parameters.affected_tickets".into()), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_is_refused_with_its_fields() {
    let site = Site::new(Seed::healthy_worker());
    let (status, body) =
        site.execute(&json!({"incident_id": "i", "playbook_name": "workflow_restrat", "parameters": {}})).await;
    assert_eq!(status, 404);
    assert!(body["error"]["message"].as_str().unwrap().contains("did you mean `workflow_restart`?"), "{body}");

    let cases = [
        (json!({"incident_id": "i", "playbook_name": "workflow_restart", "parameters": {}}), "parameters"),
        (
            json!({"incident_id": "i", "playbook_name": "workflow_restart", "parameters": {"workflow_id": 7}}),
            "parameters.workflow_id",
        ),
        (json!({"incident_id": "i", "playbook_name": 7, "parameters": {}}), "playbook_name"),
        (json!({"incident_id": 7, "playbook_name": "workflow_restart", "parameters": {}}), "incident_id"),
        (json!({"incident_id": "i", "playbook_name": "workflow_restart", "parameters": []}), "parameters"),
        (json!({"incident_id": "i", "playbook_name": "workflow_restart", "execution_mode": "NOW"}), "execution_mode"),
        (json!({"incident_id": "i", "incident_type": "WORKFLOW_STUCK", "workflow_id": "wf-1"}), "playbook_name"),
        (
            json!({"remediation_id": "a/b", "incident_id": "i", "playbook_name": "workflow_restart", "parameters": {"workflow_id": "w"}}),
            "remediation_id",
        ),
    ];
    for (wrong, field) in cases {
        let (status, body) = site.execute(&wrong).await;
        assert_eq!(status, 422, "{wrong}: {body}");
        let fields = body["error"]["fields"].as_array().unwrap();
        assert!(fields.iter().any(|it| it["field"] == field), "no {field} in {body} for {wrong}");
    }
    assert!(site.platform.calls().is_empty());
    assert_eq!(
        heal(&["runs", "list", "--json", "--state", path(&site.folder.path().join("state.db"))]).exits(0).stdout,
        ""
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_json_or_too_large_is_refused() {
    let site = Site::new(Seed::healthy_worker());
    for route in ["/api/v1/remediation/execute", "/api/v1/incidents"] {
        let url = site.url(route);
        let send = |content_type: &str, body: Vec<u8>| {
            http().post(&url).header("content-type", content_type).body(body).send()
        };
        let (status, body) = answer(send("application/json", b"{\"incident_id\": ".to_vec()).await.unwrap()).await;
        assert_eq!(status, 422);
        assert!(body["error"]["message"].as_str().unwrap().contains("line 1"), "{body}");
        let (status, _) = answer(send("application/x-www-form-urlencoded", b"{}".to_vec()).await.unwrap()).await;
        assert_eq!(status, 415);
        let (status, _) = answer(send("application/json", b"\"\xff\"".to_vec()).await.unwrap()).await;
        assert_eq!(status, 422);
        // The answer may come before the body is through; then the connection is closed on the sender.
        match send("application/json", vec![b'x'; 10 * 1024 * 1024]).await {
            Ok(response) => assert_eq!(response.status(), 413),
            Err(error) => assert!(error.is_request() || error.is_body(), "{error:?}"),
        }
    }
    assert_eq!(get(&site.url("/health")).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_waits_for_approval_and_starts_with_it() {
    let site = Site::new(Seed::healthy_worker());
    let mut manual = request("rem-2");
    manual["execution_mode"] = "MANUAL_APPROVAL".into();
    let (status, body) = site.execute(&manual).await;
    assert_eq!((status, &body["status"]), (202, &"AWAITING_APPROVAL".into()));
    assert_eq!(site.ended("rem-2").await["progress"], 0.0);
    // The plan gate has asked the policy; no target was even read.
    assert!(site.platform.calls().iter().all(|call| call.service == Service::Opa));
    let (status, _) =
        answer(http().post(site.url("/api/v1/remediation/rem-2/approve")).json(&json!({})).send().await.unwrap()).await;
    assert_eq!(status, 200);
    assert_eq!(site.ended("rem-2").await["status"], "COMPLETED");
    let (_, late) =
        answer(http().post(site.url("/api/v1/remediation/rem-2/approve")).json(&json!({})).send().await.unwrap()).await;
    assert_eq!(late["message"], "the run had ended already");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_cancelled_once_and_an_unknown_one_is_not_found() {
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[("long.yaml", "actions:\n  - {type: wait, parameters: {seconds: 50}}\n")]);
    let serve = Serve::start(&folder.path().join("state.db"), folder.path(), &env(&platform));
    let request = json!({"remediation_id": "rem-3", "incident_id": "i", "playbook_name": "long", "parameters": {}});
    assert_eq!(post(&format!("{}/api/v1/remediation/execute", serve.url), &request).await.0, 202);
    let url = |id: &str, call: &str| format!("{}/api/v1/remediation/{id}/{call}", serve.url);
    let (status, body) = answer(http().post(url("rem-3", "cancel")).json(&json!({})).send().await.unwrap()).await;
    assert_eq!((status, &body["status"]), (200, &"CANCELLED".into()), "{body}");
    let (_, body) = get(&url("rem-3", "status")).await;
    assert_eq!(body["status"], "CANCELLED");
    assert!(body["error"].is_string(), "{body}");
    assert!(body["error"].as_str().unwrap().ends_with("api:anonymous"), "{body}");

    let other = json!({"remediation_id": "rem-4", "incident_id": "j", "playbook_id": "long", "parameters": {}});
    assert_eq!(post(&format!("{}/api/v1/remediation/execute", serve.url), &other).await.0, 202);
    let (status, body) = post(&url("rem-4", "cancel"), &json!({"reason": 7})).await;
    assert_eq!((status, &body["error"]["fields"][0]["field"]), (422, &"reason".into()), "{body}");
    let (status, body) = post(&url("rem-4", "cancel"), &json!({"reason": "healed by hand", "by": "ann"})).await;
    assert_eq!((status, &body["status"]), (200, &"CANCELLED".into()), "{body}");
    assert!(is_rfc3339(&body["started_at"]), "{body}");
    let (_, body) = get(&url("rem-4", "status")).await;
    assert!(body["error"].as_str().unwrap().ends_with("reason: healed by hand"), "{body}");
    for call in ["cancel", "approve"] {
        assert_eq!(answer(http().post(url("nobody", call)).json(&json!({})).send().await.unwrap()).await.0, 404);
    }
    assert_eq!(get(&url("nobody", "status")).await.0, 404);
    assert_eq!(get(&url("%2e%2e", "status")).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_of_every_shape_are_queued_and_healed() {
    let site = Site::new(Seed::unhealthy_worker());
    let state = site.folder.path().join("state.db");
    let mut sent = 0;
    for file in ["ticket_timeout", "workflow_stuck", "sns", "eventbridge", "cloudwatch_alarm", "remediation_action"] {
        let text = std::fs::read_to_string(root().join(format!("tests/events/{file}.json"))).unwrap();
        let (status, body) = post(&site.url("/api/v1/incidents"), &serde_json::from_str(&text).unwrap()).await;
        assert_eq!((status, &body["status"]), (202, &"QUEUED".into()), "{file}: {body}");
        sent += 1;
    }
    let ended = eventually("every incident has a run that ended", || {
        let runs = heal(&["runs", "list", "--json", "--state", path(&state)]).exits(0).json();
        let ended = runs.iter().filter(|run| run["outcome"].is_string()).count();
        // Two incidents about the same target at the same time share one run.
        (ended == runs.len() && ended >= 3).then_some(runs)
    });
    assert!(ended.len() <= sent);
    assert!(ended.iter().any(|run| run["outcome"] == "HEALED"), "{ended:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_that_no_playbook_fits_is_kept_in_a_failed_run() {
    let site = Site::new(Seed::healthy_worker());
    let state = site.folder.path().join("state.db");
    let incident = json!({"incident_id": "odd-1", "incident_type": "NEVER_HEARD_OF", "note": "keep me"});
    assert_eq!(post(&site.url("/api/v1/incidents"), &incident).await.0, 202);
    let failed = eventually("a failed run keeps it", || {
        heal(&["runs", "list", "--status", "failed", "--json", "--state", path(&state)]).exits(0).json().pop()
    });
    assert_eq!(failed["incident_id"], "odd-1");
    let id = failed["run_id"].as_str().unwrap();
    let shown = heal(&["runs", "show", id, "--state", path(&state)]).exits(0);
    assert!(shown.stdout.contains("keep me") && shown.stdout.contains("NEVER_HEARD_OF"), "{shown:#?}");
    assert_eq!(get(&site.url(&format!("/api/v1/remediation/{id}/status"))).await.1["status"], "FAILED");
    let quiet = json!({"source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "detail": {"alarmName": "a",
        "state": {"value": "OK"}}});
    let (status, body) = post(&site.url("/api/v1/incidents"), &quiet).await;
    assert_eq!((status, &body["status"]), (200, &"IGNORED".into()), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_playbooks_and_unknown_paths_are_answered_in_json() {
    let site = Site::new(Seed::healthy_worker());
    let (status, body) = get(&site.url("/health")).await;
    assert_eq!((status, &body["status"]), (200, &"ok".into()));
    let (_, body) = get(&site.url("/api/v1/playbooks")).await;
    assert_eq!(body["playbooks"].as_array().unwrap().len(), 6);
    assert_eq!(get(&site.url("/nowhere")).await.0, 404);
    assert!(get(&site.url("/nowhere")).await.1["error"]["message"].is_string());
    assert_eq!(get(&site.url("/api/v1/incidents")).await.0, 405);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_has_one_service_and_a_stopped_one_frees_it() {
    let site = Site::new(Seed::healthy_worker());
    let state = site.folder.path().join("state.db");
    let args = ["serve", "--state", path(&state), "--listen", "127.0.0.1:0"];
    let second = finish(command(&args).envs(env(&site.platform))).exits(2);
    second.complains(&["another heal works on this state file", "process"]);
    let run = ["run", "tests/events/workflow_stuck.json", "--state", path(&state)];
    finish(command(&run).envs(env(&site.platform))).exits(2).complains(&["another heal works on this state file"]);
    let Site { platform, serve, folder } = site;
    assert_eq!(serve.terminate(), 0);
    drop(Serve::start(&folder.path().join("state.db"), &root().join("playbooks"), &env(&platform)));
}

#[test]
fn a_service_does_not_start_with_broken_playbooks_or_a_taken_port() {
    let folder = playbooks(&[("a.yaml", "actions: []\n"), ("b.yaml", "actoins: []\n")]);
    let state = folder.path().join("state.db");
    let args = ["serve", "--state", path(&state), "--playbooks", path(folder.path()), "--listen", "127.0.0.1:0"];
    heal(&args).exits(2).complains(&["a.yaml:1", "b.yaml:1", "did you mean `actions`?"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    heal(&["serve", "--state", path(&state), "--listen", &address]).exits(2).complains(&[&address, "in use"]);
}
