//! A state file of an earlier build: this build opens it and continues its live runs to their end. `golden/make.sh` made the file.
//!
//! `state-vN.db` has version N of the tables; version 3 is version 2 after its migration. A change of the tables or of a stored JSON text
//! adds a file, and keeps the older ones.
//! `HEAL_GOLDEN=add` writes the reports anew; the state file is never changed. Read the difference before you commit it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "golden/actions.rs"]
mod actions;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use actions::Ledger;
use heal_embedded::{Location, Store};
use heal_engine::playbook::Playbook;
use heal_engine::{Event, Plan, format, report};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::host::Host;
use heal_runtime::library::Library;
use heal_runtime::message::Inbound;
use heal_runtime::port::{
    BreakerStore as _, CheckStore, Clock, Message, QueueName, Receiver as _, RunFilter, RunHead, RunReader, Sender,
    Subject,
};
use heal_runtime::{ActionCommand, AttemptResult, RunStatus, Timestamp};
use heal_testkit::memory::ManualClock;
use rusqlite::Connection;
use serde_json::{Value, json};

/// Rounds of one minute each within which every run ends: the longest wait in the playbooks is one hour.
const ROUNDS: u64 = 200;
/// A field of the event `incident_rejected` that was null in every log of release 0.1; this build ignores it.
const NO_LONGER_WRITTEN: &str = r#""playbook":null,"#;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test, not configuration")]
fn is_adding() -> bool {
    std::env::var("HEAL_GOLDEN").is_ok_and(|value| value == "add")
}

/// The first column of every row of `sql`.
fn column(connection: &Connection, sql: &str) -> Vec<String> {
    let mut select = connection.prepare(sql).unwrap();
    select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

async fn heads(store: &Store) -> Vec<RunHead> {
    let mut runs = store.list(&RunFilter::default(), 1_000, None).await.unwrap().runs;
    runs.sort_by(|a, b| a.incident_id.cmp(&b.incident_id));
    runs
}

/// The run's report without the run's id: a run that starts here has another id in each build.
async fn reported(store: &Store, head: &RunHead) -> Value {
    let log = RunReader::load(store, &head.run_id, 0).await.unwrap();
    let plan = match log[0].events.first() {
        Some(Event::RunStarted(started)) => {
            let text = store.plan(&started.plan_digest).await.unwrap().unwrap();
            Some(Plan::parse(&started.plan_digest, &text).unwrap())
        }
        _ => None,
    };
    let mut report = json!(report::report(plan.as_ref(), &head.run_id, &log).unwrap());
    report.as_object_mut().unwrap().remove("run_id");
    report
}

#[tokio::test(start_paused = true)]
async fn a_state_file_of_an_earlier_build_is_finished_with_each_effect_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    std::fs::copy(golden("state-v2.db"), &path).unwrap();
    let file = Connection::open(&path).unwrap();
    let now = file.query_row("SELECT max(updated_at) FROM run", [], |row| row.get::<_, i64>(0)).unwrap();
    let finished_before: BTreeSet<String> =
        column(&file, "SELECT attempt FROM claim WHERE result IS NOT NULL").into_iter().collect();
    drop(file);

    let clock = Arc::new(ManualClock::new(Timestamp(u64::try_from(now).unwrap() + 1_000)));
    let store = Store::open(Location::File(path), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
    let recovered = store.recover().await.unwrap();
    assert!(recovered.claims >= 2 && recovered.messages >= 2, "{recovered:?}");
    assert!(store.read("orchestrator").await.unwrap().is_some(), "the circuit breaker is open");
    assert!(CheckStore::load(&store, "ticket_service_health").await.unwrap().is_some());
    assert_eq!(store.dead_letters(10).await.unwrap().len(), 1);
    let statuses: BTreeSet<&str> = heads(&store).await.iter().map(|head| head.status.as_str()).collect();
    assert_eq!(statuses, BTreeSet::from(["AWAITING_APPROVAL", "CANCELLED", "COMPLETED", "FAILED", "RUNNING"]));

    let ledger = Arc::new(Ledger::default());
    finish(&store, &clock, &ledger).await;

    let performed = ledger.performed();
    let distinct: BTreeSet<String> = performed.iter().cloned().collect();
    assert_eq!(distinct.len(), performed.len(), "performed twice: {performed:?}");
    let again: Vec<&String> = distinct.intersection(&finished_before).collect();
    assert!(again.is_empty(), "performed although the file has their results: {again:?}");
    let mut reports = Vec::new();
    for head in heads(&store).await {
        assert!(head.status.is_terminal(), "{head:?}");
        reports.push(reported(&store, &head).await);
    }
    let expected = golden("state-v2.reports.json");
    let text = format!("{}\n", serde_json::to_string_pretty(&reports).unwrap());
    if is_adding() {
        std::fs::write(&expected, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&expected).unwrap());
}

/// Processes messages until every run has ended, and approves each run that waits for an approval.
async fn finish(store: &Store, clock: &Arc<ManualClock>, ledger: &Arc<Ledger>) {
    let shared = Arc::new(store.clone());
    let ports = dispatcher::Ports {
        runs: shared.clone(),
        sender: shared.clone(),
        clock: clock.clone(),
        entropy: Arc::new(actions::Counter::default()),
        guardrails: Arc::default(),
    };
    let playbooks = std::fs::read_to_string(golden("made-with/playbooks.json")).unwrap();
    let library = Arc::new(Library::from_json(&playbooks).unwrap());
    let workers = actions::workers(store, clock, ledger);
    let host = Host::new(Dispatcher::new(ports, library), workers, shared.clone(), shared);
    let actions = actions::NAMES.map(|name| QueueName::Action(name.to_owned()));
    let queues = [vec![QueueName::Incidents, QueueName::Results], actions.to_vec()].concat();
    for _ in 0..ROUNDS {
        loop {
            let mut handled = 0;
            for queue in &queues {
                handled += host.once(queue, 1).await.unwrap();
            }
            if handled == 0 {
                break;
            }
        }
        let live: Vec<RunHead> = heads(store).await.into_iter().filter(|head| !head.status.is_terminal()).collect();
        if live.is_empty() {
            return;
        }
        for head in live.into_iter().filter(|head| head.status == RunStatus::AwaitingApproval) {
            let body = Inbound::Approve { run_id: head.run_id, by: "a person".to_owned() }.to_body();
            let message = Message { queue: QueueName::Results, body, delay_ms: 0, traceparent: None };
            store.send(vec![message]).await.unwrap();
        }
        clock.advance_ms(60_000);
        host.dispatcher().sweep(store, 200).await.unwrap();
    }
    panic!("runs are left after {ROUNDS} rounds: {:?}", heads(store).await);
}

/// The file has no severities, so the copy gets some.
#[tokio::test]
async fn what_the_runs_of_an_earlier_build_are_about_is_read_from_their_logs() {
    let folder = tempfile::tempdir().unwrap();
    let path = copy(&golden("state-v2.db"), folder.path());
    let severe = "UPDATE event_commit SET events = replace(events, '\"variables\":{', '\"variables\":{\"severity\":\"high\",\"escalation_required\":true,')
        WHERE first_seq = 1 AND run_no % 2 = 0";
    assert!(Connection::open(&path).unwrap().execute(severe, []).unwrap() > 5);
    let store = Store::open(Location::File(path), Arc::new(ManualClock::default())).unwrap();
    let mut waiting = Vec::new();
    let (mut tickets, mut severe) = (0, 0);
    for head in heads(&store).await {
        let log = RunReader::load(&store, &head.run_id, 0).await.unwrap();
        let expected = match log[0].events.first() {
            Some(Event::RunStarted(started)) => Subject::from_variables(&started.variables),
            _ => Subject::default(),
        };
        assert_eq!(head.subject, expected, "{head:?}");
        tickets += usize::from(head.subject.ticket_id.is_some());
        severe += usize::from(head.subject.severity.is_some());
        if head.needs_attention() {
            waiting.push(head);
        }
    }
    assert!(tickets > 2 && severe > 5, "{tickets} tickets, {severe} severities");
    let filter = RunFilter { needs_attention: true, ..RunFilter::default() };
    waiting.sort_by_key(|head| std::cmp::Reverse(filter.position(head)));
    assert!(waiting.len() > 4, "{waiting:?}");
    assert_eq!(store.list(&filter, 1_000, None).await.unwrap().runs, waiting);
}

/// A change of the tables needs a new version, a migration, and a golden file of that version.
#[test]
fn the_tables_are_those_of_the_golden_file_of_this_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    drop(Store::open(Location::File(path.clone()), Arc::new(ManualClock::default())).unwrap());
    let kept = golden(&format!("state-v{}.db", Store::version()));
    if is_adding() && !kept.exists() {
        let earlier = copy(&golden(&format!("state-v{}.db", Store::version() - 1)), folder.path());
        drop(Store::open(Location::File(earlier.clone()), Arc::new(ManualClock::default())).unwrap());
        std::fs::copy(earlier, &kept).unwrap();
    }
    assert!(kept.exists(), "there is no golden file {}", kept.display());
    let schema = |path: &Path| {
        column(&Connection::open(path).unwrap(), "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name")
    };
    assert_eq!(schema(&path), schema(&copy(&kept, folder.path())));
}

