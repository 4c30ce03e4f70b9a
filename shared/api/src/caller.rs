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
