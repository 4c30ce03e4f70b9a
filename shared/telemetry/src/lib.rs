//! What the engine says of itself while it works: [`logs`], [`metrics`] and [`trace`]s, where they go ([`export`]), and the neutralising
//! of [`text`] that came from outside.
//!
//! It deliberately knows nothing of runs and playbooks: whoever logs or counts gives the fields and labels. Start at [`Telemetry`].

pub mod export;
pub mod logs;
pub mod metrics;
pub mod trace;

pub use export::Telemetry;
pub use heal_engine::text;
pub use metrics::Metrics;
