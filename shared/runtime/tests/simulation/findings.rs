//! What the courses had in them: a law that nothing tried proves nothing.

use std::ops::AddAssign;

use heal_engine::event::Event;
use heal_runtime::RunOutcome;

use super::approvals::{self, Answered};
use super::seen::Counted;
use super::stage::Stage;
use super::{books, laws, logs, rooms, storms};

/// Counters, each of which has to be above 0 over all courses.
#[derive(Debug, Default)]
pub struct Findings {
    /// Random things, and pieces of work after the faults have stopped.
    pub happenings: u64,
    effects: usize,
    /// Effects that took the last place of a budget.
    full_budgets: usize,
    escalations: usize,
    /// Runs that were admitted after they had waited for room.
    admitted: usize,
    answered: Answered,
    kinds: [(&'static str, usize); KINDS.len()],
    counted: Counted,
}

/// Whether an event is of a kind that the courses have to have.
type Kind = (&'static str, fn(&Event) -> bool);

const KINDS: [Kind; 14] = [
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
    ("storms", |event| matches!(event, Event::RunStarted(started) if storms::is_group_incident(started))),
    (
        "runs of checks",
        |event| matches!(event, Event::RunStarted(started) if started.incident_id.starts_with("check-")),
    ),
    ("cooling down", |event| logs::ended(event).is_some_and(|outcome| outcome.as_str() == "cooling_down")),
];

impl Findings {
    /// Judges a course by every law, and counts.
    pub async fn of(stage: &Stage) -> Self {
        let books = books::read(stage).await;
        laws::hold(stage, &books).await;
        logs::hold(stage, &books).await;
        laws::judge("no bound on live runs is exceeded, and the first in line goes first");
        let admitted = rooms::hold(stage, &books);
        laws::judge("an approval counts for exactly what it was given for");
        let answered = approvals::law(stage, &books);
        let effects = stage.world.effects.lock().unwrap().clone();
        let mut kinds = KINDS.map(|(name, _)| (name, 0));
        let mut escalations = 0;
        for book in &books {
            escalations += usize::from(book.head.outcome == Some(RunOutcome::Escalated));
            for (_, event) in book.events() {
                for (counted, (_, is_one)) in kinds.iter_mut().zip(KINDS) {
                    counted.1 += usize::from(is_one(event));
                }
            }
        }
        let full_budgets = laws::within_budget(stage, &effects);
        let counted = stage.seen.counted();
        Self { happenings: 0, effects: effects.len(), full_budgets, escalations, admitted, answered, kinds, counted }
    }

    /// # Panics
    /// The courses did not try something.
    pub fn are_of_every_kind(&self) {
        let Self { happenings: _, effects, full_budgets, escalations, admitted, answered, kinds, counted } = self;
        let numbers =
            [effects, full_budgets, escalations, admitted].into_iter().chain(kinds.iter().map(|(_, count)| count));
        assert!(numbers.into_iter().all(|count| *count > 0), "something did not happen: {self:#?}");
        answered.is_of_every_kind();
        counted.are_of_every_kind();
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
        self.counted.add(other.counted);
    }
}
