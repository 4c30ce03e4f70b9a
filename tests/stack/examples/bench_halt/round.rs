//! One round: load, halt, silence, resumption, and what became of all of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use serde_json::{Value, json};

use crate::home::Home;

/// The promise: no effect later than this after `heal halt` has returned.
pub(crate) const BOUND_MS: u64 = 5_000;
/// Effects of a run.
const EFFECTS: u32 = 3;
/// Runs under way when the halt is ordered, at least.
const IN_FLIGHT: usize = 200;
/// How long after the bound the platform is still watched.
const WATCHED_MS: u64 = 3_000;
const POLL: Duration = Duration::from_millis(100);
/// The round has failed if something takes longer than this.
const PATIENCE: Duration = Duration::from_mins(15);

/// What one round has shown.
pub(crate) struct Round {
    number: u32,
    runs: u32,
    /// Effects before the halt was ordered.
    effects_before: usize,
    /// Runs under way when the halt was ordered.
    in_flight: usize,
    /// Runs that had not ended when everything stood still.
    live: usize,
    held: usize,
    /// What `heal halt` took itself.
    command_ms: u64,
    /// From the return of `heal halt` to the last effect; 0 if none came later.
    pub(crate) last_effect_ms: u64,
    /// Effects between the order and the resumption.
    effects_after: usize,
    /// From the resumption to the end of the last run.
    resumed: Duration,
    /// Runs by outcome at the end.
    outcomes: BTreeMap<String, usize>,
    /// Different effects at the end, and those of them that happened more than once.
    effects: usize,
    repeated: Vec<String>,
}

impl Round {
    /// Plays the round of this `number`, of `rounds`: the later the round, the further are its runs when they are halted.
    pub(crate) async fn play(home: &Home, number: u32, rounds: u32, runs: u32) -> Self {
        home.platform().forget_calls();
        let incident = |run| {
            json!({"incident_id": format!("inc-{number}-{run}"), "incident_type": "HALT_BENCH",
                "ticket_id": format!("ticket-{number}-{run}"), "workflow_id": format!("wf-{number}-{run}")})
        };
        home.send((0..runs).map(incident).collect()).await;
        // In the midst of the first effects, then of the second ones, and so on.
        let wave = number * EFFECTS / rounds;
        let wanted = usize::try_from(runs * wave + runs / 5).unwrap();
        until("the runs are under way", async || home.platform().effects().len() >= wanted).await;
        let in_flight = live(home, number).len();
        let effects_before = home.platform().effects().len();
        let ordered = Instant::now();
        home.heal(&["halt", "--all", "--for", "1h", "--reason", "bench"]);
        let command_ms = u64::try_from(ordered.elapsed().as_millis()).unwrap();
        let returned_at = now_ms();
        tokio::time::sleep(Duration::from_millis(BOUND_MS + WATCHED_MS)).await;
        until("every live run is held", async || live(home, number).iter().all(is_held)).await;
        let live_runs = live(home, number);
        let held = live_runs.iter().filter(|run| is_held(run)).count();
        let seen = home.platform().effects();
        let last = seen.iter().map(|call| u64::try_from(call.at_ms).unwrap()).max().unwrap_or_default();
        let resumed = Instant::now();
        home.heal(&["resume", "--all"]);
        until("every run has ended", async || live(home, number).is_empty()).await;
        let resumed = resumed.elapsed();
        let mut effects: BTreeMap<String, u32> = BTreeMap::new();
        for call in home.platform().effects() {
            *effects.entry(format!("{} {}", call.operation, call.target)).or_default() += 1;
        }
        let mut outcomes = BTreeMap::new();
        for run in of_round(home, number) {
            *outcomes.entry(run["outcome"].as_str().unwrap_or("live").to_owned()).or_default() += 1;
        }
        Self {
            number,
            runs,
            effects_before,
            in_flight,
            live: live_runs.len(),
            held,
            command_ms,
            last_effect_ms: last.saturating_sub(returned_at),
            effects_after: seen.len() - effects_before,
            resumed,
            outcomes,
            effects: effects.len(),
            repeated: effects.into_iter().filter(|(_, times)| *times != 1).map(|(name, _)| name).collect(),
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        let runs = usize::try_from(self.runs).unwrap();
        self.last_effect_ms < BOUND_MS
            && self.in_flight >= IN_FLIGHT
            && self.held > 0
            && self.held == self.live
            && self.outcomes == BTreeMap::from([("COMPLETED".to_owned(), runs)])
            && self.effects == runs * usize::try_from(EFFECTS).unwrap()
            && self.repeated.is_empty()
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            in_flight,
            effects_before,
            live,
            held,
            command_ms,
            last_effect_ms,
            effects_after,
            effects,
            repeated,
            ..
        } = self;
        write!(
            f,
            "round {}: halted with {in_flight} runs in flight, after {effects_before} effects; the command took {command_ms} ms; {effects_after} \
             effects since the order, the last one {last_effect_ms} ms after its return; {held} of {live} live runs held; after the resumption \
             all ended in {} s: {:?}, {effects} different effects, {} repeated",
            self.number + 1,
            self.resumed.as_secs(),
            self.outcomes,
            repeated.len(),
        )?;
        if self.is_good() {
            return Ok(());
        }
        write!(
            f,
            "\n  failed: expected {IN_FLIGHT} runs in flight, all live runs held, every effect once; repeated: {repeated:?}"
        )
    }
}

/// The runs of this round, as `heal runs list` has them.
fn of_round(home: &Home, number: u32) -> Vec<Value> {
    let listed = home.heal(&["runs", "list", "--json", "--limit", "100000"]);
    let runs = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let prefix = format!("inc-{number}-");
    runs.filter(|run| run["incident_id"].as_str().is_some_and(|id| id.starts_with(&prefix))).collect()
}

fn live(home: &Home, number: u32) -> Vec<Value> {
    of_round(home, number).into_iter().filter(|run| run["outcome"].is_null()).collect()
}

fn is_held(run: &Value) -> bool {
    run["held_by"].is_string()
}

fn now_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let started = Instant::now();
    while !holds().await {
        assert!(started.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(POLL).await;
    }
}
