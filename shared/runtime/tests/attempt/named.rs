//! A target by another of its names: cooldowns and budgets go by the name that its service answers.

use heal_runtime::port::Stage;

use super::bounds::budget;
use super::*;

fn cooling(result: &AttemptResult) -> Option<&str> {
    match &result.outcome {
        AttemptOutcome::CoolingDown { target, .. } => Some(target),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_cooldown_holds_for_a_target_in_other_letters() {
    for (first, second) in [("7f3a-aa", "7F3A-AA"), ("7F3A-AA", "7f3a-aa"), ("7F3A-aa", "7f3a-AA")] {
        let rig = Rig::new(Safety::Probe);
        let result = rig.perform(&rig.command("run-1", tickets(&[first]))).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded);
        let result = rig.perform(&rig.command("run-2", tickets(&[second]))).await;
        assert_eq!(cooling(&result), Some("7f3a-aa"), "{first} {second}: {result:?}");
        assert_eq!(rig.touched(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_given_by_two_of_its_names_is_touched_once() {
    let rig = Rig::new(Safety::Idempotent);
    let result = rig.perform(&rig.command("run", tickets(&["7F3A", "b", "7f3a", "B"]))).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
    assert_eq!(rig.touched(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_is_given_by_two_of_its_names_is_left_alone_as_one() {
    let rig = Rig::new(Safety::Idempotent);
    rig.perform(&rig.command("run-1", tickets(&["7f3a"]))).await;
    let result = rig.perform(&rig.command("run-2", tickets(&["7F3A", "7f3a"]))).await;
    assert_eq!(cooling(&result), Some("7f3a"));
    let AttemptResult { output, warnings, follow_up, .. } = &result;
    assert!(output.is_empty() && warnings.is_empty() && follow_up.is_empty(), "not a batch of two: {result:?}");
}

#[tokio::test(start_paused = true)]
async fn the_policy_is_told_when_the_target_was_touched_by_whichever_name() {
    let rig = Rig::new(Safety::Idempotent);
    rig.perform(&rig.command("run-1", tickets(&["7f3a"]))).await;
    let touched_at = rig.clock.now();
    rig.clock.advance_ms(COOLDOWN_MS + 1);
    rig.perform(&rig.command("run-2", tickets(&["7F3A"]))).await;
    let inputs = rig.judge.0.lock().unwrap();
    let told: Vec<_> = inputs.iter().map(|input| input.context.last_reallocation_timestamp / 1_000_000).collect();
    assert_eq!(told, [0, touched_at.0]);
    assert_eq!(inputs[1].resource.ticket_id, "7f3a");
}

#[tokio::test(start_paused = true)]
async fn a_renamed_target_that_was_not_touched_is_free_again() {
    let rig = Rig::new(Safety::Idempotent);
    rig.fail_reservation(2, When::After);
    rig.deliver(&rig.command("run-1", tickets(&["7F3A"]))).await.unwrap_err();
    let result = rig.perform(&rig.command("run-2", tickets(&["7f3a"]))).await;
    assert_eq!((result.outcome, rig.touched()), (AttemptOutcome::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn a_store_is_told_whether_the_claim_has_announced_what_is_reserved() {
    for (name, stage) in [("7f3a", Stage::Reserve), ("7F3A", Stage::Full)] {
        let rig = Rig::new(Safety::Idempotent);
        rig.perform(&rig.command("run", tickets(&[name]))).await;
        assert_eq!(rig.claims.stages(), [Stage::Announce, stage], "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_announces_what_its_command_will_reserve_and_nothing_for_one_that_does_nothing() {
    let rig = Rig::bounded(Safety::Idempotent, budget("restarts", "", 9));
    let command = |run: &str| rig.command(run, tickets(&["a", "b"]));
    let late = ActionCommand { deadline: rig.clock.now(), ..command("late") };
    let shadow = rig.shadow("shadow", tickets(&["a", "b"]));
    let changed = ActionCommand { parameters_digest: Digest::of(b"others"), ..command("changed") };
    let bad = rig.command("bad", json!({"tickets": 7}));
    for command in [command("live"), late, shadow, changed, bad] {
        rig.perform(&command).await;
    }
    assert_eq!(rig.claims.announced(), [4, 0, 0, 0, 0]);
}
