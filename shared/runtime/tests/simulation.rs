//! Seeded random faults: calls lost before and after they were applied, workers that die after their effect, processes that restart with an
//! empty cache and another edition of the playbooks, two processes at work at the same time, duplicates, denials, cancellations, halts, holds
//! and answers by persons, and a clock that jumps. The laws hold throughout, and when the faults stop every run ends.
//!
//! `SIMULATION_SEED=n` narrates one course, `SIMULATION_COURSES=n` runs more of them; `make simulate` does both. [`planted`] shows that the laws
//! catch bugs.

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
#[path = "simulation/findings.rs"]
mod findings;
#[path = "simulation/laws.rs"]
mod laws;
#[path = "simulation/logs.rs"]
mod logs;
#[path = "simulation/narrator.rs"]
mod narrator;
#[path = "simulation/planted.rs"]
mod planted;
#[path = "simulation/playbooks.rs"]
mod playbooks;
#[path = "simulation/remedy.rs"]
mod remedy;
#[path = "simulation/rng.rs"]
mod rng;
#[path = "simulation/rooms.rs"]
mod rooms;
#[path = "simulation/stage.rs"]
mod stage;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use findings::Findings;
use narrator::Narrator;
use planted::Bug;
use stage::Stage;
use tokio::time::Instant;

/// Random things that happen in one course.
const HAPPENINGS: usize = 600;
/// Rounds after the faults have stopped, within which every run has to end.
const QUIET_ROUNDS: usize = 8_000;
/// Milliseconds that pass every 20 quiet rounds: in all more than the engine waits for a command that was lost.
const QUIET_MS: u64 = 10_000;
const COURSES: u64 = 100;
/// Courses between two lines of progress.
const PROGRESS: usize = 500;
/// Seeds that once failed; they run first.
const FAILED_ONCE: &str = include_str!("simulation/failed_once.txt");

#[expect(clippy::disallowed_methods, reason = "a person repeats a failure with the seed")]
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().expect("a number"))
}

#[test]
fn whatever_goes_wrong_the_laws_hold_and_every_run_ends() {
    if let Some(seed) = number("SIMULATION_SEED") {
        // One course need not have everything.
        println!("{:#?}", simulated(seed, None, Some(Narrator::default())));
        return;
    }
    let numbers = || FAILED_ONCE.lines().filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let courses = number("SIMULATION_COURSES").unwrap_or(COURSES);
    let seeds: Vec<u64> = numbers().chain(0..courses).collect();
    let findings = in_parallel(&seeds);
    println!("{findings:#?}");
    findings.are_of_every_kind();
}

/// Runs the courses of all seeds, as many at a time as the machine has cores.
fn in_parallel(seeds: &[u64]) -> Findings {
    let (started, next, happenings) = (Instant::now(), AtomicUsize::new(0), AtomicU64::new(0));
    let work = || {
        let mut findings = Findings::default();
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let course = simulated(*seed, None, None);
            let all = happenings.fetch_add(course.happenings, Ordering::Relaxed) + course.happenings;
            findings += course;
            let done = next.load(Ordering::Relaxed);
            if done.is_multiple_of(PROGRESS) {
                let seconds = started.elapsed().as_secs_f64();
                eprintln!("{done} of {} courses, {:.0} happenings a second", seeds.len(), all as f64 / seconds);
            }
        }
        findings
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut sum = Findings::default();
        for worker in workers {
            sum += worker.join().expect("a course failed; its seed is above");
        }
        sum
    })
}

/// The whole course of one seed, judged by every law.
fn simulated(seed: u64, planted: Option<Bug>, narrator: Option<Narrator>) -> Findings {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let guard = planted.is_none().then(|| Named(seed));
    let findings = runtime.block_on(async {
        let (stage, happenings) = course(seed, planted, narrator).await;
        let mut findings = Findings::of(&stage).await;
        findings.happenings = happenings;
        findings
    });
    std::mem::forget(guard);
    findings
}

/// Plays a course until every run has ended. The number of things that happened in it.
async fn course(seed: u64, planted: Option<Bug>, mut narrator: Option<Narrator>) -> (Stage, u64) {
    laws::judge("nothing panics");
    let mut stage = Stage::new(seed, planted);
    for _ in 0..HAPPENINGS {
        let what = stage.happen().await;
        if let Some(narrator) = &mut narrator {
            narrator.tell(&stage, what).await;
        }
    }
    stage.heal();
    let mut rounds = 0;
    for round in 0..QUIET_ROUNDS {
        rounds += 1;
        stage.work().await;
        if let Some(narrator) = &mut narrator {
            narrator.tell(&stage, "the engine works, without faults").await;
        }
        if round % 20 == 19 {
            stage.clock.advance_ms(QUIET_MS);
            stage.release_all().await;
            let heads = stage.heads().await;
            if stage.queues.pending() == 0 && heads.iter().all(|head| head.status.is_terminal()) {
                break;
            }
        }
    }
    laws::judge("every run ends once the faults stop");
    let live: Vec<_> = stage.heads().await.into_iter().filter(|head| !head.status.is_terminal()).collect();
    assert!(live.is_empty(), "runs have not ended: {live:#?}, {:#?}", stage.queues.told());
    laws::judge("no message stays on a queue");
    assert_eq!(stage.queues.told(), Vec::<String>::new(), "messages are left on the queues");
    (stage, (HAPPENINGS + rounds) as u64)
}

/// Prints the seed if a course fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        eprintln!("repeat it with make simulate SEED={}", self.0);
    }
}
