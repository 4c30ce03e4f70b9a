//! Seeded random faults: calls lost before and after they were applied, workers that die after their effect, processes that restart with an
//! empty cache, duplicates, cancellations, halts, holds and answers by persons, and a clock that jumps. The laws hold throughout, and when the faults stop every run ends.
//!
//! `SIMULATION_SEED=n` repeats one course, `SIMULATION_COURSES=n` runs more of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

#[path = "simulation/approvals.rs"]
mod approvals;
#[path = "simulation/laws.rs"]
mod laws;
#[path = "simulation/remedy.rs"]
mod remedy;
#[path = "simulation/rng.rs"]
mod rng;
#[path = "simulation/rooms.rs"]
mod rooms;
#[path = "simulation/stage.rs"]
mod stage;

use heal_runtime::RunOutcome;
use heal_runtime::port::RunHead;
use stage::Stage;

/// Random things that happen in one course.
const HAPPENINGS: usize = 600;
/// Rounds after the faults have stopped, within which every run has to end.
const QUIET_ROUNDS: usize = 8_000;
/// Milliseconds that pass every 20 quiet rounds: in all more than the engine waits for a command that was lost.
const QUIET_MS: u64 = 10_000;
const COURSES: u64 = 100;

#[expect(clippy::disallowed_methods, reason = "a person repeats a failure with the seed")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_the_laws_hold_and_every_run_ends() {
    let seeds = match number("SIMULATION_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SIMULATION_COURSES").unwrap_or(COURSES),
    };
    let (mut effects, mut full, mut escalations, mut admitted) = (0, 0, 0, 0);
    let mut answered = approvals::Answered::default();
    for seed in seeds {
        let guard = Named(seed);
        let stage = course(seed).await;
        let of_course = stage.world.effects.lock().unwrap().clone();
        effects += of_course.len();
        admitted += rooms::hold(&stage).await;
        full += laws::within_budget(&of_course);
        let is_escalated = |head: &RunHead| head.outcome == Some(RunOutcome::Escalated);
        answered += approvals::law(&stage).await;
        escalations += stage.heads().await.iter().filter(|head| is_escalated(head)).count();
        std::mem::forget(guard);
    }
    if number("SIMULATION_SEED").is_some() {
        // One course need not have everything.
        return;
    }
    assert!(effects > 0, "the courses had no effects");
    assert!(full > 0, "the courses used no budget up");
    assert!(escalations > 0, "no target was escalated");
    assert!(admitted > 0, "no run waited for room");
    println!("{admitted} runs were admitted after they had waited for room");
    println!("{effects} effects, {full} of them took the last place of a budget, {escalations} escalations");
    println!("{answered:?}");
    answered.is_of_every_kind();
}

async fn course(seed: u64) -> Stage {
    let mut stage = Stage::new(seed);
    for _ in 0..HAPPENINGS {
        stage.happen().await;
    }
    stage.heal();
    for round in 0..QUIET_ROUNDS {
        stage.work().await;
        if round % 20 == 19 {
            stage.clock.advance_ms(QUIET_MS);
            stage.release_all().await;
            let heads = stage.heads().await;
            if stage.queues.pending() == 0 && heads.iter().all(|head| head.status.is_terminal()) {
                break;
            }
        }
    }
    let live: Vec<_> = stage.heads().await.into_iter().filter(|head| !head.status.is_terminal()).collect();
    assert!(live.is_empty(), "runs have not ended: {live:#?}, {:#?}", stage.queues.told());
    assert_eq!(stage.queues.told(), Vec::<String>::new(), "messages are left on the queues");
    laws::hold(&stage).await;
    stage
}

/// Prints the seed if a course fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        eprintln!("repeat it with SIMULATION_SEED={}", self.0);
    }
}
