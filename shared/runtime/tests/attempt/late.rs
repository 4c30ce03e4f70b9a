//! Attempts that are late, and processes that were frozen.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_command_after_its_deadline_touches_nothing() {
    let rig = Rig::new(Safety::Idempotent);
    let command = rig.command("run", tickets(&["a"]));
    rig.clock.set(command.deadline);
    let result = rig.perform(&command).await;
    assert!(matches!(result.outcome, AttemptOutcome::TimedOut { .. }) && result.not_applied, "{result:?}");
    assert_eq!(rig.touched(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_ends_before_its_platform_does() {
    let rig = Rig::new(Safety::Idempotent);
    let command = rig.command("run", tickets(&["a"]));
    let body = serde_json::to_string(&command).unwrap();
    let late = rig.worker.handle_before(&body, LeaseOwner("h".to_owned()), Some(rig.clock.now())).await.unwrap();
    let CommandOutcome::Answered(result) = late else { panic!("{late:?}") };
    assert!(matches!(result.outcome, AttemptOutcome::TimedOut { .. }), "{result:?}");
    assert_eq!(rig.touched(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_attempts_time_counts_from_when_a_worker_takes_it() {
    let rig = Rig::new(Safety::Idempotent);
    let command = rig.queued("run", tickets(&["a"]));
    rig.clock.set(Timestamp(command.deadline.0 - 1));
    let taken = rig.clock.now();
    assert_eq!(rig.perform(&command).await.outcome, AttemptOutcome::Succeeded);
    let end = taken.plus_ms(60_000 - heal_runtime::attempt::ANSWER_MARGIN_MS);
    assert_eq!(*rig.script.calls.lock().unwrap(), [("run/step#2".to_owned(), taken, end)]);
    let [Inbound::Result(result)] = &rig.inbound().await[..] else { panic!("no result") };
    assert_eq!(result.started_at, Some(taken));
}

#[tokio::test(start_paused = true)]
async fn a_command_after_its_last_moment_to_start_does_nothing_and_the_same_attempt_can_be_issued_again() {
    for safety in [Safety::Unknown, Safety::Idempotent, Safety::ReadOnly] {
        let rig = Rig::new(safety);
        let command = rig.queued("run", tickets(&["a"]));
        rig.clock.set(command.deadline);
        assert_eq!(rig.deliver(&command).await.unwrap(), CommandOutcome::Late);
        assert_eq!(rig.touched(), 0);
        let [Inbound::Late(late)] = &rig.inbound().await[..] else { panic!("no answer") };
        assert_eq!((&late.token, late.attempt, late.taken_at), (&command.token, 1, command.deadline));
        let again = ActionCommand { token: Token::new("again"), ..rig.queued("run", tickets(&["a"])) };
        let result = rig.perform(&again).await;
        assert_eq!((result.outcome, rig.touched()), (AttemptOutcome::Succeeded, 1), "{safety:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_its_platform_gives_no_time_is_late() {
    let rig = Rig::new(Safety::Idempotent);
    let body = serde_json::to_string(&rig.queued("run", tickets(&["a"]))).unwrap();
    let outcome = rig.worker.handle_before(&body, LeaseOwner("h".to_owned()), Some(rig.clock.now())).await.unwrap();
    assert_eq!((outcome, rig.touched()), (CommandOutcome::Late, 0));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_was_frozen_before_its_effect_is_late_and_leaves_no_cooldown() {
    let rig = Rig::new(Safety::Unknown);
    let command = ActionCommand { timeout_ms: Some(10_000), ..rig.queued("run", tickets(&["a"])) };
    // Within the claim's lease, beyond the attempt's time.
    rig.script.reading_takes_ms.store(20_000, Ordering::SeqCst);
    assert_eq!(rig.deliver(&command).await.unwrap(), CommandOutcome::Late);
    rig.script.reading_takes_ms.store(0, Ordering::SeqCst);
    assert_eq!(rig.touched(), 0);
    let other = rig.perform(&rig.queued("run-2", tickets(&["a"]))).await;
    assert_eq!(other.outcome, AttemptOutcome::Succeeded, "the target is free");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_outlasted_its_lease_in_a_freeze_is_delivered_again() {
    let rig = Rig::new(Safety::Unknown);
    let command = rig.queued("run", tickets(&["a"]));
    rig.script.reading_takes_ms.store(LEASE_MS, Ordering::SeqCst);
    assert!(matches!(rig.deliver(&command).await, Err(Error::Backend(_))));
    rig.script.reading_takes_ms.store(0, Ordering::SeqCst);
    assert_eq!((rig.perform(&command).await.outcome, rig.touched()), (AttemptOutcome::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn an_outage_that_a_freeze_explains_is_tried_again_as_far_as_that_is_safe() {
    let outage = || {
        let (service, message) = ("tickets".to_owned(), "timeout".to_owned());
        AttemptResult::new(AttemptOutcome::Unavailable { service, message, retry_after_ms: None })
    };
    for (safety, touched) in [(Safety::Idempotent, 2), (Safety::Unknown, 1)] {
        let rig = Rig::new(safety);
        rig.takes_ms.store(90_000, Ordering::SeqCst);
        rig.script.results.lock().unwrap().push_back(outage());
        let result = rig.perform(&rig.queued("run", tickets(&["a"]))).await;
        assert_eq!(rig.touched(), touched, "{safety:?}");
        assert_eq!(result.outcome == AttemptOutcome::Succeeded, safety == Safety::Idempotent, "{result:?}");
        assert_eq!(matches!(result.outcome, AttemptOutcome::Unknown { .. }), safety == Safety::Unknown, "{result:?}");
        let calls = rig.script.calls.lock().unwrap();
        assert!(calls.iter().all(|(key, ..)| key == "run/step#2"), "{calls:?}");
    }
    // Without a freeze, it is an outage.
    let rig = Rig::new(Safety::Idempotent);
    rig.script.results.lock().unwrap().push_back(outage());
    let result = rig.perform(&rig.queued("run", tickets(&["a"]))).await;
    assert_eq!((result.outcome, rig.touched()), (outage().outcome, 1));
}

#[tokio::test(start_paused = true)]
async fn a_success_that_took_a_freeze_does_not_cost_the_run_the_time_of_the_freeze() {
    let rig = Rig::new(Safety::Idempotent);
    let taken = rig.clock.now();
    rig.takes_ms.store(20_000, Ordering::SeqCst);
    assert_eq!(rig.perform(&rig.queued("run", tickets(&["a"]))).await.outcome, AttemptOutcome::Succeeded);
    let [Inbound::Result(result)] = &rig.inbound().await[..] else { panic!("no result") };
    // The dispatcher counts what is before the start as time in the queue.
    assert_eq!((result.started_at, result.finished_at), (Some(taken.plus_ms(20_000)), taken.plus_ms(20_000)));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_freezes_in_every_try_gives_up_and_reports_what_it_saw() {
    let rig = Rig::new(Safety::Idempotent);
    rig.takes_ms.store(5_000, Ordering::SeqCst);
    let timed_out = || AttemptResult::new(AttemptOutcome::TimedOut { message: "slow".to_owned() });
    rig.script.results.lock().unwrap().extend([timed_out(), timed_out(), timed_out(), timed_out()]);
    let result = rig.perform(&rig.queued("run", tickets(&["a"]))).await;
    assert_eq!((result.outcome, rig.touched()), (timed_out().outcome, 3));
}
