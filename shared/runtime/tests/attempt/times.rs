//! The time that an attempt has, and what is done when it is over.

use heal_runtime::halts::HALT_CACHE_MS;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_short_attempt_leaves_half_of_its_time_for_its_answer() {
    let rig = Rig::new(Safety::Idempotent);
    let command = ActionCommand { timeout_ms: Some(600), ..rig.queued("run", tickets(&["a"])) };
    assert_eq!(rig.perform(&command).await.outcome, AttemptOutcome::Succeeded);
    let calls = rig.script.calls.lock().unwrap();
    assert_eq!(calls[0].2, calls[0].1.plus_ms(300));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_read_for_too_long_does_nothing_and_is_not_late() {
    let rig = Rig::new(Safety::Idempotent);
    let command = ActionCommand { timeout_ms: Some(2_000), ..rig.queued("run", tickets(&["a"])) };
    // Beyond the attempt's time, and too short for a freeze.
    rig.script.reading_takes_ms.store(1_800, Ordering::SeqCst);
    let result = rig.perform(&command).await;
    let message = "nothing was done: 1800 ms went by before it could be started".to_owned();
    assert_eq!(result.outcome, AttemptOutcome::TimedOut { message });
    assert!(result.not_applied && rig.touched() == 0, "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn an_effect_that_does_not_end_and_its_description_are_given_up_at_the_end_of_the_attempts_time() {
    let rig = Rig::new(Safety::Idempotent);
    rig.script.works_seconds.store(100, Ordering::SeqCst);
    let result = rig.perform(&rig.queued("run", tickets(&["a"]))).await;
    let message = "touch did not end within 59 s".to_owned();
    assert_eq!((result.outcome, result.not_applied), (AttemptOutcome::TimedOut { message }, false));
    let shadow = rig.perform(&rig.shadow("shadow", tickets(&["b"]))).await;
    let message = "touch did not say within 59 s what it would do".to_owned();
    assert_eq!(shadow.outcome, AttemptOutcome::TimedOut { message });
}

#[tokio::test(start_paused = true)]
async fn what_is_reserved_under_a_renewed_lease_does_not_shorten_the_lease() {
    let rig = Rig::new(Safety::Idempotent);
    rig.takes_ms.store(LEASE_MS - 10_000, Ordering::SeqCst);
    let timed_out = AttemptResult::new(AttemptOutcome::TimedOut { message: "slow".to_owned() });
    rig.script.results.lock().unwrap().push_back(timed_out);
    // The first try was frozen, and its claim is renewed. The second one is, too: it ends after the first lease, and within the renewed one.
    // The sixth call would renew the claim once more.
    rig.fail_reservation(6, When::Before);
    assert_eq!(rig.perform(&rig.queued("run", tickets(&["a"]))).await.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.touched(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_worker_keeps_its_claim_for_as_long_as_it_works() {
    let rig = Rig::new(Safety::Idempotent);
    rig.script.works_seconds.store(40, Ordering::SeqCst);
    let command = rig.queued("run", tickets(&["a"]));
    let duplicate = async {
        tokio::time::sleep(Duration::from_millis(LEASE_MS + 5_000)).await;
        rig.deliver(&command).await.unwrap()
    };
    let (result, duplicate) = tokio::join!(rig.perform(&command), duplicate);
    assert!(matches!(duplicate, CommandOutcome::Busy { .. }), "{duplicate:?}");
    assert_eq!((result.outcome, rig.touched()), (AttemptOutcome::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_is_late_after_a_try_that_may_have_acted_is_left_to_be_recovered() {
    let rig = Rig::new(Safety::Idempotent);
    let queued = rig.queued("run", tickets(&["a"]));
    let command = ActionCommand { deadline: queued.issued_at.plus_ms(3_000), ..queued };
    rig.takes_ms.store(5_000, Ordering::SeqCst);
    let timed_out = AttemptResult::new(AttemptOutcome::TimedOut { message: "slow".to_owned() });
    rig.script.results.lock().unwrap().push_back(timed_out);
    assert_eq!(rig.deliver(&command).await.unwrap(), CommandOutcome::Lost);
    assert_eq!((rig.touched(), rig.inbound().await), (1, Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_lease_ends_just_before_its_effect_does_nothing() {
    let rig = Rig::new(Safety::Idempotent);
    rig.script.reading_takes_ms.store(HALT_CACHE_MS, Ordering::SeqCst);
    // The halts are read once more after the reservation, and this process is frozen then.
    let (clock, mut reads) = (rig.clock.clone(), 0);
    rig.faults.decide_by(move |call| {
        reads += u32::from(call == "switches.halts");
        if call == "switches.halts" && reads == 2 {
            clock.advance_ms(LEASE_MS);
        }
        None
    });
    assert!(matches!(rig.deliver(&rig.queued("run", tickets(&["a"]))).await, Err(Error::Backend(_))));
    assert_eq!(rig.touched(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_only_reads_may_take_longer_than_a_lease() {
    let rig = Rig::new(Safety::ReadOnly);
    rig.script.reading_takes_ms.store(LEASE_MS, Ordering::SeqCst);
    assert_eq!(rig.perform(&rig.queued("run", tickets(&["a"]))).await.outcome, AttemptOutcome::Succeeded);
}
