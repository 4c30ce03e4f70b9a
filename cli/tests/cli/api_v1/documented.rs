//! The document, the playbooks, and how the API refuses.

use serde_json::{Value, json};

use super::Home;
use crate::support::{answer, http, root};

#[tokio::test(flavor = "multi_thread")]
async fn the_document_is_published_and_names_every_path() {
    let home = Home::new();
    let (status, published) = home.get("/openapi.json").await;
    let kept = std::fs::read_to_string(root().join("docs/openapi.json")).unwrap();
    assert_eq!((status, published.to_string()), (200, serde_json::from_str::<Value>(&kept).unwrap().to_string()));
    assert_eq!(published["openapi"], "3.1.0");
    // Each documented path is there: another method than its own is answered with those that it has.
    for (path, methods) in published["paths"].as_object().unwrap() {
        let url = home.url(&path.replace("{id}", "x").replace("{name}", "x").replace("{playbook}", "x"));
        let trace = http().request(reqwest::Method::TRACE, &url).send().await.unwrap();
        assert_eq!(trace.status(), 405, "{path}");
        let allowed = trace.headers()["allow"].to_str().unwrap().to_lowercase();
        for method in methods.as_object().unwrap().keys() {
            assert!(allowed.contains(method), "{path}: {method} is not among {allowed}");
        }
        let options = http().request(reqwest::Method::OPTIONS, &url).send().await.unwrap();
        assert_eq!((options.status().as_u16(), options.headers().contains_key("allow")), (204, true), "{path}");
    }
    let head = http().head(home.url("/api/v1/runs")).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.bytes().await.unwrap().len()), (200, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_a_problem_with_the_form_of_the_remediation_api_beside_it() {
    let home = Home::new();
    let parameters: serde_json::Map<String, Value> = (0..5_000).map(|n| (format!("p{n}"), json!(n))).collect();
    let request = json!({"incident_id": 7, "playbook_name": 8, "parameters": parameters, "execution_mode": "NOW"});
    let response = http().post(home.url("/api/v1/remediation/execute")).json(&request).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let (status, body) = answer(response).await;
    assert_eq!((status, &body["status"], &body["title"]), (422, &json!(422), &json!("Unprocessable Entity")));
    assert_eq!((&body["type"], &body["errors"]), (&json!("about:blank"), &body["error"]["fields"]));
    assert_eq!(body["detail"], body["error"]["message"]);
    assert!(!body["errors"].as_array().unwrap().is_empty() && body.to_string().len() < 100_000, "{body}");
    for (path, status) in [("/nowhere", 404), ("/api/v1/runs/a%2Fb", 404), ("/api/v1/runs/%FF", 404)] {
        let (observed, body) = home.get(path).await;
        assert_eq!((observed, &body["status"]), (status, &json!(status)), "{path}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_playbook_is_shown_with_its_graph_and_a_draft_is_linted() {
    let home = Home::new();
    let (status, body) = home.get("/api/v1/playbooks/long").await;
    assert_eq!((status, &body["edges"]), (200, &json!([{"from": "first", "to": "second"}])), "{body}");
    assert_eq!(body["nodes"][1], json!({"name": "second", "type": "wait", "verify": false}));
    assert_eq!(home.get("/api/v1/playbooks/lung").await.0, 404);
    let (_, good) = home.post("/api/v1/playbooks/lint", &json!({"yaml": super::LONG})).await;
    assert_eq!(good["usable"], true, "{good}");
    let (status, bad) = home.post("/api/v1/playbooks/lint", &json!({"name": "x", "yaml": "actoins: []\n"})).await;
    assert_eq!((status, &bad["usable"]), (200, &json!(false)));
    assert!(bad.to_string().contains("did you mean `actions`?"), "{bad}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_home_has_empty_lists() {
    let home = Home::new();
    assert!(home.folder.path().exists());
    for (path, key) in [
        ("runs", "runs"),
        ("approvals", "approvals"),
        ("follow-ups", "follow_ups"),
        ("escalations", "escalations"),
        ("halts", "halts"),
        ("autonomy", "autonomy"),
        ("checks", "checks"),
        ("dead-letters", "dead_letters"),
    ] {
        let (status, body) = home.get(&format!("/api/v1/{path}")).await;
        assert_eq!((status, &body[key]), (200, &json!([])), "{path}: {body}");
    }
    for path in ["dead-letters/1/redrive", "follow-ups/r-1.x/done", "escalations/r-1/acknowledge"] {
        assert_eq!(home.post(&format!("/api/v1/{path}"), &json!({})).await.0, 404, "{path}");
    }
}
