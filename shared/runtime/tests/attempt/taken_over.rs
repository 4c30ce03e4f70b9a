//! Attempts after a worker that died with them, and what is stored for whoever comes after.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_finished_attempt_answers_again_and_touches_nothing() {
    let rig = Rig::new(Safety::Unknown);
    let command = rig.command("run", tickets(&["a"]));
    let first = rig.perform(&command).await;
    assert_eq!(rig.perform(&command).await, first);
    assert_eq!(rig.touched(), 1);
    assert_eq!(rig.answers().await, [first.clone(), first]);
}

#[tokio::test(start_paused = true)]
async fn another_workers_live_claim_is_left_alone_and_an_expired_one_is_recovered_as_far_as_is_safe() {
    for (safety, touched) in [(Safety::Idempotent, 2), (Safety::Unknown, 1)] {
        let rig = Rig::new(safety);
        let command = rig.command("run", tickets(&["a"]));
        // The effect happens, and its result is not stored: as if the worker had died.
        rig.faults.fail_next_of("claims.finish", 1, When::Before);
        assert!(rig.deliver(&command).await.is_err());
        assert!(matches!(rig.deliver(&command).await.unwrap(), CommandOutcome::Busy { .. }));
        rig.clock.advance_ms(LEASE_MS);
        let result = rig.perform(&command).await;
        assert_eq!(rig.touched(), touched, "{safety:?}");
        assert_eq!(matches!(result.outcome, AttemptOutcome::Unknown { .. }), safety == Safety::Unknown, "{result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_worker_may_have_done_counts_also_if_its_command_is_refused_now() {
    let rig = Rig::new(Safety::Unknown);
    let command = rig.command("run", tickets(&["a"]));
    rig.faults.fail_next_of("claims.finish", 1, When::Before);
    assert!(rig.deliver(&command).await.is_err());
    rig.clock.advance_ms(LEASE_MS);
    let changed = ActionCommand { parameters_digest: Digest::of(b"others"), ..command };
    let result = rig.perform(&changed).await;
    assert!(matches!(result.outcome, AttemptOutcome::Unknown { .. }), "{result:?}");
}

/// What it says is of this try alone; a success is of the step.
#[tokio::test(start_paused = true)]
async fn a_refusal_after_a_dead_worker_says_that_the_worker_may_have_acted_and_a_success_does_not() {
    for is_refused in [true, false] {
        let rig = Rig::new(Safety::Idempotent);
        let command = rig.command("run", tickets(&["a"]));
        rig.faults.fail_next_of("claims.finish", 1, When::Before);
        assert!(rig.deliver(&command).await.is_err());
        rig.clock.advance_ms(LEASE_MS);
        let changed = ActionCommand { parameters_digest: Digest::of(b"others"), ..command.clone() };
        let result = rig.perform(if is_refused { &changed } else { &command }).await;
        assert_eq!(result.may_have_acted, is_refused, "{result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_gets_what_the_dead_worker_was_about_to_do() {
    let rig = Rig::new(Safety::Probe);
    let command = rig.command("run", tickets(&["forbidden", "b"]));
    rig.faults.fail_next_of("claims.finish", 1, When::Before);
    assert!(rig.deliver(&command).await.is_err());
    rig.clock.advance_ms(LEASE_MS);
    let result = rig.perform(&command).await;
    assert_eq!(result.output["intent"], json!(["b"]), "of the admitted targets alone: {result:?}");
    assert_eq!(rig.touched(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_touched_before_the_intent_is_stored() {
    for when in [When::Before, When::After] {
        let rig = Rig::new(Safety::Probe);
        let command = rig.command("run", tickets(&["a"]));
        rig.fail_reservation(2, when);
        assert!(rig.deliver(&command).await.is_err());
        rig.faults.clear();
        assert_eq!(rig.touched(), 0);
        // The claim was released: the next worker neither waits nor probes.
        let result = rig.perform(&command).await;
        assert_eq!((result.outcome, result.output.len(), rig.touched()), (AttemptOutcome::Succeeded, 0, 1));
    }
    let rig = Rig::new(Safety::Idempotent);
    rig.faults.fail_next_of("claims.intend", 1, When::Before);
    assert_eq!(rig.perform(&rig.command("run", tickets(&["a"]))).await.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_read_only_action_takes_no_claim() {
    let rig = Rig::new(Safety::ReadOnly);
    // Every call of the claims would fail: none is made.
    rig.faults.fail_next_of("claims.reserve", 10, When::Before);
    rig.faults.fail_next_of("claims.finish", 10, When::Before);
    let command = rig.command("run", tickets(&[]));
    assert!(matches!(rig.deliver(&command).await.unwrap(), CommandOutcome::Answered(_)));
    assert!(matches!(rig.deliver(&command).await.unwrap(), CommandOutcome::Answered(_)));
    assert_eq!(rig.answers().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_claim_is_released_where_nothing_was_done_so_that_the_next_worker_need_not_recover() {
    let rig = Rig::new(Safety::Unknown);
    let command = rig.command("run", tickets(&["a"]));
    rig.faults.fail_next_of("claims.last_touched", 1, When::Before);
    assert!(rig.deliver(&command).await.is_err());
    assert_eq!(rig.perform(&command).await.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.touched(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_batch_makes_four_claim_calls_whatever_its_size_and_reads_and_asks_once_per_ticket() {
    let kinds = [
        (1_u32, Safety::Idempotent),
        (1, Safety::Probe),
        (10, Safety::Idempotent),
        (1_000, Safety::Idempotent),
        (10, Safety::Probe),
    ];
    for (size, safety) in kinds {
        let rig = Rig::new(safety);
        let calls = Arc::new(Mutex::new(Vec::new()));
        let count = Arc::clone(&calls);
        rig.faults.decide_by(move |call| {
            count.lock().unwrap().extend(call.starts_with("claims.").then(|| call.to_owned()));
            None
        });
        let names: Vec<String> = (0..size).map(|number| format!("t-{number}")).collect();
        let result = rig.perform(&rig.command("run", json!({ "tickets": names }))).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded);
        assert_eq!(
            *calls.lock().unwrap(),
            ["claims.reserve", "claims.last_touched", "claims.reserve", "claims.finish"],
            "{size} tickets of an action that is {safety:?}"
        );
        assert_eq!(rig.read.load(Ordering::SeqCst), size, "facts of {size} tickets");
        assert_eq!(rig.judge.0.lock().unwrap().len(), names.len());
        assert_eq!(rig.touched(), size);
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_commands_of_an_attempt_the_second_gets_the_stored_result_under_its_own_token() {
    let rig = Rig::new(Safety::Unknown);
    let first = rig.queued("run", tickets(&["a"]));
    let second = ActionCommand { token: Token::new("again"), ..first.clone() };
    let result = rig.perform(&first).await;
    // Also if it comes late: what was done was done in time.
    rig.clock.set(second.deadline);
    assert_eq!(rig.perform(&second).await, result);
    assert_eq!(rig.touched(), 1);
    let token = |inbound| match inbound {
        Inbound::Result(result) => result.token,
        other => panic!("not a result: {other:?}"),
    };
    let tokens: Vec<_> = rig.inbound().await.into_iter().map(token).collect();
    assert_eq!(tokens, [first.token, second.token]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_before_the_effect_is_proven_not_to_have_applied() {
    let rig = Rig::new(Safety::Idempotent);
    let timed_out = ActionCommand { timeout_ms: None, ..rig.command("run", tickets(&["a"])) };
    rig.script.reading_takes_ms.store(25_000, Ordering::SeqCst);
    let command = ActionCommand { deadline: timed_out.issued_at.plus_ms(20_000), ..timed_out };
    let result = rig.perform(&command).await;
    assert!(matches!(result.outcome, AttemptOutcome::TimedOut { .. }) && result.not_applied, "{result:?}");
    assert_eq!(rig.touched(), 0);
}
