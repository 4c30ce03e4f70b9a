//! The canonical JSON of the guardrails, with which functions are deployed, and its digest.

use heal_engine::id::Digest;
use heal_engine::template::Template;

use super::{Budget, Guardrails, KEY_NAMES};
use crate::autonomy::AutonomyRule;
use crate::dependency::DependencyRule;
use crate::limit;
use crate::scope::ScopeRule;
use crate::storm::StormRule;
use crate::window::{Schedule, Window};

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
    /// A rule contradicts itself.
    #[error("guardrails: {rule} {fault}")]
    Contradiction {
        /// The rule.
        rule: String,
        /// What is wrong with it, as the rest of a sentence.
        fault: &'static str,
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
        for (key, max) in self.admission.live.each() {
            within(|| format!("{key} in admission.live"), max.into(), 1, limit::LIVE_MAX.into())?;
        }
        let live = &self.admission.live;
        let names = live.playbooks.len().max(live.services.len());
        within(|| "the number of names in admission.live".to_owned(), names as u64, 0, limit::LIVE_NAMES as u64)?;
        within(|| "the number of windows".to_owned(), self.windows.len() as u64, 0, limit::WINDOWS as u64)?;
        self.windows.iter().try_for_each(Window::check)?;
        within(|| "the number of rules of scope".to_owned(), self.scope.len() as u64, 0, limit::SCOPE_RULES as u64)?;
        self.scope.iter().try_for_each(ScopeRule::check)?;
        self.autonomy.iter().try_for_each(AutonomyRule::check)?;
        self.storms.0.iter().try_for_each(StormRule::check)?;
        let dependencies = self.dependencies.len() as u64;
        within(|| "the number of dependencies".to_owned(), dependencies, 0, limit::DEPENDENCIES as u64)?;
        self.dependencies.iter().try_for_each(DependencyRule::check)?;
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
        let (least, most) = if self.concurrent { (0, 0) } else { (1, limit::WINDOW_SECONDS) };
        within(|| format!("window_seconds of budget {name}"), self.window_seconds, least, most)?;
        let percent = self.max_percent.unwrap_or(1);
        within(|| format!("max_percent of budget {name}"), percent.into(), 1, limit::PERCENT.into())?;
        let bad_key = |detail: String| BadGuardrails::Key { budget: name.clone(), detail };
        let template = Template::compile(&self.key).map_err(|error| bad_key(error.to_string()))?;
        match template.names().into_iter().find(|name| !KEY_NAMES.contains(&name.as_str())) {
            Some(unknown) => Err(bad_key(format!("unknown name `{unknown}`, the names are {}", KEY_NAMES.join(", ")))),
            None => Ok(()),
        }
    }
}

impl Window {
    fn check(&self) -> Result<(), BadGuardrails> {
        let is_never_open = match &self.schedule {
            Schedule::Daily { from, to, .. } => from == to,
            Schedule::Once { start, end } => start >= end,
        };
        if is_never_open {
            let fault = "is never open: it ends where it starts, or before";
            return Err(BadGuardrails::Contradiction { rule: format!("window {}", self.name), fault });
        }
        let bytes = self.reason.len() as u64;
        within(|| format!("bytes of the reason of window {}", self.name), bytes, 0, limit::REASON_BYTES as u64)
    }
}

impl ScopeRule {
    fn check(&self) -> Result<(), BadGuardrails> {
        if self.opt_out.is_some() == self.opt_in.is_some() {
            let fault = "needs exactly one of opt_out and opt_in";
            return Err(BadGuardrails::Contradiction { rule: "a rule of scope".to_owned(), fault });
        }
        let marks = [&self.opt_out, &self.opt_in].into_iter().flatten();
        let mut bytes = marks.map(|mark| mark.text().len() as u64);
        bytes.try_for_each(|bytes| within(|| "bytes of a mark".to_owned(), bytes, 1, limit::MARK_BYTES as u64))
    }
}

impl AutonomyRule {
    fn check(&self) -> Result<(), BadGuardrails> {
        let Some(demote) = self.demote else { return Ok(()) };
        let field = |key: &str| format!("{key} of the autonomy of {}", self.playbook);
        within(|| field("below_percent"), demote.below_percent.into(), 0, limit::PERCENT.into())?;
        let (least, most) = (limit::DEMOTE_LEAST.into(), limit::DEMOTE_MOST.into());
        within(|| field("of_last"), demote.of_last.into(), least, most)
    }
}

