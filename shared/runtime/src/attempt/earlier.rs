//! An earlier attempt of the same step that may have acted.
//!
//! The next attempt finds out first, by the action's own probe, as after a lost worker: a second effect must not happen, neither within the cooldown,
//! in which the earlier attempt's reservation keeps the target, nor after it. An action without a probe waits for the end of the cooldown.

use heal_engine::Timestamp;
use heal_engine::catalog::Safety;
use heal_engine::message::{ActionCommand, AttemptResult};

use super::typed::Attempt;
use super::{LEASE_MS, NotStarted};
use crate::action::{Action, Call, Probe, Target};
use crate::port::{ClaimKey, Cooling};

/// What became of the earlier attempt's effect.
#[derive(Debug)]
pub(super) enum Earlier {
    /// There is no such attempt, or nobody can say: then the target's cooldown decides.
    Nothing,
    /// It happened, with this result.
    Done(Box<AttemptResult>),
    /// It is proven not to have happened.
    NotDone(String),
}

impl<A: Action> Attempt<'_, A> {
    /// Finds out what became of an earlier attempt of this step that was the last to reserve the target. One read, and only for a second attempt or a
    /// later one.
    ///
    /// Of several targets some may be done: their facts say so, each for itself.
    ///
    /// # Errors
    /// The store is unavailable. Nothing was done.
    pub(super) async fn earlier(&self, targets: &[Target]) -> Result<Earlier, NotStarted> {
        let Self { worker, action, call, .. } = self;
        let [target] = targets else { return Ok(Earlier::Nothing) };
        if call.command.attempt == 1 || self.is_shadow() || action.spec().safety != Safety::Probe {
            return Ok(Earlier::Nothing);
        }
        let claims = &worker.ports.claims;
        let peeked = claims.peek(&[target.key(action.spec().name)], &[]).await?;
        let last = peeked.cooldowns.into_iter().flatten().next();
        let Some(Cooling { since, by: Some(by), .. }) = last.filter(|cooling| is_of_step(cooling, &call.command))
        else {
            return Ok(Earlier::Nothing);
        };
        let earlier = ClaimKey { action: call.command.action.clone(), attempt: by };
        let intent = claims.intent(&earlier).await?;
        let call = as_of(call, since);
        Ok(match action.probe(&call, self.parameters, targets, intent.as_ref()).await {
            Probe::Done(result) => Earlier::Done(Box::new(
                result.warn("an earlier attempt of this step had acted; a probe of the target found it done"),
            )),
            Probe::NotDone => Earlier::NotDone(earlier.attempt),
            Probe::Unclear(why) => {
                tracing::warn!(
                    why,
                    earlier = earlier.attempt,
                    "a probe does not tell whether the earlier attempt had acted"
                );
                Earlier::Nothing
            }
        })
    }

    /// The attempt whose own reservation is not told to the policy as an earlier touch.
    pub(super) fn own_or_taken_over(&self) -> ClaimKey {
        let own = self.lease.key();
        let attempt = self.takes_over.clone().unwrap_or_else(|| own.attempt.clone());
        ClaimKey { action: own.action.clone(), attempt }
    }
}

/// Whether an earlier attempt of the command's step reserved the target.
fn is_of_step(cooling: &Cooling, command: &ActionCommand) -> bool {
    let own = command.attempt_key();
    let step = own.rsplit_once('/').map(|(step, _)| step);
    let found = cooling.by.as_ref().and_then(|by| by.rsplit_once('/'));
    found.is_some_and(|(found, number)| Some(found) == step && number.parse().is_ok_and(|it: u32| it < command.attempt))
}

/// The call with a moment before the effect of the attempt that reserved the target at `since`: a probe compares it with the target's last
/// change. The reservation may have been restarted at the end of the effect.
fn as_of(call: &Call, since: Timestamp) -> Call {
    let longest_ms = call.command.timeout_ms.unwrap_or(since.0);
    let before = Timestamp(since.0.saturating_sub(longest_ms).saturating_sub(LEASE_MS));
    let mut call = call.clone();
    call.command.issued_at = call.command.issued_at.min(before);
    call
}
