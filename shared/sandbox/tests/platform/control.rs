use heal_sandbox::{Call, Fault, FaultKind, Platform, PlatformConfig, Service};
use serde_json::{Value, json};

use crate::support::{answer, get, http, platform, start};

fn url(platform: &Platform, path: &str) -> String {
    format!("{}/{path}", platform.endpoints().control_url.unwrap())
}

async fn put(platform: &Platform, path: &str, body: &str) -> (u16, Value) {
    // As curl sends it: with the content type of a form.
    let request = http()
        .put(url(platform, path))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.to_owned());
    answer(request.send().await.unwrap()).await
}

#[tokio::test]
async fn the_help_has_commands_to_copy_and_every_operation() {
    let platform = platform();
    let text = http().get(url(&platform, "")).send().await.unwrap().text().await.unwrap();
    for (name, value) in platform.env() {
        assert!(text.contains(&format!("export {name}={value}")), "{name}");
    }
    for service in Service::ALL {
        for operation in service.operations() {
            assert!(text.contains(operation), "{operation}");
        }
    }
    // Every PUT in the help is accepted.
    let mut commands = 0;
    for line in text.lines().filter(|line| line.trim().starts_with("curl -X PUT")) {
        let (head, body) = line.split_once(" -d '").unwrap();
        let path = head.rsplit_once('/').unwrap().1;
        let (status, answer) = put(&platform, path, body.trim_end_matches('\'')).await;
        // `rules` is refused only because no policy is loaded here.
        assert!(status == 200 || body.contains("rules"), "{line}: {answer}");
        commands += 1;
    }
    assert_eq!(commands, 5);
}

