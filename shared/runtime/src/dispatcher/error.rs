//! Why a turn failed, and whether the same input may succeed later.

use heal_engine::PlanError;
use heal_engine::{ApplyError, Digest, RunId};

use crate::port::BackendError;

/// Why a turn failed. The input stays on its queue.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// A port failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// No run has this id, or it is the record of a rejected message.
    #[error("there is no run {run_id}")]
    UnknownRun {
        /// The id in the message.
        run_id: RunId,
    },
    /// The plan that the run pinned is in neither the library nor the store.
    #[error("run {run_id} cannot continue: its plan {digest} is not stored")]
    MissingPlan {
        /// The run.
        run_id: RunId,
        /// The plan's digest.
        digest: Digest,
    },
    /// The stored plan is not usable.
    #[error("run {run_id} cannot continue: its stored plan is not usable")]
    Plan {
        /// The run.
        run_id: RunId,
        /// What is wrong with the plan.
        #[source]
        cause: PlanError,
    },
    /// The log does not fold. Nothing is written, so nothing is lost; a person has to examine the run.
    #[error("run {run_id} cannot continue: its log does not fold")]
    Log {
        /// The run.
        run_id: RunId,
        /// The first event that does not fit.
        #[source]
        cause: ApplyError,
    },
    /// Other dispatchers won every optimistic write.
    #[error("turn of run {run_id} abandoned: {} conflicts with other dispatchers", super::CONFLICTS)]
    Contended {
        /// The run.
        run_id: RunId,
    },
    /// The attempt whose result the turn was to take had lost its claim: nothing is written, and the next worker recovers it.
    #[error("the result for run {run_id} does not count: its attempt had lost its claim")]
    ClaimLost {
        /// The run.
        run_id: RunId,
    },
}

impl DispatchError {
    /// Whether the same input may succeed later.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Backend(BackendError::Unavailable { .. }) | Self::Contended { .. } | Self::ClaimLost { .. } => true,
            Self::Backend(BackendError::Corrupt { .. } | BackendError::TooLarge { .. })
            | Self::UnknownRun { .. }
            | Self::MissingPlan { .. }
            | Self::Plan { .. }
            | Self::Log { .. } => false,
        }
    }
}
