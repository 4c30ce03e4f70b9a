//! Seeded random faults: those of [`seen::FAULTS`], and the death of a process before and after each call of a port. Two processes with clocks
//! of their own are at work at the same time; people send incidents, cancel, halt, hold, answer and acknowledge. The laws hold throughout, and
//! when the faults stop every run ends.
//!
//! `SIMULATION_SEED=n` narrates one course, `SIMULATION_COURSES=n` runs more of them, `SIMULATION_HAPPENINGS=n` as many as that takes;
//! `make simulate` does all three. [`planted`] shows that the laws catch bugs.
//!
//! A happening is one random thing of [`stage::Stage::happen`], such as the handling of a few messages by one process or by two; or, after the
//! faults have stopped, such a handling of messages that are due, or a sweep that continued a run. A pause in which nothing happens is none.

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
#[path = "simulation/books.rs"]
mod books;
#[path = "simulation/findings.rs"]
mod findings;
#[path = "simulation/home.rs"]
mod home;
#[path = "simulation/laws.rs"]
mod laws;
#[path = "simulation/logs.rs"]
mod logs;
#[path = "simulation/narrator.rs"]
mod narrator;
#[path = "simulation/network.rs"]
mod network;
#[path = "simulation/orders.rs"]
mod orders;
#[path = "simulation/planted.rs"]
mod planted;
#[path = "simulation/playbooks.rs"]
mod playbooks;
#[path = "simulation/process.rs"]
mod process;
#[path = "simulation/remedy.rs"]
mod remedy;
#[path = "simulation/rng.rs"]
mod rng;
#[path = "simulation/rooms.rs"]
mod rooms;
#[path = "simulation/seen.rs"]
mod seen;
#[path = "simulation/service.rs"]
mod service;
#[path = "simulation/stage.rs"]
mod stage;
#[path = "simulation/storms.rs"]
mod storms;
#[path = "simulation/trouble.rs"]
mod trouble;

use std::collections::BTreeSet;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use findings::Findings;
use narrator::Narrator;
use planted::Bug;
use stage::Stage;
use tokio::time::Instant;

/// Random things that happen in one course.
const HAPPENINGS: u64 = 600;
/// Pieces of work after the faults have stopped, within which every run has to end.
const WORKS: u64 = 8_000;
/// Pauses after the faults have stopped: in all more than the engine waits for a command that was lost.
const RESTS: u64 = 1_200;
/// Milliseconds of a pause.
const REST_MS: u64 = 10_000;
const COURSES: u64 = 135;
/// Courses between two lines of progress.
const PROGRESS: u64 = 500;
/// Courses that may fail before the others are left out.
const FAILURES: usize = 20;
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
    let happenings = number("SIMULATION_HAPPENINGS");
    let courses = number("SIMULATION_COURSES").unwrap_or(if happenings.is_some() { u64::MAX } else { COURSES });
    let findings = in_parallel(courses, happenings.unwrap_or(u64::MAX));
    println!("{findings:#?}");
    findings.are_of_every_kind();
}

/// Runs the courses that once failed and those of the seeds below `courses`, as many at a time as the machine has cores, until they have
/// `wanted` happenings.
///
/// # Panics
/// Some courses failed; names their seeds.
fn in_parallel(courses: u64, wanted: u64) -> Findings {
    let failed = FAILED_ONCE.lines().filter_map(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    let mut seeds = failed.chain(0..courses);
    let (started, done, happenings) = (Instant::now(), AtomicU64::new(0), AtomicU64::new(0));
    let seeds = Mutex::new(&mut seeds);
    let failures = Mutex::new(BTreeSet::new());
    let work = || {
        let mut findings = Findings::default();
        while happenings.load(Ordering::Relaxed) < wanted && failures.lock().unwrap().len() < FAILURES {
            let Some(seed) = seeds.lock().unwrap().next() else { break };
            match panic::catch_unwind(AssertUnwindSafe(|| simulated(seed, None, None))) {
                Ok(course) => {
                    happenings.fetch_add(course.happenings, Ordering::Relaxed);
                    findings += course;
                }
                Err(_) => {
                    failures.lock().unwrap().insert(seed);
                }
            }
            if (done.fetch_add(1, Ordering::Relaxed) + 1).is_multiple_of(PROGRESS) {
                report(started, &done, &happenings);
            }
        }
        findings
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let findings = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut sum = Findings::default();
        workers.into_iter().for_each(|worker| sum += worker.join().unwrap());
        sum
    });
    report(started, &done, &happenings);
    let failures = failures.into_inner().unwrap();
    assert!(
        failures.is_empty(),
        "a law is broken in the courses of the seeds {failures:?}; what was broken is said above"
    );
    findings
}

/// One line: how much was done in which time.
fn report(started: Instant, done: &AtomicU64, happenings: &AtomicU64) {
    let (courses, happenings) = (done.load(Ordering::Relaxed), happenings.load(Ordering::Relaxed));
    let seconds = started.elapsed().as_secs_f64();
    eprintln!(
        "{courses} courses, {happenings} happenings, {seconds:.0} s, {:.0} happenings a second",
        happenings as f64 / seconds
    );
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
    let (mut works, mut rests) = (0, 0);
    while works < WORKS && rests < RESTS {
        if !stage.queues.due().is_empty() {
            works += 1;
            stage.work().await;
        } else {
            rests += 1;
            works += u64::from(stage.rest(REST_MS).await);
            let is_late = rests > RESTS / 2 && rests % 100 == 0;
            if is_late && stage.may_be_wrong {
                // What a clock that was a year ahead has put off to its own time happens then.
                stage.clock.advance_ms(process::YEAR_MS as u64);
            }
            if stage.queues.pending() == 0 && stage.heads().await.iter().all(|head| head.status.is_terminal()) {
                break;
            }
        }
        stage.watch_halts();
        if let Some(narrator) = &mut narrator {
            narrator.tell(&stage, "the engine works, without faults").await;
        }
    }
    laws::judge("every run ends once the faults stop");
    let live: Vec<_> = stage.heads().await.into_iter().filter(|head| !head.status.is_terminal()).collect();
    assert!(live.is_empty(), "runs have not ended: {live:#?}, {:#?}", stage.queues.told());
    laws::judge("no message stays on a queue");
    assert_eq!(stage.queues.told(), Vec::<String>::new(), "messages are left on the queues");
    (stage, HAPPENINGS + works)
}

/// Prints the seed if a course fails.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        eprintln!("repeat it with make simulate SEED={}", self.0);
    }
}
