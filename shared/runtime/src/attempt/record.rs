//! What was decided on the targets of an attempt, for the log of its run.

use heal_engine::Timestamp;
use heal_guard::{Counter, DecisionRecord, Effect, PolicyAnswer, PolicyFacts, Question, Verdict, decide};
use serde_json::Value;

use super::admit::{Admission, Refusal};
use super::typed::Attempt;
use crate::action::{Action, Target};
use crate::port::{Decision, PolicyInput};

/// What the policy was told about one target and what it said. The default: it was not asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub answer: PolicyAnswer,
    pub facts: PolicyFacts,
    pub took_ms: Option<u64>,
}

impl Asked {
    /// `None` if the policy could not be asked: then nothing was decided.
    pub(super) fn new(input: &PolicyInput, decision: &Decision, took_ms: u64) -> Option<Self> {
        let answer = match decision {
            Decision::Allow { source, .. } => PolicyAnswer::Allow { source: source.as_str().to_owned() },
            Decision::Deny { source, violations, .. } => {
                PolicyAnswer::Deny { source: source.as_str().to_owned(), violations: violations.clone() }
            }
            Decision::Unavailable { .. } => return None,
        };
        let context = &input.context;
        let touched = Some(context.last_reallocation_timestamp).filter(|nanoseconds| *nanoseconds > 0);
        let facts = PolicyFacts {
            workflow_state: context.workflow_state.clone(),
            ticket_status: context.ticket_status.clone(),
            touched_ms_ago: touched.map(|touched| context.now_ns.saturating_sub(touched) / 1_000_000),
        };
        Some(Self { answer, facts, took_ms: Some(took_ms) })
    }
}

impl<A: Action> Attempt<'_, A> {
    /// The records of the targets that something was decided on.
    pub(super) fn records(&self, admission: &Admission<A::Facts>, asked: Vec<(String, Asked)>) -> Vec<DecisionRecord> {
        let now = self.worker.ports.clock.now();
        let record = |(id, asked): (String, Asked)| {
            let admitted = admission.admitted.iter().map(|admitted| (&admitted.target, None));
            let mut all = admitted.chain(admission.refused.iter().map(|(target, refusal)| (target, Some(refusal))));
            let (target, refusal) = all.find(|(target, _)| target.id == id)?;
            let Asked { answer, facts, took_ms } = asked;
            let question = self.question(target, refusal, answer, now);
            let decision = decide(&question);
            let policy_facts = facts;
            Some(DecisionRecord { policy_facts, policy_took_ms: took_ms, ..DecisionRecord::new(question, decision) })
        };
        asked.into_iter().filter_map(record).collect()
    }

    fn question(&self, target: &Target, refusal: Option<&Refusal>, policy: PolicyAnswer, now: Timestamp) -> Question {
        let context = &self.call.command.context;
        let effect = Effect {
            action: self.worker.name().to_owned(),
            service: self.action.spec().service.to_owned(),
            playbook: context.playbook.clone(),
            target: target.id.clone(),
            workflow_id: context.workflow_id.clone().unwrap_or_default(),
        };
        let full_until = match refusal {
            Some(Refusal::CoolingDown(until)) => Some(*until),
            Some(Refusal::Denied(_) | Refusal::Ended(_)) | None => None,
        };
        // A target that the policy denies is not reserved.
        let cooldown = target.cooldown.as_ref().filter(|_| !matches!(refusal, Some(Refusal::Denied(_))));
        let counter = cooldown.map(|cooldown| Counter {
            name: format!("cooldown of {}", cooldown.key.action),
            key: cooldown.key.target.clone(),
            used: u32::from(full_until.is_some()),
            limit: 1,
            full_until,
        });
        Question { policy, counters: counter.into_iter().collect(), ..Question::new(effect, now) }
    }
}

/// The records as the result of an attempt keeps them: those that were not let pass first, since a result has room for some only.
pub(super) fn values(mut records: Vec<DecisionRecord>) -> Vec<Value> {
    records.sort_by_key(|record| record.decision.verdict == Verdict::Proceed);
    // Plain data with text keys cannot fail to serialize.
    records.iter().map(|record| serde_json::to_value(record).unwrap_or_default()).collect()
}
