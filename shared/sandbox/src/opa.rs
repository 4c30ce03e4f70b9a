//! The policy server: OPA's data API for the self-healing policy, with a settable decision.

mod policy;

use std::sync::Mutex;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use policy::PolicyError;

use crate::gateway::{Answer, Backend, Peer};
use crate::journal::{Described, Entry};
use crate::state::lock;
use crate::wire::json_response;
use policy::Policy;

/// The document of the self-healing policy.
pub const PLAYBOOK_VALIDATION: &str = "neuralhive/self_healing/playbook_validation";

/// Where the policy server listens and what it decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpaConfig {
    /// The port; 0 takes a free one.
    pub port: u16,
    /// The Rego text of the policy; without one the server answers `{}`.
    pub policy: Option<String>,
    /// The decision.
    pub decision: Decision,
    /// The form of the violations.
    pub violations: ViolationsForm,
}

/// The form in which violations are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ViolationsForm {
    /// A list of objects, as a rule `violations contains …` yields.
    #[default]
    List,
    /// An object that maps the JSON text of each violation to `true`, as a rule `violations[v] if …` yields.
    Object,
}

/// The decision of the policy server for every question about the self-healing policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// The loaded policy decides.
    #[default]
    Rules,
    /// `allow: true`.
    Allow,
    /// `allow: false` with these violations.
    Deny {
        /// The violations; a real policy has at least one.
        violations: Vec<Violation>,
    },
    /// `{}`, which is not a decision.
    Undefined,
    /// `allow` is the text `"true"`.
    NonBoolean,
}

/// One violated rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the wire's own names")]
pub struct Violation {
    #[serde(default = "policy_name")]
    pub policy: String,
    pub rule: String,
    #[serde(default)]
    pub msg: String,
    #[serde(default = "high")]
    pub severity: String,
}

fn policy_name() -> String {
    "playbook_validation".to_owned()
}

fn high() -> String {
    "high".to_owned()
}

/// The running service.
#[derive(Debug)]
pub(crate) struct Opa {
    violations: ViolationsForm,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    policy: Option<Policy>,
    decision: Decision,
}

impl Opa {
    pub(crate) fn new(config: &OpaConfig) -> Result<Self, PolicyError> {
        let policy = config.policy.as_deref().map(Policy::compile).transpose()?;
        let decision = config.decision.clone();
        Ok(Self { violations: config.violations, held: Mutex::new(Held { policy, decision }) })
    }

    pub(crate) fn decision(&self) -> Decision {
        lock(&self.held).decision.clone()
    }

    /// Sets the decision. `policy` (Rego) replaces the loaded policy; `None` keeps it.
    pub(crate) fn decide(&self, decision: Decision, policy: Option<&str>) -> Result<(), PolicyError> {
        let policy = policy.map(Policy::compile).transpose()?;
        let mut held = lock(&self.held);
        if policy.is_none() && held.policy.is_none() && decision == Decision::Rules {
            return Err(PolicyError::Missing);
        }
        held.policy = policy.or_else(|| held.policy.take());
        held.decision = decision;
        Ok(())
    }

    fn evaluate(&self, document: &str, body: &[u8]) -> Result<Value, (StatusCode, Value)> {
        let question: Value = if body.is_empty() {
            json!({})
        } else {
            serde_json::from_slice(body).map_err(|error| invalid(&error.to_string()))?
        };
        if !question.is_object() {
            return Err(invalid("expected an object"));
        }
        let held = lock(&self.held);
        let fixed = (document == PLAYBOOK_VALIDATION).then_some(&held.decision);
        let mut result = match fixed {
            Some(Decision::Allow) => Some(json!({"allow": true, "violations": []})),
            Some(Decision::Deny { violations }) => Some(json!({"allow": false, "violations": violations})),
            Some(Decision::Undefined) => None,
            Some(Decision::NonBoolean) => Some(json!({"allow": "true", "violations": []})),
            Some(Decision::Rules) | None => match &held.policy {
                Some(policy) => {
                    policy.document(document, question.get("input")).map_err(|error| failed(&error.to_string()))?
                }
                None => None,
            },
        };
        if self.violations == ViolationsForm::Object
            && let Some(violations) = result.as_mut().and_then(|result| result.get_mut("violations"))
        {
            *violations = keyed_by_json_text(violations);
        }
        Ok(result.map_or_else(|| json!({}), |result| json!({"result": result})))
    }
}

/// `[v, …]` as `{"<v as JSON>": true, …}`.
fn keyed_by_json_text(violations: &Value) -> Value {
    let listed = violations.as_array().into_iter().flatten();
    Value::Object(listed.map(|violation| (violation.to_string(), true.into())).collect())
}

fn invalid(message: &str) -> (StatusCode, Value) {
    let body = json!({"code": "invalid_parameter", "message": message});
    (StatusCode::BAD_REQUEST, body)
}

fn failed(message: &str) -> (StatusCode, Value) {
    let body = json!({"code": "internal_error", "message": message});
    (StatusCode::INTERNAL_SERVER_ERROR, body)
}

impl Backend for Opa {
    fn describe(&self, parts: &Parts, _: &Bytes) -> Described {
        let (operation, target) = match (&parts.method, parts.uri.path()) {
            (&Method::GET, "/health") => ("health", ""),
            (&Method::POST, path) => match path.strip_prefix("/v1/data/") {
                Some(document) => ("evaluate", document),
                None => ("unknown", ""),
            },
            _ => ("unknown", ""),
        };
        Described { operation, target: target.to_owned(), ..Described::default() }
    }

    fn perform(&self, request: Request<Bytes>, _: &Peer, _: &Entry) -> Answer<'_> {
        let (parts, body) = request.into_parts();
        let described = self.describe(&parts, &body);
        let (status, body) = match described.operation {
            "health" => (StatusCode::OK, json!({})),
            "evaluate" => match self.evaluate(&described.target, &body) {
                Ok(answer) => (StatusCode::OK, answer),
                Err(refused) => refused,
            },
            _ => (StatusCode::NOT_FOUND, json!({"code": "not_found", "message": "no such path"})),
        };
        Box::pin(std::future::ready(json_response(status, &body)))
    }
}
