//! What the engine says of itself while it works: [`logs`], and the neutralising of [`text`] that came from outside.
//!
//! It deliberately knows nothing of runs and playbooks: whoever logs gives the fields.

pub mod logs;
pub mod text;
