//! One recorded decision, made again.

use std::error::Error as _;

use heal_engine::format;
use heal_guard::{Decision, DecisionRecord, Part, PolicyAnswer, PolicyFacts, Reason, Verdict, replay};
use serde::Serialize;
use serde_json::Value;

use super::plural;
use super::words::safe;
use crate::moment;

/// A decision of the log, with its place.
#[derive(Debug, Serialize)]
pub struct Decided {
    /// The step's name, with the item's number if it fans out.
    pub step: String,
    /// Counted from 1.
    pub attempt: u32,
    /// How the attempt ended, as a word.
    pub outcome: &'static str,
    /// `same`, or what is different.
    replayed: String,
    /// As it is stored.
    record: Value,
    #[serde(skip)]
    read: Option<(DecisionRecord, Option<Decision>)>,
}

const SAME: &str = "same";

impl Decided {
    pub(super) fn new(step: String, attempt: u32, outcome: &'static str, record: &Value) -> Self {
        let (replayed, read) = match format::decode::<DecisionRecord>(&record.to_string()) {
            Err(error) => {
                let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
                (format!("{error}{cause}"), None)
            }
            Ok(read) => match replay(&read) {
                Ok(decision) => (SAME.to_owned(), Some((read, Some(decision)))),
                Err(difference) => (difference.to_string(), Some((read, None))),
            },
        };
        Self { step, attempt, outcome, replayed, record: record.clone(), read }
    }

    /// Whether the decision comes out as it is recorded.
    pub fn is_same(&self) -> bool {
        self.replayed == SAME
    }

    /// What was asked about which target, what each part said, the verdict, and whether it comes out again.
    pub fn lines(&self) -> Vec<String> {
        let Some((record, replayed)) = &self.read else {
            return vec![format!("  a decision is recorded, but not readable: {}", safe(&self.replayed))];
        };
        // What was said then, where the record has it; the sentences of a decision to proceed come from the replay.
        let told = match replayed {
            Some(replayed) if record.decision.reasons.is_empty() => replayed,
            Some(_) | None => &record.decision,
        };
        let question = &record.question;
        let mut lines = vec![format!(
            "  {} on {}: {}",
            safe(&question.effect.action),
            safe(&question.effect.target),
            verdict(&told.verdict)
        )];
        lines.extend(told.reasons.iter().map(|reason| format!("    {}", said(reason, record))));
        if question.policy == PolicyAnswer::NotAsked {
            lines.push("    policy: it was not asked".to_owned());
        }
        if let Some(digest) = &question.guardrails {
            lines.push(format!("    guardrails in force: {}", safe(digest.as_str())));
        }
        let decided_at = moment::rfc3339(question.now);
        lines.push(match replayed {
            Some(_) => format!("    decided at {decided_at}; replayed: same decision"),
            None => format!("    decided at {decided_at}; replayed: DIFFERENT, {}", safe(&self.replayed)),
        });
        lines
    }
}

/// `policy: the policy (server) denies it: … It was told that the workflow is FAILED, and answered in 3 ms.`
fn said(reason: &Reason, record: &DecisionRecord) -> String {
    let part = serde_json::to_value(reason.part).unwrap_or_default();
    let is_against = reason.verdict != Verdict::Proceed;
    let against = if is_against { format!(" → {}", verdict(&reason.verdict)) } else { String::new() };
    let beside = if reason.part == Part::Policy { asked(record) } else { String::new() };
    format!("{}: {}{against}{beside}", part.as_str().unwrap_or("?"), safe(&reason.text))
}

/// What the policy was told, and how long it took.
fn asked(record: &DecisionRecord) -> String {
    let PolicyFacts { workflow_state, ticket_status, touched_ms_ago } = &record.policy_facts;
    let named = |what: &str, value: &str| (!value.is_empty()).then(|| format!("{what} {}", safe(value)));
    let told: Vec<String> = [
        named("workflow", workflow_state),
        named("ticket", ticket_status),
        touched_ms_ago.map(|ms| format!("target last touched {} before", moment::duration(ms))),
        record.policy_took_ms.map(|ms| format!("answered in {}", moment::duration(ms))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
}

fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Proceed => "it may proceed".to_owned(),
        Verdict::Hold { until: Some(until) } => format!("held until {}", moment::rfc3339(*until)),
        Verdict::Hold { until: None } => "held until a person releases it".to_owned(),
        Verdict::Deny { rules } => format!("denied by {}", plural(rules.len(), "rule")),
        Verdict::Escalate { why } => format!("handed to a person: {}", safe(why)),
        Verdict::NeedsApproval { who } if who.is_empty() => "an approval is needed".to_owned(),
        Verdict::NeedsApproval { who } => format!("an approval by {} is needed", safe(&who.join(" or "))),
    }
}
