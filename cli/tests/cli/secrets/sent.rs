//! What the service sends away: spans to a collector, notices to a channel. Nor is a secret of a service's answer in anything of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use heal_otlp_receiver::{Collector, Reply};
use heal_sandbox::Seed;
use serde_json::{Value, json};

use super::{SHAPES, found_in, found_in_text, incident};
use crate::receiver::Receiver;
use crate::support::{Serve, env, eventually, heal, http, path, platform, playbooks, post};

const ASK: (&str, &str) = (
    "ask.yaml",
    "triggers: [{incident_type: T}]\n\
     approval: {}\n\
     parameters_schema: {type: object, properties: {door: {type: string, x-secret: true}}}\n\
     actions: [{type: wait, parameters: {seconds: 1}}]\n",
);

/// Three of them: a playbook of which ten runs fail may act no more by itself.
const KINDS: [&str; 3] = ["SICK", "ILL", "POOR"];

fn failing(kind: &str) -> String {
    format!(
        "triggers: [{{incident_type: {kind}}}]\n\
         actions: [{{type: update_ticket_status, parameters: {{ticket_id: \"{{{{ ticket_id }}}}\", status: running}}}}]\n"
    )
}

/// A ticket service that refuses every call, each time with another secret in its answer.
async fn talkative() -> String {
    let calls = Arc::new(AtomicUsize::new(0));
    let refusal = move || {
        let (text, _) = SHAPES[calls.fetch_add(1, Ordering::SeqCst) % SHAPES.len()];
        let body = json!({"error": text, "message": text, "detail": text}).to_string();
        async { (StatusCode::BAD_REQUEST, [("content-type", "application/json")], body) }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(refusal)).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_a_span_or_a_notice() {
    let (collector, receiver) = (Collector::start(Reply::Ok).await, Receiver::start(std::time::Duration::ZERO).await);
    let [sick, ill, poor] = KINDS.map(failing);
    let rules = receiver.is_told_of_everything();
    let files = [
        ASK,
        ("sick.yaml", sick.as_str()),
        ("ill.yaml", ill.as_str()),
        ("poor.yaml", poor.as_str()),
        ("notify.yaml", rules.as_str()),
    ];
    let folder = playbooks(&files);
    let home = tempfile::tempdir().unwrap();
    let (state, log) = (home.path().join("state.db"), home.path().join("log"));
    let own =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.clone()), ("EXECUTION_TICKET_SERVICE_URL", talkative().await)];
    let platform = platform(Seed::healthy_worker());
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let variables = [env(&platform), own.to_vec()].concat();
    let serve = Serve::start_logging(&state, folder.path(), &variables, "debug", &log);

    let (asked, mut gone) = incident("asked");
    gone.extend(SHAPES.map(|(_, secret)| secret.to_owned()));
    let mut send = vec![asked];
    send.extend((0..SHAPES.len()).map(|number| {
        let (text, _) = SHAPES[number];
        let kind = KINDS[number % KINDS.len()];
        json!({"incident_id": format!("sick-{number}"), "incident_type": kind, "ticket_id": format!("ticket-{number}"), "severity": text})
    }));
    for incident in &send {
        assert_eq!(post(&format!("{}/api/v1/incidents", serve.url), incident).await.0, 202, "{incident}");
    }
    for (text, _) in SHAPES {
        let halt = json!({"scope": "playbook", "name": "other", "for_seconds": 60, "reason": text});
        assert_eq!(post(&format!("{}/api/v1/halts", serve.url), &halt).await.0, 201, "{text}");
    }
    let failed = || {
        let runs = heal(&["runs", "list", "--state", path(&state), "--limit", "100", "--json"]).exits(0).json();
        runs.iter().filter(|run| run["outcome"] == "FAILED").count()
    };
    eventually("the sick runs have failed", || (failed() == SHAPES.len()).then_some(()));
    // A question, the halts, and what each failed run has left.
    let told = || receiver.bodies();
    eventually("the notices of all runs and halts have arrived", || (told().len() > 2 * SHAPES.len()).then_some(()));
    let list: Value =
        http().get(format!("{}/api/v1/follow-ups", serve.url)).send().await.unwrap().json().await.unwrap();
    assert_eq!(serve.terminate(), 0);

    let mut found = found_in(home.path(), &gone);
    found.extend(found_in_text("an answer", &list.to_string(), &gone));
    for body in told() {
        found.extend(found_in_text("a notice", &body, &gone));
    }
    for request in collector.received() {
        found.extend(found_in_text(&request.path, &String::from_utf8_lossy(&request.body), &gone));
    }
    assert!(found.is_empty(), "{} of {}: {found:#?}", found.len(), gone.len());
    // The texts around the secrets have come there.
    let spans = collector.spans();
    assert!(spans.iter().any(|span| span.name == "self_healing.get_ticket"), "{spans:?}");
    assert!(told().iter().any(|body| body.contains("[hidden]")), "{:#?}", told());
}
