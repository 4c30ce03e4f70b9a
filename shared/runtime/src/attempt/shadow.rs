//! The attempt of a shadow run: everything that comes before the effect, and then what the effect would have been.

use std::time::Duration;

use heal_engine::catalog::Safety;
use heal_engine::message::{AttemptOutcome, AttemptResult};

use super::NotStarted;
use super::admit::Admission;
use super::typed::Attempt;
use crate::action::{Action, Admitted, Performed, Target};

impl<A: Action> Attempt<'_, A> {
    /// Whether the effect is left out. What an action only reads is read in a shadow run too.
    pub(super) fn is_shadow(&self) -> bool {
        self.call.command.shadow && self.action.spec().safety != Safety::ReadOnly
    }

    /// What the attempt would do now to `targets`, in place of doing it.
    pub(super) async fn shadow(&self, targets: &[Admitted<A::Facts>]) -> Performed {
        let Self { worker, action, call, parameters, .. } = self;
        let left = Duration::from_millis(call.deadline.since_ms(worker.ports.clock.now()));
        let described = tokio::time::timeout(left, action.describe(call, parameters, targets)).await;
        let result = match described {
            Ok(Ok(would)) => AttemptResult::new(AttemptOutcome::Shadowed {
                would: format!("would {would}"),
                targets: targets.iter().map(|admitted| admitted.target.id.clone()).collect(),
            }),
            Ok(Err(result)) => result,
            Err(_) => {
                let seconds = call.deadline.since_ms(call.started_at) / 1_000;
                let message = format!("{} did not say within {seconds} s what it would do", worker.name());
                AttemptResult::new(AttemptOutcome::TimedOut { message })
            }
        };
        result.into()
    }

    /// Refuses the targets that are cooling down. Nothing is reserved: a shadow run must not keep a live one away.
    pub(super) async fn refuse_cooling_without_reserving(
        &self,
        admission: &mut Admission<A::Facts>,
    ) -> Result<(), NotStarted> {
        let targets: Vec<Target> = admission.admitted.iter().map(|admitted| admitted.target.clone()).collect();
        let touched = self.last_touched(&targets).await?;
        let now = self.worker.ports.clock.now();
        let cooling = targets.into_iter().zip(touched).filter_map(|(target, touched)| {
            let cooldown = target.cooldown?;
            let until = touched?.plus_ms(cooldown.duration_ms);
            (until > now).then_some((cooldown.key, until))
        });
        self.refuse_cooling(admission, cooling.collect());
        Ok(())
    }
}
