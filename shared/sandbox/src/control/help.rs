//! What the control port says of itself.

use std::fmt::Write;

use crate::platform::Endpoints;
use crate::service::Service;

/// One page: where the services are, and what can be asked, each with a command to copy.
pub(super) fn text(endpoints: &Endpoints) -> String {
    let mut text = String::from("The stand-in platform.\n\nServices\n");
    for service in Service::ALL {
        let _ = writeln!(text, "  {:<13} {}", service.name(), endpoints.url(service));
    }
    text.push_str("\nVariables that lead the engine here\n");
    for (name, value) in endpoints.env() {
        let _ = writeln!(text, "  export {name}={value}");
    }
    let control = endpoints.control_url.as_deref().unwrap_or_default();
    text.push_str("\nWhat can be asked here\n");
    for (what, command) in examples(control) {
        let _ = writeln!(text, "  {what}\n    {command}");
    }
    text.push_str("\nOperations that a fault may name\n");
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
        ("every call, in order", format!("curl {control}/calls")),
        (
            "only calls that changed something, of one service, after call 10",
            format!("curl '{control}/calls?effects=true&service=tickets&after=10'"),
        ),
        ("forget the calls", format!("curl -X DELETE {control}/calls")),
        (
            "another state; what is absent is empty",
            put(
                "seed",
                r#"{"tickets": [{"ticket_id": "t-1", "status": "RUNNING", "assigned_worker": "w-1"}], "pods": [{"namespace": "n", "name": "w-1", "ready": false}]}"#,
            ),
        ),
        (
            "the next two reallocations answer 503",
            put(
                "faults",
                r#"{"service": "tickets", "operation": "reallocate_ticket", "calls": 2, "fault": {"status": {"code": 503}}}"#,
            ),
        ),
        (
            "the orchestrator refuses connections until cleared",
            put("faults", r#"{"service": "orchestrator", "fault": "refuse"}"#),
        ),
        (
            "the faults that are set, and the end of them",
            format!("curl {control}/faults; curl -X DELETE {control}/faults"),
        ),
        (
            "the policy server denies",
            put("policy", r#"{"decision": {"deny": {"violations": [{"rule": "reallocate_ticket_rate_limited"}]}}}"#),
        ),
        (
            "the policy decides again (or: allow, undefined, non_boolean; \"policy\" loads a Rego text)",
            put("policy", r#"{"decision": "rules"}"#),
        ),
    ]
}

const FAULTS: &str = r#"
Faults
  "refuse"                                              not performed; connecting is refused, or the connection reset
  "hang"                                                not performed; never answered
  {"status": {"code": 429, "retry_after_seconds": 2}}   not performed
  {"grpc_status": {"code": "UNAVAILABLE"}}              not performed; the orchestrator's alone
  {"redirect": {"location": "http://127.0.0.1:9/"}}     not performed
  "drop_answer"                                         performed; the connection is reset instead of an answer
  {"slow": {"by_ms": 5000}}                             performed; answered later
  {"wrong_content_type": {"content_type": "text/html"}} performed; with "body": not performed, that body instead
  {"huge_body": {"bytes": 100000000}}                   performed; so many bytes as the answer's body
  {"drip": {"interval_ms": 10}}                         performed; the answer comes byte by byte

A fault without "operation" meets every call of its service, one without "calls" lasts until cleared.
A fault replaces the one of the same service and operation. Wrong input is answered with 422 and the field's name.
"#;
