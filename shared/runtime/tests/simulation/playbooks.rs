//! What the engine of the simulation is told to do: playbooks in two editions, guardrails, and a policy.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use heal_engine::catalog::Safety;
use heal_engine::check::Check;
use heal_engine::playbook::Playbook;
use heal_guard::{Admission, Budget, DependencyRule, Guardrails, LiveBounds, Selector, StormRule, Storms};
use heal_runtime::library::Library;
use heal_runtime::port::{Decision, DecisionSource, Policy, PolicyInput};
use heal_runtime::{Digest, Violation};
use serde_json::{Value, json};

use super::home::CHECK;
use super::rng::Rng;
use super::seen::Seen;

/// The actions, each with what its repetition may do.
pub const ACTIONS: [(&str, Safety); 5] = [
    ("again", Safety::Idempotent),
    ("look", Safety::Probe),
    ("once", Safety::Unknown),
    ("see", Safety::ReadOnly),
    ("stir", Safety::Probe),
];

/// The service of `stir`, which may have a storm.
pub const STORMY: &str = "lanterns";

/// The storms of [`STORMY`].
pub fn storm() -> StormRule {
    StormRule {
        service: STORMY.to_owned(),
        actions: vec!["stir".to_owned()],
        targets: 3,
        window_seconds: 60,
        quiet_seconds: 90,
        trickle: 1,
    }
}

/// A playbook is edited while its runs go on: each process has one of its editions.
pub const EDITIONS: [u64; 2] = [1, 2];

/// What `look` may not touch.
pub const FORBIDDEN: [&str; 3] = ["u3", "u5", "u8"];

/// Denies `look` what is [`FORBIDDEN`], and allows the rest.
pub struct Strict;

#[async_trait]
impl Policy for Strict {
    fn validates(&self, action: &str) -> bool {
        action == "look"
    }

    async fn decide(&self, input: &PolicyInput) -> Decision {
        let (source, warning) = (DecisionSource::Server, None);
        if input.resource.action == "look" && FORBIDDEN.contains(&input.resource.ticket_id.as_str()) {
            let rule = |text: &str| text.to_owned();
            let violations = vec![Violation {
                policy: rule("simulation"),
                rule: rule("forbidden"),
                msg: rule("hands off"),
                severity: rule("high"),
            }];
            return Decision::Deny { source, violations, warning };
        }
        Decision::Allow { source, warning }
    }
}

/// A policy server that is down now and then, or answers what is no decision.
pub struct Unsteady {
    pub inner: Arc<dyn Policy>,
    pub rng: Arc<Rng>,
    pub seen: Arc<Seen>,
    pub is_faulty: Arc<AtomicBool>,
}

/// What the client makes of a policy server that does not decide, each with the fault's name.
pub const UNDECIDED: [(&str, &str); 3] = [
    ("policy server down", "connection refused"),
    ("policy undefined", "allow is undefined"),
    ("policy not boolean", "allow is \"yes\", expected a boolean"),
];

#[async_trait]
impl Policy for Unsteady {
    fn validates(&self, action: &str) -> bool {
        self.inner.validates(action)
    }

    async fn decide(&self, input: &PolicyInput) -> Decision {
        if self.is_faulty.load(Ordering::SeqCst) && self.rng.chance(6) {
            let (fault, message) = UNDECIDED[self.rng.below(3) as usize];
            self.seen.note(fault);
            return Decision::Unavailable { message: message.to_owned() };
        }
        self.inner.decide(input).await
    }
}

/// Budgets that the courses use up: one for two actions together, one for each target. Little room: two runs of a playbook, three in all.
pub fn guardrails() -> Guardrails {
    let budget = |name: &str, actions: &[&str], key: &str, max, window_seconds| Budget {
        name: name.to_owned(),
        applies_to: Selector { actions: actions.iter().map(|&name| name.to_owned()).collect(), ..Selector::default() },
        key: key.to_owned(),
        max,
        max_percent: None,
        window_seconds,
        concurrent: false,
    };
    let budgets =
        vec![budget("few", &["again", "once"], "", 4, 200), budget("each", &["look"], "{{ target }}", 2, 600)];
    let live = LiveBounds { per_playbook: 2, per_service: 3, ..LiveBounds::default() };
    let dependency = DependencyRule {
        name: "lamp shop".to_owned(),
        breaker: Some("shop".to_owned()),
        check: None,
        holds: Selector { actions: vec!["look".to_owned()], ..Selector::default() },
    };
    let storms = Storms(vec![storm()]);
    Guardrails {
        budgets,
        admission: Admission { live },
        storms,
        dependencies: vec![dependency],
        ..Guardrails::default()
    }
}

