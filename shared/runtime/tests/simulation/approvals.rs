//! What people answer, and the law of approvals: each counts for exactly what it was given for, once a person, and not after its time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;

use heal_engine::Plan;
use heal_engine::event::{Commit, Event};
use heal_engine::id::StepRef;
use heal_runtime::message::Inbound;
use heal_runtime::port::RunReader;
use heal_runtime::{Digest, RunId, Timestamp};

use super::books::{self, Book};
use super::rng::Rng;
use super::stage::Stage;

/// An approval as somebody has sent it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Given {
    run_id: String,
    step: String,
    item: Option<u32>,
    digest: String,
    by: String,
}

/// What became of the questions of all courses.
#[derive(Debug, Default)]
pub struct Answered {
    asked: usize,
    approvals: usize,
    /// Attempts that the approvals started.
    started: usize,
    rejected: usize,
    lapsed: usize,
}

/// A question, while its run's log is read.
struct Question {
    digest: Digest,
    min: u32,
    until: Timestamp,
    by: BTreeSet<String>,
}

impl Given {
    /// The approval that this message gives, if it is one.
    pub fn read(message: &Inbound) -> Option<Self> {
        match message {
            Inbound::ApprovalAnswer { run_id, step: Some(step), item, digest, by, rejection: None } => Some(Self {
                run_id: run_id.to_string(),
                step: step.clone(),
                item: *item,
                digest: digest.to_string(),
                by: by.clone(),
            }),
            _ => None,
        }
    }
}

/// What people say to the open questions of a run: mostly yes, by one of three, now and then for other parameters, now and then twice.
pub async fn answers(rng: &Rng, runs: &dyn RunReader, run_id: &RunId) -> Vec<Inbound> {
    let Ok(commits) = runs.load(run_id, 0).await else { return Vec::new() };
    let Some(Event::RunStarted(started)) = commits.first().and_then(|commit| commit.events.first()) else {
        return Vec::new();
    };
    let Ok(Some(json)) = runs.plan(&started.plan_digest).await else { return Vec::new() };
    let plan = books::plan(&started.plan_digest, json);
    let state = heal_engine::turn::fold(&plan, &commits).unwrap().unwrap();
    let mut answers = Vec::new();
    for open in state.open_approvals(&plan) {
        let by = ["local:ann", "local:bob", "local:eve"][rng.below(3) as usize].to_owned();
        let digest = if rng.chance(15) { Digest::of(b"something else") } else { open.digest };
        let rejection = rng.chance(10).then(|| "not this one".to_owned());
        let run_id = run_id.clone();
        let answer = Inbound::ApprovalAnswer { run_id, step: open.step, item: open.item, digest, by, rejection };
        answers.extend(std::iter::repeat_n(answer, if rng.chance(20) { 2 } else { 1 }));
    }
    answers
}

/// Holds the logs of all runs against what people have sent.
pub fn law(stage: &Stage, books: &[Book]) -> Answered {
    let mut answered = Answered::default();
    for book in books {
        if book.started().mode.is_shadow() || book.is_of_a_wrong_clock {
            continue;
        }
        Reading { stage, plan: &book.plan, questions: BTreeMap::new(), held_since: None, answered: &mut answered }
            .read(&book.commits);
    }
    answered
}

/// One log, while it is read.
struct Reading<'a> {
    stage: &'a Stage,
    plan: &'a Plan,
    questions: BTreeMap<StepRef, Question>,
    held_since: Option<Timestamp>,
    answered: &'a mut Answered,
}

impl Reading<'_> {
    fn read(&mut self, commits: &[Commit]) {
        for commit in commits {
            commit.events.iter().for_each(|event| self.event(commit, event));
        }
    }

    fn event(&mut self, commit: &Commit, event: &Event) {
        let at = commit.at;
        match event {
            Event::RunHeld { .. } => {
                self.held_since.get_or_insert(at);
            }
            Event::RunReleased { .. } => {
                let held_ms = self.held_since.take().map_or(0, |since| at.since_ms(since));
                self.questions.values_mut().for_each(|question| question.until = question.until.plus_ms(held_ms));
            }
            Event::ApprovalRequested { step, digest, min, until, .. } => {
                self.answered.asked += 1;
                let question = Question { digest: digest.clone(), min: *min, until: *until, by: BTreeSet::new() };
                self.questions.insert(*step, question);
            }
            Event::StepApproved { step, digest, by, .. } => self.approved(commit, *step, digest, by),
            Event::StepRejected { .. } => self.answered.rejected += 1,
            Event::AttemptStarted { step, parameters_digest, .. } => {
                let asks = self.plan.step(step.step).is_some_and(|planned| planned.spec.approval.is_some());
                let Some(question) = self.questions.get(step).filter(|_| asks) else {
                    assert!(!asks, "nobody was asked about {event:?}");
                    return;
                };
                assert_eq!(question.digest, *parameters_digest, "approved was something else than {event:?}");
                assert!(question.by.len() >= question.min as usize, "{event:?} with {} approvals", question.by.len());
                self.answered.started += 1;
            }
            Event::StepEnded { step, reason: Some(reason), .. } if reason.starts_with("not approved within") => {
                let question = &self.questions[step];
                assert!(at >= question.until, "{event:?} before {:?}", question.until);
                self.answered.lapsed += 1;
            }
            _ => {}
        }
    }

    fn approved(&mut self, commit: &Commit, step: StepRef, digest: &Digest, by: &str) {
        let given = Given {
            run_id: commit.run_id.to_string(),
            step: self.plan.name(step.step).to_owned(),
            item: step.item,
            digest: digest.to_string(),
            by: by.to_owned(),
        };
        assert!(self.stage.approvals.contains(&given), "nobody has given {given:?}");
        // Time stands still while the run is held.
        let now = self.held_since.unwrap_or(commit.at);
        let question = self.questions.get_mut(&step).expect("a question was asked");
        assert_eq!(question.digest, *digest, "{given:?} counts for something else");
        assert!(now < question.until, "{given:?} counts at {now:?}, after {:?}", question.until);
        assert!(question.by.insert(by.to_owned()), "{given:?} counts twice");
        self.answered.approvals += 1;
    }
}

impl Answered {
    /// Otherwise the law has not been tried.
    pub fn is_of_every_kind(&self) {
        let Self { asked, approvals, started, rejected, lapsed } = *self;
        assert!([asked, approvals, started, rejected, lapsed].iter().all(|count| *count > 0), "{self:?}");
    }
}

impl AddAssign for Answered {
    fn add_assign(&mut self, other: Self) {
        self.asked += other.asked;
        self.approvals += other.approvals;
        self.started += other.started;
        self.rejected += other.rejected;
        self.lapsed += other.lapsed;
    }
}
