//! The policy that is asked before an action: an OPA server, and the same policy in this process if the server gives no decision.
//!
//! [`Client`] implements [`heal_runtime::port::Policy`].
//!
//! # Who decides
//! 1. Neither critical nor in `OPA_VALIDATED_ACTIONS`, or `OPA_ENABLED=false`: allowed, and the decision names the reason.
//! 2. The OPA server, unless `OPA_HOST` is empty. An answer without a boolean `allow`, a late one, one over 1 MiB, or none at all is not a
//!    decision, and never an allow.
//! 3. The bundled policy, unless `OPA_FALLBACK=none`; for critical actions only, because it allows whatever it has no rule for.
//! 4. `OPA_FAIL_OPEN`: allowed with a warning, or [`heal_runtime::port::Decision::Unavailable`].

mod bundled;
mod client;
mod decision;
mod machine;
mod rego_tests;
mod server;

pub use bundled::{BUNDLED_POLICY, BUNDLED_POLICY_TESTS, Bundled};
pub use client::Client;
pub use decision::Answer;
pub use rego_tests::{Module, RegoTest, run_rego_tests};

/// The name of the server in errors, metrics and breaker records.
pub const SERVICE: &str = "opa";

/// The policy in this process could not be compiled or evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy: {0}")]
pub struct EvaluationError(pub String);
