//! How much memory a process of this action has over 10,000 calls, each over a real socket to a stand-in platform in a process of its own.
//!
//! `make bench` runs it. `CALLS=n` changes how many calls.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::wildcard_enum_match_arm)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::Wiring;
use heal_clients::config::Config;
use heal_reallocate_ticket::{NAME, ReallocateTicket};
use heal_runtime::attempt::{CommandOutcome, Ports, Worker};
use heal_runtime::port::{
    BudgetKey, ClaimKey, ClaimRequest, ClaimStore, Clock as _, CooldownKey, Finish, LeaseOwner, Message, Peeked,
    Places, Reservation, Result, Sender, SystemClock,
};
use heal_runtime::{ActionCommand, AttemptOutcome, AttemptResult, Context, Digest, RunId, Timestamp, Token};
use heal_sandbox::{Platform, PlatformConfig};
use serde_json::json;

/// Calls between two readings.
const STEP: usize = 1_000;
const CALLS: usize = 10_000;
/// The limit for the process at the end (an AWS Lambda function of the smallest size has 128 MiB).
const LIMIT_KIB: u64 = 40 * 1_024;

/// Admits every attempt: a store would be another process, whose memory does not count.
struct Absent;

#[async_trait]
impl ClaimStore for Absent {
    async fn last_touched(&self, keys: &[CooldownKey], _: &ClaimKey) -> Result<Vec<Option<Timestamp>>> {
        Ok(vec![None; keys.len()])
    }

    async fn peek(&self, cooldowns: &[CooldownKey], budgets: &[BudgetKey]) -> Result<Peeked> {
        Ok(Peeked { cooldowns: vec![None; cooldowns.len()], budgets: vec![Places::default(); budgets.len()] })
    }

    async fn reserve(&self, _: &ClaimRequest) -> Result<Reservation> {
        Ok(Reservation::Held { recovered: false, cooling: Vec::new(), budgets: Vec::new() })
    }

    async fn intend(&self, _: &ClaimKey, _: &LeaseOwner, _: Timestamp, _: &serde_json::Value) -> Result<Finish> {
        Ok(Finish::Stored)
    }

    async fn intent(&self, _: &ClaimKey) -> Result<Option<serde_json::Value>> {
        Ok(None)
    }

    async fn finish(
        &self,
        _: &ClaimKey,
        _: &LeaseOwner,
        _: Timestamp,
        _: &AttemptResult,
        _: &[CooldownKey],
    ) -> Result<Finish> {
        Ok(Finish::Stored)
    }

    async fn release(&self, _: &ClaimKey, _: &LeaseOwner) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Sender for Absent {
    async fn send(&self, _: Vec<Message>) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if std::env::args().any(|argument| argument == "platform") {
        runtime.block_on(platform());
    } else {
        runtime.block_on(measure());
    }
}

/// The platform's process: prints its addresses, and ends when its standard input closes.
async fn platform() {
    let platform = Platform::start(PlatformConfig::default()).unwrap();
    let env: BTreeMap<String, String> = platform.env().into_iter().collect();
    println!("{}", serde_json::to_string(&env).unwrap());
    std::io::stdout().flush().unwrap();
    tokio::task::spawn_blocking(|| std::io::stdin().lines().for_each(drop)).await.unwrap();
}

async fn measure() {
    let this = std::env::current_exe().unwrap();
    let mut other = Command::new(this).arg("platform").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(other.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut env: BTreeMap<String, String> = serde_json::from_str(&line).unwrap();
    env.insert("SPIFFE_IDENTITY_SOURCE".to_owned(), "none".to_owned());
    let config = Config::read(&env).unwrap();
    let wiring = Wiring::default();
    let tickets = Arc::new(heal_clients::tickets::Client::new(&config.tickets, &wiring).unwrap());
    let policy = Arc::new(heal_clients::policy::Client::new(&config.policy, &wiring).unwrap());
    let ports = Ports {
        claims: Arc::new(Absent),
        policy,
        halts: heal_rig::rig::no_halts(),
        sender: Arc::new(Absent),
        clock: Arc::new(SystemClock),
        guardrails: Arc::default(),
    };
    let worker = Worker::new(ReallocateTicket::new(tickets, Arc::new(SystemClock)), Arc::new(ports)).unwrap();

    #[expect(clippy::disallowed_methods, reason = "a measurement reads its settings")]
    let calls = std::env::var("CALLS").ok().and_then(|text| text.parse().ok()).unwrap_or(CALLS);
    println!("{NAME}: resident memory over {calls} attempts (ticket read, bundled policy, reallocation)");
    let profile = if cfg!(debug_assertions) { "debug" } else { "optimised" };
    println!("{:>8} {:>10}   {profile} build", "attempts", "KiB");
    for done in 0..=calls {
        if done % STEP == 0 {
            println!("{done:>8} {:>10}", resident_kib());
        }
        if done < calls {
            attempt(&worker, done).await;
        }
    }
    let end = resident_kib();
    drop(other.stdin.take());
    other.wait().unwrap();
    println!("limit: {LIMIT_KIB} KiB, {}", if end < LIMIT_KIB { "kept" } else { "EXCEEDED" });
    assert!(end < LIMIT_KIB);
}

async fn attempt(worker: &Worker, number: usize) {
    let parameters = json!({"ticket_id": "ticket-1", "reason": "timeout_recovery"});
    let now = SystemClock.now();
    let command = ActionCommand {
        // Not to measure a platform that remembers the answers of 10,000 keys: 50 keys do.
        run_id: RunId::new(format!("run-{}", number % 50)),
        step: "reallocate".to_owned(),
        item: None,
        attempt: 1,
        token: Token::new("token"),
        action: NAME.to_owned(),
        parameters_digest: Digest::of(parameters.to_string().as_bytes()),
        parameters: parameters.as_object().unwrap().clone(),
        issued_at: now,
        deadline: now.plus_ms(60_000),
        timeout_ms: None,
        incarnation: None,
        effect_key: None,
        shadow: false,
        context: Context { incident_id: "inc".into(), playbook: "p".into(), workflow_id: None, traceparent: None },
        commands_sent: 1,
        approved: None,
    };
    let body = serde_json::to_string(&command).unwrap();
    match worker.handle(&body, LeaseOwner(number.to_string())).await.unwrap() {
        // The policy denies most calls because of the ticket's last reallocation: a denied attempt counts too.
        CommandOutcome::Answered(result) => {
            assert!(
                matches!(
                    result.outcome,
                    AttemptOutcome::Succeeded | AttemptOutcome::NoOp { .. } | AttemptOutcome::Denied { .. }
                ),
                "{result:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

/// Resident set of this process in KiB, from the kernel.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a Linux kernel that tells of processes");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}
