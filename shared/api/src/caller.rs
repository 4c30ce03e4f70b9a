//! Who calls, and what that person may do.

use serde::{Deserialize, Serialize};

/// What a caller may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Reads everything.
    Viewer,
    /// Starts, cancels, holds and releases runs, halts and resumes, marks follow-ups as done.
    Operator,
    /// Answers approvals and acknowledges escalations.
    Approver,
    /// Sets autonomy, returns dead letters to their queues.
    Admin,
}

/// An identified caller. The doors put it into the request's extensions before a handler sees the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// `KIND:NAME`, such as `oidc:anna@example.com`, `token:ci`, `iam:AROAEXAMPLE:anna` or `local:anna`; it is recorded with every change.
    pub identity: String,
    /// What this caller may do.
    pub role: Role,
}

impl Role {
    /// Every role, the lowest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Approver, Self::Admin];

    /// As it is written in configuration: `viewer`, `operator`, `approver` or `admin`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }
}
