use heal_embedded::{Collected, Store, limit};
use heal_runtime::port::{
    BudgetKey, BudgetRequest, BudgetUse, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, CooldownRequest, Created,
    LeaseOwner, NewRun, Repeat, Reservation, RunLog, RunReader,
};
use heal_runtime::{RunId, RunStatus, Timestamp};

use crate::common::{T0, commit, head, new_run, open};

const DAY_MS: u64 = 86_400_000;

async fn end(store: &Store, run_id: &str, at: Timestamp) {
    let mut end = commit(run_id, 2, "end");
    end.at = at;
    store.append(&end, &head(&end, RunStatus::Completed), None).await.unwrap();
}

fn budget() -> BudgetKey {
    BudgetKey { name: "reallocations".to_owned(), key: "tickets".to_owned() }
}

fn claim(attempt: &str, now: Timestamp) -> ClaimRequest {
    let key = CooldownKey { action: "reallocate_ticket".to_owned(), target: "T-1".to_owned() };
    let claim = ClaimKey { action: "reallocate_ticket".to_owned(), attempt: attempt.to_owned() };
    let budget = BudgetRequest { target: key.clone(), key: budget(), max: 2, window_ms: 300_000 };
    ClaimRequest {
        cooldowns: vec![CooldownRequest { key, cooldown_ms: 300_000 }],
        budgets: vec![budget],
        ..ClaimRequest::new(claim, LeaseOwner("a".to_owned()), now, now.plus_ms(30_000))
    }
}

/// A run that is counted for `target`.
fn counted(run_id: &str, target: &str, escalates: bool) -> NewRun {
    let repeat = Repeat { key: target.to_owned(), max: 2, window_ms: DAY_MS, escalates, acknowledged: None };
    NewRun { repeat: Some(repeat), ..new_run(run_id) }
}

#[tokio::test]
async fn what_is_in_use_stays() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("heal.db")).unwrap();
    store.create(&counted("live", "worker-1", false)).await.unwrap();
    store.create(&new_run("ended")).await.unwrap();
    end(&store, "ended", T0).await;
    store.reserve(&claim("ended/step/1", T0)).await.unwrap();
    let now = T0.plus_ms(DAY_MS - 1);
    assert_eq!(store.collect_garbage(now, DAY_MS).await.unwrap(), Collected::default());
    assert!(store.head(&RunId::new("ended")).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_over_goes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("heal.db")).unwrap();
    store.create(&counted("live", "worker-1", false)).await.unwrap();
    store.create(&counted("ended", "worker-2", true)).await.unwrap();
    end(&store, "ended", T0).await;
    store.reserve(&claim("ended/step/1", T0)).await.unwrap();
    let now = T0.plus_ms(DAY_MS + limit::KEEP_CLAIMS_MS);
    let collected = store.collect_garbage(now, DAY_MS).await.unwrap();
    assert_eq!(collected, Collected { inputs: 2, claims: 1, cooldowns: 1, budgets: 1, counts: 1, runs: 1 });
    assert_eq!(store.load(&RunId::new("ended"), 0).await.unwrap(), vec![]);
    // An escalation waits for a person.
    let next = store.create(&counted("next", "worker-2", false)).await.unwrap();
    assert_eq!(next, Created::Escalated { run_id: RunId::new("ended") });
    // A live run stays, however old it is.
    assert_eq!(store.load(&RunId::new("live"), 0).await.unwrap().len(), 1);
    let target = CooldownKey { action: "reallocate_ticket".to_owned(), target: "T-1".to_owned() };
    let free = BudgetUse { target, key: budget(), used: 0, full_until: None };
    let again = store.reserve(&claim("ended/step/1", now)).await.unwrap();
    assert_eq!(again, Reservation::Held { recovered: false, cooling: vec![], budgets: vec![free] });
    assert_eq!(store.collect_garbage(now, DAY_MS).await.unwrap(), Collected::default());
}

#[tokio::test]
async fn more_than_one_batch_goes() {
    let store =
        Store::open(heal_embedded::Location::Memory, std::sync::Arc::new(heal_runtime::port::SystemClock)).unwrap();
    let count = usize::try_from(limit::GARBAGE_ROWS).unwrap() + 7;
    for index in 0..count {
        let run = NewRun { dedupe_until: T0, ..new_run(&format!("run-{index}")) };
        assert_eq!(store.create(&run).await.unwrap(), Created::Created);
    }
    for index in 0..count {
        end(&store, &format!("run-{index}"), T0).await;
    }
    let collected = store.collect_garbage(T0.plus_ms(1), 0).await.unwrap();
    assert_eq!((collected.inputs, collected.runs), (count, count));
}

#[tokio::test]
async fn a_table_is_read_in_parts_and_what_is_in_use_stays_in_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    let rows = 2 * limit::GARBAGE_EXAMINED + 7;
    let fill = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?1)
        INSERT INTO dedupe (key, run_id, until) SELECT 'key-' || n, 'run', CASE WHEN n % 3 = 0 THEN ?2 + 1 ELSE ?2 END FROM number";
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute(fill, rusqlite::params![rows, T0.0.cast_signed()]).unwrap();
    let collected = store.collect_garbage(T0, DAY_MS).await.unwrap();
    let left: u32 = connection.query_row("SELECT count(*) FROM dedupe", [], |row| row.get(0)).unwrap();
    assert_eq!((collected.inputs, left), ((rows - rows / 3) as usize, rows / 3));
}
