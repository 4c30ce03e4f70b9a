//! Workers whose actions do what a test says, for tests of an engine rather than of an action.

// A wrong script ends its test.
#![allow(clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use heal_runtime::action::{Action, Admitted, Call, Cooldown, Facts, Performed, Target};
use heal_runtime::attempt::{Ports, Worker};
use heal_runtime::port::{
    self, ClaimStore, Clock, Decision, DecisionSource, Entropy, Policy, PolicyInput, PolicyResource, Sender,
};
use heal_runtime::{ActionSpec, AttemptResult, Map, Safety};
use serde_json::{Value, json};

use crate::memory::no_halts;

/// How long a target of `reallocate_ticket` is left alone, in milliseconds, as the real action does.
const COOLDOWN_MS: u64 = 300_000;

/// A policy that validates no action.
#[derive(Debug, Clone, Copy)]
pub struct AllowAll;

/// Entropy that is 1, 2, 3, …
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

struct Scripted<F> {
    spec: ActionSpec,
    output: F,
}

/// A worker for the action `name` over `claims` and `sender`, which no policy stops. Each of its attempts succeeds with what `output` gives for
/// its call, a JSON object. The target is the parameter `ticket_id`, or `none`.
///
/// # Panics
/// `output` gives something other than an object.
pub fn worker(
    name: &'static str,
    claims: Arc<dyn ClaimStore>,
    sender: Arc<dyn Sender>,
    clock: Arc<dyn Clock>,
    output: impl Fn(&Call) -> Value + Send + Sync + 'static,
) -> Worker {
    worker_of(name, Safety::Idempotent, claims, sender, clock, output)
}

/// As [`worker`], for an action of this `safety`.
///
/// # Panics
/// As there.
pub fn worker_of(
    name: &'static str,
    safety: Safety,
    claims: Arc<dyn ClaimStore>,
    sender: Arc<dyn Sender>,
    clock: Arc<dyn Clock>,
    output: impl Fn(&Call) -> Value + Send + Sync + 'static,
) -> Worker {
    let spec = ActionSpec {
        name,
        description: "Does what a test says.",
        parameters: json!({"type": "object"}),
        outputs: &[],
        safety,
        inherits: &[],
        default_timeout_seconds: 60,
        service: "lamps",
        critical: false,
    };
    let ports =
        Ports { claims, policy: Arc::new(AllowAll), halts: no_halts(), sender, clock, guardrails: Arc::default() };
    Worker::new(Scripted { spec, output }, Arc::new(ports)).expect("the schema is a JSON Schema")
}

impl Entropy for Counter {
    fn next(&self) -> port::Result<u64> {
        Ok(self.0.fetch_add(1, Ordering::SeqCst) + 1)
    }
}

#[async_trait]
impl Policy for AllowAll {
    fn validates(&self, _: &str) -> bool {
        false
    }

    async fn decide(&self, _: &PolicyInput) -> Decision {
        Decision::Allow { source: DecisionSource::NotValidated, warning: None }
    }
}

#[async_trait]
impl<F: Fn(&Call) -> Value + Send + Sync + 'static> Action for Scripted<F> {
    type Parameters = Map;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Map) -> Result<Vec<Target>, AttemptResult> {
        let id = parameters.get("ticket_id").and_then(Value::as_str).unwrap_or("none").to_owned();
        let cooldown = Cooldown { is_policy_fact: true, ..Cooldown::new(self.spec.name, &id, COOLDOWN_MS) };
        let cooldown = (self.spec.name == "reallocate_ticket").then_some(cooldown);
        Ok(vec![Target { id, resource: PolicyResource::default(), cooldown }])
    }

    async fn facts(&self, _: &Call, _: &Map, _: &Target) -> Result<Facts<()>, AttemptResult> {
        Ok(Facts::default())
    }

    async fn perform(&self, call: &Call, _: &Map, _: &[Admitted<()>]) -> Performed {
        let Value::Object(output) = (self.output)(call) else {
            panic!("the output of {} is not an object", self.spec.name)
        };
        AttemptResult::succeeded(output).into()
    }
}
