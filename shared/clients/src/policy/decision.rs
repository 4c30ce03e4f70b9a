//! A policy's answer, read from the JSON that a server or the bundled policy gives.

use heal_runtime::Violation;
use heal_runtime::port::{Decision, DecisionSource};
use serde::Deserialize;
use serde_json::Value;

use crate::error::one_line;

/// The result of one evaluation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Whether the action may go ahead.
    pub allow: bool,
    /// Sorted by policy, rule, message and severity, so that two evaluators of one policy agree.
    pub violations: Vec<Violation>,
    /// What people are asked for; `None` if they are not.
    pub approval: Option<RequiredApproval>,
    /// Set if the answer contradicts itself or could be read only in part.
    pub warning: Option<String>,
}

/// The rules that ask for an approval, and who may give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequiredApproval {
    /// Sorted like the violations; empty if none can be read.
    pub rules: Vec<Violation>,
    /// Identities and groups; empty: everybody but the requester.
    pub approvers: Vec<String>,
}

impl Answer {
    /// Reads `{"allow": bool, "violations": [...], "require_approval": [...], "approvers": [...]}`, of which the last two may be missing; each
    /// list of rules may be in either form of [`violations`].
    ///
    /// # Errors
    /// A sentence that says why this is not a decision: no result, or no boolean `allow`.
    pub(super) fn read(value: Option<&Value>) -> Result<Self, String> {
        let Some(value) = value else {
            return Err("the policy is not loaded: the answer has no result".to_owned());
        };
        let allow = match value.get("allow") {
            Some(Value::Bool(allow)) => *allow,
            Some(other) => return Err(format!("allow is {}, expected a boolean", one_line(&other.to_string()))),
            None => return Err("allow is undefined".to_owned()),
        };
        let (mut violations, unread) = violations(value.get("violations"));
        violations.sort_by(|a, b| key(a).cmp(&key(b)));
        let warning = match (allow, violations.len() + unread) {
            (_, 0) => None,
            (true, count) => Some(format!("the policy allows in spite of {count} violations")),
            (false, _) if unread > 0 => Some(format!("{unread} violations of the policy cannot be read")),
            (false, _) => None,
        };
        Ok(Self { allow, violations, approval: approval(value), warning })
    }

    pub(super) fn into_decision(self, source: DecisionSource, warning: Option<String>) -> Decision {
        let warning = match (warning, self.warning) {
            (Some(first), Some(second)) => Some(format!("{first}; {second}")),
            (first, second) => first.or(second),
        };
        match (self.allow, self.approval) {
            // Without a violation nothing is denied: `allow` is false so that an engine that does not know the third answer does nothing.
            (allow, Some(RequiredApproval { rules, approvers })) if allow || self.violations.is_empty() => {
                Decision::RequireApproval { source, violations: rules, approvers, warning }
            }
            (true, _) => Decision::Allow { source, warning },
            (false, _) => Decision::Deny { source, violations: self.violations, warning },
        }
    }
}

/// The third answer. An entry that cannot be read asks all the same, and a name that cannot be read is nobody's.
fn approval(value: &Value) -> Option<RequiredApproval> {
    let (mut rules, unread) = violations(value.get("require_approval"));
    if rules.is_empty() && unread == 0 {
        return None;
    }
    rules.sort_by(|a, b| key(a).cmp(&key(b)));
    let name = |value: &Value| value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let approvers = match value.get("approvers") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(names)) => names.iter().map(name).collect(),
        // A set, as some versions of OPA answer it.
        Some(Value::Object(members)) => members.keys().cloned().collect(),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::String(_))) => vec![name(other)],
    };
    Some(RequiredApproval { rules, approvers })
}

/// The order of violations.
fn key(violation: &Violation) -> [&str; 4] {
    [&violation.policy, &violation.rule, &violation.msg, &violation.severity]
}

/// A violation on the wire. A policy of a site may name the rule alone.
#[derive(Deserialize)]
struct Wire {
    rule: String,
    #[serde(default)]
    policy: String,
    #[serde(default)]
    msg: String,
    #[serde(default)]
    severity: String,
}

