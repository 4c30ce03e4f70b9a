//! The help page of the control port.

use std::fmt::Write;

use crate::config::Endpoints;
use crate::service::Service;

/// One page: the addresses of the services, and every request of the control port as a command to copy.
pub(super) fn text(endpoints: &Endpoints) -> String {
    let mut text = String::from("The stand-in platform.\n\nServices\n");
    for service in Service::ALL {
        let _ = writeln!(text, "  {:<13} {}", service.name(), endpoints.url(service));
    }
    text.push_str("\nVariables that point the engine here\n");
    for (name, value) in endpoints.env() {
        let _ = writeln!(text, "  export {name}={value}");
    }
    let control = endpoints.control_url.as_deref().unwrap_or_default();
    text.push_str("\nRequests\n");
    for (what, command) in examples(control) {
        let _ = writeln!(text, "  {what}\n    {command}");
    }
    text.push_str("\nOperations for a fault\n");
    for service in Service::ALL {
        let _ = writeln!(text, "  {:<13} {}", service.name(), service.operations().join(", "));
    }
    text.push_str(FAULTS);
    text
}

fn examples(control: &str) -> [(&'static str, String); 10] {
    let put = |path: &str, body: &str| format!("curl -X PUT {control}/{path} -d '{body}'");
    [
        ("tickets, workflows, pods, faults", format!("curl {control}/state")),
        ("every call, oldest first", format!("curl {control}/calls")),
        (
            "only calls that changed something, of one service, after call 10",
            format!("curl '{control}/calls?effects=true&service=tickets&after=10'"),
        ),
        ("clear the journal", format!("curl -X DELETE {control}/calls")),
        (
            "replace the state; an absent list is empty",
            put(
                "seed",
                r#"{"tickets": [{"ticket_id": "t-1", "status": "RUNNING", "assigned_worker": "w-1"}], "pods": [{"namespace": "n", "name": "w-1", "ready": false}]}"#,
            ),
        ),
        (
            "fail the next two reallocations with 503",
            put(
                "faults",
                r#"{"service": "tickets", "operation": "reallocate_ticket", "calls": 2, "fault": {"status": {"code": 503}}}"#,
            ),
        ),
        (
            "the orchestrator refuses connections until the fault is cleared",
            put("faults", r#"{"service": "orchestrator", "fault": "refuse"}"#),
        ),
        ("list the faults, then clear them", format!("curl {control}/faults; curl -X DELETE {control}/faults")),
        (
            "the policy server denies",
            put("policy", r#"{"decision": {"deny": {"violations": [{"rule": "reallocate_ticket_rate_limited"}]}}}"#),
        ),
        (
            "the loaded policy decides again (or: allow, undefined, non_boolean; \"policy\" loads a Rego text)",
            put("policy", r#"{"decision": "rules"}"#),
        ),
    ]
}

const FAULTS: &str = r#"
Faults
  "refuse"                                              not performed; connecting is refused, or the connection reset
  "hang"                                                not performed; never answered
  {"status": {"code": 429, "retry_after_seconds": 2}}   not performed
  {"grpc_status": {"code": "UNAVAILABLE"}}              not performed; orchestrator only
  {"redirect": {"location": "http://127.0.0.1:9/"}}     not performed
  {"abort_after_effect": {"code": "UNKNOWN"}}           performed; answered with that gRPC status; orchestrator only
  {"status_after_effect": {"code": 500}}                performed; answered with that HTTP status
  "drop_answer"                                         performed; the connection is then reset
  {"slow": {"by_ms": 5000}}                             performed; answered later
  {"wrong_content_type": {"content_type": "text/html"}} performed; with "body": not performed, that body is sent
  {"huge_body": {"bytes": 100000000}}                   performed; the response body has this many bytes
  {"drip": {"interval_ms": 10}}                         performed; the response is sent byte by byte

Without "operation" a fault applies to every call of its service, without "calls" it lasts until it is cleared.
A fault replaces the one of the same service and operation. Invalid input is answered with 422 and the name of the field.
"#;
