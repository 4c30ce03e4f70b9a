//! Changes to runs, to the brakes, and requests that are repeated.

use std::sync::Arc;

use heal_embedded::{Location, Store};
use heal_runtime::port::{Message, QueueName, Receiver as _, Sender as _, SystemClock};
use heal_sandbox::Seed;
use serde_json::{Value, json};

use super::Home;
use crate::support::{PATIENCE, Serve, answer, env, get, http, platform, playbooks, post};

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_held_released_and_cancelled_once() {
    let home = Home::new();
    home.start("r-1", "long").await;
    let reason = json!({"reason": "I look first"});
    for (verb, changed) in [("hold", true), ("hold", false), ("release", true), ("release", false)] {
        let (status, body) = home.post(&format!("/api/v1/runs/r-1/{verb}"), &reason).await;
        assert_eq!((status, &body["changed"]), (200, &json!(changed)), "{verb}: {body}");
    }
    for (body, field) in [(json!({}), "reason"), (json!({"reason": " "}), "reason"), (json!({"why": "x"}), "why")] {
        let (status, answer) = home.post("/api/v1/runs/r-1/hold", &body).await;
        assert_eq!((status, &answer["errors"][0]["field"]), (422, &json!(field)), "{answer}");
    }
    let form =
        http().post(home.url("/api/v1/runs/r-1/hold")).header("content-type", "application/x-www-form-urlencoded");
    let form = form.body("reason=x").send().await.unwrap();
    assert_eq!(form.status(), 415);
    let (status, body) = home.post("/api/v1/runs/r-1/cancel", &json!({"reason": "healed by hand"})).await;
    assert_eq!((status, &body["status"], &body["changed"]), (200, &json!("CANCELLED"), &json!(true)), "{body}");
    let bare = http().post(home.url("/api/v1/runs/r-1/cancel")).header("content-type", "application/json");
    let bare = answer(bare.send().await.unwrap()).await;
    assert_eq!((bare.0, &bare.1["changed"]), (200, &json!(false)));
    assert_eq!(home.post("/api/v1/runs/nobody/cancel", &json!({})).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_for_the_digest_that_was_read() {
    let home = Home::new();
    let request = |id: &str| {
        json!({"remediation_id": id, "incident_id": id, "playbook_name": "asks", "execution_mode": "MANUAL_APPROVAL",
            "parameters": {"workflow_id": format!("wf-{id}")}})
    };
    for id in ["r-1", "r-2"] {
        assert_eq!(home.post("/api/v1/remediation/execute", &request(id)).await.1["status"], "AWAITING_APPROVAL");
    }
    let (_, listed) = home.get("/api/v1/approvals").await;
    assert_eq!(listed["approvals"].as_array().unwrap().len(), 2, "{listed}");
    let digest = |id: &str| -> Value {
        let open = listed["approvals"].as_array().unwrap();
        open.iter().find(|approval| approval["run_id"] == id).unwrap()["digest"].clone()
    };
    let other = json!({"digest": digest("r-2")});
    let (status, body) = home.post("/api/v1/runs/r-1/approve", &other).await;
    assert_eq!(status, 403, "{body}");
    let (status, body) = home.post("/api/v1/runs/r-1/approve", &json!({"digest": digest("r-1")})).await;
    assert_eq!((status, &body["changed"]), (200, &json!(true)), "{body}");
    let rejection = json!({"digest": digest("r-2"), "reason": "not tonight"});
    let (status, body) = home.post("/api/v1/runs/r-2/reject", &rejection).await;
    assert_eq!((status, &body["status"]), (200, &json!("FAILED")), "{body}");
    assert_eq!(home.get("/api/v1/approvals").await.1["approvals"], json!([]));
    assert_eq!(home.post("/api/v1/runs/r-2/approve", &json!({})).await.0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_makes_one_run_or_one_halt_however_often_it_is_sent() {
    let home = Home::new();
    let post = async |path: &str, key: &str, body: &Value| {
        answer(http().post(home.url(path)).header("idempotency-key", key).json(body).send().await.unwrap()).await
    };
    let request = json!({"incident_id": "i-1", "playbook_name": "long", "parameters": {"n": 1}});
    let (status, first) = post("/api/v1/remediation/execute", "k-1", &request).await;
    assert_eq!((status, &first["message"]), (202, &json!("started")), "{first}");
    let (status, again) = post("/api/v1/remediation/execute", "k-1", &request).await;
    assert_eq!((status, &again["remediation_id"]), (202, &first["remediation_id"]), "{again}");
    let mut other = request.clone();
    other["parameters"]["n"] = 2.into();
    assert_eq!(post("/api/v1/remediation/execute", "k-1", &other).await.0, 409);
    let (_, second) = post("/api/v1/remediation/execute", "k-2", &other).await;
    assert_ne!(second["remediation_id"], first["remediation_id"]);
    other["remediation_id"] = "mine".into();
    assert_eq!(post("/api/v1/remediation/execute", "k-3", &other).await.0, 422);
    assert_eq!(home.get("/api/v1/runs").await.1["runs"].as_array().unwrap().len(), 2);

    let order = json!({"scope": "playbook", "name": "long", "for_seconds": 600, "reason": "migration"});
    let (status, halt) = post("/api/v1/halts", "k-1", &order).await;
    assert_eq!(status, 201, "{halt}");
    assert_eq!(post("/api/v1/halts", "k-1", &order).await.1["id"], halt["id"]);
    let longer = json!({"scope": "playbook", "name": "long", "for_seconds": 900, "reason": "migration"});
    assert_eq!(post("/api/v1/halts", "k-1", &longer).await.0, 409);
    assert_eq!(home.get("/api/v1/halts").await.1["halts"].as_array().unwrap().len(), 1);
    let id = halt["id"].as_str().unwrap();
    let resumed = http().delete(home.url(&format!("/api/v1/halts/{id}"))).send().await.unwrap();
    assert_eq!(resumed.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_of_autonomy_is_set_for_a_playbook_that_exists() {
    let home = Home::new();
    let (status, body) =
        home.put("/api/v1/autonomy/long", &json!({"level": "shadow", "reason": "new, we watch it"})).await;
    assert_eq!((status, &body["level"], body["since"].is_u64()), (200, &json!("shadow"), true), "{body}");
    assert_eq!(home.get("/api/v1/autonomy").await.1["autonomy"][0]["playbook"], "long");
    home.start("r-1", "long").await;
    assert_eq!(home.get("/api/v1/runs/r-1").await.1["report"]["mode"], "shadow");
    let (status, body) = home.put("/api/v1/autonomy/lung", &json!({"level": "off", "reason": "x"})).await;
    assert_eq!(status, 404);
    assert!(body["detail"].as_str().unwrap().contains("did you mean `long`?"), "{body}");
    assert_eq!(home.put("/api/v1/autonomy/long", &json!({"level": "of", "reason": "x"})).await.0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_be_done_and_does_nothing() {
    let home = Home::new();
    let incident = json!({"incident_id": "i-1", "incident_type": "STUCK", "workflow_id": "wf-1"});
    let (status, body) = home.post("/api/v1/incidents?dry_run=true", &incident).await;
    assert_eq!((status, &body["preview"]["playbook"]), (200, &json!("asks")), "{body}");
    assert_eq!(body["preview"]["steps"][0]["parameters"][0], json!(["workflow_id", {"now": "wf-1"}]));
    assert_eq!(home.get("/api/v1/runs").await.1["runs"], json!([]));
    let (status, body) =
        home.post("/api/v1/incidents?dry_run=true", &json!({"incident_id": "i", "incident_type": "NO"})).await;
    assert_eq!(status, 422, "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_goes_back_and_what_it_leaves_is_ticked_off() {
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[("long.yaml", super::LONG)]);
    let state = folder.path().join("state.db");
    let store = Store::open(Location::File(state.clone()), Arc::new(SystemClock)).unwrap();
    let body = json!({"incident_id": "odd", "incident_type": "NEVER_HEARD_OF"}).to_string();
    store.send(vec![Message { queue: QueueName::Incidents, body, delay_ms: 0, traceparent: None }]).await.unwrap();
    let delivery = store.receive(&QueueName::Incidents, 1, 60_000).await.unwrap().remove(0);
    store.dead_letter(&delivery.receipt, "it came too early").await.unwrap();
    drop(store);
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    let url = |path: &str| format!("{}/api/v1/{path}", serve.url);

    let (_, listed) = get(&url("dead-letters")).await;
    let letter = &listed["dead_letters"][0];
    assert_eq!((&letter["queue"], &letter["reason"]), (&json!("incidents"), &json!("it came too early")), "{listed}");
    let redrive = url(&format!("dead-letters/{}/redrive", letter["message_id"].as_str().unwrap()));
    assert_eq!(post(&redrive, &json!({})).await.0, 200);
    assert_eq!(post(&redrive, &json!({})).await.0, 404, "it is back on its queue");

    let give_up = tokio::time::Instant::now() + PATIENCE;
    let left = loop {
        let (_, left) = get(&url("follow-ups?incident=odd")).await;
        if let Some(entry) = left["follow_ups"].as_array().unwrap().first() {
            break entry.clone();
        }
        assert!(tokio::time::Instant::now() < give_up, "the message that no playbook fits left nothing");
    };
    let done = url(&format!("follow-ups/{}/done", left["id"].as_str().unwrap()));
    let (status, body) = post(&done, &json!({"note": "a typo"})).await;
    assert_eq!((status, &body["changed"]), (200, &json!(true)), "{body}");
    assert_eq!(get(&url("follow-ups?incident=odd")).await.1["follow_ups"], json!([]));
    let (_, all) = get(&url("follow-ups?all=true")).await;
    assert_eq!(
        (&all["follow_ups"][0]["note"], &all["follow_ups"][0]["done_by"]),
        (&json!("a typo"), &json!("api:anonymous"))
    );
    let run = left["run_id"].as_str().unwrap();
    assert_eq!(post(&url(&format!("escalations/{run}/acknowledge")), &json!({})).await.0, 409, "it is not escalated");
}
