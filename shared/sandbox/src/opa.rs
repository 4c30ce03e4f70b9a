//! The policy server: OPA's data call for the self-healing policy, with a settable decision.

mod policy;

use std::sync::Mutex;

use axum::body::Body;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use policy::PolicyError;

use crate::connection::Peer;
use crate::gateway::{Answer, Backend};
use crate::journal::{Described, Entry};
use crate::lock::lock;
use policy::Policy;

/// What a fault of the policy server may name.
pub const OPERATIONS: &[&str] = &["evaluate", "health"];

/// The document of the self-healing policy.
pub const PLAYBOOK_VALIDATION: &str = "neuralhive/self_healing/playbook_validation";

/// Where the policy server listens, and what it decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpaConfig {
    /// 0 = a free port.
    pub port: u16,
    /// Rego text; absent: a server into which no policy was loaded, which answers `{}`.
    pub policy: Option<String>,
    /// What it answers.
    pub decision: Decision,
}

/// What the policy server answers to every question about the self-healing policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Decision {
    /// What the loaded policy says.
    #[default]
    Rules,
    /// `allow: true`.
    Allow,
    /// `allow: false` with these violations.
    Deny {
        /// At least one, for an answer that a policy could give.
        violations: Vec<Violation>,
    },
    /// `{}`: no decision.
    Undefined,
    /// `allow` as the text `"true"`.
    NonBoolean,
}

/// One broken rule.
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
        Ok(Self { held: Mutex::new(Held { policy, decision }) })
    }

    pub(crate) fn decision(&self) -> Decision {
        lock(&self.held).decision.clone()
    }

    /// Sets what is answered; `policy` replaces the loaded text, `None` keeps it.
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
        let result = match fixed {
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
        Ok(result.map_or_else(|| json!({}), |result| json!({"result": result})))
    }
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
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Box::pin(std::future::ready(response))
    }
}