impl From<Wire> for Violation {
    fn from(Wire { rule, policy, msg, severity }: Wire) -> Self {
        Self { policy, rule, msg, severity }
    }
}

/// The violations that can be read, and the number of those that cannot.
///
/// OPA answers a rule `violations contains …` with a list, and `violations[v] if …` with an object that maps the JSON text of each
/// violation to `true`.
fn violations(value: Option<&Value>) -> (Vec<Violation>, usize) {
    let items: Vec<Option<Wire>> = match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().map(|item| Wire::deserialize(item).ok()).collect(),
        Some(Value::Object(members)) => members.keys().map(|text| serde_json::from_str(text).ok()).collect(),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_)) => vec![None],
    };
    let total = items.len();
    let read: Vec<Violation> = items.into_iter().flatten().map(Violation::from).collect();
    let unread = total - read.len();
    (read, unread)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_no_boolean_allow_is_no_decision() {
        for value in
            [json!({}), json!({"allow": "true"}), json!({"allow": 1}), json!({"allow": null}), json!(true), json!([])]
        {
            assert!(Answer::read(Some(&value)).is_err(), "{value}");
        }
        assert!(Answer::read(None).is_err());
    }

    #[test]
    fn a_denial_without_readable_violations_stays_a_denial() {
        for violations in [json!(null), json!("x"), json!([1, {"msg": "no rule"}]), json!({"x": true, "{}": true})] {
            let answer = Answer::read(Some(&json!({"allow": false, "violations": violations}))).unwrap();
            assert!(!answer.allow);
        }
    }

    #[test]
    fn both_forms_of_violations_carry_the_same_reasons() {
        let first = json!({"policy": "p", "rule": "a", "msg": "says \"no\"", "severity": "high"});
        let second = json!({"rule": "b"});
        let list = json!([second, first]);
        let object = json!({first.to_string(): true, second.to_string(): true});
        for violations in [list, object] {
            let answer = Answer::read(Some(&json!({"allow": false, "violations": violations}))).unwrap();
            let reasons: Vec<_> = answer.violations.iter().map(|it| (it.rule.as_str(), it.msg.as_str())).collect();
            assert_eq!(reasons, [("b", ""), ("a", "says \"no\"")]);
            assert_eq!(answer.warning, None);
        }
    }

    #[test]
    fn no_violation_in_either_form_needs_no_warning() {
        for violations in [json!([]), json!({})] {
            let answer = Answer::read(Some(&json!({"allow": true, "violations": violations}))).unwrap();
            assert_eq!(answer, Answer { allow: true, violations: vec![], approval: None, warning: None });
        }
    }

    #[test]
    fn a_rule_that_asks_for_an_approval_is_the_third_answer_unless_another_denies() {
        let rule = json!({"rule": "night", "msg": "people sleep"});
        for (allow, violations, asks, expected) in [
            (true, json!([]), json!([rule]), "require_approval"),
            (false, json!([]), json!({rule.to_string(): true}), "require_approval"),
            (false, json!([{"rule": "never"}]), json!([rule]), "deny"),
            (true, json!([]), json!([{"msg": "no rule"}]), "require_approval"),
            (true, json!([]), json!([]), "allow"),
            (true, json!([]), json!(null), "allow"),
        ] {
            let value =
                json!({"allow": allow, "violations": violations, "require_approval": asks, "approvers": ["oncall"]});
            let decision = Answer::read(Some(&value)).unwrap().into_decision(DecisionSource::Server, None);
            assert_eq!(decision.as_str(), expected, "{value}");
            if let Decision::RequireApproval { approvers, .. } = decision {
                assert_eq!(approvers, ["oncall"]);
            }
        }
    }

    #[test]
    fn an_allow_beside_violations_is_an_allow_with_a_warning() {
        let value = json!({"allow": true, "violations": [{"rule": "r", "severity": "low"}]});
        let decision = Answer::read(Some(&value)).unwrap().into_decision(DecisionSource::Server, None);
        assert_eq!(decision.as_str(), "allow");
        assert_eq!(decision.warning(), Some("the policy allows in spite of 1 violations"));
    }
}
