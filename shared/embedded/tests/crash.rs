//! A process that is killed while it writes: what it had acknowledged is there afterwards, whole and in order.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{T0, commit, head, new_run, open};
use heal_embedded::Store;
use heal_runtime::port::{
    Appended, ClaimKey, ClaimRequest, ClaimStore, Created, Finish, LeaseOwner, Message, QueueName, Receiver,
    Reservation, RunLog, RunReader, Sender,
};
use heal_runtime::{AttemptResult, Map, RunId, RunStatus};
use heal_testkit::contract::agreement::{Dice, seed};
use rusqlite::Connection;

mod common;

/// Tells the test binary that it is the process to be killed, and which file it writes.
const DATABASE: &str = "CRASH_TEST_DATABASE";
/// Names this life of the writer, so that its runs are new ones.
const LIFE: &str = "CRASH_TEST_LIFE";
/// How often the writer is killed.
const LIVES: u64 = 20;
/// Tasks that write at the same time.
const TASKS: usize = 16;
/// Commits of one run.
const COMMITS: u64 = 6;

/// What the writer said was done.
#[derive(Debug, Default)]
struct Acknowledged {
    /// The last sequence number of each run.
    runs: BTreeMap<String, u64>,
    sent: BTreeSet<String>,
    /// Whose removal was asked for: it may have happened, whether or not the writer lived to hear of it.
    removing: BTreeSet<String>,
    removed: BTreeSet<String>,
    finished: BTreeSet<String>,
}

impl Acknowledged {
    fn note(&mut self, line: &str) {
        let Some((what, rest)) = line.split_once(' ') else { return };
        match what {
            "run" => {
                let (run_id, seq) = rest.split_once(' ').unwrap();
                self.runs.insert(run_id.to_owned(), seq.parse().unwrap());
            }
            "sent" => drop(self.sent.insert(rest.to_owned())),
            "removing" => drop(self.removing.insert(rest.to_owned())),
            "removed" => drop(self.removed.insert(rest.to_owned())),
            "finished" => drop(self.finished.insert(rest.to_owned())),
            // What the test harness prints.
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_writer_has_lost_nothing_that_it_acknowledged() {
    let seed = seed();
    let mut dice = Dice::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let mut acknowledged = Acknowledged::default();
    for life in 0..LIVES {
        let lines = 1 + dice.roll(600);
        live_and_die(&path, life, lines, &mut acknowledged);
        let store = open(&path).unwrap();
        check(&store, &path, &acknowledged, &format!("TEST_SEED={seed}, life {life}, killed after {lines} lines"))
            .await;
    }
    assert!(acknowledged.runs.len() > 20 && !acknowledged.finished.is_empty(), "the writers wrote: {acknowledged:?}");
}

/// Starts a writer and kills it after it has said `lines` lines; it goes on writing until the signal has come.
fn live_and_die(path: &Path, life: u64, lines: u64, acknowledged: &mut Acknowledged) {
    let mut writer = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_writer", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DATABASE, path)
        .env(LIFE, life.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(writer.stdout.take().unwrap()).lines();
    let mut heard = 0;
    // Everything until the end: the last line may be cut off in its middle, and then says nothing.
    while let Some(Ok(line)) = said.next() {
        acknowledged.note(&line);
        heard += 1;
        if heard == lines {
            writer.kill().unwrap();
        }
    }
    writer.wait().unwrap();
    assert!(heard >= lines, "the writer ended by itself after {heard} lines");
}

async fn check(store: &Store, path: &Path, acknowledged: &Acknowledged, place: &str) {
    for (run_id, seq) in &acknowledged.runs {
        let log = store.load(&RunId::new(run_id), 0).await.unwrap_or_else(|error| panic!("{place}: {error}"));
        let seqs: Vec<u64> = log.iter().map(|commit| commit.first_seq).collect();
        assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>(), "{place}: {run_id} has no gap");
        assert!(seqs.len() as u64 >= *seq, "{place}: {run_id} has {seqs:?}, acknowledged was {seq}");
        let head = store.head(&RunId::new(run_id)).await.unwrap().unwrap();
        assert_eq!(head.last_seq, seqs.len() as u64, "{place}: the head of {run_id} is that of its last commit");
    }
    for attempt in &acknowledged.finished {
        let answer = store.reserve(&claim(attempt, "somebody else")).await.unwrap();
        assert_eq!(answer, Reservation::Finished(Box::new(result(attempt))), "{place}: {attempt}");
    }
    let connection = Connection::open(path).unwrap();
    let there = bodies(&connection);
    let lost: Vec<_> =
        acknowledged.sent.difference(&acknowledged.removing).filter(|body| !there.contains(*body)).collect();
    assert!(lost.is_empty(), "{place}: sent and lost: {lost:?}");
    let back: Vec<_> = acknowledged.removed.intersection(&there).collect();
    assert!(back.is_empty(), "{place}: removed and back again: {back:?}");
    let integrity: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok", "{place}");
}

fn bodies(connection: &Connection) -> BTreeSet<String> {
    let mut select = connection.prepare("SELECT body FROM message").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

fn result(attempt: &str) -> AttemptResult {
    AttemptResult::no_op(attempt, Map::new())
}

fn claim(attempt: &str, holder: &str) -> ClaimRequest {
    let key = ClaimKey { action: "restart_pod".to_owned(), attempt: attempt.to_owned() };
    ClaimRequest::new(key, LeaseOwner(holder.to_owned()), T0, T0.plus_ms(1))
}

/// Writes for ever, and says what was acknowledged. Not a test of its own: run without its variables, it does nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that the crash test kills"]
async fn the_writer() {
    #[expect(clippy::disallowed_methods, reason = "the test passes its settings to this process")]
    let (Ok(path), Ok(life)) = (std::env::var(DATABASE), std::env::var(LIFE)) else { return };
    let store = open(&PathBuf::from(path)).unwrap();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (store, name) = (store.clone(), format!("{life}-{task}"));
            tokio::spawn(async move {
                for round in 0_u64.. {
                    write(&store, &format!("run-{name}-{round}")).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// One line, out of the process before anything else happens.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

async fn write(store: &Store, name: &str) {
    let queue = QueueName::Action(name.to_owned());
    assert_eq!(store.create(&new_run(name)).await.unwrap(), Created::Created);
    say(&format!("run {name} 1"));
    for seq in 2..=COMMITS {
        let next = commit(name, seq, &"some text ".repeat(20));
        let status = if seq == COMMITS { RunStatus::Completed } else { RunStatus::Running };
        assert_eq!(store.append(&next, &head(&next, status), None).await.unwrap(), Appended::Appended);
        say(&format!("run {name} {seq}"));
        let message = Message { queue: queue.clone(), body: format!("{name}/{seq}"), delay_ms: 0, traceparent: None };
        store.send(vec![message]).await.unwrap();
        say(&format!("sent {name}/{seq}"));
    }
    for delivery in store.receive(&queue, 2, 60_000).await.unwrap() {
        say(&format!("removing {}", delivery.body));
        store.acknowledge(vec![delivery.receipt]).await.unwrap();
        say(&format!("removed {}", delivery.body));
    }
    let request = claim(name, "the writer");
    store.reserve(&request).await.unwrap();
    let finish = store.finish(&request.key, &request.holder, T0, &result(name), &[]).await.unwrap();
    assert_eq!(finish, Finish::Stored);
    say(&format!("finished {name}"));
}
