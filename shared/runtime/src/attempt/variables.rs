//! The variables of a budget's key.

use heal_engine::template::Lookup;
use heal_guard::Effect;
use serde_json::Value;

/// The variables of a budget's key.
#[derive(Debug)]
pub(crate) struct EffectVariables(pub Effect);

impl Lookup for EffectVariables {
    fn variable(&self, name: &str) -> Option<Value> {
        let Effect { action, service, playbook, target, workflow_id } = &self.0;
        let value = match name {
            "action" => action,
            "service" => service,
            "playbook" => playbook,
            "target" => target,
            "workflow_id" => workflow_id,
            _ => return None,
        };
        Some(Value::String(value.clone()))
    }
}
