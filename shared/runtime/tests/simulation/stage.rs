//! Two machines with a process each over one set of backends, in time that only the simulation advances.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use heal_engine::check::Check;
use heal_guard::{Guardrails, Halt};
use heal_runtime::Timestamp;
use heal_runtime::library::Library;
use heal_runtime::port::{Clock as _, RunFilter, RunHead, RunReader as _};
use heal_testkit::memory::{Autonomies, Breakers, Checks, Claims, Faults, ManualClock, Queues, Runs, Switches};

use super::approvals;
use super::home::Home;
use super::orders::OwnHalt;
use super::planted::Bug;
use super::playbooks::{self, EDITIONS, guardrails};
use super::process::{Machine, SKEW_MS, Work};
use super::remedy::World;
use super::rng::Rng;
use super::seen::Seen;
use super::trouble::Trouble;

#[path = "elements.rs"]
mod elements;
#[path = "people.rs"]
mod people;

/// Percent of the courses whose machines' clocks differ, and of those in which one may run a year ahead.
const APART: u64 = 50;
const WRONG: u64 = 15;

pub struct Stage {
    pub rng: Arc<Rng>,
    pub world: Arc<World>,
    pub clock: Arc<ManualClock>,
    pub runs: Arc<Runs>,
    pub queues: Arc<Queues>,
    pub faults: Faults,
    pub seen: Arc<Seen>,
    /// The playbooks, in each edition.
    pub libraries: [Arc<Library>; 2],
    pub guardrails: Arc<Guardrails>,
    pub check: Check,
    pub machines: [Arc<Machine>; 2],
    /// By how much each clock differs from the true time while it is right.
    pub skews_ms: [i64; 2],
    /// Whether a clock may run a year ahead.
    pub may_be_wrong: bool,
    pub homes: Vec<Home>,
    pub planted: Option<Bug>,
    is_told: Arc<AtomicBool>,
    is_shared: Arc<AtomicBool>,
    pub claims: Arc<Claims>,
    pub switches: Arc<Switches>,
    pub breakers: Arc<Breakers>,
    pub checks: Arc<Checks>,
    /// The halts that were surely stored, and the time at which somebody first ended each.
    pub halts: Vec<(Halt, Timestamp)>,
    /// The halts that the engine ordered, by id and beginning.
    pub own_halts: BTreeMap<(String, Timestamp), OwnHalt>,
    /// When the faults stopped.
    pub healed_at: Option<Timestamp>,
    /// Commits in all runs before each piece of work; in order.
    pub before_work: Vec<u64>,
    /// When a clock was last found a year ahead, each time; in order.
    pub wrong_at: Vec<Timestamp>,
    pub autonomy: Arc<Autonomies>,
    /// What people have sent as approvals; each may have been lost, or come too late.
    pub approvals: BTreeSet<approvals::Given>,
    /// Incidents that were sent, and those whose sending failed: they may have arrived all the same.
    pub incidents: BTreeSet<String>,
    pub perhaps: BTreeSet<String>,
}

/// What all courses share: it is made once, since it is the same.
struct Shared {
    libraries: [Arc<Library>; 2],
    guardrails: Arc<Guardrails>,
    check: Check,
}

fn shared() -> &'static Shared {
    static SHARED: std::sync::OnceLock<Shared> = std::sync::OnceLock::new();
    SHARED.get_or_init(|| Shared {
        libraries: EDITIONS.map(|edition| Arc::new(playbooks::library(edition))),
        guardrails: Arc::new(guardrails()),
        check: playbooks::check(),
    })
}

impl Stage {
    pub fn new(seed: u64, planted: Option<Bug>) -> Self {
        let rng = Arc::new(Rng::new(seed));
        let clock = Arc::new(ManualClock::default());
        let (faults, seen) = (Faults::default(), Arc::new(Seen::default()));
        let runs = Arc::new(Runs::new(faults.clone()));
        let world = World {
            effects: std::sync::Mutex::default(),
            sick: std::sync::Mutex::default(),
            clock: clock.clone(),
            rng: rng.clone(),
            runs: runs.clone(),
            seen: seen.clone(),
            faulty: Arc::new(AtomicBool::new(true)),
            acting: Arc::default(),
        };
        let skews_ms = if rng.chance(APART) { [rng.skew(SKEW_MS), rng.skew(SKEW_MS)] } else { [0, 0] };
        if skews_ms[0] != skews_ms[1] {
            seen.note("clocks apart");
        }
        let may_be_wrong = rng.chance(WRONG);
        let Shared { libraries, guardrails, check } = shared();
        let mut stage = Self {
            world: Arc::new(world),
            runs,
            queues: Arc::new(Queues::new(clock.clone(), faults.clone())),
            libraries: libraries.clone(),
            guardrails: guardrails.clone(),
            check: check.clone(),
            machines: skews_ms.map(|skew_ms| Arc::new(Machine::new(clock.clone(), skew_ms))),
            skews_ms,
            may_be_wrong,
            homes: Vec::new(),
            planted,
            is_told: Arc::default(),
            is_shared: Arc::default(),
            claims: Arc::new(Claims::new(faults.clone())),
            switches: Arc::new(Switches::new(faults.clone())),
            breakers: Arc::new(Breakers::new(faults.clone())),
            checks: Arc::new(Checks::new(faults.clone())),
            halts: Vec::new(),
            own_halts: BTreeMap::new(),
            healed_at: None,
            before_work: Vec::new(),
            wrong_at: Vec::new(),
            autonomy: Arc::new(Autonomies::new(faults.clone())),
            approvals: BTreeSet::new(),
            incidents: BTreeSet::new(),
            perhaps: BTreeSet::new(),
            rng,
            clock,
            faults,
            seen,
        };
        stage.homes = (0..stage.machines.len()).map(|machine| Home::new(&stage, machine)).collect();
        stage.break_things();
        stage
    }

