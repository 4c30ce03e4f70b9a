//! What a policy says. Three values, never two.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::one_line;

/// Whether the action may go ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    Allow {
        source: Source,
        /// What a person should know of how this was decided.
        warning: Option<String>,
    },
    Deny {
        source: Source,
        /// The broken rules; empty where the policy named none.
        violations: Vec<Violation>,
        warning: Option<String>,
    },
    /// Nobody could decide, and the configuration says that the action then waits.
    Unavailable { reason: String },
}

impl Decision {
    /// As a metric label.
    pub fn result(&self) -> &'static str {
        match self {
            Self::Allow { .. } => "allow",
            Self::Deny { .. } => "deny",
            Self::Unavailable { .. } => "unavailable",
        }
    }

    /// Who decided, as a metric label.
    pub fn source(&self) -> &'static str {
        match self {
            Self::Allow { source, .. } | Self::Deny { source, .. } => source.as_str(),
            Self::Unavailable { .. } => "none",
        }
    }

    pub fn warning(&self) -> Option<&str> {
        match self {
            Self::Allow { warning, .. } | Self::Deny { warning, .. } => warning.as_deref(),
            Self::Unavailable { reason } => Some(reason),
        }
    }
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The OPA server.
    Server,
    /// The bundled policy in this process, because the server could not.
    Bundled,
    /// `OPA_FAIL_OPEN`, because nobody could.
    FailOpen,
    /// `OPA_ENABLED=false`.
    Disabled,
    /// The action is not among those that are validated.
    NotValidated,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Bundled => "bundled",
            Self::FailOpen => "fail_open",
            Self::Disabled => "disabled",
            Self::NotValidated => "not_validated",
        }
    }
}

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Violation {
    #[serde(default)]
    pub policy: String,
    pub rule: String,
    #[serde(default)]
    pub msg: String,
    #[serde(default)]
    pub severity: String,
}

/// What a policy evaluated to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub allow: bool,
    /// Sorted, so that two evaluators of one policy give the same.
    pub violations: Vec<Violation>,
    /// What is odd about the answer.
    pub warning: Option<String>,
}

impl Answer {
    /// Reads `{"allow": bool, "violations": [...]}`.
    ///
    /// # Errors
    /// Why this is no decision: nothing there, or no boolean `allow`.
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
        violations.sort();
        let warning = match (allow, violations.len() + unread) {
            (_, 0) => None,
            (true, count) => Some(format!("the policy allows in spite of {count} violations")),
            (false, _) if unread > 0 => Some(format!("{unread} violations of the policy cannot be read")),
            (false, _) => None,
        };
        Ok(Self { allow, violations, warning })
    }

    pub(super) fn into_decision(self, source: Source, warning: Option<String>) -> Decision {
        let warning = match (warning, self.warning) {
            (Some(first), Some(second)) => Some(format!("{first}; {second}")),
            (first, second) => first.or(second),
        };
        if self.allow {
            Decision::Allow { source, warning }
        } else {
            Decision::Deny { source, violations: self.violations, warning }
        }
    }
}

/// The violations that can be read, and the number of those that cannot.
fn violations(value: Option<&Value>) -> (Vec<Violation>, usize) {
    match value {
        None | Some(Value::Null) => (Vec::new(), 0),
        Some(Value::Array(items)) => {
            let read: Vec<Violation> =
                items.iter().filter_map(|item| serde_json::from_value(item.clone()).ok()).collect();
            let unread = items.len() - read.len();
            (read, unread)
        }
        Some(_) => (Vec::new(), 1),
    }
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
        for violations in [json!(null), json!("x"), json!([1, {"msg": "no rule"}])] {
            let answer = Answer::read(Some(&json!({"allow": false, "violations": violations}))).unwrap();
            assert!(!answer.allow);
        }
    }

    #[test]
    fn an_allow_beside_violations_is_an_allow_with_a_warning() {
        let value = json!({"allow": true, "violations": [{"rule": "r", "severity": "low"}]});
        let decision = Answer::read(Some(&value)).unwrap().into_decision(Source::Server, None);
        assert_eq!(decision.result(), "allow");
        assert_eq!(decision.warning(), Some("the policy allows in spite of 1 violations"));
    }
}
