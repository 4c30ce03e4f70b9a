//! The attempt of a shadow run: everything that comes before the effect, and then what the effect would have been.

use std::time::Duration;

use heal_engine::catalog::Safety;
use heal_engine::message::{AttemptOutcome, AttemptResult};

use super::NotStarted;
use super::bounds::{Answer, Counted};
use super::typed::Attempt;
use crate::action::{Action, Admitted, Performed};
use crate::port;

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

    /// What the counters say without a reservation: a shadow run must not keep a live one away. Budgets are not read.
    pub(super) async fn peek(&self, counted: &[&Counted]) -> Result<Answer, NotStarted> {
        let requests: Vec<_> = counted.iter().filter_map(|counted| counted.cooldown.as_ref()).collect();
        let keys: Vec<_> = requests.iter().map(|request| request.key.clone()).collect();
        if keys.is_empty() {
            return Ok(Answer::default());
        }
        let touched = self.worker.ports.claims.last_touched(&keys, self.lease.key()).await?;
        let now = self.worker.ports.clock.now();
        let cooling = requests.into_iter().zip(touched).filter_map(|(request, touched)| {
            // What a wrong clock reserved in the future lasts its own length from now on.
            let since = touched.map(|at| if port::has_passed(at, now) { at } else { now })?;
            let until = since.plus_ms(request.cooldown_ms);
            (until > now).then(|| (request.key.clone(), until))
        });
        Ok(Answer { cooling: cooling.collect(), budgets: Vec::new() })
    }
}
