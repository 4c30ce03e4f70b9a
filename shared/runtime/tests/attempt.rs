//! One attempt over the fakes: what is checked before an effect, and what is stored after it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

#[path = "attempt/bounds.rs"]
mod bounds;
#[path = "attempt/guarding.rs"]
mod guarding;
#[path = "attempt/halted.rs"]
mod halted;
#[path = "attempt/late.rs"]
mod late;
#[path = "attempt/logs.rs"]
mod logs;
#[path = "attempt/named.rs"]
mod named;
#[path = "attempt/observed.rs"]
mod observed;
#[path = "attempt/own_trouble.rs"]
mod own_trouble;
#[path = "attempt/recorded.rs"]
mod recorded;
#[path = "attempt/retried.rs"]
mod retried;
#[path = "attempt/rig.rs"]
mod rig;
#[path = "attempt/taken_over.rs"]
mod taken_over;
#[path = "attempt/times.rs"]
mod times;
#[path = "attempt/touch.rs"]
mod touch;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use heal_engine::message::{Approved, digest_shadowed};
use heal_engine::{format, limit};
use heal_guard::{DecisionRecord, Guardrails, Marks, replay};
use heal_runtime::action::{Action, Admitted, Call, CallMetric, Cooldown, Facts, Performed, Probe, Target};
use heal_runtime::attempt::{CommandOutcome, Error, LEASE_MS, Ports, Worker};
use heal_runtime::halts::HaltCache;
use heal_runtime::message::Inbound;
use heal_runtime::port::{
    Clock, Decision, DecisionSource, LeaseOwner, Policy, PolicyInput, PolicyResource, QueueName, Receiver,
};
use heal_runtime::{
    ActionCommand, ActionSpec, AttemptOutcome, AttemptResult, Context, Digest, Map, RunId, Safety, Timestamp, Token,
    Violation,
};
use heal_testkit::memory::{Claims, Faults, ManualClock, Queues, Switches, When};
use serde_json::{Value, json};

use rig::*;
use touch::*;

#[tokio::test(start_paused = true)]
async fn a_denied_step_touches_nothing() {
    let rig = Rig::new(Safety::Idempotent);
    let result = rig.perform(&rig.command("run", tickets(&["forbidden"]))).await;
    assert!(
        matches!(&result.outcome, AttemptOutcome::Denied { violations } if violations[0].rule == "forbidden"),
        "{result:?}"
    );
    assert_eq!(rig.touched(), 0);
    assert_eq!(rig.answers().await, [result]);
}

#[tokio::test(start_paused = true)]
async fn what_the_policy_asks_people_about_is_done_only_with_their_approval_of_exactly_this() {
    let rig = Rig::new(Safety::Idempotent);
    let command = |run: &str| rig.command(run, tickets(&["a", "asks"]));
    let approved = |digest: &Digest, groups: &[&str]| Approved {
        digest: digest.clone(),
        by: vec!["local:ann".to_owned()],
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
    };
    let exact = command("run-1").parameters_digest;
    let other = Digest::of(b"something else");
    for (run, given) in [
        ("run-1", None),
        ("run-2", Some(approved(&other, &["oncall"]))),
        ("run-3", Some(approved(&exact, &["neighbours"]))),
    ] {
        let result = rig.perform(&ActionCommand { approved: given, ..command(run) }).await;
        let AttemptOutcome::NeedsApproval { violations, approvers } = &result.outcome else { panic!("{result:?}") };
        assert_eq!(
            (violations[0].rule.as_str(), approvers.as_slice()),
            ("forbidden", ["oncall".to_owned()].as_slice())
        );
        assert!(result.is_proven_not_applied(), "{result:?}");
        assert_eq!(rig.touched(), 0, "not even the ticket about which nobody is asked");
        let decided = decided(&result);
        let decided: Vec<_> = decided.iter().map(|(target, verdict, _)| (target.as_str(), *verdict)).collect();
        assert_eq!(decided, [("asks", "needs_approval")]);
    }
    let given = Some(approved(&exact, &["oncall"]));
    let result = rig.perform(&ActionCommand { approved: given, ..command("run-4") }).await;
    assert_eq!((result.outcome, rig.touched()), (AttemptOutcome::Succeeded, 2));
}

