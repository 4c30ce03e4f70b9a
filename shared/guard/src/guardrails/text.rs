//! The canonical JSON of the guardrails, with which functions are deployed, and its digest.

use heal_engine::id::Digest;
use heal_engine::template::Template;

use super::{Budget, Guardrails, KEY_NAMES};
use crate::limit;
use crate::storm::StormRule;

/// A text that is not the canonical JSON of usable guardrails.
#[derive(Debug, thiserror::Error)]
pub enum BadGuardrails {
    /// It is not JSON of this shape, or has a bound that this build does not know.
    #[error("guardrails: the text has another shape; compile them with this version of `heal guardrails compile`")]
    Shape(#[source] serde_json::Error),
    /// A number or a list is outside its limits.
    #[error("guardrails: {field} is {observed}, expected {least} to {most}")]
    Outside {
        /// The rule and its key, such as `max of budget restarts`.
        field: String,
        /// What it is, in the unit of the field.
        observed: u64,
        /// The least allowed.
        least: u64,
        /// The most allowed.
        most: u64,
    },
    /// A budget's `key` is not a template over [`KEY_NAMES`].
    #[error("guardrails: the key of budget {budget} cannot be used: {detail}")]
    Key {
        /// The budget's name.
        budget: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl Guardrails {
    /// The canonical text, which the digest is of.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The digest of the canonical text.
    pub fn digest(&self) -> Digest {
        Digest::of(self.to_json().as_bytes())
    }

    /// Reads the canonical text, or any JSON of its shape.
    ///
    /// # Errors
    /// It has another shape, an unknown bound, or a bound outside of [`limit`].
    pub fn from_json(text: &str) -> Result<Self, BadGuardrails> {
        let guardrails: Self = serde_json::from_str(text).map_err(BadGuardrails::Shape)?;
        guardrails.check()?;
        Ok(guardrails)
    }

    fn check(&self) -> Result<(), BadGuardrails> {
        for rule in &self.cooldowns {
            within(|| format!("the cooldown of {}", rule.action), rule.seconds, 0, limit::WINDOW_SECONDS)?;
        }
        within(|| "the number of budgets".to_owned(), self.budgets.len() as u64, 0, limit::BUDGETS as u64)?;
        self.budgets.iter().try_for_each(Budget::check)?;
        self.storms.0.iter().try_for_each(StormRule::check)?;
        let repeats = self.repeats;
        let (least, most) = (limit::REPEATS_LEAST, limit::REPEATS);
        within(|| "escalate_at of repeats".to_owned(), repeats.escalate_at.into(), least.into(), most.into())?;
        let least = limit::REPEATS_WINDOW_LEAST_SECONDS;
        within(|| "window_seconds of repeats".to_owned(), repeats.window_seconds, least, limit::WINDOW_SECONDS)
    }
}

impl Budget {
    fn check(&self) -> Result<(), BadGuardrails> {
        let name = &self.name;
        within(|| format!("max of budget {name}"), self.max.into(), 1, limit::BUDGET_MAX.into())?;
        within(|| format!("window_seconds of budget {name}"), self.window_seconds, 1, limit::WINDOW_SECONDS)?;
        let bad_key = |detail: String| BadGuardrails::Key { budget: name.clone(), detail };
        let template = Template::compile(&self.key).map_err(|error| bad_key(error.to_string()))?;
        match template.names().into_iter().find(|name| !KEY_NAMES.contains(&name.as_str())) {
            Some(unknown) => Err(bad_key(format!("unknown name `{unknown}`, the names are {}", KEY_NAMES.join(", ")))),
            None => Ok(()),
        }
    }
}

impl StormRule {
    fn check(&self) -> Result<(), BadGuardrails> {
        let Self { service, targets, trickle, window_seconds, quiet_seconds, actions: _ } = self;
        let of = |key: &str| format!("{key} of the storm of {service}");
        if *targets > 0 {
            let (least, most) = (limit::STORM_TARGETS_LEAST.into(), limit::STORM_TARGETS.into());
            within(|| of("targets"), (*targets).into(), least, most)?;
        }
        let (least, most) = (limit::STORM_WINDOW_LEAST_SECONDS, limit::STORM_WINDOW_SECONDS);
        within(|| of("window_seconds"), *window_seconds, least, most)?;
        within(|| of("quiet_seconds"), *quiet_seconds, *window_seconds, most)?;
        within(|| of("trickle"), (*trickle).into(), 0, limit::STORM_TRICKLE.into())
    }
}

fn within(field: impl FnOnce() -> String, observed: u64, least: u64, most: u64) -> Result<(), BadGuardrails> {
    if (least..=most).contains(&observed) {
        return Ok(());
    }
    Err(BadGuardrails::Outside { field: field(), observed, least, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        Guardrails::from_json(text).unwrap_err().to_string()
    }

    #[test]
    fn nothing_and_an_empty_object_are_the_default() {
        let read = Guardrails::from_json("{}").unwrap();
        assert_eq!(read, Guardrails::default());
        assert_eq!(Guardrails::from_json(&read.to_json()).unwrap(), read);
        assert_eq!(read.to_json(), r#"{"repeats":{"escalate_at":3,"window_seconds":3600}}"#);
    }

    #[test]
    fn every_rule_survives_the_canonical_text_and_changes_the_digest() {
        let text = r#"{"cooldowns":[{"action":"restart_pod","seconds":60}],"budgets":[{"name":"restarts","applies_to":{"actions":["restart_pod"]},"key":"{{ workflow_id }}","max":2,"window_seconds":60}],"repeats":{"escalate_at":4,"window_seconds":60},"approvals":{"groups":{"oncall":["local:anna"]}},"autonomy":[{"playbook":"restarts","level":"approve"}],"storms":[{"service":"kubernetes","actions":["restart_pod"],"targets":0,"window_seconds":60,"quiet_seconds":60,"trickle":0}]}"#;
        let guardrails = Guardrails::from_json(text).unwrap();
        assert_eq!(guardrails.to_json(), text);
        assert_ne!(guardrails.digest(), Guardrails::default().digest());
    }

    #[test]
    fn an_unknown_bound_is_refused_rather_than_ignored() {
        for text in [
            r#"{"storms":{}}"#,
            r#"{"storms":[{"service":"a","actions":[],"targets":5}]}"#,
            r#"{"cooldowns":[{"action":"a","seconds":1,"jitter":1}]}"#,
            r#"{"budgets":[{"name":"a","max":1,"window_seconds":1,"max_percent":5}]}"#,
            r#"{"budgets":[{"name":"a","max":1,"window_seconds":1,"applies_to":{"labels":[]}}]}"#,
            r#"{"repeats":{"escalate_at":3,"window_seconds":60,"by":"target"}}"#,
            r#"{"approvals":{"min":2}}"#,
            r#"{"autonomy":[{"playbook":"a","level":"some"}]}"#,
        ] {
            assert!(fault(text).starts_with("guardrails: the text has another shape"), "{text}");
        }
    }

    #[test]
    fn a_number_outside_its_limit_is_named() {
        let budget =
            |max: u32, window: u64| format!(r#"{{"budgets":[{{"name":"b","max":{max},"window_seconds":{window}}}]}}"#);
        assert!(Guardrails::from_json(&budget(limit::BUDGET_MAX, limit::WINDOW_SECONDS)).is_ok());
        assert_eq!(fault(&budget(0, 1)), "guardrails: max of budget b is 0, expected 1 to 1000");
        assert_eq!(fault(&budget(limit::BUDGET_MAX + 1, 1)), "guardrails: max of budget b is 1001, expected 1 to 1000");
        assert!(
            fault(&budget(1, limit::WINDOW_SECONDS + 1))
                .contains("window_seconds of budget b is 86401, expected 1 to 86400")
        );
        let cooldown = format!(r#"{{"cooldowns":[{{"action":"a","seconds":{}}}]}}"#, limit::WINDOW_SECONDS + 1);
        assert!(fault(&cooldown).starts_with("guardrails: the cooldown of a is 86401"));
        assert!(
            fault(r#"{"repeats":{"escalate_at":1,"window_seconds":60}}"#)
                .contains(": escalate_at of repeats is 1, expected 2 to 100")
        );
        assert!(
            fault(r#"{"repeats":{"escalate_at":2,"window_seconds":59}}"#)
                .contains(": window_seconds of repeats is 59, expected 60 to 86400")
        );
        let one = r#"{"name":"b","max":1,"window_seconds":1}"#;
        let many = format!(r#"{{"budgets":[{}]}}"#, vec![one; limit::BUDGETS + 1].join(","));
        assert!(fault(&many).contains("the number of budgets is 51, expected 0 to 50"));
    }

    #[test]
    fn the_numbers_of_a_storm_are_bounded() {
        let storm = |targets: u32, window: u64, quiet: u64, trickle: u32| {
            Guardrails::from_json(&format!(
                r#"{{"storms":[{{"service":"s","actions":["a"],"targets":{targets},"window_seconds":{window},"quiet_seconds":{quiet},"trickle":{trickle}}}]}}"#
            ))
        };
        for (targets, window, quiet, trickle) in
            [(0, 10, 10, 0), (2, 10, 3_600, 100), (limit::STORM_TARGETS, limit::STORM_WINDOW_SECONDS, 3_600, 0)]
        {
            assert!(storm(targets, window, quiet, trickle).is_ok(), "{targets} {window} {quiet} {trickle}");
        }
        for (broken, field) in [
            (storm(1, 10, 10, 0), "targets of the storm of s is 1, expected 2 to 1000"),
            (storm(1_001, 10, 10, 0), "targets of the storm of s is 1001"),
            (storm(5, 9, 10, 0), "window_seconds of the storm of s is 9, expected 10 to 3600"),
            (storm(5, 60, 59, 0), "quiet_seconds of the storm of s is 59, expected 60 to 3600"),
            (storm(5, 60, 3_601, 0), "quiet_seconds of the storm of s is 3601"),
            (storm(5, 60, 60, 101), "trickle of the storm of s is 101, expected 0 to 100"),
        ] {
            let fault = broken.unwrap_err().to_string();
            assert!(fault.contains(field), "{fault}");
        }
    }

    #[test]
    fn a_key_names_only_what_an_effect_has() {
        let keyed = |key: &str| format!(r#"{{"budgets":[{{"name":"b","key":"{key}","max":1,"window_seconds":1}}]}}"#);
        assert!(Guardrails::from_json(&keyed("{{ action }}/{{ target }}")).is_ok());
        assert!(fault(&keyed("{{ ticket_id }}")).contains("unknown name `ticket_id`, the names are action, service"));
        assert!(fault(&keyed("{{ target")).starts_with("guardrails: the key of budget b cannot be used: "));
    }
}
