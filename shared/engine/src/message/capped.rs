//! The bounds of a result in the log.

use std::num::NonZeroU32;

use serde_json::Value;

use super::cut;
use super::outcome::{AttemptOutcome, AttemptResult, Violation};
use super::recorded::Recorded;
use crate::secret::Secrets;
use crate::{Map, limit};

impl AttemptResult {
    /// The result as the log may keep it: without secrets, output and texts cut, with a mark.
    #[must_use]
    pub fn capped(mut self) -> Self {
        Secrets::default().hide(&mut self.output);
        self.output = cap_output(self.output);
        for list in [&mut self.warnings, &mut self.follow_up] {
            list.truncate(limit::NOTES);
            list.iter_mut().for_each(|text| cut(text, limit::TEXT_BYTES));
        }
        self.cap_decisions();
        match &mut self.outcome {
            AttemptOutcome::NoOp { reason: text }
            | AttemptOutcome::Unavailable { message: text, .. }
            | AttemptOutcome::Failed { message: text, .. }
            | AttemptOutcome::TimedOut { message: text }
            | AttemptOutcome::Unknown { message: text } => cut(text, limit::TEXT_BYTES),
            AttemptOutcome::CoolingDown { rule: Some(text), .. } => cut(text, limit::TEXT_BYTES),
            AttemptOutcome::Shadowed { would, targets } => {
                cut(would, limit::TEXT_BYTES);
                targets.truncate(limit::SHADOWED_TARGETS);
                targets.iter_mut().for_each(|target| cut(target, limit::SHADOWED_TARGET_BYTES));
            }
            AttemptOutcome::Denied { violations } => cap_violations(violations),
            AttemptOutcome::NeedsApproval { violations, approvers } => {
                cap_violations(violations);
                approvers.truncate(limit::NOTES);
            }
            AttemptOutcome::Succeeded | AttemptOutcome::CoolingDown { rule: None, .. } => {}
        }
        self
    }

    /// Keeps the first decisions that fit in the bounds, without secrets, and counts the others.
    fn cap_decisions(&mut self) {
        let mut bytes = 0;
        let fits = |decision: &mut Recorded| {
            bytes += decision.keep();
            bytes <= limit::DECISION_BYTES
        };
        let kept = self.decisions.iter_mut().take(limit::DECISIONS).map(fits).take_while(|fits| *fits).count();
        let cut = u32::try_from(self.decisions.len() - kept).unwrap_or(u32::MAX);
        self.decisions.truncate(kept);
        self.decisions_cut = match self.decisions_cut {
            Some(before) => Some(before.saturating_add(cut)),
            None => NonZeroU32::new(cut),
        };
    }
}

fn cap_violations(violations: &mut Vec<Violation>) {
    violations.truncate(limit::NOTES);
    violations.iter_mut().for_each(|violation| cut(&mut violation.msg, limit::TEXT_BYTES));
}

/// Keeps the outputs that fit in [`limit::OUTPUT_BYTES`], smallest first, and lists the names of the others under `_cut`.
fn cap_output(output: Map) -> Map {
    let size = |value: &Value| value.to_string().len();
    if size(&Value::Object(output.clone())) <= limit::OUTPUT_BYTES {
        return output;
    }
    let mut by_size: Vec<_> =
        output.into_iter().map(|(key, value)| (size(&value) + key.len() + 4, key, value)).collect();
    by_size.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
    let mut kept = Map::new();
    let mut lost = Vec::new();
    // Two braces, and no comma after the last value.
    let mut used = 1;
    for (bytes, key, value) in by_size {
        used += bytes;
        if used <= limit::OUTPUT_BYTES {
            kept.insert(key, value);
        } else {
            lost.push(Value::String(key));
        }
    }
    kept.insert("_cut".to_owned(), Value::Array(lost));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capped(decisions: Vec<Value>) -> (usize, Option<u32>) {
        let decisions = decisions.into_iter().map(Recorded::from).collect();
        let result = AttemptResult { decisions, ..AttemptResult::succeeded(Map::new()) }.capped();
        // What is within the bounds is not cut again.
        assert_eq!(result.clone().capped(), result);
        (result.decisions.len(), result.decisions_cut.map(NonZeroU32::get))
    }

    #[test]
    fn no_secret_of_an_action_or_a_service_is_kept() {
        let output =
            Map::from_iter([("db_pwd".to_owned(), "Canary".into()), ("note".to_owned(), "token=Canary".into())]);
        let violation = Violation {
            policy: "p".to_owned(),
            rule: "r".to_owned(),
            msg: "password=Canary".to_owned(),
            severity: "high".to_owned(),
        };
        let result = AttemptResult::succeeded(output).warn("https://a:Canary@b").follow_up("Bearer Canary-12345");
        let results = [
            result,
            AttemptResult::failed("x", "answered 500: {\"password\": \"Canary\"}"),
            AttemptResult::new(AttemptOutcome::Denied { violations: vec![violation] }),
        ];
        for result in results {
            let kept = serde_json::to_string(&result.capped()).unwrap();
            assert!(!kept.contains("Canary") && kept.contains("[hidden]"), "{kept}");
        }
    }

    #[test]
    fn decisions_are_kept_within_their_bounds_and_the_others_counted() {
        let of = |count: usize, bytes: usize| vec![Value::String("x".repeat(bytes - 2)); count];
        assert_eq!(capped(of(0, 2)), (0, None));
        assert_eq!(capped(of(limit::DECISIONS, 600)), (limit::DECISIONS, None));
        assert_eq!(capped(of(limit::DECISIONS + 3, 600)), (limit::DECISIONS, Some(3)));
        assert_eq!(capped(of(5, limit::DECISION_BYTES / 2)), (2, Some(3)));
        assert_eq!(capped(of(1, limit::DECISION_BYTES + 1)), (0, Some(1)));
    }
}
