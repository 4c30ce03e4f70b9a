//! The policy client as the port that an attempt asks.

use std::time::Duration;

use async_trait::async_trait;
use heal_runtime::port::{self, DecisionSource, PolicyInput};

use crate::call::CallContext;
use crate::policy::{Client, Decision, Question, Source, Violation};

/// Longest wait for a decision, whatever timeout is configured.
const LONGEST: Duration = Duration::from_secs(30);

#[async_trait]
impl port::Policy for Client {
    fn validates(&self, action: &str) -> bool {
        self.is_validated(action)
    }

    async fn decide(&self, input: &PolicyInput) -> port::Decision {
        let context = CallContext { traceparent: input.traceparent.clone(), ..CallContext::within(LONGEST) };
        self.validate_action(&question(input), &context).await.into()
    }
}

fn question(input: &PolicyInput) -> Question {
    let PolicyInput { resource, context, .. } = input.clone();
    Question {
        action: resource.action,
        ticket_id: resource.ticket_id,
        workflow_id: resource.workflow_id,
        plan_id: resource.plan_id,
        reason: resource.reason,
        affected_tickets: resource.affected_tickets,
        last_reallocation_timestamp: context.last_reallocation_timestamp,
        workflow_state: context.workflow_state,
        incident_id: context.incident_id,
        playbook_name: context.playbook_name,
        now_ns: context.now_ns,
    }
}

impl From<Decision> for port::Decision {
    fn from(decision: Decision) -> Self {
        match decision {
            Decision::Allow { source, warning } => Self::Allow { source: source.into(), warning },
            // A denial's own warning is in the client's log; the violations say what a person needs.
            Decision::Deny { source, violations, warning: _ } => {
                Self::Deny { source: source.into(), violations: violations.into_iter().map(Into::into).collect() }
            }
            Decision::Unavailable { reason } => Self::Unavailable { message: reason },
        }
    }
}

impl From<Source> for DecisionSource {
    fn from(source: Source) -> Self {
        match source {
            Source::Server => Self::Server,
            Source::Bundled => Self::Bundled,
            Source::FailOpen => Self::FailOpen,
            Source::Disabled | Source::NotValidated => Self::NotAsked,
        }
    }
}

impl From<Violation> for heal_runtime::Violation {
    fn from(violation: Violation) -> Self {
        let Violation { policy, rule, msg, severity } = violation;
        Self { policy, rule, msg, severity }
    }
}
