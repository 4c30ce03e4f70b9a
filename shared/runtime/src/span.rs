//! The drivers' spans: their names, their fields, and their parents.
//!
//! A run is one trace. The dispatcher's turns are children of the context that the run continues; an attempt is a child of the turn that sent
//! its command. None is a child of the batch around it, which holds messages of many runs.

use heal_engine::message::ActionCommand;
use heal_engine::{Plan, RunId, State};
use heal_telemetry::trace;
use tracing::Span;
use tracing::field::Empty;

use crate::dispatcher::Prepared;
use crate::port::{Delivery, QueueName};

/// A batch of messages: linked to their traces, and the parent of none. A single message is not a batch.
pub(crate) fn batch(queue: &QueueName, deliveries: &[Delivery]) -> Span {
    trace::batch(&queue.to_string(), deliveries.iter().map(|delivery| delivery.traceparent.as_deref()))
}

/// A message becomes a run.
pub(crate) fn accept(prepared: &Prepared, parent: Option<&str>) -> Span {
    let span = tracing::info_span!(
        parent: None,
        "self_healing.accept",
        incident_id = prepared.intake().incident_id,
        playbook = prepared.playbook(),
        run_id = Empty,
        trace_id = parent.and_then(trace::trace_id)
    );
    trace::continue_from(&span, parent);
    span
}

/// Records the id and the trace of the message's run.
pub(crate) fn accepted(run_id: &RunId, traceparent: &str) {
    let span = Span::current();
    span.record("run_id", run_id.as_str());
    span.record("trace_id", trace::trace_id(traceparent));
}

/// The dispatcher's turn of one run.
pub(crate) fn dispatch(plan: &Plan, state: &State) -> Span {
    let parent = state.traceparent.as_deref();
    let span = tracing::info_span!(
        parent: None,
        "self_healing.dispatch",
        run_id = %state.run_id,
        incident_id = state.incident_id,
        playbook = plan.playbook.name,
        trace_id = parent.and_then(trace::trace_id)
    );
    trace::continue_from(&span, parent);
    span
}

/// One attempt.
pub(crate) fn attempt(command: &ActionCommand) -> Span {
    let context = &command.context;
    let parent = context.traceparent.as_deref();
    let span = tracing::info_span!(
        parent: None,
        "self_healing.attempt",
        run_id = %command.run_id,
        incident_id = context.incident_id,
        playbook = context.playbook,
        step = command.step,
        item = command.item,
        action = command.action,
        attempt = command.attempt,
        trace_id = parent.and_then(trace::trace_id),
        outcome = Empty
    );
    trace::continue_from(&span, parent);
    span
}
