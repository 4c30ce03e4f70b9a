//! A run is one trace in Jaeger, from the one who sent the incident to the last call.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Sent};
use prost::Message as _;
use serde_json::json;

use crate::jaeger::{Jaeger, Span};
use crate::receiver::installed;
use crate::scenario::event;
use crate::site::{Endpoints, Site};
use crate::support::http;

const TRACE: u128 = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736;
const SENDER: u64 = 0x00f0_67aa_0ba9_02b7;
const SENDERS_SPAN: &str = "monitor.raise_incident";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_one_trace_in_jaeger_over_the_dispatcher_every_action_and_every_call() {
    let Some([program]) = installed(["jaeger"]) else { return };
    let jaeger = Jaeger::start(&program);
    let site = Site::start(&Endpoints { traces: jaeger.otlp_traces.clone(), ..Endpoints::default() });
    the_sender_has_a_span_of_its_own(&jaeger).await;
    let mut incident = event("ticket_timeout");
    incident["traceparent"] = format!("00-{TRACE:032x}-{SENDER:016x}-01").into();
    site.open.incident(&incident).await;
    let open = &site.open;
    open.ends("stuck", "workflow_restart", json!({"workflow_id": "wf-1"}), "HEALED").await;
    open.ends("pause", "pause", json!({"workflow_id": "wf-1"}), "COMPLETED").await;
    open.ends("replan", "replan", json!({"workflow_id": "wf-running"}), "COMPLETED").await;

    let spans = complete(
        &jaeger,
        &format!("{TRACE:032x}"),
        &["check_worker_health", "reallocate_ticket", "restart_pod", "update_ticket_status"],
        &[
            "self_healing.reallocate_ticket",
            "self_healing.update_ticket_status",
            "self_healing.get_ticket",
            "self_healing.opa.validate_action",
            "self_healing.kubernetes.check_worker_health",
            "self_healing.kubernetes.restart_pod",
        ],
    )
    .await;
    // The looks of the verification are in the trace too.
    let attempts = spans.iter().filter(|span| span.tags.get("step").is_some_and(|step| step == "worker_is_back"));
    assert!(attempts.count() > 0, "{spans:#?}");
    for (run, action, calls) in [
        ("stuck", "restart_workflow", ["get_workflow_status", "resume_workflow"].as_slice()),
        ("pause", "pause_workflow", &["pause_workflow"]),
        ("replan", "trigger_replanning", &["trigger_replanning"]),
    ] {
        let id = jaeger.find("self_healing.accept", ("run_id", run)).await;
        let calls: Vec<_> = calls.iter().map(|call| format!("self_healing.orchestrator.{call}")).collect();
        complete(&jaeger, &id, &[action], &calls.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
}

/// What the sender of the incident tells Jaeger itself, so that its span is there to be continued.
async fn the_sender_has_a_span_of_its_own(jaeger: &Jaeger) {
    let now = u64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos()).unwrap();
    let span = Sent {
        trace_id: TRACE.to_be_bytes().to_vec(),
        span_id: SENDER.to_be_bytes().to_vec(),
        name: SENDERS_SPAN.to_owned(),
        start_time_unix_nano: now,
        end_time_unix_nano: now + 1,
        ..Sent::default()
    };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    let body = ExportTraceServiceRequest { resource_spans }.encode_to_vec();
    let request = http().post(&jaeger.otlp_traces).header("content-type", "application/x-protobuf").body(body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
}

/// The spans of the trace, as soon as these actions and calls are among them and every span's parent is.
///
/// Attempts are children of the turns that sent them, calls are below an attempt, and exactly one span has no parent.
async fn complete(jaeger: &Jaeger, trace_id: &str, actions: &[&str], calls: &[&str]) -> Vec<Span> {
    let spans = jaeger.trace(trace_id, |spans| {
        let ids: BTreeSet<_> = spans.iter().map(|span| &span.id).collect();
        let names: BTreeSet<_> = spans.iter().map(|span| span.name.as_str()).collect();
        let performed: BTreeSet<_> =
            spans.iter().filter_map(|span| span.tags.get("action")).map(String::as_str).collect();
        spans.iter().all(|span| span.parent.as_ref().is_none_or(|parent| ids.contains(parent)))
            && actions.iter().all(|action| performed.contains(action))
            && calls.iter().chain(&["self_healing.dispatch", "self_healing.accept"]).all(|call| names.contains(call))
    });
    let spans = spans.await;
    let by_id: BTreeMap<_, _> = spans.iter().map(|span| (&span.id, span)).collect();
    let parent = |span: &Span| span.parent.as_ref().map(|parent| by_id[parent].name.as_str());
    for span in &spans {
        let is_below = match span.name.as_str() {
            SENDERS_SPAN => parent(span).is_none(),
            "self_healing.accept" => parent(span).is_none_or(|parent| parent == SENDERS_SPAN),
            "self_healing.dispatch" => {
                parent(span).is_some_and(|it| [SENDERS_SPAN, "self_healing.accept"].contains(&it))
            }
            "self_healing.attempt" => {
                parent(span).is_some_and(|it| ["self_healing.dispatch", "self_healing.accept"].contains(&it))
            }
            // By the plan gate, or just before the effect.
            "self_healing.opa.validate_action" => {
                parent(span).is_some_and(|it| ["self_healing.accept", "self_healing.attempt"].contains(&it))
            }
            _ => parent(span) == Some("self_healing.attempt"),
        };
        assert!(is_below, "{} is below {:?} in {spans:#?}", span.name, parent(span));
        assert!(span.name == SENDERS_SPAN || span.service == "heal", "{span:?}");
    }
    assert_eq!(spans.iter().filter(|span| span.parent.is_none()).count(), 1, "{spans:#?}");
    spans
}
