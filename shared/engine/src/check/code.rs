//! The faults that only a check can have. The others are those of [`playbook::code`](crate::playbook::code).

/// An incident that no playbook is for.
pub const UNROUTED_INCIDENT: &str = "unrouted-incident";
/// A variable that the incident's playbook needs, and that the incident does not bring.
pub const MISSING_VARIABLE: &str = "missing-variable";
/// A field of the incident that its playbook, or the engine itself, refuses.
pub const WRONG_VARIABLE: &str = "wrong-variable";
