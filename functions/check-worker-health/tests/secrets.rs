//! The program itself: no secret that comes to it by its queue, its service or AWS is in its log, its spans, its answer or what it sends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may stop at the first surprise")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use heal_check_worker_health::spec;
use heal_otlp_receiver::{Collector, Reply};
use heal_rig::canary::{self, SHAPES, found_in};
use heal_rig::process::{Ran, run};
use heal_rig::rig::Rig;
use heal_runtime::port::{Clock as _, SystemClock};
use heal_runtime::{ActionCommand, RunId};
use serde_json::json;

/// A Kubernetes API that answers each request with a failure that has another secret.
async fn kubernetes(status: StatusCode) -> String {
    let calls = Arc::new(AtomicUsize::new(0));
    let failure = move || {
        let text = canary::text(calls.fetch_add(1, Ordering::SeqCst));
        let code = status.as_u16();
        let body = json!({"kind": "Status", "status": "Failure", "reason": text, "message": text, "code": code});
        async move { (status, [("content-type", "application/json")], body.to_string()) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(failure)).await });
    url
}

/// Commands whose every text has one of the secrets, and messages that are none.
fn bodies(rig: &Rig) -> Vec<String> {
    let command = |number: usize, text: &str| {
        let now = SystemClock.now();
        let mut command = ActionCommand {
            run_id: RunId::new(format!("run-{number}")),
            issued_at: now,
            deadline: now.plus_ms(20_000),
            ..rig.command(&spec(), json!({"worker_id": text, "namespace": "default"}))
        };
        text.clone_into(&mut command.context.incident_id);
        serde_json::to_string(&command).unwrap()
    };
    let mut bodies: Vec<String> = SHAPES.iter().enumerate().map(|(number, (text, _))| command(number, text)).collect();
    bodies.extend((0..SHAPES.len()).map(|number| command(SHAPES.len() + number, &format!("worker-{number}"))));
    for (text, _) in SHAPES {
        bodies.push(text.to_owned());
        let parameters = json!({"worker_id": text});
        bodies.push(json!({"run_id": text, "action": text, "parameters": parameters, "deadline": text}).to_string());
    }
    bodies
}

async fn ran(status: StatusCode, level: &str) -> (Ran, Vec<String>) {
    let collector = Collector::start(Reply::Ok).await;
    let variables = [
        ("KUBERNETES_API_URL", kubernetes(status).await),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.clone()),
        ("RUST_LOG", level.to_owned()),
    ];
    let program = Path::new(env!("CARGO_BIN_EXE_check-worker-health"));
    let ran = run(program, &variables, "action-check_worker_health", &bodies(&Rig::new())).await;
    assert!(collector.spans().iter().any(|span| span.name == "self_healing.attempt"), "{}", ran.log);
    let received = collector.received();
    let exported = received.iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    (ran, exported)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_its_queue_its_service_or_aws_leaves_the_program() {
    for (status, level) in [(StatusCode::FORBIDDEN, "info"), (StatusCode::INTERNAL_SERVER_ERROR, "heal=trace,info")] {
        let (Ran { log, reply, sent }, exported) = ran(status, level).await;
        // The texts around the secrets are there, so the secrets would be.
        for told in ["playbook_executor.", "[hidden]", "was used", "access denied"] {
            assert!(log.contains(told), "{told} is not in {log}");
        }
        assert!(sent.iter().any(|body| body.contains("[hidden]")), "{sent:#?}");
        let places = [("the log", &log), ("the reply", &reply)];
        let places = places.into_iter().chain(exported.iter().map(|text| ("what was exported", text)));
        let sent = sent.iter().filter(|body| body.contains("QueueUrl")).map(|text| ("what was sent", text));
        for (place, text) in places.chain(sent) {
            assert_eq!(found_in(text), [""; 0], "{place}: {text}");
        }
    }
}
