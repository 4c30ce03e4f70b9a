//! What the drivers need from the outside. One capability per trait, so that a signature shows what its holder may touch.

mod breaker;
mod checks;
mod claims;
mod policy;
mod queue;
mod runs;
mod time;

pub use breaker::{BreakerRecord, BreakerStore};
pub use checks::{CheckStore, Prober};
pub use claims::{ClaimKey, ClaimRequest, ClaimStore, CooldownKey, CooldownRequest, Finish, LeaseOwner, Reservation};
pub use policy::{Decision, DecisionSource, Policy, PolicyContext, PolicyInput, PolicyResource};
pub use queue::{DeadLetter, Delivery, Message, QueueName, Receiver, Sender};
pub use runs::{Appended, Created, NewRun, Page, RunFilter, RunHead, RunStore};
pub use time::{Clock, Entropy, OsEntropy, SystemClock};

/// A backend that did not do what it was asked to. The caller leaves the message where it is and tries again.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// The backend is out of reach, throttled or busy: the same call may work later.
    #[error("{operation}: the backend is unavailable")]
    Unavailable {
        operation: &'static str,
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored cannot be read: trying again gives the same.
    #[error("{operation}: stored data is not readable: {detail}")]
    Corrupt { operation: &'static str, detail: String },
    /// What was to be stored is over a limit of the backend.
    #[error("{operation}: {what} has {observed_bytes} bytes, the limit is {limit_bytes} bytes")]
    TooLarge { operation: &'static str, what: &'static str, observed_bytes: usize, limit_bytes: usize },
}

impl BackendError {
    pub fn unavailable(operation: &'static str, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unavailable { operation, cause: cause.into() }
    }

    pub fn corrupt(operation: &'static str, detail: impl Into<String>) -> Self {
        Self::Corrupt { operation, detail: detail.into() }
    }
}

/// What every port's method answers.
pub type Result<T> = std::result::Result<T, BackendError>;
