//! The trouble: services and an AWS that fail, and a process of the engine that is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heal_sandbox::opa::{Decision, Violation};
use heal_sandbox::{Fault, FaultKind, Platform, Service};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::home::{self, Front, Home, Trouble};
use crate::random::Random;
use crate::signal::sent;

/// The parts of the seed.
const FAULTS: u64 = 3;
const KILLS: u64 = 4;
const AWS: u64 = 8;

/// Fails one service after another until `stops`; then none.
pub(crate) async fn faults(platform: Arc<Platform>, seed: u64, faults: Arc<AtomicU64>, stops: watch::Receiver<bool>) {
    let random = Random::of(seed, FAULTS);
    by_turns(random, &faults, stops, |random| set(&platform, random), || clear(&platform)).await;
}

/// Has AWS fail in one way after another until `stops`; then not at all.
pub(crate) async fn aws(front: Arc<Front>, seed: u64, troubles: Arc<AtomicU64>, stops: watch::Receiver<bool>) {
    let random = Random::of(seed, AWS);
    by_turns(random, &troubles, stops, |random| front.set(of_aws(random)), || front.set(Trouble::None)).await;
}

/// Sets something else again and again, with a pause after each, until `stops`.
async fn by_turns(
    mut random: Random,
    count: &AtomicU64,
    mut stops: watch::Receiver<bool>,
    set: impl Fn(&mut Random),
    clear: impl Fn(),
) {
    let mut change = async || {
        loop {
            sleep(seconds(&mut random, 2, 12)).await;
            set(&mut random);
            count.fetch_add(1, Ordering::Relaxed);
            sleep(seconds(&mut random, 2, 15)).await;
            clear();
        }
    };
    tokio::select! {
        () = sent(&mut stops) => {}
        () = change() => {}
    }
    clear();
}

/// Kills after random lives until `stops`. Most lives are short; one that is not shows whether memory grows.
pub(crate) async fn kills(
    home: Arc<Home>,
    seed: u64,
    kills: Arc<AtomicU64>,
    mut stops: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut random = Random::of(seed, KILLS);
    loop {
        let life = seconds(&mut random, 3, 40);
        tokio::select! {
            () = sent(&mut stops) => return Ok(()),
            () = sleep(life) => {}
        }
        let is_killed = home.kill(&mut random).await?;
        kills.fetch_add(u64::from(is_killed), Ordering::Relaxed);
    }
}

fn seconds(random: &mut Random, from: u64, to: u64) -> Duration {
    Duration::from_millis(from * 1_000 + random.below((to - from) * 1_000))
}

fn clear(platform: &Platform) {
    platform.clear_faults();
    // Without a new policy there is nothing to compile that could fail.
    let _ = platform.set_policy(Decision::Rules, None);
}

fn set(platform: &Platform, random: &mut Random) {
    if random.percent(6) {
        let violation = Violation {
            policy: "playbook_validation".to_owned(),
            rule: "soak".to_owned(),
            msg: "the soak denies for a while".to_owned(),
            severity: "high".to_owned(),
        };
        let _ = platform.set_policy(Decision::Deny { violations: vec![violation] }, None);
        return;
    }
    let service = random.choose(&Service::ALL).copied().unwrap_or(Service::Tickets);
    let fault = Fault::new(service, kind(service, random));
    // A fault of some calls is over when they have come; one without a number lasts until it is cleared.
    let fault = if random.percent(70) { fault.times(1 + random.below(20)) } else { fault };
    if let Err(error) = platform.set_fault(fault) {
        println!("a fault was refused: {error}");
    }
}

fn kind(service: Service, random: &mut Random) -> FaultKind {
    let is_grpc = service == Service::Orchestrator;
    let code = |code: &str| (code.to_owned(), String::new());
    match random.below(11) {
        0 => FaultKind::Refuse,
        1 => FaultKind::Hang,
        2 | 3 => FaultKind::Status { code: 429, retry_after_seconds: Some(1) },
        4 => FaultKind::Status { code: 503, retry_after_seconds: None },
        5 => FaultKind::Status { code: 500, retry_after_seconds: None },
        6 | 7 if is_grpc => {
            let (code, message) = code("UNAVAILABLE");
            FaultKind::AbortAfterEffect { code, message }
        }
        6 => FaultKind::StatusAfterEffect { code: 500 },
        7 | 8 => FaultKind::DropAnswer,
        9 if is_grpc => {
            let (code, message) = code("RESOURCE_EXHAUSTED");
            FaultKind::GrpcStatus { code, message }
        }
        _ => FaultKind::Slow { by_ms: 100 + random.below(2_000) },
    }
}

fn of_aws(random: &mut Random) -> Trouble {
    let percent = 20 + random.below(81);
    match random.below(6) {
        0 | 1 => Trouble::Throttle { service: home::Service::DynamoDb, percent },
        2 => Trouble::Throttle { service: home::Service::Sqs, percent },
        3 => Trouble::Fail { percent },
        // Never all: an engine whose every answer is lost goes round in circles.
        4 => Trouble::LoseAnswer { percent: percent / 2 },
        _ => Trouble::Slow { by_ms: 50 + random.below(1_500) },
    }
}
