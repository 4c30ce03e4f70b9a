//! The open approvals of one run.

use heal_api::worklist::approval_name as name;
use heal_engine::state::OpenApproval;
use heal_engine::{RunId, State, Timestamp, turn};

use crate::backend::{Backend, RunArgs};
use crate::moment;

/// A run, and one step of it.
#[derive(Debug, clap::Args)]
pub(super) struct Target {
    #[command(flatten)]
    run: RunArgs,
    /// The step, as `NAME`, or `NAME[ITEM]` for one element of a step that fans out; by default all that the run asks for
    #[arg(value_name = "STEP")]
    step: Option<String>,
}

/// What one run asks people for.
pub(super) struct Asked {
    pub run_id: RunId,
    pub backend: Backend,
    pub plan: std::sync::Arc<heal_engine::Plan>,
    pub state: State,
    /// Those that the command line means; at least one.
    pub approvals: Vec<OpenApproval>,
}

impl Target {
    /// # Errors
    /// The run does not exist or cannot be read, or nothing in it, or not this step, waits for an approval.
    pub(super) async fn open(&self) -> anyhow::Result<Asked> {
        let (run_id, backend) = self.run.open().await?;
        let nothing = |status: &str| {
            anyhow::anyhow!("run {run_id} is {status} and asks for no approval; `heal approvals list` shows what does")
        };
        let (plan, commits) = backend.reader().read(&run_id).await?;
        let Some(plan) = plan else { return Err(nothing("a rejected message")) };
        let Some(state) = turn::fold(&plan, &commits)? else { return Err(nothing("empty")) };
        let mut approvals = state.open_approvals(&plan);
        if approvals.is_empty() {
            return Err(nothing(state.status().as_str()));
        }
        if let Some(step) = &self.step {
            let names: Vec<_> = approvals.iter().map(name).collect();
            approvals.retain(|approval| name(approval) == *step || approval.step.as_ref() == Some(step));
            if approvals.is_empty() {
                anyhow::bail!("`{step}` of run {run_id} asks for no approval; these do: {}", names.join(", "));
            }
        }
        Ok(Asked { run_id, backend, plan, state, approvals })
    }
}

/// What was left of the question's time when its run was held, in whole seconds.
pub(super) fn left(approval: &OpenApproval, held_since: Timestamp) -> String {
    moment::duration(approval.until.since_ms(held_since) / 1_000 * 1_000)
}
