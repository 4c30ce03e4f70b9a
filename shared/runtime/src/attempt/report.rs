//! What metrics are told of targets that are left alone.

use heal_guard::{Decision, Part, Verdict};

use super::typed::Attempt;
use crate::action::{Action, Target};
use crate::observe::Prevented;

impl<A: Action> Attempt<'_, A> {
    pub(super) fn observe_prevented(&self, target: &Target, why: Prevented) {
        // A shadow run would not have made the call.
        if self.is_shadow() {
            return;
        }
        if let Some(metric) = self.action.call_metric(self.parameters, target) {
            self.worker.observer.call_prevented(&metric, why);
        }
    }

    /// Counts what windows and scope have done.
    pub(super) fn observe_guarded(&self, decision: &Decision) {
        let Self { worker, .. } = self;
        let guarding = decision.reasons.iter().filter(|reason| reason.verdict.as_str() != Verdict::Proceed.as_str());
        for reason in guarding.filter(|reason| matches!(reason.part, Part::Windows | Part::Scope)) {
            worker.observer.guarded(worker.name(), reason.part, &reason.verdict);
        }
    }

    pub(super) fn observe_full(&self, is_budget: bool) {
        let Self { worker, .. } = self;
        if is_budget {
            worker.observer.budget_hit(worker.name());
        } else {
            worker.observer.cooldown_hit(worker.name());
        }
    }
}