/// Each stored text stays the same when this build reads and writes it, but for [`NO_LONGER_WRITTEN`]. Another change of form needs a
/// new golden file.
#[test]
fn stored_texts_are_written_as_the_golden_file_has_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = Connection::open(copy(&golden("state-v2.db"), folder.path())).unwrap();
    rewritten::<Vec<Event>>(&file, "SELECT events FROM event_commit");
    rewritten::<Playbook>(&file, "SELECT body FROM plan");
    rewritten::<AttemptResult>(&file, "SELECT result FROM claim WHERE result IS NOT NULL");
    rewritten::<ActionCommand>(&file, "SELECT body FROM message WHERE queue LIKE 'action-%'");
    let results = column(&file, "SELECT body FROM message WHERE queue = 'results'");
    assert!(!results.is_empty());
    for text in results {
        assert_eq!(Inbound::parse(&text).unwrap().to_body(), text);
    }
    for text in column(&file, "SELECT body FROM check_state") {
        assert_eq!(heal_engine::check::State::parse(&text).unwrap().to_json(), text);
    }
}

fn rewritten<T: format::Format>(file: &Connection, sql: &str) {
    let texts = column(file, sql);
    assert!(!texts.is_empty(), "the golden file has none: {sql}");
    for text in texts {
        assert_eq!(format::encode(&format::decode::<T>(&text).unwrap()), text.replace(NO_LONGER_WRITTEN, ""));
    }
}

/// SQLite writes files beside a database in WAL mode: a test opens a copy, never the golden file.
fn copy(file: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join("golden.db");
    std::fs::copy(file, &copy).unwrap();
    copy
}
