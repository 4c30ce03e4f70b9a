//! Why there is no identity.

use std::fmt::Display;
use std::time::SystemTime;

/// There is no identity to call with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    #[error("no identity source is configured (SPIFFE_IDENTITY_SOURCE=none)")]
    NotConfigured,
    /// The source does not answer, or gives nothing.
    #[error("{origin} gives no identity: {problem}")]
    Unavailable { origin: String, problem: String },
    /// What the source gave cannot be used.
    #[error("{place}: {problem}")]
    Unusable { place: String, problem: String },
    #[error("the identity of {spiffe_id} ended at {}", jiff::Timestamp::try_from(*ended_at).map_or_else(|_| "?".to_owned(), |at| at.to_string()))]
    Expired { spiffe_id: String, ended_at: SystemTime },
    /// There are no authorities to check the server with.
    #[error("no authorities of the trust domain {0} are known")]
    NoAuthorities(String),
}

impl IdentityError {
    #[allow(clippy::needless_pass_by_value, reason = "a fault is handed over")]
    pub(super) fn unusable(place: impl Into<String>, problem: impl Display) -> Self {
        Self::Unusable { place: place.into(), problem: crate::error::one_line(&problem.to_string()) }
    }

    #[allow(clippy::needless_pass_by_value, reason = "a fault is handed over")]
    pub(super) fn unavailable(origin: impl Into<String>, problem: impl Display) -> Self {
        Self::Unavailable { origin: origin.into(), problem: crate::error::one_line(&problem.to_string()) }
    }
}
