//! Trouble of this process during an attempt: the attempt is made again, and the service is not blamed.

use heal_runtime::port::{ClaimKey, ClaimRequest, ClaimStore as _};

use super::*;

/// Longer than a worker waits for descriptors.
const PATIENCE: Duration = Duration::from_secs(60);

fn troubled(safety: Safety, when: &'static str, times: u32) -> Rig {
    let rig = Rig::new(safety);
    *rig.script.troubles.lock().unwrap() = (when, times);
    rig
}

#[tokio::test(start_paused = true)]
async fn a_step_is_done_once_descriptors_are_free_again() {
    for safety in [Safety::ReadOnly, Safety::Idempotent, Safety::Probe, Safety::Unknown] {
        for when in ["reading", "performing"] {
            let rig = troubled(safety, when, 3);
            let result = rig.perform(&rig.command("run", tickets(&["a"]))).await;
            assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{safety:?} {when}");
            assert_eq!(rig.touched(), 1, "{safety:?} {when}");
            assert_eq!(rig.answers().await, [result], "{safety:?} {when}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_that_outlasts_the_patience_goes_back_to_its_queue_and_leaves_no_trace() {
    for when in ["reading", "performing"] {
        let rig = troubled(Safety::Probe, when, u32::MAX);
        let started = tokio::time::Instant::now();
        let error = rig.deliver(&rig.command("run-1", tickets(&["a"]))).await.unwrap_err();
        assert!(matches!(&error, Error::Backend(_)), "{when}: {error:?}");
        assert!(started.elapsed() < PATIENCE, "{when}");
        assert_eq!((rig.touched(), rig.answers().await.len()), (0, 0), "{when}");
        // Neither its claim nor its reservation stays.
        *rig.script.troubles.lock().unwrap() = ("", 0);
        let other = rig.perform(&rig.command("run-2", tickets(&["a"]))).await;
        assert_eq!(other.outcome, AttemptOutcome::Succeeded, "{when}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_claim_under_which_an_earlier_worker_may_have_acted_is_kept_for_the_next_one_to_recover() {
    let rig = Rig::new(Safety::Idempotent);
    let command = rig.command("run", tickets(&["a"]));
    rig.faults.fail_next_of("claims.finish", 1, When::Before);
    assert!(rig.deliver(&command).await.is_err());
    rig.clock.advance_ms(LEASE_MS);
    *rig.script.troubles.lock().unwrap() = ("reading", u32::MAX);
    assert_eq!(rig.deliver(&command).await.unwrap(), CommandOutcome::Lost);
    *rig.script.troubles.lock().unwrap() = ("", 0);
    rig.clock.advance_ms(LEASE_MS);
    rig.seen.clear();
    assert_eq!(rig.perform(&command).await.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.seen.of("claim_recovered").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lost_its_claim_in_a_pause_recovers_what_its_next_holder_may_have_done() {
    let rig = troubled(Safety::Unknown, "performing", 1);
    let command = rig.command("run", tickets(&["a"]));
    let other = async {
        // Amid the first pause.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = rig.clock.advance_ms(LEASE_MS);
        let key = ClaimKey { action: "touch".to_owned(), attempt: command.attempt_key() };
        let request = ClaimRequest::new(key, LeaseOwner("other".to_owned()), now, now.plus_ms(1));
        rig.claims.reserve(&request).await.unwrap();
        rig.clock.advance_ms(1);
    };
    let (result, ()) = tokio::join!(rig.perform(&command), other);
    assert!(matches!(result.outcome, AttemptOutcome::Unknown { .. }), "{result:?}");
    assert_eq!(rig.touched(), 0);
}
