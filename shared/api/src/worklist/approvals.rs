//! Everything that waits for the approval of a person.

use heal_engine::RunId;
use heal_engine::event::RunStatus;
use heal_engine::state::OpenApproval;
use heal_engine::state::approval::Approver;
use heal_runtime::port::RunFilter;
use serde::Serialize;

use super::{Error, Listing, PAGE, Worklist};

/// Runs that are read at most, the newest first.
pub const APPROVAL_RUNS: usize = 500;

/// An open approval with its run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Approval {
    /// The run.
    pub run_id: RunId,
    /// The run's incident.
    pub incident_id: String,
    /// The playbook's name.
    pub playbook: String,
    /// What is asked, of whom and until when.
    #[serde(flatten)]
    pub approval: OpenApproval,
}

impl Worklist<'_> {
    /// The open approvals, what ends first at the top.
    ///
    /// # Errors
    /// The runs cannot be read.
    pub async fn approvals(self) -> Result<Listing<Approval>, Error> {
        let filter = RunFilter { status: Some(RunStatus::AwaitingApproval), ..RunFilter::default() };
        let (mut entries, mut count, mut has_more) = (Vec::new(), 0, false);
        let mut cursor: Option<String> = None;
        loop {
            let page = self.runs.list(&filter, PAGE, cursor.as_deref()).await?;
            for head in page.runs {
                if count == APPROVAL_RUNS {
                    has_more = true;
                    break;
                }
                count += 1;
                entries.extend(self.approvals_of(&head.run_id).await?);
            }
            cursor = page.next;
            if cursor.is_none() || has_more {
                break;
            }
        }
        entries.sort_by_key(|entry| entry.approval.until);
        Ok(Listing { entries, has_more })
    }

    /// The open approvals of one run, in the plan's order.
    ///
    /// # Errors
    /// The run does not exist or cannot be read.
    pub async fn approvals_of(self, run_id: &RunId) -> Result<Vec<Approval>, Error> {
        let Some((plan, state)) = self.state(run_id).await? else { return Ok(Vec::new()) };
        let entry = |approval| Approval {
            run_id: run_id.clone(),
            incident_id: state.incident_id.clone(),
            playbook: plan.playbook.name.clone(),
            approval,
        };
        Ok(state.open_approvals(&plan).into_iter().map(entry).collect())
    }
}

impl Worklist<'_> {
    /// The rule by which `by` may not answer the question of a step, a name and an element, or of the run as a whole; `None` if there is none.
    ///
    /// # Errors
    /// The run does not exist or cannot be read.
    pub async fn objection(
        self,
        run_id: &RunId,
        step: Option<(&str, Option<u32>)>,
        by: &str,
    ) -> Result<Option<String>, Error> {
        let Some((plan, state)) = self.state(run_id).await? else {
            return Ok(Some("a message that was rejected asks nothing".to_owned()));
        };
        Ok(state.check_approval(&plan, step, &Approver::new(by)).err())
    }
}

/// `NAME`, `NAME[ITEM]`, or `the run`.
pub fn approval_name(approval: &OpenApproval) -> String {
    match (&approval.step, approval.item) {
        (None, _) => "the run".to_owned(),
        (Some(step), None) => step.clone(),
        (Some(step), Some(item)) => format!("{step}[{item}]"),
    }
}

/// Who may approve, as a part of a sentence.
pub fn who_may_approve(approval: &OpenApproval) -> String {
    match (approval.approvers.as_slice(), &approval.requested_by) {
        ([], None) => "anybody".to_owned(),
        ([], Some(requester)) => format!("anybody but {requester}"),
        (names, None) => names.join(", "),
        (names, Some(requester)) => format!("{}, but not {requester}", names.join(", ")),
    }
}