#[tokio::test]
async fn the_faults_in_the_help_are_faults() {
    let platform = platform();
    let text = http().get(url(&platform, "")).send().await.unwrap().text().await.unwrap();
    let faults = text.split("\nFaults\n").nth(1).unwrap();
    let mut names = Vec::new();
    for line in faults.lines().take_while(|line| !line.is_empty()) {
        let fault = line.trim().split("  ").next().unwrap().trim_end_matches(" performed; with").to_owned();
        let fault = fault.split("}} performed").next().map_or(fault.clone(), |head| {
            if fault.contains("}} performed") { format!("{head}}}}}") } else { fault.clone() }
        });
        let body = format!(r#"{{"service": "orchestrator", "fault": {fault}}}"#);
        let (status, set) = put(&platform, "faults", &body).await;
        assert_eq!(status, 200, "{line}: {set}");
        let fault: Fault = serde_json::from_value(set[0].clone()).unwrap();
        names.push(fault.fault.name());
    }
    names.sort_unstable();
    let all = [
        "abort_after_effect",
        "drip",
        "drop_answer",
        "grpc_status",
        "hang",
        "huge_body",
        "redirect",
        "refuse",
        "slow",
        "status",
        "status_after_effect",
        "wrong_content_type",
    ];
    assert_eq!(names, all);
}

#[tokio::test]
async fn another_process_can_seed_and_read_state_and_calls() {
    let platform = platform();
    let seed =
        r#"{"tickets": [{"ticket_id": "t", "status": "RUNNING", "assigned_worker": "w", "task_type": "BUILD"}]}"#;
    assert_eq!(put(&platform, "seed", seed).await, (200, json!({"tickets": 1, "workflows": 0, "pods": 0})));
    let reallocate = format!("{}/tickets/t/reallocate", platform.endpoints().tickets_url);
    http().post(reallocate).body(r#"{"reason": "r"}"#).send().await.unwrap();
    get(&format!("{}/version", platform.endpoints().kubernetes_url)).await;
    let (_, state) = get(&url(&platform, "state")).await;
    assert_eq!(
        (&state["tickets"][0]["status"], &state["tickets"][0]["task_type"]),
        (&json!("PENDING"), &json!("BUILD"))
    );
    assert_eq!((state["pods"].as_array().unwrap().len(), &state["decision"]), (0, &json!("rules")));
    let (_, calls) = get(&url(&platform, "calls")).await;
    let calls: Vec<Call> = serde_json::from_value(calls).unwrap();
    assert_eq!(calls, platform.calls());
    assert_eq!(calls.iter().map(|call| call.seq).collect::<Vec<_>>(), [1, 2]);
    for (query, expected) in [
        ("effects=true", vec![1]),
        ("effects=false", vec![1, 2]),
        ("service=kubernetes", vec![2]),
        ("after=1", vec![2]),
        ("effects=true&service=kubernetes", vec![]),
    ] {
        let (_, found) = get(&url(&platform, &format!("calls?{query}"))).await;
        let found: Vec<_> = found.as_array().unwrap().iter().map(|call| call["seq"].as_u64().unwrap()).collect();
        assert_eq!(found, expected, "{query}");
    }
    assert_eq!(http().delete(url(&platform, "calls")).send().await.unwrap().status(), 204);
    assert!(platform.calls().is_empty());
}

#[tokio::test]
async fn another_process_can_set_and_clear_faults() {
    let platform = platform();
    let faults = r#"[{"service": "tickets", "operation": "health", "calls": 1, "fault": {"status": {"code": 503}}},
                     {"service": "opa", "fault": "refuse"}]"#;
    let (status, set) = put(&platform, "faults", faults).await;
    assert_eq!((status, set.as_array().unwrap().len()), (200, 2));
    assert_eq!(get(&url(&platform, "faults")).await.1, set);
    let health = format!("{}/health", platform.endpoints().tickets_url);
    assert_eq!(get(&health).await.0, 503);
    assert_eq!(get(&health).await.0, 200);
    let opa = format!("{}/health", platform.endpoints().url(Service::Opa));
    assert!(http().get(&opa).send().await.is_err());
    assert_eq!(http().delete(url(&platform, "faults")).send().await.unwrap().status(), 204);
    assert_eq!(get(&opa).await.0, 200);
    assert_eq!(get(&url(&platform, "faults")).await.1, json!([]));
}

#[tokio::test]
async fn another_process_can_set_the_policy() {
    let platform = platform();
    let ask = || async {
        let base = platform.endpoints().url(Service::Opa);
        let question = http().post(format!("{base}/v1/data/{}", heal_sandbox::opa::PLAYBOOK_VALIDATION)).body("{}");
        answer(question.send().await.unwrap()).await.1
    };
    assert_eq!(put(&platform, "policy", r#"{"decision": "allow"}"#).await.0, 200);
    assert_eq!(ask().await["result"]["allow"], true);
    let policy = r#"{"policy": "package neuralhive.self_healing.playbook_validation\nallow := false"}"#;
    assert_eq!(put(&platform, "policy", policy).await, (200, json!({"decision": "rules"})));
    assert_eq!(ask().await, json!({"result": {"allow": false}}));
}

#[tokio::test]
async fn invalid_input_is_unprocessable_and_names_the_field() {
    let platform = platform();
    let cases = [
        ("seed", r#"{"tickets": [{"ticket_id": "a", "status": "idle"}]}"#, "tickets[0]"),
        ("seed", r#"{"pods": [{"namespace": "", "name": "a"}]}"#, "pods[0].namespace"),
        ("seed", r#"{"workflow": []}"#, "workflow"),
        ("seed", "{", "."),
        ("faults", r#"{"service": "kafka", "fault": "hang"}"#, "service"),
        ("faults", r#"{"service": "opa", "fault": "hung"}"#, "fault"),
        ("faults", r#"{"service": "opa", "fault": {"slow": {"by": 1}}}"#, "fault.slow.by"),
        (
            "faults",
            r#"[{"service": "opa", "fault": "hang"}, {"service": "opa", "fault": {"status": {"code": "x"}}}]"#,
            "[1].fault.status.code",
        ),
        ("faults", r#"{"service": "opa", "operation": "ask", "fault": "hang"}"#, "operation"),
        ("faults", r#"{"service": "opa", "fault": {"status": {"code": 700}}}"#, "fault.status.code"),
        ("policy", r#"{"decision": "maybe"}"#, "decision"),
        ("policy", r#"{"decision": "rules"}"#, "policy"),
        ("policy", r#"{"policy": "package"}"#, "policy"),
        ("policy", "{} {}", "."),
    ];
    for (path, body, field) in cases {
        let (status, answer) = put(&platform, path, body).await;
        assert_eq!(status, 422, "{body}: {answer}");
        assert_eq!(answer["error"]["field"], field, "{body}: {answer}");
        assert!(!answer["error"]["message"].as_str().unwrap().is_empty());
    }
    for (query, field) in [("effects=maybe", "effects"), ("service=kafka", "service"), ("effect=true", "effect")] {
        let (status, answer) = get(&url(&platform, &format!("calls?{query}"))).await;
        assert_eq!((status, &answer["error"]["field"]), (422, &json!(field)));
    }
    // No invalid request changed anything.
    assert!(get(&url(&platform, "faults")).await.1.as_array().unwrap().is_empty());
    assert_eq!(platform.tickets().len(), 4);
}

#[tokio::test]
async fn the_control_port_works_while_every_service_is_down_and_is_optional() {
    let platform = platform();
    for service in Service::ALL {
        platform.set_fault(Fault::new(service, FaultKind::Refuse)).unwrap();
    }
    assert_eq!(get(&url(&platform, "state")).await.0, 200);
    let without = start(PlatformConfig { control_port: None, ..PlatformConfig::default() });
    assert_eq!(without.endpoints().control_url, None);
}

#[tokio::test]
async fn a_control_request_over_the_limit_is_refused() {
    let platform = platform();
    let body = vec![b' '; 64 * 1024 * 1024 + 1];
    let sent = http().put(url(&platform, "seed")).body(body).send().await;
    // The port may close before it has read everything.
    assert!(sent.map_or(true, |response| response.status() == 413));
    assert_eq!(platform.tickets().len(), 4);
}
