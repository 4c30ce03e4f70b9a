//! `check_worker_health` over real sockets, through the attempt that every action goes through.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    missing_debug_implementations
)]

use heal_check_worker_health::{CheckWorkerHealth, spec};
use heal_rig::rig::{Rig, failed, of_run, output, short, unavailable};
use heal_rig::{logs, rig};
use heal_runtime::attempt::Worker;
use heal_runtime::{ActionCommand, AttemptOutcome};
use heal_sandbox::kubernetes::Pod;
use heal_sandbox::seed::{NAMESPACE, Seed};
use heal_sandbox::{Fault, FaultKind, PlatformConfig, Service};
use serde_json::{Value, json};
use tokio::time::Instant;

async fn worker(rig: &Rig) -> Worker {
    rig.worker(CheckWorkerHealth::new(rig.kubernetes().await, rig.clock()))
}

fn of(rig: &Rig, worker_id: &str) -> ActionCommand {
    rig.command(&spec(), json!({"worker_id": worker_id, "namespace": NAMESPACE}))
}

#[tokio::test]
async fn a_healthy_worker_is_healthy() {
    logs::collect();
    let rig = Rig::new();
    let result = rig.perform(&worker(&rig).await, &of(&rig, "worker-0")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    let pods = rig.platform.pods();
    let uid = &pods.iter().find(|pod| pod.name == "worker-0").unwrap().uid;
    let expected = json!({"found": true, "healthy": true, "worker_unhealthy": false, "pod_name": "worker-0", "pod_uid": uid,
        "phase": "Running", "reason": null, "restarts": 0});
    assert_eq!(result.output, output(expected));
    assert_eq!((&result.warnings, &result.follow_up), (&vec![], &vec![]));
    assert_eq!(rig.operations(), ["get_pod"]);
    let lines = logs::of("worker_health_checked");
    assert_eq!(lines.len(), 1);
    logs::assert_common_fields(&lines[0], "check_worker_health");
}

#[tokio::test]
async fn an_unhealthy_worker_says_why() {
    let crash_loop = Pod {
        ready: false,
        restarts: 7,
        waiting_reason: Some("CrashLoopBackOff".to_owned()),
        ..Pod::new(NAMESPACE, "worker-1")
    };
    let no_image = Pod {
        phase: "Pending".to_owned(),
        ready: false,
        waiting_reason: Some("ImagePullBackOff".to_owned()),
        ..Pod::new(NAMESPACE, "worker-2")
    };
    let no_memory = Pod {
        ready: false,
        restarts: 1,
        terminated_reason: Some("OOMKilled".to_owned()),
        ..Pod::new(NAMESPACE, "worker-3")
    };
    let ended = Pod { phase: "Failed".to_owned(), ready: false, ..Pod::new(NAMESPACE, "worker-4") };
    let seed = Seed { pods: vec![crash_loop, no_image, no_memory, ended], ..Seed::default() };
    let rig = Rig::with(PlatformConfig { seed, ..PlatformConfig::default() });
    let worker = worker(&rig).await;
    for (id, phase, reason, restarts) in [
        ("worker-1", "Running", "CrashLoopBackOff", 7),
        ("worker-2", "Pending", "ImagePullBackOff", 0),
        ("worker-3", "Running", "OOMKilled", 1),
        ("worker-4", "Failed", "Error", 0),
    ] {
        let result = rig.perform(&worker, &of_run(&of(&rig, id), id)).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{id}");
        for (name, expected) in [
            ("found", json!(true)),
            ("healthy", json!(false)),
            ("worker_unhealthy", json!(true)),
            ("pod_name", json!(id)),
            ("phase", json!(phase)),
            ("reason", json!(reason)),
            ("restarts", json!(restarts)),
        ] {
            assert_eq!(result.output[name], expected, "{id}: {name}");
        }
    }
}

#[tokio::test]
async fn a_worker_that_no_pod_matches_is_neither_healthy_nor_unhealthy() {
    for (id, tried) in [
        ("worker-9", "none has the label self-healing.io/worker-id=worker-9"),
        ("0a9b1c2d-3e4f-4a5b-8c6d-7e8f9a0b1c2d", "self-healing.io/worker-id=0a9b1c2d-3e4f-4a5b-8c6d-7e8f9a0b1c2d"),
        ("unknown worker", "no label can have it as its value"),
    ] {
        logs::collect();
        let rig = Rig::with(PlatformConfig::like_deployed());
        let result = rig.perform(&worker(&rig).await, &of(&rig, id)).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{id}");
        let expected = json!({"found": false, "healthy": false, "worker_unhealthy": false, "pod_name": null, "pod_uid": null,
            "phase": "Missing", "reason": "NotFound", "restarts": 0});
        assert_eq!(result.output, output(expected), "{id}");
        for notes in [&result.warnings, &result.follow_up] {
            assert_eq!(notes.len(), 1);
            for part in [format!("{id:?}").as_str(), tried, NAMESPACE, "KUBERNETES_WORKER_SELECTOR"] {
                assert!(notes[0].contains(part), "no {part} in {}", notes[0]);
            }
        }
        assert_eq!(logs::of("worker_health_checked").len(), 1);
    }
}

#[tokio::test]
async fn a_worker_of_a_deployment_is_found_by_its_label() {
    let rig = Rig::with(PlatformConfig::like_deployed());
    let worker = worker(&rig).await;
    for (id, healthy) in [("worker-0", true), ("worker-1", false)] {
        let result = rig.perform(&worker, &of_run(&of(&rig, id), id)).await;
        assert_eq!(result.output["healthy"], healthy, "{result:?}");
        assert_eq!(result.output["pod_name"], format!("{id}-6d5f9c7b8-x2k4q"));
    }
    assert_eq!(rig.operations(), ["get_pod", "list_pods", "get_pod", "list_pods"]);
}

#[tokio::test]
async fn a_site_may_label_its_workers_otherwise() {
    let label = |pod: Pod, worker: &str| Pod { labels: [("agent".to_owned(), worker.to_owned())].into(), ..pod };
    let pods = vec![label(Pod::new(NAMESPACE, "a-1"), "agent-7"), label(Pod::new(NAMESPACE, "a-2"), "agent-8")];
    let mut rig = Rig::with(PlatformConfig { seed: Seed { pods, ..Seed::default() }, ..PlatformConfig::default() });
    rig.config.kubernetes.worker_selector =
        heal_clients::config::WorkerSelector::parse("agent in ({worker_id})").unwrap();
    let result = rig.perform(&worker(&rig).await, &of(&rig, "agent-8")).await;
    assert_eq!(result.output["pod_name"], "a-2", "{result:?}");
}

#[tokio::test]
async fn without_a_namespace_the_configured_one_is_used() {
    let mut rig = Rig::new();
    rig.config.kubernetes.namespace = NAMESPACE.to_owned();
    let worker = worker(&rig).await;
    let result = rig.perform(&worker, &rig.command(&spec(), json!({"worker_id": "worker-0"}))).await;
    assert_eq!(result.output["healthy"], true);
    assert_eq!(rig.platform.calls()[0].target, format!("{NAMESPACE}/worker-0"));
}

#[tokio::test]
async fn an_api_that_does_not_answer_never_says_healthy() {
    for fault in [
        FaultKind::Refuse,
        FaultKind::Hang,
        FaultKind::DropAnswer,
        FaultKind::Drip { interval_ms: 500 },
        FaultKind::Status { code: 500, retry_after_seconds: None },
        FaultKind::Status { code: 429, retry_after_seconds: Some(1) },
    ] {
        logs::collect();
        let rig = Rig::new();
        let worker = worker(&rig).await;
        rig.platform.set_fault(Fault::new(Service::Kubernetes, fault.clone())).unwrap();
        let started = Instant::now();
        let result = rig.perform(&worker, &short(&rig, of(&rig, "worker-0"))).await;
        assert!(started.elapsed() < rig::SHORTLY, "{fault:?}");
        assert_eq!(unavailable(&result).0, "kubernetes", "{fault:?}");
        assert!(result.output.is_empty(), "{fault:?}");
        assert!(result.follow_up[0].contains("\"worker-0\""), "{:?}", result.follow_up);
        assert_eq!(logs::of("kubernetes_client_unavailable").len(), 1);
    }
}

#[tokio::test]
async fn an_api_that_forbids_reading_or_answers_garbage_is_a_failure() {
    let html = FaultKind::WrongContentType { content_type: "text/html".to_owned(), body: Some("<p>login".to_owned()) };
    for (fault, expected) in [
        (FaultKind::Status { code: 403, retry_after_seconds: None }, "forbidden"),
        // Another server answers.
        (html, "misconfigured"),
        (FaultKind::HugeBody { bytes: 100 << 20 }, "bad_answer"),
    ] {
        logs::collect();
        let rig = Rig::new();
        let worker = worker(&rig).await;
        rig.platform.set_fault(Fault::new(Service::Kubernetes, fault)).unwrap();
        let result = rig.perform(&worker, &of(&rig, "worker-0")).await;
        assert_eq!(failed(&result).0, expected);
        assert!(result.output.is_empty());
        assert_eq!(logs::of("check_worker_health_failed").len(), 1);
    }
}

#[tokio::test]
async fn a_name_that_would_be_another_path_is_never_sent() {
    let rig = Rig::new();
    let worker = worker(&rig).await;
    let odd = ["{{ 7*7 }}", "../", "%2e%2e", "a/b", "x\r\nHost: y", "a\u{202e}b", "-a", ".."];
    for (number, name) in odd.iter().enumerate() {
        let as_worker = rig.command(&spec(), json!({"worker_id": name, "namespace": NAMESPACE}));
        let result = rig.perform(&worker, &of_run(&as_worker, &format!("worker-{number}"))).await;
        assert_eq!(result.output["found"], false, "{name:?}: {result:?}");
        let as_namespace = rig.command(&spec(), json!({"worker_id": "worker-0", "namespace": name}));
        let result = rig.perform(&worker, &of_run(&as_namespace, &format!("namespace-{number}"))).await;
        let (code, message) = failed(&result);
        assert!(code == "bad_parameters" && message.starts_with("namespace"), "{name:?}: {message}");
    }
    assert!(rig.platform.calls().is_empty());
}

#[tokio::test]
async fn a_call_that_names_no_worker_calls_no_service() {
    let rig = Rig::new();
    let worker = worker(&rig).await;
    for parameters in
        [json!({}), json!({"worker_id": ""}), json!({"worker_id": Value::Null}), json!({"worker_id": "w", "pod": "p"})]
    {
        let command = of_run(&rig.command(&spec(), parameters.clone()), &parameters.to_string());
        assert_eq!(failed(&rig.perform(&worker, &command).await).0, "bad_parameters");
    }
    assert!(rig.platform.calls().is_empty());
}

#[tokio::test]
async fn a_second_delivery_reads_again_without_a_claim() {
    let rig = Rig::new();
    let (worker, command) = (worker(&rig).await, of(&rig, "worker-1"));
    for _ in 0..2 {
        assert_eq!(rig.perform(&worker, &command).await.output["worker_unhealthy"], true);
    }
    assert_eq!(rig.platform.calls().len(), 2);
    rig.lose_worker(&command, &[]).await;
}
