//! What an attempt records of its decisions.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_was_decided_is_recorded_for_each_target_and_replays() {
    let rig = Rig::new(Safety::Idempotent);
    rig.perform(&rig.command("earlier", tickets(&["b"]))).await;
    rig.clock.advance_ms(1_000);
    rig.read.store(0, Ordering::SeqCst);
    let result = rig.perform(&rig.command("run", tickets(&["a", "forbidden", "b", "undecided"]))).await;
    let no = "the policy (server) denies it: forbidden (no)".to_owned();
    let cools = "cooldown of touch for b: 1 of 1 used, free again in 299 s".to_owned();
    assert_eq!(
        decided(&result),
        // Nothing was decided on the target that the policy had no answer for.
        [
            ("forbidden".to_owned(), "deny", vec![no]),
            ("b".to_owned(), "hold", vec![cools]),
            ("a".to_owned(), "proceed", vec![])
        ]
    );
    let cooling: DecisionRecord = format::decode(&result.decisions[1].to_string()).unwrap();
    assert_eq!((cooling.policy_facts.touched_ms_ago, cooling.policy_took_ms), (Some(1_000), Some(0)));
    assert_eq!(rig.answers().await.last(), Some(&result), "the results queue carries them");
}

#[tokio::test(start_paused = true)]
async fn of_a_large_batch_the_refusals_are_recorded_first_and_the_rest_is_counted() {
    let rig = Rig::new(Safety::Idempotent);
    let names: Vec<String> = (0..limit::DECISIONS + 5).map(|number| format!("t-{number}")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    names.push("forbidden");
    let result = rig.perform(&rig.command("run", tickets(&names))).await;
    let decided = decided(&result);
    assert_eq!((decided.len(), decided[0].1), (limit::DECISIONS, "deny"));
    assert_eq!(result.decisions_cut.map(std::num::NonZeroU32::get), Some(6));
}

#[tokio::test(start_paused = true)]
async fn an_action_that_only_reads_records_the_policys_answer_and_nothing_else() {
    let rig = Rig::new(Safety::ReadOnly);
    let result = rig.perform(&rig.command("run", tickets(&["a"]))).await;
    assert_eq!(decided(&result).len(), 1, "the policy is asked about whatever is critical");
}
