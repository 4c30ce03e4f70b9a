//! The guard: one pure decision on whether an effect may happen.
//!
//! [`decide()`] takes everything that has a say (switches, windows, scope, policy, counters, approvals) as data, and gives a [`Decision`] with
//! the reason of every part. It does no I/O and reads no clock, so a [`Question`] that was recorded gives the same decision again.
//!
//! ```
//! use heal_guard::{Effect, Halt, HaltScope, PolicyAnswer, Question, Verdict, decide};
//! use heal_guard::Timestamp;
//!
//! let effect = Effect::new("restart_pod", "worker_failure_recovery", "worker-1");
//! let mut question = Question::new(effect, Timestamp(1_000));
//! question.policy = PolicyAnswer::NotAsked;
//! assert_eq!(decide(&question).verdict, Verdict::Proceed);
//!
//! question.halts.push(Halt {
//!     id: "halt-1".to_owned(),
//!     scope: HaltScope::Action { name: "restart_pod".to_owned() },
//!     since: Timestamp(500),
//!     until: Timestamp(2_000),
//!     reason: "a deployment is under way".to_owned(),
//!     by: "local:anna".to_owned(),
//!     storm: None,
//! });
//! assert_eq!(decide(&question).verdict, Verdict::Hold { until: Some(Timestamp(2_000)) });
//! ```

mod autonomy;
mod decide;
mod decision;
mod dependency;
mod effect;
mod guardrails;
mod halt;
pub mod limit;
mod question;
mod record;
mod scope;
mod storm;
mod window;

pub use autonomy::{
    AutonomyChange, AutonomyRule, AutonomySetting, DEMOTION, Demote, GUARDRAILS, Share, is_good, level_of, lowered,
};
pub use decide::decide;
pub use decision::{Decision, Part, Reason, Verdict};
pub use dependency::{DEPENDENCY_BY, DependencyRule};
pub use effect::Effect;
pub use guardrails::{
    Admission, Approvals, BadGuardrails, Budget, CooldownRule, Guardrails, KEY_NAMES, LiveBounds, Repeats, Selector,
};
pub use halt::{Halt, HaltScope};
pub use heal_engine::Timestamp;
pub use heal_engine::autonomy::{Autonomy, AutonomyLevel, RunMode};
pub use heal_engine::id::Digest;
pub use heal_engine::message::{Approved, GUARDRAILS_POLICY, Violation};
pub use question::{Counter, PolicyAnswer, Population, Question};
pub use record::{DecisionRecord, Difference, PolicyFacts, Subject, replay};
pub use scope::{IGNORE, IGNORE_NOT, Mark, Marks, OutOfScope, ScopeRule};
pub use storm::{STORM_BY, Storm, StormRule, Storms};
pub use window::{
    BadLocalTime, LocalTime, OpenWindow, Schedule, UnknownZone, WINDOW_ID_PREFIX, Weekday, Window, WindowKind, Zone,
};
