use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};

use heal_runtime::port::BackendError;
use rusqlite::Connection;

use super::Waits;
use crate::error::JobError;
use crate::limit;
use crate::pool::Pool;
use crate::queue::InHand;

fn pool() -> Pool {
    pool_beside(InHand::default())
}

fn pool_beside(in_hand: InHand) -> Pool {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE item (name TEXT PRIMARY KEY) STRICT").unwrap();
    Pool::writer(connection, in_hand).unwrap()
}

fn insert(name: &'static str) -> impl FnMut(&Connection) -> Result<(), JobError> {
    move |connection| Ok(connection.execute("INSERT INTO item VALUES (?1)", [name]).map(|_| ())?)
}

async fn names(pool: &Pool) -> Vec<String> {
    let select = |connection: &Connection| {
        let mut statement = connection.prepare("SELECT name FROM item ORDER BY name")?;
        let names = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
        Ok(names)
    };
    pool.call("test.names", select).await.unwrap()
}

/// Holds the writer thread from now on, so that what is called meanwhile becomes one group. The sender gives the word to go on.
async fn hold(pool: &Arc<Pool>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
    let (go_on, wait) = mpsc::channel();
    let (started, is_held) = tokio::sync::oneshot::channel();
    let (pool, mut started) = (Arc::clone(pool), Some(started));
    let held = tokio::spawn(async move {
        let block = move |_: &Connection| {
            if let Some(started) = started.take() {
                started.send(()).unwrap();
            }
            wait.recv().unwrap();
            Ok(())
        };
        pool.call("test.hold", block).await.unwrap();
    });
    is_held.await.unwrap();
    (go_on, held)
}

#[test]
fn a_few_wait_for_nobody_and_of_a_crowd_most_are_waited_for() {
    let mut waits = Waits::default();
    assert_eq!([0, 1, limit::CROWD - 1].map(|in_hand| waits.next(in_hand)), [None; 3]);
    assert_eq!([limit::CROWD, 64].map(|in_hand| waits.next(in_hand)), [Some(18), Some(48)]);
}

#[test]
fn after_a_wait_in_vain_the_next_groups_wait_for_nobody() {
    let mut waits = Waits::default();
    waits.ended(48, 12);
    assert_eq!(waits.next(64), Some(48), "a quarter came");
    waits.ended(48, 11);
    assert!((0..limit::GROUPS_WITHOUT_WAIT).all(|_| waits.next(64).is_none()));
    assert_eq!((waits.next(64), waits.next(0)), (Some(48), None));
}

#[tokio::test]
async fn a_write_in_a_crowd_waits_for_others_as_long_as_the_limit_says() {
    let pool = pool_beside(InHand::of(limit::CROWD));
    let before = tokio::time::Instant::now();
    pool.call("test.a", insert("a")).await.unwrap();
    assert!(before.elapsed() >= limit::GROUP_WAIT);
}

#[tokio::test]
async fn a_failing_job_costs_its_neighbours_nothing() {
    let pool = Arc::new(pool());
    let (go_on, held) = hold(&pool).await;
    let release = async { go_on.send(()).unwrap() };
    let bad = |connection: &Connection| {
        connection.execute("INSERT INTO item VALUES ('half')", [])?;
        Ok(connection.execute("INSERT INTO nowhere VALUES (1)", []).map(|_| ())?)
    };
    let corrupt = |_: &Connection| Err::<(), _>(JobError::corrupt("row 7", "not JSON"));
    let (before, failed, unreadable, after, ()) = tokio::join!(
        pool.call("test.before", insert("before")),
        pool.call("test.bad", bad),
        pool.call("test.corrupt", corrupt),
        pool.call("test.after", insert("after")),
        release,
    );
    held.await.unwrap();
    before.unwrap();
    after.unwrap();
    let failed = failed.unwrap_err();
    assert!(matches!(failed, BackendError::Unavailable { operation: "test.bad", .. }), "{failed:?}");
    assert_eq!(unreadable.unwrap_err().to_string(), "test.corrupt: stored data is not readable: row 7: not JSON");
    assert_eq!(names(&pool).await, ["after", "before"]);
}

#[tokio::test]
async fn waiting_jobs_are_one_transaction() {
    let pool = Arc::new(pool());
    let (go_on, held) = hold(&pool).await;
    let transactions = Arc::new(AtomicI64::new(0));
    // A temporary trigger could not count transactions; whether a neighbour's row is already there but not committed can.
    let seen = Arc::clone(&transactions);
    let look = move |connection: &Connection| {
        let open = !connection.is_autocommit();
        let rows: i64 = connection.query_row("SELECT count(*) FROM item", [], |row| row.get(0))?;
        seen.store(rows + i64::from(open) * 10, Ordering::SeqCst);
        Ok(())
    };
    let release = async { go_on.send(()).unwrap() };
    let (first, second, looked, ()) = tokio::join!(
        pool.call("test.a", insert("a")),
        pool.call("test.b", insert("b")),
        pool.call("test.look", look),
        release
    );
    held.await.unwrap();
    first.and(second).and(looked).unwrap();
    assert_eq!(transactions.load(Ordering::SeqCst), 12);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_undo_its_job() {
    let pool = Arc::new(pool());
    let (go_on, held) = hold(&pool).await;
    {
        let call = pool.call("test.a", insert("a"));
        tokio::pin!(call);
        assert!(futures_poll_once(call).await);
    }
    go_on.send(()).unwrap();
    held.await.unwrap();
    assert_eq!(names(&pool).await, ["a"]);
}

/// Whether one poll of `future` leaves it pending.
async fn futures_poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test]
async fn a_pool_whose_thread_died_answers_instead_of_waiting() {
    let pool = pool();
    let die = |_: &Connection| -> Result<(), JobError> { panic!("a fault in a job") };
    let error = pool.call("test.die", die).await.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { operation: "test.die", .. }), "{error:?}");
    let error = pool.call("test.after", insert("after")).await.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { operation: "test.after", .. }), "{error:?}");
}

#[tokio::test]
async fn a_dropped_pool_runs_its_queued_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE item (name TEXT PRIMARY KEY) STRICT").unwrap();
    let pool = Pool::writer(connection, InHand::default()).unwrap();
    {
        let call = pool.call("test.a", insert("a"));
        tokio::pin!(call);
        assert!(futures_poll_once(call).await);
    }
    drop(pool);
    let count: i64 =
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM item", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn a_full_disk_fails_the_write_that_does_not_fit() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE item (name TEXT PRIMARY KEY) STRICT; PRAGMA max_page_count = 20").unwrap();
    let pool = Arc::new(Pool::writer(connection, InHand::default()).unwrap());
    let (go_on, held) = hold(&pool).await;
    let large = |connection: &Connection| {
        Ok(connection.execute("INSERT INTO item VALUES (?1)", ["x".repeat(1_000_000)]).map(|_| ())?)
    };
    let release = async { go_on.send(()).unwrap() };
    let (before, too_large, after, ()) = tokio::join!(
        pool.call("test.before", insert("before")),
        pool.call("test.large", large),
        pool.call("test.after", insert("after")),
        release,
    );
    held.await.unwrap();
    before.and(after).unwrap();
    let error = too_large.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { operation: "test.large", .. }), "{error:?}");
    assert_eq!(names(&pool).await, ["after", "before"]);
}
