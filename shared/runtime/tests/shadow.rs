//! The attempt of a shadow run: everything that a live one does before its effect, and nothing of the effect.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use heal_engine::message::{digest_parameters, digest_shadowed};
use heal_runtime::action::{Action, Admitted, Call, Cooldown, Facts, Performed, Target};
use heal_runtime::attempt::{CommandOutcome, LEASE_MS, Ports, Worker};
use heal_runtime::port::{
    ClaimKey, ClaimStore as _, Clock as _, CooldownKey, Decision, DecisionSource, LeaseOwner, Policy, PolicyInput,
    PolicyResource,
};
use heal_runtime::{
    ActionCommand, ActionSpec, AttemptOutcome, AttemptResult, Context, Map, RunId, Safety, Token, Violation,
};
use heal_testkit::memory::{Claims, Faults, ManualClock, Queues, When};
use serde_json::json;

const COOLDOWN_MS: u64 = 300_000;

/// Counts what it reads and what it touches.
struct Touch {
    spec: ActionSpec,
    reads: Arc<AtomicU32>,
    touches: Arc<AtomicU32>,
}

#[derive(serde::Deserialize)]
struct Lamps {
    lamps: Vec<String>,
}

#[async_trait]
impl Action for Touch {
    type Parameters = Lamps;
    type Facts = ();

    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    fn targets(&self, _: &Call, parameters: &Lamps) -> Result<Vec<Target>, AttemptResult> {
        let target = |id: &String| Target {
            id: id.clone(),
            resource: PolicyResource { ticket_id: id.clone(), ..PolicyResource::default() },
            cooldown: Some(Cooldown { key: cooldown(id), duration_ms: COOLDOWN_MS, is_policy_fact: false }),
        };
        Ok(parameters.lamps.iter().map(target).collect())
    }

    async fn facts(&self, _: &Call, _: &Lamps, _: &Target) -> Result<Facts<()>, AttemptResult> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        Ok(Facts::default())
    }

    async fn perform(&self, _: &Call, _: &Lamps, _: &[Admitted<()>]) -> Performed {
        self.touches.fetch_add(1, Ordering::SeqCst);
        AttemptResult::succeeded(Map::new()).into()
    }
}

/// Denies what concerns the lamp "forbidden", and asks the person on call about the lamp "asks".
struct Judge;

#[async_trait]
impl Policy for Judge {
    fn validates(&self, _: &str) -> bool {
        true
    }

    async fn decide(&self, input: &PolicyInput) -> Decision {
        let violation =
            Violation { policy: "p".into(), rule: "forbidden".into(), msg: "no".into(), severity: "high".into() };
        match input.resource.ticket_id.as_str() {
            "forbidden" => {
                Decision::Deny { source: DecisionSource::Server, violations: vec![violation], warning: None }
            }
            "asks" => Decision::RequireApproval {
                source: DecisionSource::Server,
                violations: vec![violation],
                approvers: vec!["oncall".to_owned()],
                warning: None,
            },
            _ => Decision::Allow { source: DecisionSource::Server, warning: None },
        }
    }
}

fn cooldown(lamp: &str) -> CooldownKey {
    CooldownKey { action: "touch".to_owned(), target: lamp.to_owned() }
}

struct Rig {
    worker: Worker,
    clock: Arc<ManualClock>,
    claims: Arc<Claims>,
    faults: Faults,
    reads: Arc<AtomicU32>,
    touches: Arc<AtomicU32>,
    deliveries: AtomicU32,
}

impl Rig {
    fn new(safety: Safety) -> Self {
        let clock = Arc::new(ManualClock::default());
        let sender = Arc::new(Queues::new(clock.clone(), Faults::default()));
        let faults = Faults::default();
        let claims = Arc::new(Claims::new(faults.clone()));
        let (reads, touches) = (Arc::default(), Arc::default());
        let spec = ActionSpec {
            name: "touch",
            description: "Touches lamps.",
            parameters: json!({"type": "object"}),
            outputs: &[],
            safety,
            inherits: &[],
            default_timeout_seconds: 60,
            service: "lamps",
            critical: true,
        };
        let action = Touch { spec, reads: Arc::clone(&reads), touches: Arc::clone(&touches) };
        let ports = Ports {
            claims: claims.clone(),
            policy: Arc::new(Judge),
            halts: heal_testkit::memory::no_halts(),
            sender,
            clock: clock.clone(),
            guardrails: Arc::default(),
        };
        let worker = Worker::new(action, Arc::new(ports)).unwrap();
        Self { worker, clock, claims, faults, reads, touches, deliveries: AtomicU32::new(0) }
    }

