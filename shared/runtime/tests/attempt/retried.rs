//! The second attempt of a step whose first one may have had its effect, within the target's cooldown and after it.

use heal_runtime::action::Probe;
use heal_runtime::{ActionCommand, AttemptOutcome, AttemptResult, Safety};

use super::{COOLDOWN_MS, LEASE_MS, Rig, When, tickets};

/// A rig whose first attempt of run 1 has touched ticket `a`, and lost the answer.
async fn answer_lost(safety: Safety) -> Rig {
    let rig = Rig::new(safety);
    let message = "the answer was lost".to_owned();
    rig.script.results.lock().unwrap().push_back(AttemptResult::new(AttemptOutcome::TimedOut { message }));
    let first = rig.perform(&rig.command("1", tickets(&["a"]))).await;
    assert!(matches!(first.outcome, AttemptOutcome::TimedOut { .. }) && rig.touched() == 1, "{first:?}");
    rig.clock.advance_ms(2_000);
    rig
}

fn second(rig: &Rig, run: &str) -> ActionCommand {
    ActionCommand { attempt: 2, ..rig.command(run, tickets(&["a"])) }
}

#[tokio::test(start_paused = true)]
async fn a_retry_finds_out_that_the_first_attempt_acted_and_does_nothing_more() {
    let rig = answer_lost(Safety::Probe).await;
    let result = rig.perform(&second(&rig, "1")).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(result.warnings, ["an earlier attempt of this step had acted; a probe of the target found it done"]);
    assert_eq!(result.output["intent"], serde_json::json!(["a"]), "the probe had the first attempt's intent");
    assert_eq!(rig.touched(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_retry_after_the_cooldown_finds_out_too() {
    let rig = answer_lost(Safety::Probe).await;
    rig.clock.advance_ms(COOLDOWN_MS);
    let result = rig.perform(&second(&rig, "1")).await;
    assert_eq!((result.outcome, rig.touched()), (AttemptOutcome::Succeeded, 1));
    *rig.script.probe.lock().unwrap() = Some(Probe::NotDone);
    let result = rig.perform(&ActionCommand { attempt: 3, ..second(&rig, "1") }).await;
    assert_eq!((result.outcome, rig.touched()), (AttemptOutcome::Succeeded, 2));
}

#[tokio::test(start_paused = true)]
async fn a_retry_finishes_what_the_first_attempt_is_proven_not_to_have_done() {
    let rig = answer_lost(Safety::Probe).await;
    *rig.script.probe.lock().unwrap() = Some(Probe::NotDone);
    let result = rig.perform(&second(&rig, "1")).await;
    assert_eq!((result.outcome, rig.touched()), (AttemptOutcome::Succeeded, 2));
    // The policy is not told of the reservation that was taken over, and another run still finds the target cooling down, from now on.
    let told = rig.judge.0.lock().unwrap().last().unwrap().context.last_reallocation_timestamp;
    assert_eq!(told, 0);
    rig.clock.advance_ms(COOLDOWN_MS - 1);
    let other = rig.perform(&rig.command("2", tickets(&["a"]))).await;
    assert!(matches!(other.outcome, AttemptOutcome::CoolingDown { .. }), "{other:?}");
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_cannot_find_out_leaves_the_target_alone() {
    for safety in [Safety::Probe, Safety::Idempotent] {
        let rig = answer_lost(safety).await;
        *rig.script.probe.lock().unwrap() = Some(Probe::Unclear("it does not say".to_owned()));
        let result = rig.perform(&second(&rig, "1")).await;
        assert!(matches!(result.outcome, AttemptOutcome::CoolingDown { .. }), "{safety:?} {result:?}");
        assert_eq!(rig.touched(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_step_has_touched_is_not_probed() {
    let rig = answer_lost(Safety::Probe).await;
    let other = rig.perform(&second(&rig, "2")).await;
    assert!(matches!(other.outcome, AttemptOutcome::CoolingDown { .. }), "{other:?}");
}

/// The second attempt's own worker died, and the target is asked once whether it had acted.
#[tokio::test(start_paused = true)]
async fn a_retry_does_not_take_its_own_reservation_for_that_of_an_earlier_attempt() {
    let rig = Rig::new(Safety::Probe);
    let command = second(&rig, "1");
    rig.faults.fail_next_of("claims.finish", 1, When::Before);
    assert!(rig.deliver(&command).await.is_err());
    rig.clock.advance_ms(LEASE_MS);
    *rig.script.probe.lock().unwrap() = Some(Probe::NotDone);
    let result = rig.perform(&command).await;
    assert_eq!((result.outcome, result.warnings, rig.touched()), (AttemptOutcome::Succeeded, Vec::new(), 2));
}