#[tokio::test(start_paused = true)]
async fn a_step_without_a_policy_decision_touches_nothing_and_may_be_retried() {
    let rig = Rig::new(Safety::Idempotent);
    let result = rig.perform(&rig.command("run", tickets(&["undecided"]))).await;
    assert!(
        matches!(&result.outcome, AttemptOutcome::Failed { code, retryable: true, .. } if code == "policy_unavailable"),
        "{result:?}"
    );
    assert_eq!(rig.touched(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_tickets_of_a_batch_are_admitted_one_by_one() {
    let rig = Rig::new(Safety::Idempotent);
    let result = rig.perform(&rig.command("run", tickets(&["a", "forbidden", "b", "undecided"]))).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.touched(), 2);
    let denied: Vec<_> = result.output["denied"].as_array().unwrap().iter().map(|entry| &entry["target"]).collect();
    assert_eq!(denied, ["forbidden", "undecided"]);
    assert_eq!((result.warnings.len(), result.follow_up.len()), (2, 2), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn the_policy_gets_the_action_and_the_time_when_the_target_was_last_touched() {
    let rig = Rig::new(Safety::Idempotent);
    rig.perform(&rig.command("run-1", tickets(&["a"]))).await;
    let touched_at = rig.clock.now();
    rig.clock.advance_ms(1_000);
    let second = rig.perform(&rig.command("run-2", tickets(&["a"]))).await;
    let asked = rig.judge.0.lock().unwrap().clone();
    assert_eq!(asked[0].resource.action, "touch");
    assert_eq!(asked[0].context.last_reallocation_timestamp, 0);
    assert_eq!(asked[1].context.last_reallocation_timestamp, touched_at.0 * 1_000_000);
    assert!(asked[1].context.now_ns > asked[1].context.last_reallocation_timestamp);
    assert!(
        matches!(second.outcome, AttemptOutcome::CoolingDown { .. }),
        "this policy allows it, the cooldown does not: {second:?}"
    );
    assert_eq!(rig.touched(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_counts_from_the_end_of_a_long_effect() {
    let rig = Rig::new(Safety::Idempotent);
    rig.takes_ms.store(20_000, Ordering::SeqCst);
    rig.perform(&rig.command("run-1", tickets(&["a"]))).await;
    rig.takes_ms.store(0, Ordering::SeqCst);
    rig.clock.advance_ms(COOLDOWN_MS - 1);
    let early = rig.perform(&rig.command("run-2", tickets(&["a"]))).await;
    assert!(matches!(early.outcome, AttemptOutcome::CoolingDown { .. }), "{early:?}");
    rig.clock.advance_ms(1);
    assert_eq!(rig.perform(&rig.command("run-3", tickets(&["a"]))).await.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn parameters_that_the_log_did_not_authorise_touch_nothing() {
    let rig = Rig::new(Safety::Idempotent);
    let mut command = rig.command("run", tickets(&["a"]));
    command.parameters = tickets(&["b"]).as_object().unwrap().clone();
    let result = rig.perform(&command).await;
    assert!(
        matches!(&result.outcome, AttemptOutcome::Failed { code, .. } if code == "parameters_changed"),
        "{result:?}"
    );
    assert_eq!(rig.touched(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_does_not_fit_the_schema_is_named() {
    let rig = Rig::new(Safety::Idempotent);
    let result = rig.perform(&rig.command("run", json!({"tickets": ["a", 7]}))).await;
    let AttemptOutcome::Failed { code, message, retryable: false } = &result.outcome else { panic!("{result:?}") };
    assert_eq!(code, "bad_parameters");
    assert!(message.contains("parameters/tickets/1"), "{message}");
    assert_eq!(rig.touched(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_command_of_another_action_and_one_that_cannot_be_read_are_refused() {
    let rig = Rig::new(Safety::Idempotent);
    let command = ActionCommand { action: "other".to_owned(), ..rig.command("run", tickets(&["a"])) };
    assert!(matches!(rig.deliver(&command).await, Err(Error::WrongAction { .. })));
    let garbled = rig.worker.handle("{\"run_id\": 7}", LeaseOwner("h".to_owned())).await;
    assert!(matches!(garbled, Err(Error::Unreadable(_))));
}

/// The recorded decisions, each made again: target, verdict, and which part spoke against it.
fn decided(result: &AttemptResult) -> Vec<(String, &'static str, Vec<String>)> {
    let read = |value: &Value| {
        let record: DecisionRecord = format::decode(&value.to_string()).unwrap();
        let decision = replay(&record).unwrap_or_else(|difference| panic!("{difference}"));
        assert_eq!(
            (record.question.effect.action.as_str(), record.question.effect.service.as_str()),
            ("touch", "lamps")
        );
        let against = decision.reasons.iter().filter(|reason| reason.verdict.as_str() != "proceed");
        let against = against.map(|reason| reason.text.clone()).collect();
        (record.question.effect.target, decision.verdict.as_str(), against)
    };
    result.decisions.iter().map(|recorded| read(recorded)).collect()
}
