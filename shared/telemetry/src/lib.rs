//! The engine's telemetry: [`logs`], [`metrics`] and [`trace`]s, their [`export`], and the neutralising of [`text`] from outside.
//!
//! It deliberately knows nothing of runs and playbooks: the caller gives the fields and labels. Start at [`Telemetry`].

#![warn(missing_docs)]

pub mod export;
pub mod logs;
pub mod metrics;
pub mod trace;

pub use export::Telemetry;
pub use heal_engine::text;
pub use metrics::Metrics;
