//! What was decided on the targets of an attempt, for the log of its run.

use heal_engine::message::Recorded;
use heal_guard::{Decision, DecisionRecord, PolicyFacts, Question, Verdict};

use crate::port::PolicyInput;

/// What the policy was told about one target, and how long its answer took. The default: it was not asked.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub facts: PolicyFacts,
    pub took_ms: Option<u64>,
}

impl Told {
    pub(super) fn new(input: &PolicyInput, took_ms: u64) -> Self {
        let context = &input.context;
        let touched = Some(context.last_reallocation_timestamp).filter(|nanoseconds| *nanoseconds > 0);
        let facts = PolicyFacts {
            workflow_state: context.workflow_state.clone(),
            ticket_status: context.ticket_status.clone(),
            touched_ms_ago: touched.map(|touched| context.now_ns.saturating_sub(touched) / 1_000_000),
        };
        Self { facts, took_ms: Some(took_ms) }
    }

    pub(super) fn record(self, question: Question, decision: Decision) -> DecisionRecord {
        let Self { facts: policy_facts, took_ms: policy_took_ms } = self;
        DecisionRecord { policy_facts, policy_took_ms, ..DecisionRecord::new(question, decision) }
    }
}

/// The records as the result of an attempt keeps them: those that were not let pass first, since a result has room for some only.
pub(super) fn values(mut records: Vec<DecisionRecord>) -> Vec<Recorded> {
    records.sort_by_key(|record| record.decision.verdict == Verdict::Proceed);
    // Plain data with text keys cannot fail to serialize.
    records.iter().map(|record| serde_json::to_value(record).unwrap_or_default().into()).collect()
}
