//! What the courses had in them: a law that nothing tried proves nothing.

use std::ops::AddAssign;

use heal_engine::event::Event;
use heal_runtime::RunOutcome;
use heal_runtime::port::RunReader as _;

use super::approvals::{self, Answered};
use super::stage::Stage;
use super::{laws, logs, rooms};

/// Counters, each of which has to be above 0 over all courses.
#[derive(Debug, Default)]
pub struct Findings {
    /// Random things, and rounds of work after the faults stopped.
    pub happenings: u64,
    effects: usize,
    /// Effects that took the last place of a budget.
    full_budgets: usize,
    escalations: usize,
    /// Runs that were admitted after they had waited for room.
    admitted: usize,
    answered: Answered,
    kinds: [(&'static str, usize); KINDS.len()],
}

/// Whether an event is of a kind that the courses have to have.
type Kind = (&'static str, fn(&Event) -> bool);

const KINDS: [Kind; 12] = [
    ("cancelled", |event| matches!(event, Event::CancelRequested { .. })),
    ("held", |event| matches!(event, Event::RunHeld { .. })),
    ("attempts held", |event| matches!(event, Event::AttemptHeld { .. })),
    ("joined", |event| matches!(event, Event::IncidentJoined { .. })),
    ("conditions false", |event| matches!(event, Event::ConditionFalse { .. })),
    ("fanned out", |event| matches!(event, Event::FannedOut { .. })),
    ("waits", |event| matches!(event, Event::WaitStarted { .. })),
    ("reissued", |event| matches!(event, Event::AttemptReissued { .. })),
    ("retries", |event| matches!(event, Event::RetryScheduled { .. })),
    ("verifications", |event| matches!(event, Event::VerifyStarted)),
    ("denied", |event| logs::ended(event).is_some_and(|outcome| outcome.as_str() == "denied")),
    ("cooling down", |event| logs::ended(event).is_some_and(|outcome| outcome.as_str() == "cooling_down")),
];

impl Findings {
    /// Judges a course by every law, and counts.
    pub async fn of(stage: &Stage) -> Self {
        laws::hold(stage).await;
        logs::hold(stage).await;
        laws::judge("no bound on live runs is exceeded, and the first in line goes first");
        let admitted = rooms::hold(stage).await;
        laws::judge("an approval counts for exactly what it was given for");
        let answered = approvals::law(stage).await;
        let effects = stage.world.effects.lock().unwrap().clone();
        let mut kinds = KINDS.map(|(name, _)| (name, 0));
        let mut escalations = 0;
        for head in stage.heads().await {
            escalations += usize::from(head.outcome == Some(RunOutcome::Escalated));
            let commits = stage.runs.load(&head.run_id, 0).await.unwrap();
            for event in commits.iter().flat_map(|commit| &commit.events) {
                for (counted, (_, is_one)) in kinds.iter_mut().zip(KINDS) {
                    counted.1 += usize::from(is_one(event));
                }
            }
        }
        let full_budgets = laws::within_budget(&effects);
        Self { happenings: 0, effects: effects.len(), full_budgets, escalations, admitted, answered, kinds }
    }

    /// # Panics
    /// The courses did not try something.
    pub fn are_of_every_kind(&self) {
        let Self { happenings: _, effects, full_budgets, escalations, admitted, answered, kinds } = self;
        let counted =
            [effects, full_budgets, escalations, admitted].into_iter().chain(kinds.iter().map(|(_, count)| count));
        assert!(counted.into_iter().all(|count| *count > 0), "something did not happen: {self:#?}");
        answered.is_of_every_kind();
    }
}

impl AddAssign for Findings {
    fn add_assign(&mut self, other: Self) {
        self.happenings += other.happenings;
        self.effects += other.effects;
        self.full_budgets += other.full_budgets;
        self.escalations += other.escalations;
        self.admitted += other.admitted;
        self.answered += other.answered;
        for (sum, (name, count)) in self.kinds.iter_mut().zip(other.kinds) {
            *sum = (name, sum.1 + count);
        }
    }
}
