//! The people: a script that answers what runs ask, and halts, holds and cancels now and then. All by `heal`, as people do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::home::Home;
use crate::random::Random;
use crate::signal::sent;

/// The parts of the seed.
const ANSWERS: u64 = 5;
const BRAKES: u64 = 6;
const ANSWER_EVERY: Duration = Duration::from_secs(5);
/// Questions that wait for a later look, and those of the answered ones that are rejected, in percent.
const LATER_PERCENT: u64 = 40;
const REJECTED_PERCENT: u64 = 15;
const ACTIONS: [&str; 5] =
    ["restart_pod", "reallocate_ticket", "restart_workflow", "pause_workflow", "trigger_replanning"];
const SERVICES: [&str; 3] = ["kubernetes", "orchestrator", "execution-ticket-service"];

/// Answers questions until `stops`. Once the load `has_ended`, it leaves none for later.
pub(crate) async fn answers(
    home: Arc<Home>,
    seed: u64,
    answered: Arc<AtomicU64>,
    has_ended: watch::Receiver<bool>,
    mut stops: watch::Receiver<bool>,
) {
    let mut random = Random::of(seed, ANSWERS);
    loop {
        tokio::select! {
            () = sent(&mut stops) => return,
            () = sleep(ANSWER_EVERY) => {}
        }
        // A listing can fail while the engine is killed. The next one has the same questions.
        for approval in home.lines(&["approvals", "list"]).await.unwrap_or_default() {
            if *stops.borrow() {
                return;
            }
            if random.percent(LATER_PERCENT) && !*has_ended.borrow() {
                continue;
            }
            let Some(run_id) = text(&approval, "run_id") else { continue };
            let args: &[&str] = if random.percent(REJECTED_PERCENT) {
                &["approvals", "reject", run_id, "--reason", "the soak rejects some"]
            } else {
                &["approvals", "approve", run_id]
            };
            // The run may have ended meanwhile, or may be answered at the next look.
            if home.heal(args).await.is_ok_and(|output| output.status.success()) {
                answered.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// Brakes now and then until `stops`; then lets everything go on.
pub(crate) async fn brakes(home: Arc<Home>, seed: u64, braked: Arc<AtomicU64>, mut stops: watch::Receiver<bool>) {
    let mut random = Random::of(seed, BRAKES);
    let mut brake = async || {
        loop {
            sleep(Duration::from_secs(20 + random.below(60))).await;
            let is_done = one(&home, &mut random).await;
            braked.fetch_add(u64::from(is_done), Ordering::Relaxed);
            sleep(Duration::from_secs(3 + random.below(12))).await;
            release(&home).await;
        }
    };
    tokio::select! {
        () = sent(&mut stops) => {}
        () = brake() => {}
    }
    release(&home).await;
}

/// Halts a part of the engine or all of it, or holds or cancels one run.
async fn one(home: &Home, random: &mut Random) -> bool {
    let is_done = async |args: &[&str]| home.heal(args).await.is_ok_and(|output| output.status.success());
    let halt = async |scope: &[&str]| {
        is_done(&[&["halt", "--for", "10m", "--reason", "the soak brakes"], scope].concat()).await
    };
    let live = async || -> Vec<Value> {
        let runs = home.lines(&["runs", "list", "--limit", "200"]).await.unwrap_or_default();
        runs.into_iter().filter(is_live).collect()
    };
    match random.below(6) {
        0 => halt(&["--all"]).await,
        1 => halt(&["--action", random.choose(&ACTIONS).copied().unwrap_or(ACTIONS[0])]).await,
        2 => halt(&["--service", random.choose(&SERVICES).copied().unwrap_or(SERVICES[0])]).await,
        3 => halt(&["--playbook", "ticket_timeout_recovery"]).await,
        kind => {
            let runs = live().await;
            let Some(run_id) = random.choose(&runs).and_then(|run| text(run, "run_id")) else { return false };
            match kind {
                4 => is_done(&["runs", "hold", run_id, "--reason", "the soak holds one"]).await,
                _ => is_done(&["runs", "cancel", run_id]).await,
            }
        }
    }
}

/// Ends every halt, and releases every run that the script holds.
pub(crate) async fn release(home: &Home) {
    if let Err(error) = home.heal(&["resume", "--all"]).await {
        println!("failed to resume: {error:#}");
    }
    for run in home.lines(&["runs", "list", "--limit", "1000"]).await.unwrap_or_default() {
        let by_person = text(&run, "held_by").is_some_and(|by| by.contains(':'));
        if let Some(run_id) = text(&run, "run_id").filter(|_| by_person && is_live(&run)) {
            let _ = home.heal(&["runs", "release", run_id, "--reason", "the soak goes on"]).await;
        }
    }
}

fn text<'v>(line: &'v Value, field: &str) -> Option<&'v str> {
    line.get(field)?.as_str()
}

fn is_live(run: &Value) -> bool {
    run.get("outcome").is_none_or(Value::is_null)
}
