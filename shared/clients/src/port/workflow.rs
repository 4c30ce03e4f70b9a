//! What the actions on one workflow share.

use std::sync::Arc;

use heal_runtime::action::{Call, Facts, Performed, PolicyFacts, Target};
use heal_runtime::port::{Clock, PolicyResource};
use heal_runtime::{AttemptOutcome, AttemptResult};

use super::attempt::{Manual, call_failed, context};
use crate::call::CallContext;
use crate::error::{Effect, Error, RefusalKind};
use crate::orchestrator::{Client, WorkflowState, WorkflowStatus};

/// The orchestrator, as an action on one workflow uses it.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct Workflows {
    orchestrator: Arc<Client>,
    clock: Arc<dyn Clock>,
}

impl Workflows {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(orchestrator: Arc<Client>, clock: Arc<dyn Clock>) -> Self {
        Self { orchestrator, clock }
    }

    /// The client below.
    pub fn orchestrator(&self) -> &Client {
        &self.orchestrator
    }

    /// Deadline, key and trace for the calls of one attempt.
    pub fn context(&self, call: &Call) -> CallContext {
        context(call, &*self.clock)
    }

    /// The one target of a call on `workflow_id`; `reason` is the playbook's, if it gives one.
    pub fn target(workflow_id: &str, reason: Option<&str>) -> Target {
        let (workflow_id, reason) = (workflow_id.to_owned(), reason.unwrap_or_default().to_owned());
        Target::new(workflow_id.clone(), PolicyResource { workflow_id, reason, ..PolicyResource::default() })
    }

    /// The reason for the workflow's history: the playbook's, or which playbook acts for which incident.
    pub fn reason(call: &Call, given: Option<&str>) -> String {
        let context = &call.command.context;
        let own = || format!("self-healing by playbook {}, incident {}", context.playbook, context.incident_id);
        given.map_or_else(own, str::to_owned)
    }

    /// Reads the status of `workflow_id`, without the counts of its tickets.
    ///
    /// # Errors
    /// The orchestrator is unavailable, or refuses; it does not know the workflow.
    pub async fn status(&self, workflow_id: &str, context: &CallContext) -> Result<WorkflowStatus, Error> {
        self.orchestrator.get_workflow_status(workflow_id, false, context).await
    }

    /// Reads the state of `workflow_id`.
    ///
    /// # Errors
    /// As [`Workflows::status`].
    pub async fn state(&self, workflow_id: &str, context: &CallContext) -> Result<WorkflowState, Error> {
        self.status(workflow_id, context).await.map(|status| status.state)
    }

    /// What an attempt to change `workflow_id` did: a result that is not a success, and a failure before the change, left it untouched.
    pub fn performed(
        call: &Call,
        workflow_id: &str,
        changed: Result<AttemptResult, Error>,
        manual: &Manual,
    ) -> Performed {
        match changed {
            Ok(result) if result.is_proven_not_applied() => Performed::not_applied(workflow_id, result),
            Ok(result) => result.into(),
            Err(error) => {
                let result = Self::change_failed(call, workflow_id, &error, manual);
                match error.effect() {
                    Effect::NotApplied => Performed::not_applied(workflow_id, result),
                    Effect::Unknown => result.into(),
                }
            }
        }
    }

    /// The result of an attempt whose change of `target` failed: `unknown` if the change may have been applied, else as [`call_failed`].
    pub fn change_failed(call: &Call, target: &str, error: &Error, manual: &Manual) -> AttemptResult {
        let result = call_failed(call, target, error, manual);
        match error.effect() {
            Effect::NotApplied => result,
            Effect::Unknown => {
                let action = &call.command.action;
                let message = format!("it is not known whether {action} of {target:?} took effect: {error}");
                AttemptResult { outcome: AttemptOutcome::Unknown { message }, ..result }
            }
        }
    }

    /// The state for the policy, read from the orchestrator whatever the incident claims.
    ///
    /// # Errors
    /// The attempt's result: the state cannot be read, and `manual` is left for a person.
    pub async fn facts(&self, call: &Call, target: &Target, manual: &Manual) -> Result<Facts<()>, AttemptResult> {
        let state = self.state(&target.id, &self.context(call)).await;
        let state = state.map_err(|error| call_failed(call, &target.id, &error, manual))?;
        let workflow_state = Some(state.as_str().to_owned());
        Ok(Facts { policy: PolicyFacts { workflow_state, ..PolicyFacts::default() }, ..Facts::default() })
    }

    /// The state that explains why a call was refused with a failed precondition; `None` for any other `error`, or if it cannot be read.
    pub async fn state_behind(&self, error: &Error, workflow_id: &str, context: &CallContext) -> Option<WorkflowState> {
        match error {
            Error::Refused(refusal) if refusal.kind == RefusalKind::Precondition => {
                self.state(workflow_id, context).await.ok()
            }
            Error::Refused(_) | Error::Misconfigured(_) | Error::Unavailable(_) | Error::Invalid { .. } => None,
        }
    }
}
