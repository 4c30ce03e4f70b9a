//! A halt at the point of effect: nothing is done, and what that leaves of claim and reservation.

use heal_guard::{Halt, HaltScope, Storm};
use heal_runtime::halts::HALT_CACHE_MS;
use heal_runtime::port::Switches as _;

use super::*;

async fn halt(rig: &Rig) {
    order(rig, "halt-1", HaltScope::All, None).await;
}

/// A storm of the action's service, of which so many effects pass in each minute.
async fn storm(rig: &Rig, trickle: u32) {
    let storm = Storm { run_id: RunId::new("group"), targets: 5, trickle, window_ms: 60_000 };
    order(rig, "halt-2", HaltScope::Service { name: "lamps".to_owned() }, Some(storm)).await;
}

async fn order(rig: &Rig, id: &str, scope: HaltScope, storm: Option<Storm>) {
    let since = rig.clock.now();
    let (id, reason, by) = (id.to_owned(), "a deployment".to_owned(), "local:anna".to_owned());
    let halt = Halt { id, scope, since, until: since.plus_ms(3_600_000), reason, by, storm };
    assert!(rig.switches.halt(&halt).await.unwrap());
}

async fn resume(rig: &Rig) {
    assert!(rig.switches.resume("halt-1", rig.clock.now()).await.unwrap());
    rig.clock.advance_ms(HALT_CACHE_MS);
}

/// Halts while the worker reads: the target is reserved by then.
async fn halted_after_its_reservation(rig: &Rig, command: &ActionCommand) {
    rig.perform(&rig.command("before", tickets(&["other"]))).await;
    halt(rig).await;
    rig.script.reading_takes_ms.store(HALT_CACHE_MS, Ordering::SeqCst);
    assert_eq!(rig.deliver(command).await.unwrap(), CommandOutcome::Held);
    rig.script.reading_takes_ms.store(0, Ordering::SeqCst);
}

#[tokio::test(start_paused = true)]
async fn a_halted_attempt_leaves_its_target_free_and_says_so_in_the_log() {
    logs::collect();
    let rig = Rig::new(Safety::Unknown);
    halted_after_its_reservation(&rig, &rig.command("run", tickets(&["a"]))).await;
    let [line] = &logs::with("message", "attempt.held")[..] else { panic!("not one line") };
    assert_eq!(line.get("reason"), Some("everything is halted: a deployment"));
    resume(&rig).await;
    let other = rig.perform(&rig.command("other", tickets(&["a"]))).await;
    assert_eq!((other.outcome, rig.touched()), (AttemptOutcome::Succeeded, 2));
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_of_a_halted_command_is_held_too_once_the_halt_is_over() {
    let rig = Rig::new(Safety::Idempotent);
    let command = rig.command("run", tickets(&["a"]));
    halted_after_its_reservation(&rig, &command).await;
    resume(&rig).await;
    assert_eq!(rig.deliver(&command).await.unwrap(), CommandOutcome::Held);
    assert_eq!(rig.touched(), 1, "the other ticket");
    let holds: Vec<_> = rig
        .inbound()
        .await
        .into_iter()
        .filter_map(|inbound| match inbound {
            Inbound::Held(held) => Some((held.hold, held.may_have_acted)),
            _ => None,
        })
        .collect();
    let [(first, false), (second, true)] = &holds[..] else { panic!("{holds:?}") };
    assert_eq!(first, second);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_a_dead_worker_may_have_touched_stays_reserved_unless_a_probe_finds_it_untouched() {
    for (safety, is_free) in [(Safety::Idempotent, false), (Safety::Probe, true)] {
        let rig = Rig::new(safety);
        let command = rig.command("run", tickets(&["a"]));
        rig.faults.fail_next_of("claims.finish", 1, When::Before);
        assert!(rig.deliver(&command).await.is_err());
        rig.clock.advance_ms(LEASE_MS);
        halt(&rig).await;
        *rig.script.probe.lock().unwrap() = Some(Probe::NotDone);
        assert_eq!(rig.deliver(&command).await.unwrap(), CommandOutcome::Held);
        resume(&rig).await;
        let other = rig.perform(&rig.command("other", tickets(&["a"]))).await;
        assert_eq!(other.outcome == AttemptOutcome::Succeeded, is_free, "{safety:?}: {other:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_does_not_need_the_halts() {
    for (safety, is_shadow) in [(Safety::ReadOnly, false), (Safety::ReadOnly, true), (Safety::Idempotent, true)] {
        let rig = Rig::new(safety);
        rig.faults.decide_by(|call| (call == "switches.halts").then_some(When::Before));
        let live = rig.queued("live", tickets(&["a"]));
        rig.perform(&if is_shadow { rig.shadow("shadow", tickets(&["a"])) } else { live.clone() }).await;
        assert_eq!(rig.deliver(&live).await.is_ok(), safety == Safety::ReadOnly, "{safety:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_lets_its_trickle_pass_in_each_window_and_what_it_holds_keeps_nothing_reserved() {
    let rig = Rig::new(Safety::Idempotent);
    storm(&rig, 1).await;
    let first = rig.perform(&rig.command("1", tickets(&["a"]))).await;
    assert_eq!(first.outcome, AttemptOutcome::Succeeded);
    let record: DecisionRecord = format::decode(&first.decisions[0].to_string()).unwrap();
    assert_eq!(record.question.counters[1].name, "trickle of the storm of lamps");
    assert_eq!(rig.deliver(&rig.command("2", tickets(&["b"]))).await.unwrap(), CommandOutcome::Held);
    rig.clock.advance_ms(60_000);
    let next = rig.perform(&rig.command("3", tickets(&["b"]))).await;
    assert_eq!((next.outcome, rig.touched()), (AttemptOutcome::Succeeded, 2));
}

#[tokio::test(start_paused = true)]
async fn a_storm_without_a_trickle_holds_before_anything_is_read() {
    let rig = Rig::new(Safety::Idempotent);
    storm(&rig, 0).await;
    assert_eq!(rig.deliver(&rig.command("run", tickets(&["a"]))).await.unwrap(), CommandOutcome::Held);
    assert_eq!(rig.read.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_halt_holds_what_the_trickle_of_a_storm_would_let_pass() {
    let rig = Rig::new(Safety::Idempotent);
    storm(&rig, 1).await;
    halt(&rig).await;
    assert_eq!(rig.deliver(&rig.command("run", tickets(&["a"]))).await.unwrap(), CommandOutcome::Held);
    assert_eq!(rig.read.load(Ordering::SeqCst), 0);
}
