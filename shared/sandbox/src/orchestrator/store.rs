//! The workflows, and the responses that the orchestrator replays by adjustment id.

mod pausing;
mod steering;

use std::collections::BTreeMap;
use std::sync::Mutex;

use heal_proto as proto;
use tonic::Status;

use super::workflow::{Replanning, Workflow, WorkflowState};
use crate::state::{Replay, lock};
use crate::wire::now_ms;

/// The state of the orchestrator.
#[derive(Debug, Default)]
pub(crate) struct Store {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
pub(super) struct Held {
    workflows: BTreeMap<String, Workflow>,
    replannings: Vec<Replanning>,
    adjusted: Replay<proto::AdjustPrioritiesResponse>,
    rebalanced: Replay<proto::RebalanceResourcesResponse>,
    paused: Replay<proto::PauseWorkflowResponse>,
    resumed: Replay<proto::ResumeWorkflowResponse>,
    replanned: Replay<proto::TriggerReplanningResponse>,
}

/// A response, and whether its call changed anything.
pub(super) enum Done<T> {
    /// The call changed the state.
    Effect(T),
    /// There was nothing to change.
    Nothing(T),
    /// The response is that of an earlier call with the same id.
    Replayed(T),
}

impl Store {
    /// Replaces every workflow and drops the replannings and the stored responses.
    pub(crate) fn seed(&self, workflows: Vec<Workflow>) {
        let workflows = workflows.into_iter().map(|workflow| (workflow.workflow_id.clone(), workflow)).collect();
        *lock(&self.held) = Held { workflows, ..Held::default() };
    }

    /// All workflows, ordered by id.
    pub(crate) fn workflows(&self) -> Vec<Workflow> {
        let mut held = lock(&self.held);
        held.end_pauses(now_ms());
        held.workflows.values().cloned().collect()
    }

    /// All requested replannings, oldest first.
    pub(crate) fn replannings(&self) -> Vec<Replanning> {
        lock(&self.held).replannings.clone()
    }

    /// The current state of one workflow.
    pub(super) fn workflow(&self, workflow_id: &str) -> Option<Workflow> {
        let mut held = lock(&self.held);
        held.end_pauses(now_ms());
        held.workflows.get(workflow_id).cloned()
    }
}

impl Held {
    /// Sets workflows whose pause has expired to RUNNING.
    fn end_pauses(&mut self, now: i64) {
        for workflow in self.workflows.values_mut() {
            if workflow.state == WorkflowState::Paused && workflow.scheduled_resume_at.is_some_and(|at| at <= now) {
                workflow.paused_at = None;
                workflow.scheduled_resume_at = None;
                workflow.enter(WorkflowState::Running, "the pause expired", now);
            }
        }
    }

    fn known_workflow(&mut self, workflow_id: &str, now: i64) -> Result<&mut Workflow, Status> {
        if workflow_id.is_empty() {
            return Err(Status::invalid_argument("workflow_id: empty"));
        }
        self.end_pauses(now);
        self.workflows
            .get_mut(workflow_id)
            .ok_or_else(|| Status::not_found(format!("workflow {workflow_id} is not known")))
    }

    fn live_workflow(&mut self, workflow_id: &str, now: i64) -> Result<&mut Workflow, Status> {
        let workflow = self.known_workflow(workflow_id, now)?;
        if workflow.state.is_terminal() {
            let state = workflow.state.name();
            let message = format!("workflow {workflow_id} has ended, it is {state}");
            return Err(Status::failed_precondition(message));
        }
        Ok(workflow)
    }

    /// The workflow named by its id, or else every workflow of the plan.
    fn addressed(&mut self, workflow_id: &str, plan_id: &str) -> Result<Vec<&mut Workflow>, Status> {
        let now = now_ms();
        if !workflow_id.is_empty() {
            return Ok(vec![self.known_workflow(workflow_id, now)?]);
        }
        if plan_id.is_empty() {
            return Err(Status::invalid_argument("workflow_id, plan_id: both empty"));
        }
        self.end_pauses(now);
        let found: Vec<_> = self.workflows.values_mut().filter(|workflow| workflow.plan_id == plan_id).collect();
        if found.is_empty() {
            return Err(Status::not_found(format!("plan {plan_id} is not known")));
        }
        Ok(found)
    }
}
