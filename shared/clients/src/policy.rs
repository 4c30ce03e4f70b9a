//! Whether an action may be done: the OPA server, and the same policy in this process where the server cannot say.
//!
//! # Who decides
//! 1. An action that is not to be validated, or `OPA_ENABLED=false`: allowed, and the [`Decision`] says so.
//! 2. The OPA server. What is no decision (out of reach, late, over 1 MiB, policy not loaded, `allow` undefined or no boolean) is
//!    never an allow.
//! 3. The bundled policy, in this process, where the server gave no decision and the policy has rules for the action.
//! 4. `OPA_FAIL_OPEN`: allowed with a warning, or [`Decision::Unavailable`].

mod bundled;
mod client;
mod decision;
mod question;
mod rego_tests;
mod server;

pub use bundled::{BUNDLED_POLICY, BUNDLED_POLICY_TESTS, Bundled};
pub use client::{CRITICAL_ACTIONS, Client};
pub use decision::{Answer, Decision, Source, Violation};
pub use question::Question;
pub use rego_tests::{Module, RegoTest, run_rego_tests};

/// The name of the server in errors, metrics and breaker records.
pub const SERVICE: &str = "opa";

/// Why a policy cannot be evaluated in this process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy: {0}")]
pub struct EvaluationError(pub String);