impl DependencyRule {
    fn check(&self) -> Result<(), BadGuardrails> {
        let fault = if self.breaker.is_none() && self.check.is_none() {
            "needs a breaker or a check"
        } else if self.holds.is_everything() {
            "holds everything, also what would heal it"
        } else {
            return Ok(());
        };
        Err(BadGuardrails::Contradiction { rule: format!("dependency {}", self.name), fault })
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
        let text = r#"{"cooldowns":[{"action":"restart_pod","seconds":60}],"budgets":[{"name":"restarts","applies_to":{"actions":["restart_pod"]},"key":"{{ workflow_id }}","max":2,"max_percent":5,"window_seconds":60},{"name":"at_once","max":3,"concurrent":true}],"repeats":{"escalate_at":4,"window_seconds":60},"approvals":{"groups":{"oncall":["local:anna"]}},"autonomy":[{"playbook":"restarts","level":"approve","demote":{"below_percent":40,"of_last":20}}],"windows":[{"name":"night","kind":"ask","applies_to":{"services":["kubernetes"]},"schedule":{"daily":{"days":["sat","sun"],"from":"22:00","to":"06:30","zone":"Europe/Berlin"}},"approvers":["oncall"],"reason":"nobody is here"},{"name":"move","kind":"hold","schedule":{"once":{"start":1,"end":2}}}],"scope":[{"opt_out":{"label":"team=payments"}},{"applies_to":{"actions":["reallocate_ticket"]},"opt_in":{"metadata":"managed"}}],"dependencies":[{"name":"tickets","breaker":"execution-ticket-service","check":"tickets_up","holds":{"actions":["restart_pod"]}}]}"#;
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
            r#"{"budgets":[{"name":"a","max":1,"window_seconds":1,"min_percent":5}]}"#,
            r#"{"windows":[{"name":"a","kind":"hold","schedule":{"once":{"start":1,"end":2}},"weeks":1}]}"#,
            r#"{"windows":[{"name":"a","kind":"stop","schedule":{"once":{"start":1,"end":2}}}]}"#,
            r#"{"windows":[{"name":"a","kind":"hold","schedule":{"daily":{"from":"1:00","to":"02:00","zone":"UTC"}}}]}"#,
            r#"{"windows":[{"name":"a","kind":"hold","schedule":{"daily":{"from":"01:00","to":"02:00","zone":"Mars"}}}]}"#,
            r#"{"scope":[{"opt_out":{"colour":"red"}}]}"#,
            r#"{"autonomy":[{"playbook":"a","level":"auto","demote":{"below_percent":5}}]}"#,
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
        for (live, expected) in [
            (r#"{"per_playbook":0}"#, "per_playbook in admission.live is 0, expected 1 to 1000"),
            (r#"{"per_service":1001}"#, "per_service in admission.live is 1001, expected 1 to 1000"),
            (r#"{"playbooks":{"a":0}}"#, "a of playbooks in admission.live is 0, expected 1 to 1000"),
            (r#"{"services":{"a":1001}}"#, "a of services in admission.live is 1001, expected 1 to 1000"),
        ] {
            assert_eq!(fault(&format!(r#"{{"admission":{{"live":{live}}}}}"#)), format!("guardrails: {expected}"));
        }
        let names: Vec<String> = (0..=limit::LIVE_NAMES).map(|name| format!(r#""p{name}":1"#)).collect();
        let many = format!(r#"{{"admission":{{"live":{{"playbooks":{{{}}}}}}}}}"#, names.join(","));
        assert!(fault(&many).contains("the number of names in admission.live is 101, expected 0 to 100"));
        let one = r#"{"name":"d","breaker":"s","holds":{"actions":["a"]}}"#;
        let many = format!(r#"{{"dependencies":[{}]}}"#, vec![one; limit::DEPENDENCIES + 1].join(","));
        assert!(fault(&many).contains("the number of dependencies is 21, expected 0 to 20"));
        let one = r#"{"name":"b","max":1,"window_seconds":1}"#;
        let many = format!(r#"{{"budgets":[{}]}}"#, vec![one; limit::BUDGETS + 1].join(","));
        assert!(fault(&many).contains("the number of budgets is 51, expected 0 to 50"));
    }

    #[test]
    fn a_rule_that_contradicts_itself_is_refused() {
        let window = |schedule: &str| format!(r#"{{"windows":[{{"name":"w","kind":"hold","schedule":{schedule}}}]}}"#);
        for schedule in [
            r#"{"once":{"start":2,"end":2}}"#,
            r#"{"once":{"start":3,"end":2}}"#,
            r#"{"daily":{"from":"02:00","to":"02:00","zone":"UTC"}}"#,
        ] {
            let never = "guardrails: window w is never open: it ends where it starts, or before";
            assert_eq!(fault(&window(schedule)), never, "{schedule}");
        }
        let depends = |rule: &str| fault(&format!(r#"{{"dependencies":[{{"name":"d",{rule}}}]}}"#));
        assert_eq!(depends(r#""holds":{"actions":["a"]}"#), "guardrails: dependency d needs a breaker or a check");
        let everything = "guardrails: dependency d holds everything, also what would heal it";
        assert_eq!(depends(r#""breaker":"s","holds":{}"#), everything);
        for scope in [r"{}", r#"{"opt_out":{"label":"a"},"opt_in":{"label":"b"}}"#] {
            let exactly = "guardrails: a rule of scope needs exactly one of opt_out and opt_in";
            assert_eq!(fault(&format!(r#"{{"scope":[{scope}]}}"#)), exactly);
        }
        let budget = |keys: &str| fault(&format!(r#"{{"budgets":[{{"name":"b","max":1,{keys}}}]}}"#));
        let both = budget(r#""window_seconds":1,"concurrent":true"#);
        assert_eq!(both, "guardrails: window_seconds of budget b is 1, expected 0 to 0");
        assert_eq!(
            budget(r#""concurrent":true,"max_percent":101"#),
            "guardrails: max_percent of budget b is 101, expected 1 to 100"
        );
        let demote = |of_last| {
            let demote = format!(r#"{{"below_percent":50,"of_last":{of_last}}}"#);
            fault(&format!(r#"{{"autonomy":[{{"playbook":"a","level":"auto","demote":{demote}}}]}}"#))
        };
        assert_eq!(demote(2), "guardrails: of_last of the autonomy of a is 2, expected 3 to 50");
        assert_eq!(demote(51), "guardrails: of_last of the autonomy of a is 51, expected 3 to 50");
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
