use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, mpsc};

use heal_runtime::port::BackendError;
use rusqlite::Connection;

use crate::fault::Fault;
use crate::lane::Lane;

fn lane() -> Lane {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE item (name TEXT PRIMARY KEY) STRICT").unwrap();
    Lane::writing(connection).unwrap()
}

fn insert(name: &'static str) -> impl FnMut(&Connection) -> Result<(), Fault> {
    move |connection| Ok(connection.execute("INSERT INTO item VALUES (?1)", [name]).map(|_| ())?)
}

async fn names(lane: &Lane) -> Vec<String> {
    let select = |connection: &Connection| {
        let mut statement = connection.prepare("SELECT name FROM item ORDER BY name")?;
        let names = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
        Ok(names)
    };
    lane.call("test.names", select).await.unwrap()
}

/// Holds the lane's thread from now on, so that what is called meanwhile becomes one group. The sender gives the word to go on.
async fn hold(lane: &Arc<Lane>) -> (mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
    let (go_on, wait) = mpsc::channel();
    let (started, is_held) = tokio::sync::oneshot::channel();
    let (lane, mut started) = (Arc::clone(lane), Some(started));
    let held = tokio::spawn(async move {
        let block = move |_: &Connection| {
            if let Some(started) = started.take() {
                started.send(()).unwrap();
            }
            wait.recv().unwrap();
            Ok(())
        };
        lane.call("test.hold", block).await.unwrap();
    });
    is_held.await.unwrap();
    (go_on, held)
}

#[tokio::test]
async fn a_failing_job_costs_its_neighbours_nothing() {
    let lane = Arc::new(lane());
    let (go_on, held) = hold(&lane).await;
    let release = async { go_on.send(()).unwrap() };
    let bad = |connection: &Connection| {
        connection.execute("INSERT INTO item VALUES ('half')", [])?;
        Ok(connection.execute("INSERT INTO nowhere VALUES (1)", []).map(|_| ())?)
    };
    let corrupt = |_: &Connection| Err::<(), _>(Fault::corrupt("row 7", "not JSON"));
    let (before, failed, unreadable, after, ()) = tokio::join!(
        lane.call("test.before", insert("before")),
        lane.call("test.bad", bad),
        lane.call("test.corrupt", corrupt),
        lane.call("test.after", insert("after")),
        release,
    );
    held.await.unwrap();
    before.unwrap();
    after.unwrap();
    let failed = failed.unwrap_err();
    assert!(matches!(failed, BackendError::Unavailable { operation: "test.bad", .. }), "{failed:?}");
    assert_eq!(unreadable.unwrap_err().to_string(), "test.corrupt: stored data is not readable: row 7: not JSON");
    assert_eq!(names(&lane).await, ["after", "before"]);
}

#[tokio::test]
async fn waiting_jobs_are_one_transaction() {
    let lane = Arc::new(lane());
    let (go_on, held) = hold(&lane).await;
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
        lane.call("test.a", insert("a")),
        lane.call("test.b", insert("b")),
        lane.call("test.look", look),
        release
    );
    held.await.unwrap();
    first.and(second).and(looked).unwrap();
    assert_eq!(transactions.load(Ordering::SeqCst), 12);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_undo_its_job() {
    let lane = Arc::new(lane());
    let (go_on, held) = hold(&lane).await;
    {
        let call = lane.call("test.a", insert("a"));
        tokio::pin!(call);
        assert!(futures_poll_once(call).await);
    }
    go_on.send(()).unwrap();
    held.await.unwrap();
    assert_eq!(names(&lane).await, ["a"]);
}

/// Whether one poll of `future` leaves it pending.
async fn futures_poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context).is_pending())).await
}

#[tokio::test]
async fn a_lane_whose_thread_died_answers_instead_of_waiting() {
    let lane = lane();
    let die = |_: &Connection| -> Result<(), Fault> { panic!("a fault in a job") };
    let error = lane.call("test.die", die).await.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { operation: "test.die", .. }), "{error:?}");
    let error = lane.call("test.after", insert("after")).await.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { operation: "test.after", .. }), "{error:?}");
}

#[tokio::test]
async fn a_dropped_lane_ends_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lane.db");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE item (name TEXT PRIMARY KEY) STRICT").unwrap();
    let lane = Lane::writing(connection).unwrap();
    {
        let call = lane.call("test.a", insert("a"));
        tokio::pin!(call);
        assert!(futures_poll_once(call).await);
    }
    drop(lane);
    let count: i64 =
        Connection::open(&path).unwrap().query_row("SELECT count(*) FROM item", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 1);
}

#[tokio::test]
async fn a_full_disk_fails_the_write_that_does_not_fit() {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch("CREATE TABLE item (name TEXT PRIMARY KEY) STRICT; PRAGMA max_page_count = 20").unwrap();
    let lane = Arc::new(Lane::writing(connection).unwrap());
    let (go_on, held) = hold(&lane).await;
    let large = |connection: &Connection| {
        Ok(connection.execute("INSERT INTO item VALUES (?1)", ["x".repeat(1_000_000)]).map(|_| ())?)
    };
    let release = async { go_on.send(()).unwrap() };
    let (before, too_large, after, ()) = tokio::join!(
        lane.call("test.before", insert("before")),
        lane.call("test.large", large),
        lane.call("test.after", insert("after")),
        release,
    );
    held.await.unwrap();
    before.and(after).unwrap();
    let error = too_large.unwrap_err();
    assert!(matches!(error, BackendError::Unavailable { operation: "test.large", .. }), "{error:?}");
    assert_eq!(names(&lane).await, ["after", "before"]);
}
