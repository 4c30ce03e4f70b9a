//! How many writes a second a store acknowledges, each on the disk before it is answered.
//!
//! `cargo run --release -p embedded --example throughput [SECONDS] [CALLERS] [FOLDER] [WORKLOAD]`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::cast_precision_loss)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use heal_embedded::{Location, Store};
use heal_engine::Event;
use heal_runtime::port::{
    ClaimKey, ClaimRequest, ClaimStore, Clock as _, LeaseOwner, Message, NewRun, QueueName, Receiver, RunHead, RunLog,
    Sender, Subject, SystemClock,
};
use heal_runtime::{Commit, RunId, RunStatus};
use tokio::time::Instant;

/// What one caller does again and again.
#[derive(Debug, Clone, Copy)]
enum Workload {
    Send,
    SendReceiveAcknowledge,
    Run,
    Append,
    Create,
    Reserve,
}

/// Commits of a run in [`Workload::Run`]: about what one of four steps has.
const COMMITS: u64 = 10;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: u64| arguments.next().map_or(otherwise, |text| text.parse().expect("a number"));
    let (seconds, callers) = (number(3), number(256));
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let only = arguments.next();
    println!("file in {}, WAL, synchronous=FULL, {callers} callers, {seconds} s each", folder.display());
    for workload in [
        Workload::Send,
        Workload::SendReceiveAcknowledge,
        Workload::Run,
        Workload::Append,
        Workload::Create,
        Workload::Reserve,
    ] {
        if only.as_ref().is_some_and(|only| *only != format!("{workload:?}")) {
            continue;
        }
        let path = folder.join(format!("throughput-{}-{workload:?}.db", std::process::id()));
        measure(workload, &path, Duration::from_secs(seconds), callers).await;
        for suffix in ["", "-wal", "-shm"] {
            // Two of them are gone already where the store was closed.
            let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
        }
    }
}

async fn measure(workload: Workload, path: &std::path::Path, length: Duration, callers: u64) {
    let store = Store::open(Location::File(path.to_owned()), Arc::new(SystemClock)).unwrap();
    let (stop, writes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let (begun, written) = (Instant::now(), written_bytes());
    let running: Vec<_> = (0..callers)
        .map(|caller| {
            let (store, stop, writes) = (store.clone(), Arc::clone(&stop), Arc::clone(&writes));
            tokio::spawn(async move {
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    let done = perform(workload, &store, caller, round).await;
                    writes.fetch_add(done, Ordering::Relaxed);
                    round += 1;
                }
            })
        })
        .collect();
    // The second half against the first: a store that slows down as it grows would show it.
    tokio::time::sleep(length / 2).await;
    let (half, half_time) = (writes.load(Ordering::Relaxed), begun.elapsed());
    tokio::time::sleep(length.saturating_sub(half_time)).await;
    stop.store(true, Ordering::Relaxed);
    for task in running {
        task.await.unwrap();
    }
    let (all, time) = (writes.load(Ordering::Relaxed), begun.elapsed());
    let first = half as f64 / half_time.as_secs_f64();
    let second = (all - half) as f64 / time.saturating_sub(half_time).as_secs_f64();
    let rate = all as f64 / time.as_secs_f64();
    let bytes = written_bytes().saturating_sub(written) / all.max(1);
    let name = format!("{workload:?}");
    println!(
        "{name:<24} {rate:>8.0} writes/s   halves {first:>8.0} {second:>8.0}   {bytes:>6} bytes of disk a write   {all} writes"
    );
}

/// What this process has sent to the disk, where the system says so.
fn written_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}

/// One round of one caller; how many writes it was.
async fn perform(workload: Workload, store: &Store, caller: u64, round: u64) -> u64 {
    let run_id = format!("run-{caller}");
    match workload {
        Workload::Send => {
            store.send(vec![message(&QueueName::Results)]).await.unwrap();
            1
        }
        Workload::SendReceiveAcknowledge => {
            let queue = QueueName::Action(format!("action-{}", caller % 8));
            store.send(vec![message(&queue)]).await.unwrap();
            let deliveries = store.receive(&queue, 1, 60_000).await.unwrap();
            store.acknowledge(deliveries.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
            3
        }
        Workload::Run => {
            let run_id = format!("{:x}-{caller}", (caller * 7919 + round).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            store.create(&run(&run_id)).await.unwrap();
            for seq in 2..=COMMITS {
                let commit = commit(&run_id, seq);
                let status = if seq == COMMITS { RunStatus::Completed } else { RunStatus::Running };
                let key = format!("ticket:{run_id}");
                store.append(&commit, &RunHead { status, ..head(&commit) }, Some(&key)).await.unwrap();
            }
            COMMITS
        }
        Workload::Append if round == 0 => {
            store.create(&run(&run_id)).await.unwrap();
            1
        }
        Workload::Append => {
            let commit = commit(&run_id, round + 1);
            store.append(&commit, &head(&commit), None).await.unwrap();
            1
        }
        Workload::Create => {
            store
                .create(&run(&format!("{:x}-{caller}", (caller * 7919 + round).wrapping_mul(0x9e37_79b9_7f4a_7c15))))
                .await
                .unwrap();
            1
        }
        Workload::Reserve => {
            let key = ClaimKey { action: "restart_pod".to_owned(), attempt: format!("{run_id}/step/{round}") };
            let now = SystemClock.now();
            let lease_until = now.plus_ms(60_000);
            let request = ClaimRequest::new(key, LeaseOwner("worker".to_owned()), now, lease_until);
            store.reserve(&request).await.unwrap();
            1
        }
    }
}

fn message(queue: &QueueName) -> Message {
    let body =
        r#"{"kind":"result","run_id":"run-4f1c","step":"reallocate","attempt":1,"result":{"ending":"succeeded"}}"#;
    Message { queue: queue.clone(), body: body.to_owned(), delay_ms: 0, traceparent: None }
}

fn commit(run_id: &str, first_seq: u64) -> Commit {
    let events = vec![Event::IncidentJoined { incident_id: format!("INC-{first_seq}") }];
    let cause_id = format!("message-{first_seq}");
    Commit { run_id: RunId::new(run_id), first_seq, cause_id, at: SystemClock.now(), events, chain: None }
}

fn head(commit: &Commit) -> RunHead {
    RunHead {
        run_id: commit.run_id.clone(),
        incident_id: "INC-1".to_owned(),
        playbook: Some("ticket_timeout_recovery".to_owned()),
        status: RunStatus::Running,
        outcome: None,
        started_at: commit.at,
        updated_at: commit.at,
        wake_at: Some(commit.at.plus_ms(120_000)),
        last_seq: commit.last_seq(),
        reason: None,
        subject: Subject::default(),
        open_follow_ups: 0,
        held_by: None,
    }
}

fn run(run_id: &str) -> NewRun {
    let commit = commit(run_id, 1);
    let head = head(&commit);
    let dedupe_until = commit.at.plus_ms(86_400_000);
    NewRun {
        commit,
        head,
        dedupe_key: format!("input:{run_id}"),
        dedupe_until,
        concurrency_key: Some(format!("ticket:{run_id}")),
        repeat: None,
        room: None,
    }
}
