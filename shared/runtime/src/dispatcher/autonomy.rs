//! How far a new run may go alone.

use std::sync::Arc;

use heal_guard::{Autonomy, AutonomyLevel, Guardrails, RunMode, level_of};

use super::{Dispatcher, Prepared};
use crate::port::{AutonomyStore, NoAutonomy, Result};

/// What says how far the engine may go with a playbook.
pub(super) struct Source {
    pub(super) settings: Arc<dyn AutonomyStore>,
    pub(super) guardrails: Arc<Guardrails>,
}

/// What the level of autonomy makes of a new run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Admission {
    pub mode: RunMode,
    pub approval: bool,
    pub autonomy: Option<Autonomy>,
}

impl Default for Source {
    fn default() -> Self {
        Self { settings: Arc::new(NoAutonomy), guardrails: Arc::default() }
    }
}

impl Dispatcher {
    /// Starts runs only as far as `guardrails` and the stored `settings` allow. Without this, the engine acts alone.
    #[must_use]
    pub fn with_autonomy(self, settings: Arc<dyn AutonomyStore>, guardrails: Arc<Guardrails>) -> Self {
        Self { autonomy: Arc::new(Source { settings, guardrails }), ..self }
    }

    /// Reads the level that holds now. A run that is started as a shadow has no level: it changes nothing at any.
    ///
    /// # Errors
    /// The setting cannot be read. Then no run starts, and the message is delivered again.
    pub(super) async fn admission(&self, prepared: &Prepared) -> Result<Admission> {
        if prepared.mode.is_shadow() {
            return Ok(Admission { mode: RunMode::Shadow, ..Admission::default() });
        }
        let playbook = prepared.playbook();
        let setting = self.autonomy.settings.setting(playbook).await?;
        let autonomy = level_of(playbook, &self.autonomy.guardrails.autonomy, setting.as_ref());
        Ok(Admission::new(autonomy, prepared.intake.approval))
    }
}

impl Admission {
    /// A shadow run needs no approval, because it changes nothing.
    fn new(autonomy: Option<Autonomy>, approval: bool) -> Self {
        let level = autonomy.as_ref().map(|autonomy| autonomy.level).unwrap_or_default();
        let (mode, approval) = match level {
            AutonomyLevel::Off => (RunMode::Live, false),
            AutonomyLevel::Shadow => (RunMode::Shadow, false),
            AutonomyLevel::Approve => (RunMode::Live, true),
            AutonomyLevel::Auto => (RunMode::Live, approval),
        };
        Self { mode, approval, autonomy }
    }

    /// Whether the run may change its targets.
    pub(super) fn acts(&self) -> bool {
        let is_off = self.autonomy.as_ref().is_some_and(|autonomy| autonomy.level == AutonomyLevel::Off);
        self.mode == RunMode::Live && !is_off
    }

    /// `key` in the key space of this kind of run: a run that changes nothing must neither block the live run of the same target nor be taken
    /// for the live run of the same incident.
    pub(super) fn key(&self, key: &str) -> String {
        match self.mode {
            RunMode::Shadow => format!("shadow:{key}"),
            RunMode::Live if self.acts() => key.to_owned(),
            RunMode::Live => format!("off:{key}"),
        }
    }
}
