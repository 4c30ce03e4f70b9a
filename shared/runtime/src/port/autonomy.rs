//! The levels of autonomy that people have set, and those that went down by themselves.

use async_trait::async_trait;
use heal_engine::Timestamp;
use heal_guard::AutonomySetting;

use super::Result;

/// Keeps one level of autonomy for each playbook that somebody has set one for.
#[async_trait]
pub trait AutonomyStore: Send + Sync + 'static {
    /// The setting of `playbook`; `None` if nobody has set one. A setting that was stored before the call is seen.
    async fn setting(&self, playbook: &str) -> Result<Option<AutonomySetting>>;

    /// Every setting, by the playbook's name.
    async fn settings(&self) -> Result<Vec<AutonomySetting>>;

    /// Stores the setting of its playbook, in place of an earlier one. The same call again changes nothing.
    async fn set(&self, setting: &AutonomySetting) -> Result<()>;

    /// Stores the setting of its playbook if the stored one was set at `before`, or if there is none and `before` is `None`. Whether it did.
    async fn replace(&self, setting: &AutonomySetting, before: Option<Timestamp>) -> Result<bool>;
}

/// Holds no setting: every playbook is as the guardrails say. For what reads runs and starts none.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAutonomy;

#[async_trait]
impl AutonomyStore for NoAutonomy {
    async fn setting(&self, _: &str) -> Result<Option<AutonomySetting>> {
        Ok(None)
    }

    async fn settings(&self) -> Result<Vec<AutonomySetting>> {
        Ok(Vec::new())
    }

    async fn set(&self, _: &AutonomySetting) -> Result<()> {
        Err(super::BackendError::unavailable("autonomy.set", "nothing is stored here"))
    }

    async fn replace(&self, _: &AutonomySetting, _: Option<Timestamp>) -> Result<bool> {
        Err(super::BackendError::unavailable("autonomy.replace", "nothing is stored here"))
    }
}
