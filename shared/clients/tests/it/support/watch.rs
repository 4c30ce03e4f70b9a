//! An observer that records every notification.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use heal_clients::observe::CallOutcome;
use heal_clients::{Observer, Wiring, breaker};

#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Vec<String>>);

impl Watch {
    pub(crate) fn told(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn wiring(self: &Arc<Self>) -> Wiring {
        Wiring { observer: self.clone(), ..Wiring::default() }
    }

    fn note(&self, text: String) {
        self.0.lock().unwrap().push(text);
    }
}

impl Observer for Watch {
    fn ticket_reallocation(&self, outcome: CallOutcome, reason: &str, _took: Duration) {
        self.note(format!("reallocation {} {reason}", outcome.as_str()));
    }

    fn ticket_status_update(&self, outcome: CallOutcome, new_status: &str) {
        self.note(format!("status_update {} {new_status}", outcome.as_str()));
    }

    fn orchestrator_call(&self, operation: &'static str, outcome: CallOutcome, _took: Duration) {
        self.note(format!("orchestrator {operation} {}", outcome.as_str()));
    }

    fn opa_validation(&self, action: &str, result: &'static str, source: &'static str, _took: Duration) {
        self.note(format!("opa {action} {result} {source}"));
    }

    /// Notes the changes; each call reports the state again.
    fn breaker_state(&self, service: &'static str, state: breaker::State) {
        let prefix = format!("breaker {service} ");
        let noted = self.told().into_iter().rfind(|note| note.starts_with(&prefix));
        let note = format!("{prefix}{}", state.as_str());
        if noted.as_ref() != Some(&note) {
            self.note(note);
        }
    }
}