    fn command(&self, run: &str, lamps: &[&str], shadow: bool) -> ActionCommand {
        let parameters: Map = serde_json::from_value(json!({"lamps": lamps})).unwrap();
        let digest = if shadow { digest_shadowed } else { digest_parameters };
        let now = self.clock.now();
        ActionCommand {
            run_id: RunId::new(run),
            step: "step".to_owned(),
            item: None,
            attempt: 1,
            token: Token::new("token"),
            action: "touch".to_owned(),
            parameters_digest: digest(&parameters),
            parameters,
            issued_at: now,
            deadline: now.plus_ms(120_000),
            timeout_ms: Some(60_000),
            incarnation: None,
            effect_key: None,
            shadow,
            approved: None,
            context: Context { incident_id: "i".into(), playbook: "p".into(), workflow_id: None, traceparent: None },
            commands_sent: 1,
        }
    }

    async fn deliver(&self, command: &ActionCommand) -> Result<CommandOutcome, heal_runtime::attempt::Error> {
        let holder = LeaseOwner(format!("delivery-{}", self.deliveries.fetch_add(1, Ordering::SeqCst)));
        self.worker.handle(&serde_json::to_string(command).unwrap(), holder).await
    }

    async fn perform(&self, command: &ActionCommand) -> AttemptResult {
        match self.deliver(command).await.unwrap() {
            CommandOutcome::Answered(result) => *result,
            other => panic!("{other:?}"),
        }
    }

    fn counts(&self) -> (u32, u32) {
        (self.reads.load(Ordering::SeqCst), self.touches.load(Ordering::SeqCst))
    }
}

fn shadowed(lamps: &[&str]) -> AttemptOutcome {
    let named: Vec<_> = lamps.iter().map(|lamp| format!("{lamp:?}")).collect();
    AttemptOutcome::Shadowed {
        would: format!("would execute touch for {}", named.join(", ")),
        targets: lamps.iter().map(|lamp| (*lamp).to_owned()).collect(),
    }
}

#[tokio::test]
async fn nobody_is_asked_about_what_a_shadow_attempt_does_not_do() {
    let rig = Rig::new(Safety::Probe);
    let result = rig.perform(&rig.command("shadow", &["asks"], true)).await;
    assert_eq!(result.outcome, shadowed(&["asks"]));
    let live = rig.perform(&rig.command("live", &["asks"], false)).await;
    assert!(matches!(live.outcome, AttemptOutcome::NeedsApproval { .. }), "{live:?}");
    assert_eq!(rig.counts(), (2, 0));
}

#[tokio::test]
async fn a_shadow_attempt_reads_and_decides_and_touches_and_reserves_nothing() {
    let rig = Rig::new(Safety::Probe);
    let result = rig.perform(&rig.command("shadow", &["a", "b"], true)).await;
    assert_eq!(result.outcome, shadowed(&["a", "b"]));
    assert_eq!(rig.counts(), (2, 0));
    let live = rig.command("live", &["a"], false);
    let key = ClaimKey { action: "touch".to_owned(), attempt: live.attempt_key() };
    assert_eq!(rig.claims.last_touched(&[cooldown("a"), cooldown("b")], &key).await.unwrap(), [None, None]);
    let shadow = ClaimKey { action: "touch".to_owned(), attempt: "shadow/step/1".to_owned() };
    assert_eq!(rig.claims.intent(&shadow).await.unwrap(), None);
    assert_eq!(rig.perform(&live).await.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.counts(), (3, 1));
}

