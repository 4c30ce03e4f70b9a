//! The trickle of a storm: a few effects in each window pass, the others are held.
//!
//! The places of the trickle are those of a budget, so they are taken in the same atomic write as the cooldown, and a claim that was released
//! gives them back.

use heal_engine::catalog::Safety;
use heal_engine::message::ActionCommand;
use heal_guard::{Halt, HaltScope};

use super::bounds::{Answer, Counted};
use super::typed::Attempt;
use super::{NotStarted, Worker};
use crate::action::Action;
use crate::halts;
use crate::port::{BackendError, BudgetKey, BudgetRequest, CooldownKey};

/// What the counters of trickles are called; no budget of the guardrails may have a colon in its name.
const PREFIX: &str = "storm:";

impl Worker {
    /// The storms of the action's service that let a trickle of effects pass. A storm that is found later holds the attempt like any halt.
    ///
    /// # Errors
    /// The halts cannot be read: then nothing is done.
    pub(super) async fn storms(&self, command: &ActionCommand) -> Result<Vec<Halt>, BackendError> {
        let spec = self.action.description();
        if spec.safety == Safety::ReadOnly || command.shadow {
            return Ok(Vec::new());
        }
        let now = self.ports.clock.now();
        let halts = self.ports.halts.read(now).await?;
        let trickles = |halt: &&Halt| {
            halt.is_storm_of(spec.service, now) && halt.storm.as_ref().is_some_and(|storm| storm.trickle > 0)
        };
        Ok(halts.iter().filter(trickles).cloned().collect())
    }
}

impl<A: Action> Attempt<'_, A> {
    /// Whether the attempt asks for a place in the trickle of this storm, so that it is not held before.
    pub(super) fn lets_trickle(&self, halt: &Halt) -> bool {
        self.storms.iter().any(|storm| storm.id == halt.id)
    }

    /// # Errors
    /// [`NotStarted::Halted`]: one of the targets got no place in the trickle, so that the attempt as a whole is held.
    pub(super) fn unless_trickle_is_full(&self, counted: &[&Counted], answer: &Answer) -> Result<(), NotStarted> {
        let is_full =
            answer.budgets.iter().any(|place| place.key.name.starts_with(PREFIX) && place.full_until.is_some());
        match self.storms.first().filter(|_| is_full) {
            None => Ok(()),
            Some(storm) => Err(NotStarted::Halted {
                hold: Box::new(halts::hold(storm)),
                reserved: counted.iter().map(|counted| counted.key.clone()).collect(),
            }),
        }
    }
}

/// The place that an effect on `target` needs in the trickle of the storm.
pub(super) fn place(halt: &Halt, target: &CooldownKey) -> Option<BudgetRequest> {
    let (storm, HaltScope::Service { name }) = (halt.storm.as_ref()?, &halt.scope) else { return None };
    Some(BudgetRequest {
        target: target.clone(),
        key: BudgetKey { name: format!("{PREFIX}{name}"), key: String::new() },
        max: storm.trickle,
        window_ms: storm.window_ms,
    })
}

/// What the decision record calls the counter `name`; `None` if it is not that of a trickle.
pub(super) fn counter_name(name: &str) -> Option<String> {
    name.strip_prefix(PREFIX).map(|service| format!("trickle of the storm of {service}"))
}
