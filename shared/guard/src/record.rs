//! What was decided, as the log of a run keeps it, and the same decision made again from it.

use std::fmt;

use heal_engine::format::Format;
use serde::{Deserialize, Serialize};

use crate::decide::decide;
use crate::decision::{Decision, Part, Verdict};
use crate::question::Question;

/// One decision on one target: everything that it was made from, and what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// The whole input of the decision.
    pub question: Question,
    /// The decision. The reasons of one to proceed are left out: every part said the same, and [`replay`] gives their sentences. It keeps the
    /// log of the common case small.
    pub decision: Decision,
    /// What the policy was told beside the effect itself.
    #[serde(default, skip_serializing_if = "PolicyFacts::is_empty")]
    pub policy_facts: PolicyFacts,
    /// Milliseconds until the policy had answered; `None` if it was not asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_took_ms: Option<u64>,
}

/// What was read at the point of effect and put before the policy; a field that was not read is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyFacts {
    /// The workflow's state, such as `PAUSED`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub workflow_state: String,
    /// The ticket's status, such as `COMPLETED`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ticket_status: String,
    /// Milliseconds since the target was last touched; `None` if it never was, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub touched_ms_ago: Option<u64>,
}

/// What a decision is that was made again from its record, and is another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: the record says {recorded}, decided again it is {replayed}")]
pub struct Difference {
    /// What differs.
    pub subject: Subject,
    /// As the record has it.
    pub recorded: String,
    /// As it is decided again.
    pub replayed: String,
}

/// What can differ between two decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// What has to happen.
    Verdict,
    /// Which parts spoke.
    Parts,
    /// What one part said.
    Reason(Part),
}

impl Format for DecisionRecord {
    const NAME: &'static str = "decision record";
}

impl DecisionRecord {
    /// The record of `decision` on `question`.
    pub fn new(question: Question, mut decision: Decision) -> Self {
        if decision.verdict == Verdict::Proceed {
            decision.reasons.clear();
        }
        Self { question, decision, policy_facts: PolicyFacts::default(), policy_took_ms: None }
    }
}

impl PolicyFacts {
    /// Whether nothing was read.
    pub const fn is_empty(&self) -> bool {
        self.workflow_state.is_empty() && self.ticket_status.is_empty() && self.touched_ms_ago.is_none()
    }
}

/// Decides again, from the record alone. The answer is the decision with the sentences of all its reasons.
///
/// # Errors
/// The first difference from the recorded decision. The record was changed, or another build decides by other rules.
pub fn replay(record: &DecisionRecord) -> Result<Decision, Difference> {
    let (recorded, replayed) = (&record.decision, decide(&record.question));
    let differ = |subject, recorded: String, replayed: String| Err(Difference { subject, recorded, replayed });
    if recorded.verdict != replayed.verdict {
        return differ(Subject::Verdict, json(&recorded.verdict), json(&replayed.verdict));
    }
    if recorded.verdict == Verdict::Proceed && recorded.reasons.is_empty() {
        return Ok(replayed);
    }
    let parts = |decision: &Decision| json(&decision.reasons.iter().map(|reason| reason.part).collect::<Vec<_>>());
    if parts(recorded) != parts(&replayed) {
        return differ(Subject::Parts, parts(recorded), parts(&replayed));
    }
    let reasons = recorded.reasons.iter().zip(&replayed.reasons);
    match reasons.into_iter().find(|(recorded, replayed)| recorded != replayed) {
        Some((recorded, replayed)) => differ(Subject::Reason(recorded.part), json(recorded), json(replayed)),
        None => Ok(replayed),
    }
}

/// Plain data cannot fail to serialize.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict => f.write_str("the verdict"),
            Self::Parts => f.write_str("the parts that spoke"),
            Self::Reason(part) => write!(f, "the reason of {}", json(part).trim_matches('"')),
        }
    }
}

#[cfg(test)]
mod tests {
    use heal_engine::Timestamp;

    use super::*;
    use crate::{Effect, PolicyAnswer};

    #[test]
    fn facts_are_empty_only_if_nothing_was_read() {
        let text = || "x".to_owned();
        assert!(PolicyFacts::default().is_empty());
        for facts in [
            PolicyFacts { workflow_state: text(), ..PolicyFacts::default() },
            PolicyFacts { ticket_status: text(), ..PolicyFacts::default() },
            PolicyFacts { touched_ms_ago: Some(0), ..PolicyFacts::default() },
        ] {
            assert!(!facts.is_empty(), "{facts:?}");
        }
    }

    #[test]
    fn only_a_decision_to_proceed_may_lack_its_reasons_and_those_that_it_has_count() {
        let record = |policy| {
            let question = Question { policy, ..Question::new(Effect::new("a", "p", "t"), Timestamp(1)) };
            let decision = decide(&question);
            DecisionRecord {
                decision,
                ..DecisionRecord::new(question, Decision { verdict: Verdict::Proceed, reasons: Vec::new() })
            }
        };
        let subject = |record: &DecisionRecord| replay(record).map(drop).map_err(|difference| difference.subject);
        let mut proceeds = record(PolicyAnswer::NotAsked);
        assert_eq!(subject(&proceeds), Ok(()));
        proceeds.decision.reasons.iter_mut().for_each(|reason| reason.text.push('!'));
        assert_eq!(subject(&proceeds), Err(Subject::Reason(Part::Switches)));
        let mut denied = record(PolicyAnswer::Deny { source: "server".to_owned(), violations: Vec::new() });
        denied.decision.reasons.clear();
        assert_eq!(subject(&denied), Err(Subject::Parts));
    }
}