/// No earlier attempt of a shadow run has acted.
#[tokio::test]
async fn the_second_attempt_of_a_shadow_run_does_not_ask_for_an_earlier_effect() {
    let rig = Rig::new(Safety::Probe);
    rig.faults.decide_by(|call| (call == "claims.peek").then_some(When::Before));
    let second = ActionCommand { attempt: 2, ..rig.command("shadow", &["a"], true) };
    assert_eq!(rig.perform(&second).await.outcome, shadowed(&["a"]));
}

#[tokio::test]
async fn a_shadow_attempt_is_answered_again_from_its_claim() {
    let rig = Rig::new(Safety::Probe);
    let command = rig.command("shadow", &["a"], true);
    let first = rig.perform(&command).await;
    assert_eq!(rig.perform(&command).await, first);
    assert_eq!(rig.counts(), (1, 0));
}

#[tokio::test]
async fn a_shadow_attempt_is_denied_and_cools_down_like_a_live_one() {
    let rig = Rig::new(Safety::Idempotent);
    let denied = rig.perform(&rig.command("shadow-1", &["forbidden"], true)).await;
    assert!(matches!(denied.outcome, AttemptOutcome::Denied { .. }), "{denied:?}");
    rig.perform(&rig.command("live", &["a"], false)).await;
    let until = rig.clock.now().plus_ms(COOLDOWN_MS);
    let cooling = rig.perform(&rig.command("shadow-2", &["a"], true)).await;
    assert_eq!(cooling.outcome, AttemptOutcome::CoolingDown { target: "a".to_owned(), until, rule: None });
    let partly = rig.perform(&rig.command("shadow-3", &["a", "b", "forbidden"], true)).await;
    assert_eq!(partly.outcome, shadowed(&["b"]));
    assert_eq!(partly.warnings.len(), 2, "{partly:?}");
    rig.clock.advance_ms(COOLDOWN_MS);
    assert_eq!(rig.perform(&rig.command("shadow-4", &["a"], true)).await.outcome, shadowed(&["a"]));
    assert_eq!(rig.counts().1, 1, "only the live attempt touched");
}

#[tokio::test]
async fn a_shadow_attempt_does_not_believe_what_a_wrong_clock_reserved_for_a_year() {
    let rig = Rig::new(Safety::Idempotent);
    let now = rig.clock.now();
    rig.clock.advance_ms(365 * 86_400_000);
    rig.perform(&rig.command("live", &["a"], false)).await;
    rig.clock.set(now);
    let until = now.plus_ms(COOLDOWN_MS);
    let cooling = rig.perform(&rig.command("shadow", &["a"], true)).await;
    assert_eq!(cooling.outcome, AttemptOutcome::CoolingDown { target: "a".to_owned(), until, rule: None });
}

/// A worker of an earlier build ignores the mark, and refuses the digest just so.
#[tokio::test]
async fn a_command_whose_mark_was_changed_on_the_way_is_refused() {
    let rig = Rig::new(Safety::Idempotent);
    for (run, shadow) in [("run-1", true), ("run-2", false)] {
        let command = ActionCommand { shadow: !shadow, ..rig.command(run, &["a"], shadow) };
        let result = rig.perform(&command).await;
        assert!(
            matches!(&result.outcome, AttemptOutcome::Failed { code, .. } if code == "parameters_changed"),
            "{result:?}"
        );
    }
    assert_eq!(rig.counts(), (0, 0));
}

#[tokio::test]
async fn an_action_that_only_reads_reads_in_a_shadow_run_too() {
    let rig = Rig::new(Safety::ReadOnly);
    assert_eq!(rig.perform(&rig.command("shadow", &["a"], true)).await.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.counts(), (1, 1));
}

/// What a live attempt would have to leave to a person: whether its dead worker had acted.
#[tokio::test]
async fn a_shadow_attempt_whose_worker_died_is_made_again() {
    let rig = Rig::new(Safety::Unknown);
    let command = rig.command("shadow", &["a"], true);
    rig.faults.fail_next_of("claims.finish", 1, When::Before);
    rig.deliver(&command).await.unwrap_err();
    rig.clock.advance_ms(LEASE_MS + 1);
    assert_eq!(rig.perform(&command).await.outcome, shadowed(&["a"]));
    assert_eq!(rig.counts(), (2, 0));
}
