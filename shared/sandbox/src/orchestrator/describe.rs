//! Describes a gRPC call for the journal: its target, its idempotency id, and its message as JSON.

use bytes::Bytes;
use heal_proto as proto;
use prost::Message;
use serde_json::{Value, json};

use super::rpc::HEALTH_PATH;
use crate::journal::Described;

/// The length of the gRPC frame header: the compression flag and the length of the message.
const FRAME_HEADER_BYTES: usize = 5;

pub(super) fn describe(path: &str, body: &Bytes) -> Described {
    let message = body.get(FRAME_HEADER_BYTES..).unwrap_or_default();
    let method = path.strip_prefix("/orchestrator.OrchestratorStrategic/").or_else(|| path.strip_prefix(HEALTH_PATH));
    let method = method.unwrap_or_default();
    let (operation, described) = match method {
        "AdjustPriorities" => ("AdjustPriorities", adjust(message)),
        "RebalanceResources" => ("RebalanceResources", rebalance(message)),
        "PauseWorkflow" => ("PauseWorkflow", pause(message)),
        "ResumeWorkflow" => ("ResumeWorkflow", resume(message)),
        "TriggerReplanning" => ("TriggerReplanning", replan(message)),
        "GetWorkflowStatus" => ("GetWorkflowStatus", status(message)),
        "Check" => ("Check", check(message)),
        _ => ("unknown", None),
    };
    let Some((target, key, body)) = described else {
        return Described { operation, ..Described::default() };
    };
    Described { operation, target, key: (!key.is_empty()).then_some(key), body: Some(body.to_string()) }
}

/// Target, idempotency id and message.
type Read = Option<(String, String, Value)>;

fn check(message: &[u8]) -> Read {
    let read = proto::health::HealthCheckRequest::decode(message).ok()?;
    let body = json!({"service": read.service});
    Some((read.service, String::new(), body))
}

fn adjust(message: &[u8]) -> Read {
    let read = proto::AdjustPrioritiesRequest::decode(message).ok()?;
    let body = json!({
        "workflow_id": read.workflow_id,
        "plan_id": read.plan_id,
        "new_priority": read.new_priority,
        "reason": read.reason,
        "adjustment_id": read.adjustment_id,
        "metadata": read.metadata,
    });
    let target = if read.workflow_id.is_empty() { read.plan_id } else { read.workflow_id };
    Some((target, read.adjustment_id, body))
}

fn rebalance(message: &[u8]) -> Read {
    let read = proto::RebalanceResourcesRequest::decode(message).ok()?;
    let body = json!({
        "workflow_ids": read.workflow_ids,
        "reason": read.reason,
        "rebalance_id": read.rebalance_id,
        "force": read.force,
    });
    Some((read.workflow_ids.join(","), read.rebalance_id, body))
}

fn pause(message: &[u8]) -> Read {
    let read = proto::PauseWorkflowRequest::decode(message).ok()?;
    let body = json!({
        "workflow_id": read.workflow_id,
        "reason": read.reason,
        "pause_duration_seconds": read.pause_duration_seconds,
        "adjustment_id": read.adjustment_id,
    });
    Some((read.workflow_id, read.adjustment_id, body))
}

fn resume(message: &[u8]) -> Read {
    let read = proto::ResumeWorkflowRequest::decode(message).ok()?;
    let body = json!({
        "workflow_id": read.workflow_id,
        "reason": read.reason,
        "adjustment_id": read.adjustment_id,
    });
    Some((read.workflow_id, read.adjustment_id, body))
}

fn replan(message: &[u8]) -> Read {
    let read = proto::TriggerReplanningRequest::decode(message).ok()?;
    let body = json!({
        "plan_id": read.plan_id,
        "reason": read.reason,
        "trigger_type": read.trigger_type().as_str_name(),
        "adjustment_id": read.adjustment_id,
        "context": read.context,
        "preserve_progress": read.preserve_progress,
        "priority": read.priority,
    });
    Some((read.plan_id, read.adjustment_id, body))
}

fn status(message: &[u8]) -> Read {
    let read = proto::GetWorkflowStatusRequest::decode(message).ok()?;
    let body = json!({
        "workflow_id": read.workflow_id,
        "include_tickets": read.include_tickets,
        "include_history": read.include_history,
    });
    Some((read.workflow_id, String::new(), body))
}
