//! The orchestrator client's requests and answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use heal_clients::orchestrator::{Client, Confirmation, Replanning, ReplanningTrigger, WorkflowState};
use heal_clients::{CallContext, Effect, Error, RefusalKind, Wiring};
use heal_sandbox::orchestrator::{OrchestratorConfig, UnknownWorkflow};
use heal_sandbox::{Platform, PlatformConfig};
use serde_json::{Value, json};

use crate::support::watch::Watch;
use crate::support::{platform_config, spans};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn context() -> CallContext {
    CallContext::within(Duration::from_secs(5)).with_key("run-1/step/1").with_traceparent(TRACEPARENT)
}

fn start() -> (Platform, Client, Arc<Watch>) {
    let platform = Platform::start(PlatformConfig::default()).unwrap();
    let watch = Arc::new(Watch::default());
    let client = Client::new(&platform_config(&platform).orchestrator, &watch.wiring()).unwrap();
    (platform, client, watch)
}

#[tokio::test]
async fn each_call_carries_what_the_contract_lists_under_its_span() {
    let (platform, client, watch) = start();
    spans::collect();
    let paused = client.pause_workflow("wf-running", "worker gone", Some(90), &context()).await.unwrap();
    assert_eq!(paused.confirmed, Confirmation::Answer);
    assert_eq!(paused.scheduled_resume_at_ms.unwrap() - paused.paused_at_ms.unwrap(), 90_000);
    client.resume_workflow("wf-running", "worker back", &context()).await.unwrap();
    let status = client.get_workflow_status("wf-1", true, &context()).await.unwrap();
    assert_eq!((status.state, status.plan_id.as_str()), (WorkflowState::Paused, "plan-1"));
    assert_eq!(status.tickets.unwrap().total, 4);
    let mut replanning = Replanning::new("plan-1", "drifted", ReplanningTrigger::Drift);
    replanning.context = BTreeMap::from([("incident_id".to_owned(), "inc-1".to_owned())]);
    let replanned = client.trigger_replanning(&replanning, &context()).await.unwrap();
    assert!(!replanned.replanning_id.is_empty());

    let calls = platform.calls();
    let bodies: Vec<Value> = calls.iter().map(|call| serde_json::from_str(&call.body).unwrap()).collect();
    assert_eq!(bodies[0]["workflow_id"], "wf-running");
    assert_eq!(bodies[0]["reason"], "worker gone");
    assert_eq!(bodies[0]["pause_duration_seconds"].to_string().trim_matches('"'), "90");
    assert_eq!(bodies[2]["include_tickets"], json!(true));
    assert_eq!(bodies[3]["context"]["incident_id"], "inc-1");
    for (call, name) in calls.iter().zip(["Pause", "Resume", "Get", "Trigger"]) {
        assert!(call.operation.starts_with(name), "{}", call.operation);
        assert_eq!(call.traceparent.as_deref(), Some(TRACEPARENT));
        if name != "Get" {
            assert_eq!(call.key.as_deref(), Some("run-1/step/1"));
        }
    }
    for operation in ["pause_workflow", "resume_workflow", "get_workflow_status", "trigger_replanning"] {
        let span = format!("self_healing.orchestrator.{operation}");
        assert!(spans::names().iter().any(|name| *name == span), "{span}");
        assert!(watch.told().contains(&format!("orchestrator {operation} success")), "{:?}", watch.told());
    }
}

#[tokio::test]
async fn text_with_special_characters_arrives_unchanged() {
    let (platform, client, _) = start();
    for text in ["{{ 7*7 }}", "../", "%2e%2e", "a\r\nX-Evil: 1", "a\u{202e}b"] {
        let error = client.get_workflow_status(text, false, &context()).await.unwrap_err();
        assert!(error.is_not_found(), "{error}");
        assert_eq!(platform.calls().pop().unwrap().target, text);
        client.pause_workflow("wf-running", text, None, &context().with_key(text)).await.unwrap();
        let body: Value = serde_json::from_str(&platform.calls().pop().unwrap().body).unwrap();
        assert_eq!((&body["reason"], &body["adjustment_id"]), (&json!(text), &json!(text)));
    }
}