    fn break_things(&self) {
        let trouble = Trouble {
            rng: self.rng.clone(),
            clock: self.clock.clone(),
            seen: self.seen.clone(),
            is_told: self.is_told.clone(),
            is_shared: self.is_shared.clone(),
            acting: self.world.acting.clone(),
        };
        trouble.plant(&self.faults);
    }

    /// Whether calls are the narrator's, who meets no fault.
    pub fn without_faults(&self, is_told: bool) {
        self.is_told.store(is_told, Ordering::SeqCst);
    }

    pub fn is_faulty(&self) -> bool {
        self.world.faulty.load(Ordering::SeqCst)
    }

    /// The faults stop, and all clocks are right.
    pub fn heal(&mut self) {
        self.world.faulty.store(false, Ordering::SeqCst);
        self.healed_at = Some(self.clock.now());
        self.world.sick.lock().unwrap().clear();
        self.faults.clear();
        for machine in 0..self.machines.len() {
            self.put_clock_right(machine);
        }
        self.bury_the_dead();
    }

    /// One random thing happens; what, in words.
    pub async fn happen(&mut self) -> &'static str {
        if self.machines.iter().any(|machine| machine.is_wrong()) {
            self.wrong_at.push(self.clock.now());
        }
        let what = self.happen_now().await;
        if self.machines.iter().any(|machine| machine.is_wrong()) {
            self.wrong_at.push(self.clock.now());
        }
        self.watch_halts();
        what
    }

    async fn happen_now(&mut self) -> &'static str {
        match self.rng.below(100) {
            0..=3 => {
                self.send_incident().await;
                "an incident is sent"
            }
            4 => self.send_storm().await,
            5..=7 => {
                let index = self.rng.below(self.homes.len() as u64) as usize;
                self.homes[index] = Home::new(self, index);
                "a process restarts"
            }
            8..=10 => {
                self.cancel_something().await;
                "somebody may cancel a run"
            }
            11..=13 => {
                self.set_autonomy().await;
                "somebody sets a level of autonomy"
            }
            14..=17 => {
                self.clock.advance_ms(self.rng.below(140_000));
                "much time passes"
            }
            18..=20 => {
                self.halt_something().await;
                "somebody halts something, or ends a halt"
            }
            21..=23 => {
                self.hold_something().await;
                "somebody holds runs, or releases them"
            }
            24..=29 => {
                self.answer_something().await;
                "somebody answers"
            }
            30 => self.acknowledge_something().await,
            31 => self.redrive_something().await,
            32 => self.report_dead().await,
            33 => self.expire(),
            34 => self.set_clock(),
            35 | 36 => self.change_health(),
            37 | 38 => self.check().await,
            39 | 40 => self.change_breaker().await,
            41..=49 => {
                self.clock.advance_ms(self.rng.below(3_000));
                "time passes"
            }
            _ => {
                self.work().await;
                "the engine works"
            }
        }
    }

    /// One process works, or two at the same time.
    pub async fn work(&mut self) {
        self.before_work.push(self.runs.written());
        let homes = [0, 1].map(|_| &self.homes[self.rng.below(self.homes.len() as u64) as usize]);
        let is_shared = self.rng.chance(40);
        self.is_shared.store(is_shared, Ordering::SeqCst);
        let first = Work::new(homes[0].process.clone(), homes[0].work(self));
        if is_shared {
            self.seen.note("processes at work at the same time");
            // The other one goes on while the first may be frozen.
            let other = async {
                for _ in 0..=self.rng.below(4) {
                    homes[1].work(self).await;
                }
            };
            tokio::join!(first, Work::new(homes[1].process.clone(), other));
        } else {
            first.await;
        }
        self.bury_the_dead();
    }

    /// Nothing is due: every process sweeps, and time passes. Whether that led to something.
    pub async fn rest(&mut self, ms: u64) -> bool {
        let written = self.runs.written();
        self.before_work.push(written);
        for home in &self.homes {
            Work::new(home.process.clone(), home.sweep(self)).await;
        }
        self.clock.advance_ms(ms);
        self.release_all().await;
        self.runs.written() > written
    }

    /// Another process takes the place of each that has died.
    fn bury_the_dead(&mut self) {
        for machine in 0..self.homes.len() {
            if self.homes[machine].process.is_dead() {
                self.homes[machine] = Home::new(self, machine);
            }
        }
    }

    pub async fn heads(&self) -> Vec<RunHead> {
        self.runs.list(&RunFilter::default(), 1_000, None).await.map(|page| page.runs).unwrap_or_default()
    }
}
