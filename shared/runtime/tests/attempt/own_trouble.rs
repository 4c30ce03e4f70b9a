//! Trouble of this process during an attempt: the attempt is made again, and the service is not blamed.

use std::time::Duration;

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