#[tokio::test]
async fn an_unknown_workflow_is_not_found_whichever_way_the_orchestrator_reports_it() {
    for unknown_workflow in [UnknownWorkflow::NotFound, UnknownWorkflow::Unspecified, UnknownWorkflow::Pending] {
        let orchestrator = OrchestratorConfig { unknown_workflow, ..OrchestratorConfig::default() };
        let platform = Platform::start(PlatformConfig { orchestrator, ..PlatformConfig::default() }).unwrap();
        let client = Client::new(&platform_config(&platform).orchestrator, &Wiring::default()).unwrap();
        let error = client.get_workflow_status("no-such-workflow", false, &context()).await.unwrap_err();
        assert!(error.is_not_found() && !error.is_unavailable(), "{unknown_workflow:?}: {error}");
    }
}

#[tokio::test]
async fn a_workflow_in_the_wrong_state_is_a_refusal() {
    let (platform, client, _) = start();
    let over = client.pause_workflow("wf-completed", "r", None, &context()).await.unwrap_err();
    let running = client.resume_workflow("wf-running", "r", &context()).await.unwrap_err();
    for error in [over, running] {
        match error {
            Error::Refused(refusal) => {
                assert_eq!((refusal.kind, refusal.code.as_str()), (RefusalKind::Precondition, "FAILED_PRECONDITION"));
                assert_eq!(refusal.effect, Effect::NotApplied);
            }
            other => panic!("{other:?}"),
        }
    }
    // Pausing a paused workflow succeeds.
    client.pause_workflow("wf-1", "r", None, &context()).await.unwrap();
    assert!(platform.effects().is_empty());
}

#[tokio::test]
async fn an_invalid_argument_is_named_and_nothing_is_sent() {
    let (platform, client, _) = start();
    let keyless = CallContext::within(Duration::from_secs(5));
    let plan = Replanning { priority: 11, ..Replanning::new("plan-1", "r", ReplanningTrigger::Failure) };
    let nameless = Replanning::new("", "r", ReplanningTrigger::Failure);
    let errors = [
        (client.get_workflow_status("", false, &context()).await.unwrap_err(), "workflow_id: is empty"),
        (client.pause_workflow("wf-1", "r", None, &keyless).await.unwrap_err(), "adjustment_id: is missing"),
        (client.trigger_replanning(&plan, &context()).await.unwrap_err(), "priority: is 11, expected 1 to 10"),
        (client.trigger_replanning(&nameless, &context()).await.unwrap_err(), "plan_id: is empty"),
    ];
    for (error, expected) in errors {
        assert!(error.to_string().starts_with(expected), "{error}");
    }
    assert!(platform.calls().is_empty());
}

#[test]
fn triggers_are_parsed_as_playbooks_write_them() {
    for trigger in ReplanningTrigger::ALL {
        assert_eq!(trigger.as_str().to_lowercase().parse(), Ok(trigger));
        assert_eq!(format!("TRIGGER_TYPE_{}", trigger.as_str()).parse(), Ok(trigger));
    }
    assert!("WHIM".parse::<ReplanningTrigger>().is_err());
}

#[tokio::test]
async fn plain_text_is_refused_in_production() {
    let (platform, _, _) = start();
    for environment in ["production", "staging"] {
        let mut config = platform_config(&platform).orchestrator;
        config.environment = heal_clients::config::Config::read(&[("ENVIRONMENT", environment)]).unwrap().environment;
        let error = Client::new(&config, &Wiring::default()).unwrap_err();
        assert!(error.to_string().contains("plain text is refused"), "{error}");
    }
}

#[tokio::test]
async fn calls_can_be_made_from_any_task_at_once() {
    let (platform, client, _) = start();
    let client = Arc::new(client);
    let calls = (0..50).map(|_| {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.get_workflow_status("wf-1", false, &context()).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap().unwrap();
    }
    let client = Arc::clone(&client);
    tokio::spawn(async move { client.resume_workflow("wf-1", "r", &context()).await }).await.unwrap().unwrap();
    assert_eq!(platform.effects().len(), 1);
}