/// A check whose incidents start the chain.
pub fn check() -> Check {
    let text = "every_seconds: 30\nprobe: {type: http, url: \"http://lamps\"}\nfor: 2\nincident:\n  incident_type: CHAIN\n  severity: HIGH\n  flag: true\n  target: \"{{ target.id }}\"\n";
    let reading = heal_language::check::read(CHECK, text, None);
    reading.check.unwrap_or_else(|| panic!("{:?}", reading.diagnostics))
}

/// The playbooks of one edition.
pub fn library(edition: u64) -> Library {
    Library::new(playbooks(edition)).unwrap()
}

/// The digest of each playbook of one edition, by name.
pub fn digests(edition: u64) -> BTreeMap<String, Digest> {
    let plan = |playbook: Playbook| (playbook.name.clone(), heal_engine::Plan::compile(playbook).unwrap().digest);
    playbooks(edition).into_iter().map(plan).collect()
}

fn playbooks(edition: u64) -> Vec<Playbook> {
    let step = |name: &str, kind: &str, needs: &[&str], safety: &str, more: Value| {
        let mut step = json!({
            "name": name, "type": kind, "needs": needs, "retry": {"max_attempts": 3, "backoff_seconds": 2, "max_backoff_seconds": 10},
            "timeout_seconds": 400, "on_failure": "continue", "on_unavailable": "skip", "safety": safety, "service": "world",
            "parameters": {"target": "{{ target }}", "edition": edition},
        });
        step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        step
    };
    let wait = json!({"parameters": {"seconds": 3}});
    let each = json!({"for_each": {"items": "{{ targets }}", "max_parallel": 2},
        "parameters": {"target": "{{ item }}", "edition": edition}});
    let playbook = |name: &str, key: Value, actions: Value, verify: Value| {
        let value = json!({
            "name": name, "description": format!("edition {edition}"), "timeout_seconds": 3_600,
            "triggers": [{"incident_type": name.to_uppercase()}], "concurrency_key": key, "actions": actions, "verify": verify,
        });
        serde_json::from_value(value).unwrap()
    };
    let chain = json!([
        step("a", "again", &[], "idempotent", json!({})),
        step("w", "wait", &["a"], "unknown", wait),
        step("b", "look", &["w"], "probe", json!({})),
        step("c", "once", &["b"], "unknown", json!({})),
        step("t", "look", &["b"], "probe", json!({"condition": "{{ flag }}"})),
    ]);
    let until = json!({"condition": "{{ well }}", "within_seconds": 30, "every_seconds": 5});
    let verify = json!([step("v", "see", &[], "read_only", json!({"until": until}))]);
    let fan = json!([
        step("x", "once", &[], "unknown", each.clone()),
        step("y", "look", &[], "probe", each),
        step("z", "again", &["x", "y"], "idempotent", json!({})),
    ]);
    let two = json!({"approval": {"min": 2, "expires_seconds": 600}});
    let one = json!({"approval": {"min": 1, "expires_seconds": 300}, "for_each": {"items": "{{ targets }}", "max_parallel": 2},
        "parameters": {"target": "{{ item }}", "edition": edition}});
    let ask = json!([step("d", "look", &[], "probe", two), step("e", "again", &[], "idempotent", one)]);
    let gale = json!([step("m", "stir", &[], "probe", json!({}))]);
    vec![
        playbook("chain", Value::Null, chain, verify),
        playbook("fan", json!("{{ target }}"), fan, json!([])),
        playbook("ask", Value::Null, ask, json!([])),
        playbook("gale", Value::Null, gale, json!([])),
    ]
}
