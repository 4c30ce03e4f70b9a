//! The ports: what the drivers need from the outside. One capability per trait, so that a signature shows what its holder may touch.

mod autonomy;
mod breaker;
mod budget;
mod checks;
mod claims;
mod policy;
mod queue;
mod runs;
mod settlement;
mod skew;
mod switches;
mod time;

pub use autonomy::{AutonomyStore, NoAutonomy};
pub use breaker::{BreakerRecord, BreakerStore};
pub use budget::{BudgetKey, BudgetRequest, BudgetRequests, BudgetUse, PlaceOutcome, Places, Taken, Taker};
pub use checks::{CheckStore, Prober};
pub use claims::{
    ClaimKey, ClaimRequest, ClaimStore, CooldownKey, CooldownRequest, Cooling, Finish, LeaseOwner, Peeked, Reservation,
    Stage,
};
pub use policy::{Decision, DecisionSource, Policy, PolicyContext, PolicyInput, PolicyResource};
pub use queue::{DeadLetter, DeadLetters, Delivery, Message, QueueName, Receiver, Sender};
pub use runs::{
    ATTENTION_OUTCOMES, Admitted, Appended, Created, DueRuns, JoinedInput, LiveRuns, NewRun, Occupancy, Page, Position,
    Repeat, RepeatCounter, Room, RoomBound, RunFilter, RunHead, RunLog, RunNews, RunReader, RunStore, SUBJECT_BYTES,
    Standing, Subject, WAITING_RUNS, WaitingRun, number_in_queue, place,
};
pub use settlement::{Append, AttemptSettlement, ClaimEnd, InOrder, SettleOutcome, Settlement, Settles, Written};
pub use skew::{CLOCK_SKEW_MS, has_passed, lease_put_right, reservation_put_right};
pub use switches::{HALTS, HALTS_KEPT, Switches};
pub use time::{Clock, Entropy, Jump, OsEntropy, SystemClock};

/// A failed call of a backend. The caller leaves the message on its queue and tries again.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The backend is unreachable, throttled or busy: the same call may succeed later.
    #[error("{operation}: the backend is unavailable")]
    Unavailable {
        /// The port and its method, such as `runs.append`.
        operation: &'static str,
        /// What the backend answered, or why it could not be reached.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The stored data cannot be read, now or later.
    #[error("{operation}: stored data is not readable: {detail}")]
    Corrupt {
        /// The port and its method.
        operation: &'static str,
        /// What is wrong with which data.
        detail: String,
    },
    /// The data is over a limit of the backend.
    #[error("{operation}: {what} has {observed_bytes} bytes, the limit is {limit_bytes} bytes")]
    TooLarge {
        /// The port and its method.
        operation: &'static str,
        /// The kind of data.
        what: &'static str,
        /// Its size in bytes.
        observed_bytes: usize,
        /// The backend's limit in bytes.
        limit_bytes: usize,
    },
}

impl BackendError {
    /// [`BackendError::Unavailable`], for `operation` such as `runs.append`.
    pub fn unavailable(operation: &'static str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable { operation, cause: cause.into() }
    }

    /// [`BackendError::Corrupt`], for `operation` such as `runs.load`.
    pub fn corrupt(operation: &'static str, detail: impl Into<String>) -> Self {
        Self::Corrupt { operation, detail: detail.into() }
    }
}

/// The result of every port's method.
pub type Result<T> = std::result::Result<T, BackendError>;
